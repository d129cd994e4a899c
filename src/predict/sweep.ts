// Many times at once: the spectral factors of all of them go through the eigenbasis side by side, in one product.
import { sizeOf, type Tensor } from '../math/tensor.js';
import { gemm } from '../math/matmul.js';
import {
  defineJob,
  type Engine,
  type Fields,
  type Job,
  type RunOptions,
  type Ticket,
} from '../wasm/engine.js';
import { fromMatrix, targetShape, timesOf, type Layout, type Times } from './layout.js';
import { NONE, stage } from './linear.js';
import { spectralFactors, type Dynamics, type SpectralFactors } from './spectral.js';
import type { TrainSystem } from './system.js';

/** How the outputs are trained. */
export interface DynamicsOptions {
  /** Time is learningRate * t; t counts steps. Default 1. */
  readonly learningRate?: number;
  /** `flow` (default): gradient flow. `discrete`: exactly t steps of gradient descent. */
  readonly mode?: 'flow' | 'discrete';
  /** Heavy-ball momentum in [0, 1): v <- m v + grad, theta <- theta - learningRate v. null (default): none. */
  readonly momentum?: number | null;
}

export const DYNAMICS: Fields<DynamicsOptions> = { learningRate: true, mode: true, momentum: true };

/** Checks and completes the options of the dynamics. */
export function dynamicsOf(name: string, options: DynamicsOptions): Dynamics {
  const { learningRate = 1, mode = 'flow', momentum = null } = options;
  if (typeof learningRate !== 'number' || !(learningRate > 0) || learningRate === Infinity)
    throw new RangeError(`${name}: learningRate must be positive and finite, got ${String(learningRate)}`);
  if (mode !== 'flow' && mode !== 'discrete')
    throw new RangeError(`${name}: mode must be 'flow' or 'discrete', got ${String(mode)}`);
  if (momentum !== null && !(momentum >= 0 && momentum < 1))
    throw new RangeError(`${name}: momentum must be in [0, 1) or null, got ${momentum}`);
  return { learningRate, mode, momentum };
}

/** Times; whole numbers of steps when the dynamics is discrete. */
export function stepsOf(
  name: string,
  t: Times,
  { mode }: Dynamics,
): { values: Float64Array; shape: readonly number[] } {
  const times = timesOf(name, t);
  for (const value of times.values)
    if (mode === 'discrete' && value !== Infinity && !Number.isSafeInteger(value))
      throw new RangeError(
        `${name}: t must be whole steps in mode 'discrete', got ${value}. Use mode 'flow'.`,
      );
  return times;
}

/** Spectral factors at every time, and how many modes are rounding noise and left out. */
export async function factorsAt(
  system: TrainSystem,
  dynamics: Dynamics,
  layout: Layout,
  times: Float64Array,
  run: RunOptions,
): Promise<{ list: SpectralFactors[]; dropped: number }> {
  const { values } = await system.spectrum(run);
  const cutoff = await system.cutoff(run);
  const size = sizeOf(layout.yShape) / system.scale;
  const list = Array.from(times, (t) => spectralFactors(values, cutoff, dynamics, size, t));
  const dropped = values.filter((value) => value <= cutoff).length;
  return { list, dropped };
}

interface SweepParams {
  /** (n, n), eigenvectors V as columns. */
  readonly vectors: Float64Array;
  /** (n, columns) */
  readonly right: Float64Array;
  readonly n: number;
  readonly columns: number;
  /** Weights at the train points, or at those of `basis` (rows, n), points in the eigenbasis. */
  readonly own?: readonly Float64Array[];
  readonly basis?: Float64Array | null;
  /** A kernel (rows, n) of other points with the train points, and the weights of what it multiplies. */
  readonly kernel?: Float64Array;
  readonly dual?: readonly Float64Array[];
}

