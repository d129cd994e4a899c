import type { FloatType, Ptr } from '../heap.js';

type Loop<D extends FloatType> = (n: number, at: Ptr<D>) => void;

/** Contracts: assembly/roofline.ts. */
export interface RooflineKernels {
  roofline_madd_f32: Loop<'f32'>;
  roofline_madd_f64: Loop<'f64'>;
  roofline_sqrt_f32: Loop<'f32'>;
  roofline_sqrt_f64: Loop<'f64'>;
  roofline_stream(bytes: number, from: Ptr, out: Ptr): void;
}
