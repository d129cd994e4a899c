import type { Ptr } from '../heap.js';

type Dot<D extends 'f32' | 'f64'> = (
  rows: number,
  cols: number,
  z: Ptr<D>,
  y: Ptr<D>,
  a: Ptr<D>,
  slope: number,
  f: Ptr<'f64'>,
) => void;
type Back<D extends 'f32' | 'f64'> = (
  rows: number,
  cols: number,
  z: Ptr<D>,
  d: Ptr<D>,
  g: Ptr<'f64'>,
  slope: number,
  out: Ptr<D>,
  da: Ptr<D>,
) => void;
type Diagonal<D extends 'f32' | 'f64'> = (
  rows: number,
  cols: number,
  z: Ptr<D>,
  d: Ptr<D>,
  a: Ptr<D>,
  slope: number,
  ka: Ptr<'f64'>,
  kw: Ptr<'f64'>,
) => void;
type Update<D extends 'f32' | 'f64'> = (
  rows: number,
  cols: number,
  beta: number,
  w: Ptr<D>,
  alpha: number,
  a: Ptr<D>,
  t: Ptr<D>,
) => void;

/** Contracts: assembly/one-hidden.ts. */
export interface OneHiddenKernels {
  hiddenDot_f32: Dot<'f32'>;
  hiddenDot_f64: Dot<'f64'>;
  hiddenBack_f32: Back<'f32'>;
  hiddenBack_f64: Back<'f64'>;
  hiddenKernels_f32: Diagonal<'f32'>;
  hiddenKernels_f64: Diagonal<'f64'>;
  hiddenUpdate_f32: Update<'f32'>;
  hiddenUpdate_f64: Update<'f64'>;
}
