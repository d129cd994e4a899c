// Matrix products. Synchronous building blocks work on tickets inside `core.heap.scope(...)`, in f32 or f64 by the
// tickets' dtype; matrices are row-major and `ld*` options are leading dimensions in elements. `matmul` is the public form.
import {
  defineJob,
  knownFields,
  type Core,
  type Engine,
  type Fields,
  type FloatType,
  type Job,
  type Ticket,
} from '../wasm/engine.js';
import { asTensor, type Tensor, type TensorLike } from './tensor.js';

type Names =
  | 'gemm'
  | 'gram'
  | 'gemv'
  | 'symv'
  | 'mirror'
  | 'cholesky'
  | 'solveLower'
  | 'solveRight'
  | 'logDeterminant'
  | 'getDiagonal'
  | 'setDiagonal'
  | 'hadamard';

/** @internal The kernel `name` for `dtype`: the one place where a dtype known only at run time picks an export. */
export function floatKernel(core: Core, name: Names, dtype: FloatType): (...args: number[]) => number {
  return core.kernels[`${name}_${dtype}`] as unknown as (...args: number[]) => number;
}

/** @internal Calls `fn` with the address of gemm's working memory (about 9 MB, reused by the heap). */
export function withWork<T>(core: Core, fn: (work: number) => T): T {
  return core.heap.scope((scope) => fn(scope.alloc('u8', core.kernels.gemmWorkBytes()).ptr));
}

/** @internal RangeError unless `ticket` holds `rows` rows of `cols` elements, `ld` apart. */
export function fits(where: string, ticket: Ticket, rows: number, cols: number, ld: number): void {
  if (!(Number.isInteger(rows) && Number.isInteger(cols) && rows >= 0 && cols >= 0)) {
    throw new RangeError(`${where}: sizes must be whole numbers >= 0, got ${rows} x ${cols}`);
  }
  if (ld < cols || (rows > 0 && (rows - 1) * ld + cols > ticket.length)) {
    throw new RangeError(
      `${where}: ${rows} x ${cols} with leading dimension ${ld} does not fit in ${ticket.length} elements`,
    );
  }
}

export interface GemmOptions {
  readonly transA?: boolean;
  readonly transB?: boolean;
  /** Default 1. */
  readonly alpha?: number;
  /** Default 0: C is not read. */
  readonly beta?: number;
  readonly lda?: number;
  readonly ldb?: number;
  readonly ldc?: number;
}

/** C = alpha op(A) op(B) + beta C; `m, n, k` are those of the product, op(A) m x k. C may not overlap A or B. */
export function gemm<D extends FloatType>(
  core: Core,
  [a, b, c]: readonly [Ticket<D>, Ticket<D>, Ticket<D>],
  [m, n, k]: readonly [number, number, number],
  options: GemmOptions = {},
): void {
  const { transA = false, transB = false, alpha = 1, beta = 0 } = options;
  const { lda = transA ? m : k, ldb = transB ? k : n, ldc = n } = options;
  fits('gemm: A', a, transA ? k : m, transA ? m : k, lda);
  fits('gemm: B', b, transB ? n : k, transB ? k : n, ldb);
  fits('gemm: C', c, m, n, ldc);
  const kernel = floatKernel(core, 'gemm', a.dtype);
  withWork(core, (work) =>
    kernel(+transA, +transB, m, n, k, alpha, a.ptr, lda, b.ptr, ldb, beta, c.ptr, ldc, work),
  );
}

export interface GramOptions {
  /** X is k x n and C = X^T X. */
  readonly trans?: boolean;
  /** Default 1. */
  readonly alpha?: number;
  /** Default 0: C is not read. With 1 and alpha = -1: a rank-k downdate. */
  readonly beta?: number;
  /** The rows of C to compute; default all. Rows are independent, so ranges can run on different workers. */
  readonly begin?: number;
  readonly end?: number;
  readonly ldx?: number;
  readonly ldc?: number;
}

/**
 * The lower triangle of C = alpha X X^T + beta C, X n x k, C n x n: about half the work of gemm. Entries above the
 * diagonal are not touched: call `mirror` for the full matrix.
 */
export function gram<D extends FloatType>(
  core: Core,
  x: Ticket<D>,
  c: Ticket<D>,
  [n, k]: readonly [number, number],
  options: GramOptions = {},
): void {
  const { trans = false, alpha = 1, beta = 0, begin = 0, end = n } = options;
  const { ldx = trans ? n : k, ldc = n } = options;
  fits('gram: X', x, trans ? k : n, trans ? n : k, ldx);
  fits('gram: C', c, n, n, ldc);
  if (!(begin >= 0 && begin <= end && end <= n))
    throw new RangeError(`gram: rows ${begin}..${end} are outside 0..${n}`);
  const kernel = floatKernel(core, 'gram', x.dtype);
  withWork(core, (work) => kernel(+trans, begin, end, k, alpha, x.ptr, ldx, beta, c.ptr, ldc, work));
}

