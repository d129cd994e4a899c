// Positive definite systems: factorisation with jitter, and the public forms of cholesky and solve.
import {
  defineJob,
  knownFields,
  NumericalError,
  type Core,
  type Engine,
  type Fields,
  type FloatType,
  type Job,
  type Ticket,
} from '../wasm/engine.js';
import { symmetric } from './check.js';
import { choleskyFactor, choleskySolve, logDeterminant } from './cholesky.js';
import { eighInPlace } from './eigh.js';
import { extremeEigenvaluesOf } from './lanczos.js';
import { fits, getDiagonal, mirror, setDiagonal } from './matmul.js';
import { asTensor, assertFinite, type Tensor, type TensorLike } from './tensor.js';

export interface JitterOptions {
  /**
   * The largest multiple of the mean diagonal entry that may be added to the diagonal when the matrix is not
   * numerically positive definite; 0 forbids any. Default 1e-6 (float64), 1e-3 (float32).
   */
  readonly maxJitter?: number;
}

const EPSILON = { f32: 2 ** -23, f64: 2 ** -52 } as const;

/**
 * A + jitter I = L L^T in place; returns the jitter that was needed (absolute, mostly 0). The lower triangle of the n x n
 * ticket is A and becomes L; the upper one is used as the spare copy of A. Jitter starts at n eps times the mean
 * diagonal entry and grows tenfold. NumericalError with condition, smallest eigenvalue and last jitter otherwise.
 */
export function choleskyWithJitter<D extends FloatType>(
  core: Core,
  a: Ticket<D>,
  n: number,
  options: JitterOptions & { readonly lda?: number } = {},
): { readonly jitter: number } {
  const { maxJitter = a.dtype === 'f32' ? 1e-3 : 1e-6, lda = n } = options;
  if (!(maxJitter >= 0))
    throw new RangeError(`choleskyWithJitter: maxJitter must be >= 0, got ${maxJitter}.`);
  fits('choleskyWithJitter: A', a, n, n, lda);
  if (n === 0) return { jitter: 0 };
  return core.heap.scope((scope) => {
    const diagonal = scope.alloc(a.dtype, n);
    getDiagonal(core, a, diagonal, n, lda);
    mirror(core, a, n, { ldc: lda });
    let mean = 0;
    for (const x of core.heap.read(diagonal)) mean += x / n;
    let relative = 0;
    let failed = choleskyFactor(core, a, n, lda);
    while (failed >= 0) {
      mirror(core, a, n, { ldc: lda, from: 'upper' });
      const next = relative === 0 ? n * EPSILON[a.dtype] : 10 * relative;
      if (!(mean > 0) || !(next <= maxJitter)) {
        setDiagonal(core, a, diagonal, n, { lda });
        throw notPositive(core, a, { n, lda, pivot: failed, jitter: relative * mean });
      }
      relative = next;
      setDiagonal(core, a, diagonal, n, { shift: relative * mean, lda });
      failed = choleskyFactor(core, a, n, lda);
    }
    return { jitter: relative * mean };
  });
}

/** What can be said about a matrix that has no Cholesky factor. */
function notPositive(
  core: Core,
  a: Ticket,
  {
    n,
    lda,
    pivot,
    jitter,
  }: { readonly n: number; readonly lda: number; readonly pivot: number; readonly jitter: number },
): NumericalError {
  const [smallest, largest] = spectrumEnds(core, a, n, lda);
  const condition = smallest > 0 ? largest / smallest : Infinity;
  const tried = jitter > 0 ? ` even with jitter ${jitter.toExponential(2)}` : '';
  return new NumericalError(
    `cholesky: expected a positive definite matrix, pivot ${pivot} of ${n} is not positive${tried}; smallest eigenvalue ` +
      `about ${smallest.toExponential(2)}, largest ${largest.toExponential(2)}. Add a ridge of that size, remove duplicate rows or use float64.`,
    { condition, minEigenvalue: smallest, jitter },
  );
}

const EXACT = 512; // up to this size all eigenvalues cost little

