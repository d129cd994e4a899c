// The dense linear algebra of predictions as jobs: plain arrays in and out, one core does one matrix.
import { choleskyFactor, choleskySolve, solveTriangularRight } from '../math/cholesky.js';
import { eighJob } from '../math/eigh.js';
import { gemm, gram, mirror } from '../math/matmul.js';
import { powerOfTwo } from '../math/power-of-two.js';
import {
  defineJob,
  NumericalError,
  type Allocator,
  type Core,
  type Engine,
  type Job,
  type RunOptions,
  type Ticket,
} from '../wasm/engine.js';

/** What is not asked for. */
export const NONE: Float64Array = new Float64Array(0);

/** A copy in wasm memory, of an array that may sit on any buffer. */
export function stage(place: Allocator, core: Core, array: Float64Array): Ticket<'f64'> {
  const ticket = place.alloc('f64', array.length);
  core.heap.write(ticket, array);
  return ticket;
}

interface ProductParams {
  readonly a: Float64Array;
  readonly b: Float64Array;
  readonly sizes: readonly [number, number, number];
  readonly transA: boolean;
  readonly transB: boolean;
}

/** @internal */
export const productJob: Job<ProductParams, Float64Array> = defineJob(
  'predict/product',
  (core, { a, b, sizes, transA, transB }) =>
    core.heap.scope((scope) => {
      const c = scope.alloc('f64', sizes[0] * sizes[1]);
      gemm(core, [stage(scope, core, a), stage(scope, core, b), c], sizes, { transA, transB });
      return core.heap.read(c);
    }),
);

export interface ProductOptions extends RunOptions {
  readonly transA?: boolean;
  readonly transB?: boolean;
}

/** op(A) op(B), row-major; `[m, n, k]` are those of the product. */
export function product(
  engine: Engine,
  a: Float64Array,
  b: Float64Array,
  sizes: readonly [number, number, number],
  { transA = false, transB = false, ...run }: ProductOptions = {},
): Promise<Float64Array> {
  return engine.run(productJob, { a, b, sizes, transA, transB }, run);
}

/** @internal X X' of a row-major (n, k) matrix, full. */
export const outerJob: Job<{ x: Float64Array; n: number; k: number }, Float64Array> = defineJob(
  'predict/outer',
  (core, { x, n, k }) =>
    core.heap.scope((scope) => {
      const c = scope.alloc('f64', n * n);
      gram(core, stage(scope, core, x), c, [n, k]);
      mirror(core, c, n);
      return core.heap.read(c);
    }),
);

/** A + jitter I = L L'. */
export interface Factor {
  /** Row-major; only the lower triangle means anything. */
  readonly lower: Float64Array;
  readonly size: number;
  readonly jitter: number;
  /** (max l_ii / min l_ii)^2, a lower bound of the condition number. */
  readonly condition: number;
}

interface Attempt {
  readonly lower: Float64Array;
  readonly pivots: readonly [smallest: number, largest: number];
}

const EPSILON = 2 ** -52;

/** @internal Null when a pivot is not positive, or too small to be more than rounding noise. */
export const factorJob: Job<{ matrix: Float64Array; size: number; jitter: number }, Attempt | null> =
  defineJob('predict/factor', (core, { matrix, size, jitter }) =>
    core.heap.scope((scope) => {
      const work = matrix.slice();
      if (jitter > 0) for (let i = 0; i < size; i++) work[i * size + i]! += jitter;
      const a = stage(scope, core, work);
      if (choleskyFactor(core, a, size) >= 0) return null;
      const lower = core.heap.read(a);
      let [smallest, largest] = [Infinity, 0];
      for (let i = 0; i < size; i++) {
        const pivot = lower[i * size + i]! ** 2;
        if (pivot <= 8 * EPSILON * work[i * size + i]!) return null;
        smallest = Math.min(smallest, pivot);
        largest = Math.max(largest, pivot);
      }
      return { lower, pivots: [smallest, largest] };
    }),
  );

/**
 * The Cholesky factor of a positive semidefinite matrix of scale ~1. When a pivot fails, jitter is added to the
 * diagonal: 16 eps times its mean (`least`: at least so much), then 8 times as much, up to 1e-7 of it. NumericalError beyond.
 */
export async function factorise(
  engine: Engine,
  matrix: Float64Array,
  size: number,
  { least = 0, ...run }: RunOptions & { readonly least?: number } = {},
): Promise<Factor & { readonly mean: number }> {
  let mean = 0;
  for (let i = 0; i < size; i++) mean += matrix[i * size + i]! / size;
  let jitter = least;
  while (jitter <= 1e-7 * mean) {
    const attempt = await engine.run(factorJob, { matrix, size, jitter }, run);
    if (attempt) {
      const { lower, pivots } = attempt;
      return { lower, size, jitter, condition: pivots[1] / pivots[0], mean };
    }
    if (mean === 0) break;
    jitter = jitter === 0 ? 16 * EPSILON * mean : 8 * jitter;
  }
  const { values } = await eigen(engine, matrix, size, run);
  throw notDefinite(mean, [values[0]!, values[size - 1]!], jitter);
}

