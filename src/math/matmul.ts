import {
  defineJob,
  type Core,
  type Engine,
  type FloatType,
  type Job,
  type Ptr,
  type Ticket,
} from '../wasm/engine.js';
import { asTensor, type Tensor, type TensorLike } from './tensor.js';

/** C = alpha op(A) op(B) + beta C on tickets; `m, n, k` are those of the product. Synchronous; the building block. */
export function gemm<D extends FloatType>(
  core: Core,
  a: Ticket<D>,
  b: Ticket<D>,
  c: Ticket<D>,
  [m, n, k]: readonly [number, number, number],
  options: { transA?: boolean; transB?: boolean; alpha?: number; beta?: number } = {},
): void {
  const { transA = false, transB = false, alpha = 1, beta = 0 } = options;
  const kernel = core.kernels[a.dtype === 'f32' ? 'gemm_f32' : 'gemm_f64'] as (...args: unknown[]) => void;
  core.heap.scope((scope) => {
    const work = scope.alloc('u8', core.kernels.gemmWorkBytes()).ptr;
    kernel(
      +transA,
      +transB,
      m,
      n,
      k,
      alpha,
      a.ptr,
      transA ? m : k,
      b.ptr,
      transB ? k : n,
      beta,
      c.ptr,
      n,
      work as Ptr<'u8'>,
    );
  });
}

interface MatmulParams {
  readonly a: Tensor;
  readonly b: Tensor;
}

/** @internal */
export const gemmJob: Job<MatmulParams, Tensor> = defineJob('math/matmul', (core, { a, b }) =>
  core.heap.scope((scope) => {
    const [m, k] = a.shape as [number, number];
    const n = b.shape[1]!;
    const c = scope.alloc('f64', m * n);
    gemm(core, scope.put(Float64Array.from(a.data)), scope.put(Float64Array.from(b.data)), c, [m, n, k]);
    return { data: core.heap.read(c), shape: [m, n] };
  }),
);

/** The matrix product of `(m, k)` and `(k, n)`. */
export async function matmul(engine: Engine, a: TensorLike, b: TensorLike): Promise<Tensor> {
  const left = asTensor(a, 'matmul: a');
  const right = asTensor(b, 'matmul: b');
  if (left.shape.length !== 2 || right.shape.length !== 2 || left.shape[1] !== right.shape[0]) {
    throw new RangeError(
      `matmul: shapes (m, k) and (k, n) wanted, got [${left.shape.join(', ')}] and [${right.shape.join(', ')}]`,
    );
  }
  return engine.run(gemmJob, { a: left, b: right });
}
