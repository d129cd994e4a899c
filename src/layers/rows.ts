// Typed calls of the row kernels by the dtype of a pass.
import type { Core, FloatType, Ptr } from '../wasm/engine.js';
import type { Numbers, Pass } from './finite.js';

type Kernel = (...args: unknown[]) => number;

/** Kernels looked up so far: a name put together at every call would cost more than small kernels do. */
const found = {
  f32: new WeakMap<object, Map<string, Kernel>>(),
  f64: new WeakMap<object, Map<string, Kernel>>(),
};

/** The kernel `name` in the precision of `dtype`. */
export function kernelOf({ kernels }: Core, name: string, dtype: FloatType): Kernel {
  let byName = found[dtype].get(kernels);
  if (!byName) found[dtype].set(kernels, (byName = new Map()));
  let kernel = byName.get(name);
  if (!kernel) {
    kernel = (kernels as unknown as Record<string, Kernel>)[`${name}_${dtype}`]!;
    byName.set(name, kernel);
  }
  return kernel;
}

/** y = a x + b y over equal lengths. */
export function combine(
  { core, dtype }: Pick<Pass, 'core' | 'dtype'>,
  a: number,
  x: Numbers,
  b: number,
  y: Numbers,
): void {
  kernelOf(core, 'rowsCombine', dtype)(1, Math.min(x.length, y.length), a, x.ptr, 0, b, y.ptr, 0);
}

/** A gemm on raw leading dimensions: C (m x n, ldc) = alpha op(A) op(B) + beta C. */
export interface GemmCall {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transA?: boolean;
  readonly transB?: boolean;
  readonly a: Numbers | { readonly ptr: number };
  readonly lda: number;
  readonly b: Numbers | { readonly ptr: number };
  readonly ldb: number;
  readonly c: Numbers | { readonly ptr: number };
  readonly ldc: number;
  readonly alpha?: number;
  readonly beta?: number;
}

export function gemmCall(pass: Pass, call: GemmCall): void {
  const { core, dtype } = pass;
  const { m, n, k, transA = false, transB = false, a, lda, b, ldb, c, ldc, alpha = 1, beta = 0 } = call;
  const bytes = core.kernels.gemmWorkBytes();
  const work = pass.scratch('gemm', Math.ceil(bytes / (dtype === 'f32' ? 4 : 8))).ptr as number as Ptr<'u8'>;
  kernelOf(core, 'gemm', dtype)(
    +transA,
    +transB,
    m,
    n,
    k,
    alpha,
    a.ptr,
    lda,
    b.ptr,
    ldb,
    beta,
    c.ptr,
    ldc,
    work,
  );
}

/** The bytes of `elements` numbers of the pass. */
export function bytesOf(pass: Pick<Pass, 'dtype'>, elements: number): number {
  return elements * (pass.dtype === 'f32' ? 4 : 8);
}

/** The memory `elements` after the start of `numbers`. */
export function after(
  pass: Pick<Pass, 'dtype'>,
  numbers: Numbers,
  elements: number,
): { readonly ptr: number } {
  return { ptr: numbers.ptr + bytesOf(pass, elements) };
}