interface Swept {
  /** V (w o V' right), or basis (w o V' right), of every weight of `own` side by side: (rows, weights x columns). */
  readonly own: Float64Array;
  /** kernel V (w o V' right) of every weight of `dual`. */
  readonly seen: Float64Array;
}

/** @internal Both sides in one job, so that the eigenvectors are copied once. */
export const sweepJob: Job<SweepParams, Swept> = defineJob('predict/sweep', (core, params) => {
  const { vectors, right, n, columns, own = [], basis, kernel, dual = [] } = params;
  const apply = (left: Ticket<'f64'>, b: Ticket<'f64'>, out: Ticket<'f64'>): void => {
    const width = b.length / n;
    gemm(core, [left, b, out], [out.length / width, width, n]);
  };
  return core.heap.scope((scope) => {
    const pulled = scope.alloc('f64', n * dual.length * columns);
    const ownSide = core.heap.scope((inner) => {
      const v = stage(inner, core, vectors);
      const projected = inner.alloc('f64', n * columns);
      gemm(core, [v, stage(inner, core, right), projected], [n, columns, n], { transA: true });
      const p = core.heap.read(projected);
      if (dual.length > 0) apply(v, inner.put(sideBySide(dual, p, columns)), pulled);
      if (own.length === 0) return NONE;
      const out = inner.alloc('f64', ((basis ?? vectors).length / n) * own.length * columns);
      apply(basis ? stage(inner, core, basis) : v, inner.put(sideBySide(own, p, columns)), out);
      return core.heap.read(out);
    });
    if (!kernel || dual.length === 0) return { own: ownSide, seen: NONE };
    const out = scope.alloc('f64', (kernel.length / n) * dual.length * columns);
    apply(stage(scope, core, kernel), pulled, out);
    return { own: ownSide, seen: core.heap.read(out) };
  });
});

/** w_k o p of every weight, for p (n, columns): (n, weights x columns). */
function sideBySide(
  weights: readonly Float64Array[],
  p: Float64Array,
  columns: number,
): Float64Array<ArrayBuffer> {
  const out = new Float64Array(weights.length * p.length);
  for (let j = 0, at = 0; at < out.length; j++)
    for (const weight of weights)
      for (let c = 0; c < columns; c++) out[at++] = weight[j]! * p[j * columns + c]!;
  return out;
}

/** Functions of the system's matrix, applied to `right`: at the train points and through a kernel, at many times. */
export function sweep(engine: Engine, params: SweepParams, run: RunOptions): Promise<Swept> {
  return engine.run(sweepJob, params, run);
}

/** (rows, times x columns) as matrices (rows, columns) of every time, one after the other. */
export function byTime(side: Float64Array, times: number, columns: number): Float64Array {
  const rows = side.length / Math.max(1, times * columns);
  const out = new Float64Array(side.length);
  for (let i = 0, at = 0; i < rows; i++)
    for (let k = 0; k < times; k++)
      for (let c = 0; c < columns; c++) out[(k * rows + i) * columns + c] = side[at++]!;
  return out;
}

/** The same matrix for every time, side by side. */
export function repeatColumns(data: Float64Array, times: number, columns: number): Float64Array {
  const out = new Float64Array(times * data.length);
  for (let i = 0, at = 0; i < data.length; i += columns)
    for (let k = 0; k < times; k++) for (let c = 0; c < columns; c++) out[at++] = data[i + c]!;
  return out;
}

/** Matrices of several times, stacked, as a tensor (...t, samples, ...o). */
export function batched(
  layout: Layout,
  data: Float64Array,
  samples: number,
  times: readonly number[],
): Tensor {
  const count = sizeOf(times);
  const size = data.length / Math.max(count, 1);
  const out = new Float64Array(data.length);
  for (let k = 0; k < count; k++)
    out.set(fromMatrix(layout, data.subarray(k * size, (k + 1) * size), samples).data, k * size);
  return { data: out, shape: [...times, ...targetShape(layout, samples)] };
}
