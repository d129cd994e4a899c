import type { FloatType, Ptr } from '../heap.js';

type Loop<D extends FloatType> = (n: number, at: Ptr<D>) => void;

/** Contracts: assembly/roofline.ts. */
export interface RooflineKernels {
  rooflineMadd_f32: Loop<'f32'>;
  rooflineMadd_f64: Loop<'f64'>;
  rooflineSqrt_f32: Loop<'f32'>;
  rooflineSqrt_f64: Loop<'f64'>;
  rooflineStream(bytes: number, from: Ptr, out: Ptr): void;
}
