import type { FloatType, Ptr } from '../heap.js';

export type Gemm<D extends FloatType> = (
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

export type Gram<D extends FloatType> = (
  trans: number,
  begin: number,
  end: number,
  k: number,
  alpha: number,
  x: Ptr<D>,
  ldx: number,
  beta: number,
  c: Ptr<D>,
  ldc: number,
  work: Ptr<'u8'>,
) => void;

/** Contracts: assembly/gemm.ts. */
export interface GemmKernels {
  gemm_f32: Gemm<'f32'>;
  gemm_f64: Gemm<'f64'>;
  gram_f32: Gram<'f32'>;
  gram_f64: Gram<'f64'>;
  /** Bytes of `work` that gemm, gram, cholesky and the solves need. */
  gemmWorkBytes(): number;
}