/** Copies the lower triangle of the n x n matrix C over the upper one, or with `from: 'upper'` the other way. */
export function mirror<D extends FloatType>(
  core: Core,
  c: Ticket<D>,
  n: number,
  { ldc = n, from = 'lower' }: { ldc?: number; from?: 'lower' | 'upper' } = {},
): void {
  fits('mirror: C', c, n, n, ldc);
  floatKernel(core, 'mirror', c.dtype)(n, c.ptr, ldc, +(from === 'upper'));
}

/** C += A o (alpha B + shift), element by element; all m x n. With alpha 1, shift 0: the Hadamard product. */
export function hadamard<D extends FloatType>(
  core: Core,
  a: Ticket<D>,
  b: Ticket<D>,
  c: Ticket<D>,
  {
    sizes: [m, n],
    options = {},
  }: {
    readonly sizes: readonly [number, number];
    readonly options?:
      { alpha?: number; shift?: number; lda?: number; ldb?: number; ldc?: number } | undefined;
  },
): void {
  const { alpha = 1, shift = 0, lda = n, ldb = n, ldc = n } = options;
  fits('hadamard: A', a, m, n, lda);
  fits('hadamard: B', b, m, n, ldb);
  fits('hadamard: C', c, m, n, ldc);
  floatKernel(core, 'hadamard', a.dtype)(m, n, a.ptr, lda, alpha, b.ptr, ldb, shift, c.ptr, ldc);
}

/** x = the diagonal of the n x n matrix A. */
export function getDiagonal<D extends FloatType>(
  core: Core,
  a: Ticket<D>,
  x: Ticket<D>,
  n: number,
  lda: number = n,
): void {
  fits('getDiagonal: A', a, n, n, lda);
  fits('getDiagonal: x', x, 1, n, n);
  floatKernel(core, 'getDiagonal', a.dtype)(n, a.ptr, lda, x.ptr);
}

/** The diagonal of A becomes x + shift: with `getDiagonal` before it, a ridge. */
export function setDiagonal<D extends FloatType>(
  core: Core,
  a: Ticket<D>,
  x: Ticket<D>,
  n: number,
  { shift = 0, lda = n }: { shift?: number; lda?: number } = {},
): void {
  fits('setDiagonal: A', a, n, n, lda);
  fits('setDiagonal: x', x, 1, n, n);
  floatKernel(core, 'setDiagonal', a.dtype)(n, a.ptr, lda, x.ptr, shift);
}

/** y = alpha A x + beta y, or with `trans` A^T x; A m x n. */
export function gemv<D extends FloatType>(
  core: Core,
  a: Ticket<D>,
  x: Ticket<D>,
  y: Ticket<D>,
  {
    sizes: [m, n],
    options = {},
  }: {
    readonly sizes: readonly [number, number];
    readonly options?: { trans?: boolean; alpha?: number; beta?: number; lda?: number } | undefined;
  },
): void {
  const { trans = false, alpha = 1, beta = 0, lda = n } = options;
  fits('gemv: A', a, m, n, lda);
  fits('gemv: x', x, 1, trans ? m : n, trans ? m : n);
  fits('gemv: y', y, 1, trans ? n : m, trans ? n : m);
  floatKernel(core, 'gemv', a.dtype)(+trans, m, n, alpha, a.ptr, lda, x.ptr, beta, y.ptr);
}

/** y = A x for a symmetric n x n matrix of which only the lower triangle is read. */
export function symv<D extends FloatType>(
  core: Core,
  a: Ticket<D>,
  x: Ticket<D>,
  y: Ticket<D>,
  { n, lda = n }: { readonly n: number; readonly lda?: number | undefined },
): void {
  fits('symv: A', a, n, n, lda);
  fits('symv: x', x, 1, n, n);
  fits('symv: y', y, 1, n, n);
  floatKernel(core, 'symv', a.dtype)(n, a.ptr, lda, x.ptr, y.ptr);
}

export interface MatmulOptions {
  /** a has shape [k, m] and its transpose is taken. */
  readonly transposeA?: boolean;
  /** b has shape [n, k] and its transpose is taken. */
  readonly transposeB?: boolean;
  /** Default 1. */
  readonly alpha?: number;
  /** A tensor in the shape of the result, of which `beta` times is added. It is not changed. */
  readonly c?: TensorLike;
  /** Default 1 with `c`. 0 ignores what `c` holds, NaN included. */
  readonly beta?: number;
}

