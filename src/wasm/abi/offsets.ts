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
export interface PlanesKernels {
  planes_f32: Run;
  planes_f64: Run;
  planesInterleave_f32: Interleave<'f32'>;
  planesInterleave_f64: Interleave<'f64'>;
}
