import type { DType, Ptr } from '../heap.js';

type Draw<D extends DType> = (
  k0: number,
  k1: number,
  first: number,
  n: number,
  /** low, or the mean */
  a: number,
  /** high, or the standard deviation */
  b: number,
  out: Ptr<D>,
) => void;

/** Contracts: assembly/random.ts. */
export interface RandomKernels {
  /** `out`: two u32 per counter, the low word first. */
  randomBits(k0: number, k1: number, first: number, n: number, out: Ptr<'u32'>): void;
  randomUniform_f32: Draw<'f32'>;
  randomUniform_f64: Draw<'f64'>;
  randomNormal_f32: Draw<'f32'>;
  randomNormal_f64: Draw<'f64'>;
  randomPermutation(k0: number, k1: number, n: number, out: Ptr<'i32'>): void;
}
