// Scores of one kernel for a list of noise levels: one eigendecomposition, then O(n^2) per level.
import { gemm } from '../../math/matmul.js';
import { eighInPlace } from '../../math/eigh.js';
import { defineJob, type Job } from '../../wasm/engine.js';
import { stage } from '../linear.js';
import { fitLink, ROUGH, gaussianScore, leaveOneOut, looMeans, profiledScale } from './loo.js';

export interface ScoreParams {
  readonly kernel: Float64Array;
  readonly size: number;
  /** (size, outputs) */
  readonly targets: Float64Array;
  readonly centre: readonly number[];
  /** Class of every sample, or null for regression. */
  readonly labels: readonly number[] | null;
  /** Noise levels, relative to the mean of the diagonal. */
  readonly noises: readonly number[];
}

/** @internal Leave-one-out log predictive density (per sample: of the class, or of the number) for every noise level. */
export const scoreJob: Job<ScoreParams, number[]> = defineJob('predict/score', (core, params) => {
  const { kernel, size, targets, centre, labels, noises } = params;
  const outputs = centre.length;
  return core.heap.scope((scope) => {
    const values = scope.alloc('f64', size);
    const vectors = scope.alloc('f64', size * size);
    eighInPlace(core, stage(scope, core, kernel), values, vectors, size);
    const projected = scope.alloc('f64', size * outputs);
    gemm(core, vectors, stage(scope, core, targets), projected, [size, outputs, size]);
    const lambda = core.heap.read(values);
    const rows = core.heap.read(vectors);
    const p = core.heap.read(projected);
    const weighted = scope.alloc('f64', size * outputs);
    const back = scope.alloc('f64', size * outputs);
    let mean = 0;
    for (let i = 0; i < size; i++) mean += kernel[i * size + i]! / size;
    return noises.map((noise) => {
      const weight = lambda.map((value) => 1 / (Math.max(value, 0) + noise * mean));
      core.heap.write(
        weighted,
        p.map((value, i) => value * weight[Math.floor(i / outputs)]!),
      );
      gemm(core, vectors, weighted, back, [size, outputs, size], { transA: true });
      const diagonal = new Float64Array(size);
      for (let j = 0; j < size; j++)
        for (let i = 0, at = j * size; i < size; i++, at++)
          diagonal[i]! += weight[j]! * rows[at]! * rows[at]!;
      const loo = leaveOneOut(core.heap.read(back), diagonal, outputs);
      if (!labels) return gaussianScore(loo, outputs);
      const scale = profiledScale(loo, outputs).reduce((sum, value) => sum + value / outputs, 0);
      const variance = loo.variance.map((value) => value * scale);
      return fitLink(looMeans(targets, loo, centre), variance, labels, centre, ROUGH).score;
    });
  });
});
