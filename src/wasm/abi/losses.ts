import type { Ptr } from '../heap.js';

type Loss<D extends 'f32' | 'f64'> = (
  kind: number,
  rows: number,
  c: number,
  scale: number,
  f: Ptr<D>,
  y: Ptr<'f64'>,
  g: Ptr<D>,
) => number;

/** Contracts: assembly/losses.ts. */
export interface LossKernels {
  loss_f32: Loss<'f32'>;
  loss_f64: Loss<'f64'>;
}
