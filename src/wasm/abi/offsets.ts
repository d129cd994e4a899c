import type { Ptr } from '../heap.js';

type Run = (
  context: Ptr<'i32'>,
  schedule: Ptr<'i32'>,
  steps: number,
  count: number,
  xStride: number,
  outStride: number,
) => void;
type Interleave<D extends 'f32' | 'f64'> = (
  records: Ptr<D>,
  y: Ptr<D>,
  stride: number,
  count: number,
  back: number,
) => void;

/** Contracts: assembly/offsets.ts. */
export interface OffsetsKernels {
  offsetsExecute_f32: Run;
  offsetsExecute_f64: Run;
  offsetsInterleave_f32: Interleave<'f32'>;
  offsetsInterleave_f64: Interleave<'f64'>;
}
