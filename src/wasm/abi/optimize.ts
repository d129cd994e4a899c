import type { Ptr } from '../heap.js';

type Float = 'f32' | 'f64';
type Rmsprop<D extends Float> = (
  n: number,
  rate: number,
  decay: number,
  eps: number,
  g: Ptr<D>,
  s: Ptr<D>,
  p: Ptr<D>,
) => void;
type Adam<D extends Float> = (
  n: number,
  rate: number,
  b1: number,
  b2: number,
  c1: number,
  c2: number,
  eps: number,
  g: Ptr<D>,
  m: Ptr<D>,
  v: Ptr<D>,
  p: Ptr<D>,
) => void;

type Lion<D extends Float> = (
  n: number,
  rate: number,
  b1: number,
  b2: number,
  g: Ptr<D>,
  m: Ptr<D>,
  p: Ptr<D>,
) => void;

/** Contracts: assembly/optimize.ts. */
export interface OptimizeKernels {
  rmsprop_f32: Rmsprop<'f32'>;
  rmsprop_f64: Rmsprop<'f64'>;
  adam_f32: Adam<'f32'>;
  adam_f64: Adam<'f64'>;
  lion_f32: Lion<'f32'>;
  lion_f64: Lion<'f64'>;
}
