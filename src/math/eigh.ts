// Eigenpairs of symmetric matrices: the synchronous building block and the public form.
import {
  defineJob,
  NumericalError,
  type Core,
  type Engine,
  type Job,
  type Ptr,
  type Ticket,
} from '../wasm/engine.js';
import { symmetric } from './check.js';
import { fits } from './matmul.js';
import type { Tensor, TensorLike } from './tensor.js';

/**
 * Eigenvalues of the symmetric n x n matrix A, ascending, into `w` (n), and unless `v` is null the unit eigenvectors as
 * ROWS of `v` (n x n): A = V^T diag(w) V. Only the lower triangle of A is read; A keeps its values. Float64 only.
 * Absolute accuracy (about n eps ||A||): tiny eigenvalues of a semi-definite matrix may come out slightly negative.
 * Needs about 3 n^2 numbers of working memory. NumericalError for NaN or infinity in A.
 */
export function eighInPlace(
  core: Core,
  a: Ticket<'f64'>,
  w: Ticket<'f64'>,
  v: Ticket<'f64'> | null,
  { n, lda = n }: { readonly n: number; readonly lda?: number | undefined },
): void {
  fits('eighInPlace: A', a, n, n, lda);
  fits('eighInPlace: w', w, 1, n, n);
  if (v) fits('eighInPlace: v', v, n, n, n);
  const info = core.heap.scope((scope) => {
    const work = scope.alloc('u8', core.kernels.eighWorkBytes(n) >>> 0).ptr;
    return core.kernels.eigh_f64(n, a.ptr, lda, w.ptr, v ? v.ptr : (0 as Ptr<'f64'>), +(v !== null), work);
  });
  if (info < 0) throw new NumericalError('eigh: the matrix contains NaN or infinity.');
  if (info > 0) throw new NumericalError(`eigh: QL iteration did not converge at row ${info}.`);
}

interface EighParams {
  readonly a: Tensor;
  readonly vectors: boolean;
}
interface EighData {
  readonly values: Float64Array;
  readonly vectors: Float64Array | null;
}

/** @internal */
export const eighJob: Job<EighParams, EighData> = defineJob('math/eigh', (core, { a, vectors }) =>
  core.heap.scope((scope) => {
    const n = a.shape[0]!;
    const w = scope.alloc('f64', n);
    const v = vectors ? scope.alloc('f64', n * n) : null;
    eighInPlace(core, scope.put(Float64Array.from(a.data)), w, v, { n });
    return { values: core.heap.read(w), vectors: v && core.heap.read(v) };
  }),
);

export interface Eigenpairs {
  /** Ascending, shape `[n]`. */
  readonly values: Tensor<Float64Array>;
  /** Row j is the unit eigenvector of `values[j]`; shape `[n, n]`. */
  readonly vectors: Tensor<Float64Array>;
}

/**
 * All eigenpairs of a symmetric matrix of shape `[n, n]`, in float64. RangeError unless the matrix is square, symmetric
 * (to rounding) and finite. Divide and conquer (LAPACK's dsyevd); accuracy about n eps times the largest |eigenvalue|.
 */
export async function eigh(engine: Engine, a: TensorLike): Promise<Eigenpairs> {
  const matrix = symmetric(a, 'eigh');
  const n = matrix.shape[0]!;
  const { values, vectors } = await engine.run(eighJob, { a: matrix, vectors: true });
  return { values: { data: values, shape: [n] }, vectors: { data: vectors!, shape: [n, n] } };
}

/** The eigenvalues of a symmetric matrix alone, ascending: less than half the time of `eigh`. */
export async function eigenvalues(engine: Engine, a: TensorLike): Promise<Tensor<Float64Array>> {
  const matrix = symmetric(a, 'eigenvalues');
  const { values } = await engine.run(eighJob, { a: matrix, vectors: false });
  return { data: values, shape: [matrix.shape[0]!] };
}
