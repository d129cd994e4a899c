import type { FloatType, Ptr } from '../heap.js';

type Activate<D extends FloatType> = (
  kind: number,
  order: number,
  n: number,
  a: number,
  b: number,
  c: number,
  x: Ptr<D>,
  y: Ptr<D>,
) => void;
type BendBack<D extends FloatType> = (
  n: number,
  a: number,
  b: number,
  x: Ptr<D>,
  g: Ptr<D>,
  beta: number,
  out: Ptr<D>,
) => void;

/** Contracts: assembly/activation.ts. */
export interface ActivationKernels {
  activate_f32: Activate<'f32'>;
  activate_f64: Activate<'f64'>;
  bend_back_f32: BendBack<'f32'>;
  bend_back_f64: BendBack<'f64'>;
}
