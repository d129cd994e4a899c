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
  random_bits(k0: number, k1: number, first: number, n: number, out: Ptr<'u32'>): void;
  random_uniform_f32: Draw<'f32'>;
  random_uniform_f64: Draw<'f64'>;
  random_normal_f32: Draw<'f32'>;
  random_normal_f64: Draw<'f64'>;
  random_permutation(k0: number, k1: number, n: number, out: Ptr<'i32'>): void;
}
