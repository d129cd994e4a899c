import type { Ptr } from '../heap.js';

/** Contracts: assembly/eigh.ts. */
export interface EighKernels {
  eigh_f64(
    n: number,
    a: Ptr<'f64'>,
    lda: number,
    w: Ptr<'f64'>,
    v: Ptr<'f64'>,
    vectors: number,
    work: Ptr<'u8'>,
  ): number;
  /** Bytes of `work` for size n, as an unsigned 32-bit number. */
  eighWorkBytes(n: number): number;
}
