// Scores of one kernel for a list of noise levels: one eigendecomposition, then O(n^2) per level.
import { log } from '../../math/elementary.js';
import { gemm } from '../../math/matmul.js';
import { eighInPlace } from '../../math/eigh.js';
import { defineJob, type Job } from '../../wasm/engine.js';
import { stage } from '../linear.js';
import { fitLink, ROUGH, leaveOneOut, looMeans, profiledScale, type LooResult } from './loo.js';
import { quantilesOf } from './uncertainty/intervals.js';
import { valueOf, type Scale } from './transform.js';

/** A target of numbers on one scale, standardised there. */
export interface ScaledTarget extends Scale {
  /** Mean logarithm of the derivative of the standardised value: what a density on this scale is worth on the target's. */
  readonly slope: number;
}

export interface ScoreParams {
  readonly kernel: Float64Array;
  readonly size: number;
  /** (size, outputs): one-hot columns, or one column per scale of a target of numbers. */
  readonly targets: Float64Array;
  /** Classes: their shares and the class of every sample. */
  readonly classes: { readonly shares: readonly number[]; readonly labels: readonly number[] } | null;
  /** Numbers: the scales, the target's own first, and the target itself. */
  readonly scales: readonly ScaledTarget[];
  readonly values: readonly number[];
  /** Noise levels, relative to the mean of the diagonal. */
  readonly noises: readonly number[];
}

/** What leaving one out says of one kernel, scale and noise. */
export interface Score {
  readonly noise: number;
  /** Place among the scales; 0 for classes. */
  readonly scale: number;
  /** Mean log predictive density of the class or of the number, nats. */
  readonly score: number;
  /** Numbers: mean square of the errors over the variance of the target, 1 - R^2; 0 for classes. */
  readonly error: number;
}

/** @internal Leave-one-out scores for every noise level and scale. */
export const scoreJob: Job<ScoreParams, Score[]> = defineJob('predict/score', (core, params) => {
  const { kernel, size, targets, classes, noises } = params;
  const outputs = targets.length / size;
  return core.heap.scope((scope) => {
    const values = scope.alloc('f64', size);
    const vectors = scope.alloc('f64', size * size);
    eighInPlace(core, stage(scope, core, kernel), values, vectors, { n: size });
    const projected = scope.alloc('f64', size * outputs);
    gemm(core, [vectors, stage(scope, core, targets), projected], [size, outputs, size]);
    const [lambda, rows, p] = [values, vectors, projected].map((array) => core.heap.read(array));
    const weighted = scope.alloc('f64', size * outputs);
    const back = scope.alloc('f64', size * outputs);
    let mean = 0;
    for (let i = 0; i < size; i++) mean += kernel[i * size + i]! / size;
    return noises.flatMap((noise) => {
      const weight = lambda!.map((value) => 1 / (Math.max(value, 0) + noise * mean));
      core.heap.write(
        weighted,
        p!.map((value, i) => value * weight[Math.floor(i / outputs)]!),
      );
      gemm(core, [vectors, weighted, back], [size, outputs, size], { transA: true });
      const diagonal = new Float64Array(size);
      for (let j = 0; j < size; j++)
        for (let i = 0, at = j * size; i < size; i++, at++)
          diagonal[i]! += weight[j]! * rows![at]! * rows![at]!;
      const loo = leaveOneOut(core.heap.read(back), diagonal, outputs);
      if (!classes) return numberScores(params, noise, loo);
      const scale = profiledScale(loo, outputs).reduce((sum, value) => sum + value / outputs, 0);
      const variance = loo.variance.map((value) => value * scale);
      const means = looMeans(targets, loo, classes.shares);
      const { score } = fitLink(means, variance, classes.labels, classes.shares, ROUGH);
      return [{ noise, scale: 0, score, error: 0 }];
    });
  });
});

function numberScores(
  { size, targets, scales, values }: ScoreParams,
  noise: number,
  loo: LooResult,
): Score[] {
  const unit = scales[0]!.deviation; // that of the target as it is
  const profiled = profiledScale(loo, scales.length);
  const spread = loo.variance.reduce((sum, value) => sum + log(value) / size, 0);
  return scales.map((scale, k) => {
    const density = -(log(2 * Math.PI * profiled[k]!) + spread + 1) / 2 + scale.slope;
    const steps = loo.variance.map((value) => Math.sqrt(profiled[k]! * value));
    const residual = Float64Array.from(steps, (_, i) => loo.residual[i * scales.length + k]!);
    const errors = quantilesOf(
      residual.map((value, i) => value / steps[i]!),
      SMEAR,
    );
    let error = 0;
    for (let i = 0; i < size; i++) {
      const centre = targets[i * scales.length + k]! - residual[i]!;
      error += ((values[i]! - meanOf(scale, centre, steps[i]!, errors)) / unit) ** 2 / size;
    }
    return { noise, scale: k, score: density, error };
  });
}

const SMEAR = 9; // errors over which the mean of a bent scale is taken

/** The mean of the target where its scaled value is centre + step * error, over a list of errors (Duan 1983: smearing). */
export function meanOf(scale: Scale, centre: number, step: number, errors: Float64Array): number {
  if (scale.transform.kind === 'none') return valueOf(scale, centre);
  let sum = 0;
  for (const error of errors) sum += valueOf(scale, centre + step * error) / errors.length;
  return sum;
}
