import type { Ptr } from '../heap.js';

type Gemm<D extends 'f32' | 'f64'> = (
  transA: number,
  transB: number,
  m: number,
  n: number,
  k: number,
  alpha: number,
  a: Ptr<D>,
  lda: number,
  b: Ptr<D>,
  ldb: number,
  beta: number,
  c: Ptr<D>,
  ldc: number,
  work: Ptr<'u8'>,
) => void;

/** Contracts: assembly/gemm.ts. */
export interface GemmKernels {
  gemm_f32: Gemm<'f32'>;
  gemm_f64: Gemm<'f64'>;
  /** Bytes of `work` that `gemm_*` and `gram_*` need. */
  gemmWorkBytes(): number;
}