function spectrumEnds(core: Core, a: Ticket, n: number, lda: number): readonly [number, number] {
  return core.heap.scope((scope) => {
    const copy = scope.alloc('f64', n * n);
    for (let i = 0; i < n; i++) {
      const row = core.heap.read(a, i * lda, n);
      for (const x of row) {
        if (!Number.isFinite(x)) throw new NumericalError(`cholesky: the matrix contains ${x} in row ${i}.`);
      }
      core.heap.write(copy, row, i * n);
    }
    if (n > EXACT) {
      const { smallest, largest } = extremeEigenvaluesOf(core, copy, n);
      return [smallest, largest];
    }
    const w = scope.alloc('f64', n);
    eighInPlace(core, copy, w, null, { n });
    return [core.heap.get(w, 0), core.heap.get(w, n - 1)];
  });
}

/** `a` in wasm memory with its own precision. */
function put(
  scope: { put(x: Float64Array | Float32Array): Ticket<FloatType> },
  { data }: Tensor,
): Ticket<FloatType> {
  return scope.put(data);
}

interface CholeskyParams extends JitterOptions {
  readonly a: Tensor;
}
export interface CholeskyResult {
  /** L, lower triangular with zeros above: A + jitter I = L L^T. Shape `[n, n]`. */
  readonly factor: Tensor;
  /** What was added to the diagonal; 0 unless A is singular to working precision. */
  readonly jitter: number;
  /** log det (A + jitter I). */
  readonly logDeterminant: number;
}

/** @internal */
export const choleskyJob: Job<CholeskyParams, CholeskyResult> = defineJob(
  'math/cholesky',
  (core, { a, ...options }) =>
    core.heap.scope((scope) => {
      const n = a.shape[0]!;
      const l = put(scope as never, a);
      const { jitter } = choleskyWithJitter(core, l, n, options);
      const data = core.heap.read(l);
      for (let i = 0; i < n; i++) data.fill(0, i * n + i + 1, (i + 1) * n);
      return { factor: { data, shape: a.shape }, jitter, logDeterminant: logDeterminant(core, l, n) };
    }),
);

const JITTER: Fields<JitterOptions> = { maxJitter: true };

/**
 * The Cholesky factor of a symmetric positive definite matrix of shape `[n, n]`, in the precision of its data.
 * RangeError for input that is not square, finite and symmetric; NumericalError (with `details`) if `maxJitter` of the
 * mean diagonal does not make it positive definite.
 */
export async function cholesky(
  engine: Engine,
  a: TensorLike,
  options: JitterOptions = {},
): Promise<CholeskyResult> {
  knownFields('cholesky', options, JITTER);
  return engine.run(choleskyJob, { ...options, a: symmetric(a, 'cholesky') });
}

interface SolveParams extends CholeskyParams {
  readonly b: Tensor;
}
export interface SolveResult {
  /** X with (A + jitter I) X = B, in the shape of B. */
  readonly x: Tensor;
  readonly jitter: number;
}

/** @internal */
export const solveJob: Job<SolveParams, SolveResult> = defineJob('math/solve', (core, { a, b, ...options }) =>
  core.heap.scope((scope) => {
    const [n, r] = [b.shape[0]!, b.shape[1] ?? 1];
    const l = put(scope as never, a);
    const { jitter } = choleskyWithJitter(core, l, n, options);
    const x = put(scope as never, b);
    choleskySolve(core, l, x, [n, r]);
    return { x: { data: core.heap.read(x), shape: b.shape }, jitter };
  }),
);

/**
 * Solves A X = B for a symmetric positive definite A (`[n, n]`) and B of shape `[n]` or `[n, r]`: float32 when both are,
 * else float64. Errors as `cholesky`.
 */
export async function solve(
  engine: Engine,
  a: TensorLike,
  b: TensorLike,
  options: JitterOptions = {},
): Promise<SolveResult> {
  knownFields('solve', options, JITTER);
  const matrix = symmetric(a, 'solve');
  const right = asTensor(b, 'solve: b');
  if (right.shape.length < 1 || right.shape.length > 2 || right.shape[0] !== matrix.shape[0]) {
    throw new RangeError(
      `solve: expected b of shape [${matrix.shape[0]}] or [${matrix.shape[0]}, r], got [${right.shape.join(', ')}].`,
    );
  }
  assertFinite(right, 'solve: b');
  const single = matrix.data instanceof Float32Array && right.data instanceof Float32Array;
  const wide = (t: Tensor): Tensor => (single ? t : { data: Float64Array.from(t.data), shape: t.shape });
  return engine.run(solveJob, { ...options, a: wide(matrix), b: wide(right) });
}