interface MatmulParams {
  readonly a: Tensor;
  readonly b: Tensor;
  readonly c?: Tensor;
  readonly transA?: boolean;
  readonly transB?: boolean;
  readonly alpha?: number;
  readonly beta?: number;
  /** a and b are the same matrix, one of them transposed: half the work. */
  readonly symmetric?: boolean;
}

/** @internal alpha op(a) op(b) + beta c on plain data; b may be a vector. */
export const gemmJob: Job<MatmulParams, Tensor> = defineJob('math/matmul', (core, params) =>
  core.heap.scope((scope) => {
    const { a, b, c, transA = false, transB = false, alpha = 1, beta = 0 } = params;
    const [m, k] = transA ? [a.shape[1]!, a.shape[0]!] : (a.shape as [number, number]);
    const shape = b.shape.length === 1 ? [m] : [m, transB ? b.shape[0]! : b.shape[1]!];
    const n = shape[1] ?? 1;
    const single = [a, b, c ?? a].every(({ data }) => data instanceof Float32Array);
    const put = ({ data }: Tensor): Ticket<FloatType> =>
      single ? scope.put(data as Float32Array<ArrayBuffer>) : scope.put(Float64Array.from(data));
    const out = c ? put(c) : scope.alloc<FloatType>(single ? 'f32' : 'f64', m * n);
    const left = put(a);
    if (params.symmetric) {
      gram(core, left, out, [m, k], { trans: transA, alpha });
      mirror(core, out, m);
    } else if (n === 1) {
      const options = { trans: transA, alpha, beta };
      gemv(core, left, put(b), out, { sizes: a.shape as [number, number], options });
    } else gemm(core, [left, put(b), out], [m, n, k], { transA, transB, alpha, beta });
    return { data: core.heap.read(out), shape };
  }),
);

const MATMUL_OPTIONS: Fields<MatmulOptions> = {
  transposeA: true,
  transposeB: true,
  alpha: true,
  c: true,
  beta: true,
};

/**
 * alpha op(a) op(b) + beta c for op(a) of shape `(m, k)` and op(b) `(k, n)`, or a vector b of shape `(k)`: float32 when
 * all are, else float64. With the same tensor as a and b and one of them transposed, half the work is done. NaN and
 * infinity in the data propagate. RangeError when shapes do not fit or alpha or beta is not finite.
 */
export async function matmul(
  engine: Engine,
  a: TensorLike,
  b: TensorLike,
  options: MatmulOptions = {},
): Promise<Tensor> {
  knownFields('matmul', options, MATMUL_OPTIONS);
  const { transposeA: transA = false, transposeB: transB = false, alpha = 1 } = options;
  const beta = options.beta ?? (options.c === undefined ? 0 : 1);
  for (const [name, value] of Object.entries({ alpha, beta })) {
    if (!Number.isFinite(value))
      throw new RangeError(`matmul: ${name} must be a finite number, got ${value}.`);
  }
  const left = asTensor(a, 'matmul: a');
  const right = b === a ? left : asTensor(b, 'matmul: b');
  const columns = shapeOfProduct(left.shape, right.shape, transA, transB);
  const shape = [left.shape[transA ? 1 : 0]!, ...columns];
  const c = options.c === undefined ? undefined : asTensor(options.c, 'matmul: c');
  if (c ? c.shape.join() !== shape.join() : beta !== 0) {
    const got = c ? `[${c.shape.join(', ')}]` : `none with beta = ${beta}`;
    throw new RangeError(`matmul: c must have the shape of the product, [${shape.join(', ')}], got ${got}.`);
  }
  const symmetric = !c && left.data === right.data && transA !== transB && shape[0] === shape[1];
  const shared = { a: left, b: right, transA, transB, alpha, symmetric };
  return engine.run(gemmJob, c ? { ...shared, c, beta } : shared);
}

/** The axes that b gives to the result; RangeError unless `op(a)` and `op(b)` have an inner size in common. */
function shapeOfProduct(
  a: readonly number[],
  b: readonly number[],
  transA: boolean,
  transB: boolean,
): readonly number[] {
  const vector = b.length === 1 && !transB;
  const inner = b[!vector && transB ? 1 : 0];
  if (a.length !== 2 || !(vector || b.length === 2) || a[transA ? 0 : 1] !== inner) {
    const shapes = `${transA ? '(k, m)' : '(m, k)'} and ${transB ? '(n, k)' : '(k, n) or (k)'}`;
    throw new RangeError(
      `matmul: shapes ${shapes} wanted, got [${a.join(', ')}] and [${b.join(', ')}]. Transpose with transposeA or transposeB.`,
    );
  }
  return vector ? [] : [b[transB ? 0 : 1]!];
}
