// The largest stable learning rate: Lanczos on the train-train kernel.
import { gemm } from '../math/matmul.js';
import { asTensor, type TensorLike } from '../math/tensor.js';
import { defineJob, NumericalError, type Engine, type Job, type RunOptions } from '../wasm/engine.js';
import { kernelMatrix, layoutOf } from './layout.js';
import { stage } from './linear.js';
import { powerOfTwo } from './system.js';

interface LanczosParams {
  readonly matrix: Float64Array;
  readonly size: number;
  readonly tolerance: number;
}

/** @internal Largest eigenvalue of a symmetric matrix: Lanczos with full reorthogonalisation from a fixed start. */
export const lanczosJob: Job<LanczosParams, number> = defineJob(
  'predict/lanczos',
  (core, { matrix, size, tolerance }) => {
    const region = core.heap.region();
    try {
      const a = stage(region, core, matrix);
      const x = region.alloc('f64', size);
      const ax = region.alloc('f64', size);
      const apply = (v: Float64Array): Float64Array => {
        core.heap.write(x, v);
        gemm(core, a, x, ax, [size, 1, size]);
        return core.heap.read(ax);
      };
      return topEigenvalue(apply, size, tolerance);
    } finally {
      region.dispose();
    }
  },
);

function topEigenvalue(apply: (v: Float64Array) => Float64Array, size: number, tolerance: number): number {
  // A start without symmetry: the golden-ratio sequence, away from 0.
  let v: Float64Array = Float64Array.from({ length: size }, (_, i) => 1 + ((i * 0.6180339887498949) % 1));
  scaleBy(v, 1 / norm(v));
  const basis: Float64Array[] = [];
  const alpha: number[] = [];
  const beta: number[] = [];
  let top = -Infinity;
  for (let step = 0; step < Math.min(size, 400); step++) {
    basis.push(v);
    const w = apply(v);
    alpha.push(dot(w, v));
    for (let pass = 0; pass < 2; pass++) {
      for (const u of basis) {
        const overlap = dot(w, u);
        for (let i = 0; i < size; i++) w[i]! -= overlap * u[i]!;
      }
    }
    const rest = norm(w);
    const now = largestTridiagonal(alpha, beta);
    const settled = Math.abs(now - top) <= tolerance * Math.abs(now) && step > 3;
    top = now;
    if (settled || rest <= 1e-15 * Math.abs(top)) return top;
    beta.push(rest);
    scaleBy(w, 1 / rest);
    v = w;
  }
  return top;
}

/** By bisection on the signs of the Sturm sequence. */
function largestTridiagonal(alpha: readonly number[], beta: readonly number[]): number {
  let [low, high] = [-Infinity, -Infinity];
  alpha.forEach((a, i) => {
    const radius = Math.abs(beta[i - 1] ?? 0) + Math.abs(i + 1 < alpha.length ? beta[i]! : 0);
    low = Math.max(low, a);
    high = Math.max(high, a + radius);
  });
  for (let k = 0; k < 120 && high - low > 1e-16 * Math.max(Math.abs(low), Math.abs(high)); k++) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high) break;
    if (allBelow(alpha, beta, middle)) high = middle;
    else low = middle;
  }
  return (low + high) / 2;
}

function allBelow(alpha: readonly number[], beta: readonly number[], bound: number): boolean {
  let pivot = 1;
  for (const [i, a] of alpha.entries()) {
    pivot = bound - a - (i > 0 ? (beta[i - 1]! * beta[i - 1]!) / pivot : 0);
    if (pivot <= 0) return false;
  }
  return true;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

const norm = (a: Float64Array): number => Math.sqrt(dot(a, a));

function scaleBy(a: Float64Array, factor: number): void {
  for (let i = 0; i < a.length; i++) a[i]! *= factor;
}

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

export interface MaxLearningRateOptions {
  /** N, the number of target entries (samples times outputs); default: the rows of the kernel matrix. */
  readonly targets?: number;
  /** Heavy-ball momentum; default 0. */
  readonly momentum?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The largest learning rate at which gradient descent on |f - y|^2 / (2N) converges: 2 (1 + momentum) N / lambda_max.
 * `ntk` is (n, n) or zipped (n, n, o, o, ...). At the bound itself the fastest mode neither grows nor decays.
 */
export async function maxLearningRate(
  engine: Engine,
  ntk: TensorLike,
  options: MaxLearningRateOptions = {},
): Promise<number> {
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
  return (2 * (1 + momentum) * targets) / top;
}