/** The Cholesky factor as it is, without jitter; null when a pivot is not positive, or not more than rounding noise. */
export async function factorExactly(
  engine: Engine,
  matrix: Float64Array,
  size: number,
  run: RunOptions = {},
): Promise<Factor | null> {
  const attempt = await engine.run(factorJob, { matrix, size, jitter: 0 }, run);
  if (!attempt) return null;
  const { lower, pivots } = attempt;
  return { lower, size, jitter: 0, condition: pivots[1] / pivots[0] };
}

/** |y - z| / |y| (Frobenius), 0 for y = 0. */
export function relativeGap(y: Float64Array, z: Float64Array): number {
  // Near 1, so that squares neither overflow nor vanish.
  const unit = powerOfTwo(y.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1);
  let [gap, size] = [0, 0];
  for (let i = 0; i < y.length; i++) {
    gap += ((y[i]! - z[i]!) / unit) ** 2;
    size += (y[i]! / unit) ** 2;
  }
  return size > 0 ? Math.sqrt(gap / size) : 0;
}

/** Of |y - M w| / |y|: beyond it a factorised solve has lost the answer, and M counts as singular. */
export const LOST = 1e-6;

/** The error of a kernel that no jitter made definite; lengths in its scale. */
export function notDefinite(mean: number, [low, high]: readonly number[], jitter: number): NumericalError {
  if (mean === 0)
    return new NumericalError(
      "the train kernel is zero. Check the inputs and the net, or add noise with diagRegScale: 'absolute'.",
      { minEigenvalue: 0, jitter },
    );
  return new NumericalError(
    `the train kernel is not positive definite: eigenvalues from ${low!.toPrecision(3)} to ${high!.toPrecision(3)} of its scale, and a jitter of ${jitter.toPrecision(2)} did not help. Raise diagReg above ${Math.max(0, -low! / mean).toPrecision(2)}, or compute the kernel in f64.`,
    { minEigenvalue: low!, jitter, ...(low! > 0 ? { condition: high! / low! } : {}) },
  );
}

interface SolveParams {
  readonly lower: Float64Array;
  readonly size: number;
  readonly right: Float64Array;
  readonly columns: number;
}

/** @internal */
export const solveJob: Job<SolveParams, Float64Array> = defineJob(
  'predict/solve',
  (core, { lower, size, right, columns }) =>
    core.heap.scope((scope) => {
      const b = stage(scope, core, right);
      choleskySolve(core, stage(scope, core, lower), b, [size, columns]);
      return core.heap.read(b);
    }),
);

/** A X = B for B (size, columns). */
export function solve(
  engine: Engine,
  { lower, size }: Factor,
  right: Float64Array,
  columns: number,
  run: RunOptions = {},
): Promise<Float64Array> {
  return engine.run(solveJob, { lower, size, right, columns }, run);
}

interface WhitenParams {
  readonly lower: Float64Array;
  readonly size: number;
  readonly rows: Float64Array;
  readonly squares: boolean;
}

/** @internal */
export const whitenJob: Job<WhitenParams, Float64Array> = defineJob(
  'predict/whiten',
  (core, { lower, size, rows, squares }) =>
    core.heap.scope((scope) => {
      const count = rows.length / size;
      const x = stage(scope, core, rows);
      solveTriangularRight(core, stage(scope, core, lower), x, [count, size]);
      const whole = core.heap.read(x);
      return squares ? rowSquares(whole, count, size) : whole;
    }),
);

/** W = X L^-T for X (count, size), so that W W' = X A^-1 X'; or only the diagonal of that product. */
export function whiten(
  engine: Engine,
  { lower, size }: Factor,
  rows: Float64Array,
  want: 'whole' | 'squares',
  run: RunOptions = {},
): Promise<Float64Array> {
  return engine.run(whitenJob, { lower, size, rows, squares: want === 'squares' }, run);
}

function rowSquares(x: Float64Array, rows: number, columns: number): Float64Array {
  return rowDots(x, x, rows, columns);
}

/** The diagonal of A B' for row-major (rows, columns) matrices. */
export function rowDots(a: Float64Array, b: Float64Array, rows: number, columns: number): Float64Array {
  const out = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    let sum = 0;
    for (let k = i * columns; k < (i + 1) * columns; k++) sum += a[k]! * b[k]!;
    out[i] = sum;
  }
  return out;
}

/** Every entry over `by`; the array itself where that is 1. */
export function divided(data: Float64Array, by: number): Float64Array {
  if (by === 1) return data;
  const out = new Float64Array(data.length);
  for (let i = 0; i < out.length; i++) out[i] = data[i]! / by;
  return out;
}

/** The transpose of a row-major (rows, columns) matrix. */
export function transpose(x: Float64Array, rows: number, columns: number): Float64Array {
  const out = new Float64Array(x.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = x[i * columns + j]!;
  return out;
}

/** A = V diag(values) V', ascending. */
export interface Eigen {
  readonly values: Float64Array;
  /** Column j is the eigenvector of value j. */
  readonly vectors: Float64Array;
}
/** All eigenpairs of a symmetric matrix. */
export async function eigen(
  engine: Engine,
  matrix: Float64Array,
  size: number,
  run: RunOptions = {},
): Promise<Eigen> {
  const { values, vectors } = await engine.run(
    eighJob,
    { a: { data: matrix, shape: [size, size] }, vectors: true },
    run,
  );
  return { values, vectors: transpose(vectors!, size, size) };
}
