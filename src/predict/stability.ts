// The largest stable learning rate: Lanczos on the train-train kernel.
import { extremeEigenvaluesOf } from '../math/lanczos.js';
import { asTensor, type TensorLike } from '../math/tensor.js';
import {
  defineJob,
  knownFields,
  NumericalError,
  type Engine,
  type Fields,
  type Job,
  type RunOptions,
} from '../wasm/engine.js';
import { kernelMatrix, layoutOf } from './layout.js';
import { stage } from './linear.js';
import { powerOfTwo } from '../math/power-of-two.js';

interface LanczosParams {
  readonly matrix: Float64Array;
  readonly size: number;
  readonly tolerance: number;
}

/** @internal */
export const lanczosJob: Job<LanczosParams, number> = defineJob(
  'predict/lanczos',
  (core, { matrix, size, tolerance }) =>
    core.heap.scope(
      (scope) => extremeEigenvaluesOf(core, stage(scope, core, matrix), size, { tolerance }).largest,
    ),
);

/** The largest eigenvalue of a symmetric matrix, to ~1e-12; n^2 flops per Lanczos step. */
export async function largestEigenvalue(
  engine: Engine,
  matrix: Float64Array,
  size: number,
  run: RunOptions = {},
): Promise<number> {
  let top = 0;
  for (const value of matrix) top = Math.max(top, Math.abs(value));
  if (top === 0) return 0;
  const scale = powerOfTwo(top);
  const scaled = matrix.map((value) => value / scale);
  return scale * (await engine.run(lanczosJob, { matrix: scaled, size, tolerance: 1e-14 }, run));
}

/** What `maxLearningRate` may be told. */
export interface MaxLearningRateOptions {
  /** N, the number of target entries (samples times outputs); default: the rows of the kernel matrix. */
  readonly targets?: number;
  /** Heavy-ball momentum; default 0. */
  readonly momentum?: number;
  readonly signal?: AbortSignal | undefined;
}

const RATE_OPTIONS: Fields<MaxLearningRateOptions> = { targets: true, momentum: true, signal: true };

/**
 * The largest learning rate at which gradient descent on |f - y|^2 / (2N) converges: 2 (1 + momentum) N / lambda_max.
 * `ntk` is (n, n) or zipped (n, n, o, o, ...). At the bound itself the fastest mode neither grows nor decays.
 * RangeError for other shapes.
 */
export async function maxLearningRate(
  engine: Engine,
  ntk: TensorLike,
  options: MaxLearningRateOptions = {},
): Promise<number> {
  knownFields('maxLearningRate', options, RATE_OPTIONS);
  const name = 'maxLearningRate';
  const given = asTensor(ntk, `${name}: ntk`);
  const shape = given.shape.filter((_, axis) => axis % 2 === 0);
  const layout = layoutOf(name, shape, []);
  const matrix = kernelMatrix(layout, given, `${name}: ntk`, shape[0]!).data;
  const { targets = layout.rows, momentum = 0, signal } = options;
  if (!(targets > 0)) throw new RangeError(`${name}: targets must be positive, got ${targets}`);
  if (!(momentum >= 0 && momentum < 1))
    throw new RangeError(`${name}: momentum must be in [0, 1), got ${momentum}`);
  const top = await largestEigenvalue(engine, matrix, layout.rows, { signal });
  if (!(top > 0))
    throw new NumericalError(`${name}: the kernel's largest eigenvalue is ${top}; nothing can be learned`, {
      minEigenvalue: top,
    });
  const rate = (2 * (1 + momentum) * targets) / top;
  if (rate < Infinity) return rate;
  throw new NumericalError(
    `${name}: it overflows float64 for the largest eigenvalue ${top}. Scale the kernel up.`,
  );
}
