// How the size of errors changes over the table: a kernel regression of the logarithm of the leave-one-out errors.
import { exp, log } from '../../../math/elementary.js';
import { eighInPlace } from '../../../math/eigh.js';
import { gemm } from '../../../math/matmul.js';
import { permutation, randomKey } from '../../../math/random.js';
import { defineJob, type Engine, type Job, type RunOptions } from '../../../wasm/engine.js';
import type { NetDocument } from '../../../net/document.js';
import { stage } from '../../linear.js';
import { tableKernels } from '../kernels.js';
import { leaveOneOut } from '../loo.js';
import { gather } from '../rows.js';

/** What the regression of error sizes rests on. */
export interface NoiseProblem {
  readonly net: NetDocument;
  readonly method: 'nngp' | 'ntk';
  /** (rows, features) */
  readonly x: Float64Array;
  readonly features: number;
  /** Leave-one-out errors over their predicted deviations, one per row. */
  readonly errors: Float64Array;
}

/** The relative size of errors: 1 everywhere where nothing else is better. */
export interface NoiseModel {
  /** Of the rows it was fitted on, each without its own error. */
  readonly train: Float64Array;
  /** Of other rows. */
  at(x: Float64Array, run: RunOptions): Promise<Float64Array>;
}

const ROWS = 600; // rows of the regression: more add cost, not shape
const LEAST = 40; // rows below which a shape cannot be told from chance
const GAIN = 3; // nats of leave-one-out log density that a changing size must win
const NOISES: readonly number[] = [1, 3.16, 10, 31.6, 100];
const RANGE = 2.5; // logarithm of the largest ratio to the typical size

interface NoiseParams {
  readonly kernel: Float64Array;
  readonly size: number;
  readonly targets: Float64Array;
  readonly errors: Float64Array;
}
interface NoiseFit {
  /** Null: no noise level is better than a constant size. */
  readonly weights: Float64Array | null;
  /** Leave-one-out predictions of the targets. */
  readonly predicted: Float64Array;
}

/** @internal The ridge of the best leave-one-out log density of the errors (Laplace, scale profiled out). */
export const noiseJob: Job<NoiseParams, NoiseFit> = defineJob('predict/noise', (core, params) => {
  const { kernel, size, targets, errors } = params;
  return core.heap.scope((scope) => {
    const values = scope.alloc('f64', size);
    const vectors = scope.alloc('f64', size * size);
    eighInPlace(core, stage(scope, core, kernel), values, vectors, { n: size });
    const projected = scope.alloc('f64', size);
    gemm(core, [vectors, stage(scope, core, targets), projected], [size, 1, size]);
    const [lambda, rows, p] = [values, vectors, projected].map((array) => core.heap.read(array));
    const weighted = scope.alloc('f64', size);
    const back = scope.alloc('f64', size);
    let mean = 0;
    for (let i = 0; i < size; i++) mean += kernel[i * size + i]! / size;
    let best: NoiseFit & { score: number } = {
      weights: null,
      predicted: new Float64Array(size),
      score: density(errors, new Float64Array(size)) + GAIN / size,
    };
    for (const noise of NOISES) {
      const weight = lambda!.map((value) => 1 / (Math.max(value, 0) + noise * mean));
      core.heap.write(
        weighted,
        p!.map((value, i) => value * weight[i]!),
      );
      gemm(core, [vectors, weighted, back], [size, 1, size], { transA: true });
      const diagonal = new Float64Array(size);
      for (let j = 0; j < size; j++)
        for (let i = 0, at = j * size; i < size; i++, at++) diagonal[i]! += weight[j]! * rows![at]! ** 2;
      const weights = core.heap.read(back);
      const { residual } = leaveOneOut(weights, diagonal, 1);
      const predicted = targets.map((value, i) => bounded(value - residual[i]!));
      const score = density(errors, predicted);
      if (score > best.score) best = { weights, predicted, score };
    }
    return { weights: best.weights, predicted: best.predicted };
  });
});

const bounded = (value: number): number => Math.max(-RANGE, Math.min(RANGE, value));

/** Mean log density of errors whose sizes are exp(shape) times one constant. */
function density(errors: Float64Array, shape: Float64Array): number {
  let [sum, size] = [0, 0];
  for (let i = 0; i < errors.length; i++) {
    sum += shape[i]! / errors.length;
    size += (Math.abs(errors[i]!) * exp(-shape[i]!)) / errors.length;
  }
  return -sum - log(Math.max(size, 1e-300));
}

const flat = (count: number): Float64Array => new Float64Array(count).fill(1);

/** Fits the relative size of errors on at most 600 of the rows. */
export async function fitNoise(engine: Engine, problem: NoiseProblem, run: RunOptions): Promise<NoiseModel> {
  const { net, method, x, features, errors } = problem;
  const rows = errors.length;
  const constant = { train: flat(rows), at: async (points: Float64Array) => flat(points.length / features) };
  const sizes = errors.map(Math.abs).sort();
  const floor = 0.05 * (sizes[rows >> 1] ?? 0);
  if (rows < LEAST || !(floor > 0)) return constant;
  const picked = [...permutation(engine, randomKey(1), rows).slice(0, ROWS)].sort((a, b) => a - b);
  const some = gather(x, picked, features);
  const logs = picked.map((row) => log(Math.max(Math.abs(errors[row]!), floor)));
  const centre = logs.reduce((sum, value) => sum + value / logs.length, 0);
  const { [method]: kernel } = await tableKernels(engine, net, some, null, { features, run });
  const params = {
    kernel,
    size: picked.length,
    targets: Float64Array.from(logs, (value) => value - centre),
    errors: gather(errors, picked, 1),
  };
  const [found] = await engine.map(noiseJob, [params], run);
  const { weights, predicted } = found!;
  if (!weights) return constant;
  const at = async (points: Float64Array, now: RunOptions): Promise<Float64Array> => {
    const { [method]: cross } = await tableKernels(engine, net, points, some, { features, run: now });
    return Float64Array.from({ length: points.length / features }, (_, i) => {
      let sum = 0;
      for (let j = 0; j < weights.length; j++) sum += cross[i * weights.length + j]! * weights[j]!;
      return exp(bounded(sum));
    });
  };
  const train = rows === picked.length ? flat(rows) : await at(x, run);
  picked.forEach((row, i) => (train[row] = exp(predicted[i]!)));
  return { train, at };
}
