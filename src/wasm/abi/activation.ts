import type { FloatType, Ptr } from '../heap.js';

type Parameters<D extends FloatType> = [p: number, q: number, r: number, table: Ptr<D>, count: number];
type Activation<D extends FloatType> = (
  code: number,
  order: number,
  n: number,
  x: Ptr<D>,
  y: Ptr<D>,
  ...rest: Parameters<D>
) => void;
type Product<D extends FloatType> = (
  code: number,
  order: number,
  n: number,
  x: Ptr<D>,
  v: Ptr<D>,
  beta: number,
  z: Ptr<D>,
  ...rest: Parameters<D>
) => void;

/** Contracts: assembly/activation.ts; codes: src/layers/activation/codes.ts. */
export interface ActivationKernels {
  activation_f32: Activation<'f32'>;
  activation_f64: Activation<'f64'>;
  activationProduct_f32: Product<'f32'>;
  activationProduct_f64: Product<'f64'>;
}
