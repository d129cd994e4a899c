import type { Ptr } from '../heap.js';

type Float = 'f32' | 'f64';
type Combine<D extends Float> = (
  rows: number,
  c: number,
  a: number,
  x: Ptr<D>,
  xStep: number,
  b: number,
  y: Ptr<D>,
  yStep: number,
) => void;
type Sum<D extends Float> = (rows: number, c: number, a: number, x: Ptr<D>, b: number, y: Ptr<D>) => void;
type Multiply<D extends Float> = (n: number, x: Ptr<D>, y: Ptr<D>, beta: number, z: Ptr<D>) => void;
type Normalise<D extends Float> = (
  rows: number,
  c: number,
  eps: number,
  x: Ptr<D>,
  y: Ptr<D>,
  inverse: Ptr<D>,
) => void;
type Project<D extends Float> = (
  rows: number,
  c: number,
  y: Ptr<D>,
  inverse: Ptr<D>,
  v: Ptr<D>,
  beta: number,
  out: Ptr<D>,
) => void;
type BlockDots<D extends Float> = (
  n1: number,
  p1: number,
  n2: number,
  p2: number,
  alpha: number,
  x: Ptr<D>,
  y: Ptr<D>,
  out: Ptr<D>,
  ldOut: number,
) => void;

type Softmax<D extends Float> = (rows: number, c: number, x: Ptr<D>, y: Ptr<D>) => void;
type SoftmaxBack<D extends Float> = (
  rows: number,
  c: number,
  p: Ptr<D>,
  v: Ptr<D>,
  beta: number,
  out: Ptr<D>,
) => void;

/** Contracts: assembly/rows.ts. */
export interface RowsKernels {
  rowsCombine_f32: Combine<'f32'>;
  rowsCombine_f64: Combine<'f64'>;
  rowsSum_f32: Sum<'f32'>;
  rowsSum_f64: Sum<'f64'>;
  rowsMultiply_f32: Multiply<'f32'>;
  rowsMultiply_f64: Multiply<'f64'>;
  rowsDot_f32(n: number, x: Ptr<'f32'>, y: Ptr<'f32'>): number;
  rowsDot_f64(n: number, x: Ptr<'f64'>, y: Ptr<'f64'>): number;
  rowsNormalise_f32: Normalise<'f32'>;
  rowsNormalise_f64: Normalise<'f64'>;
  rowsProject_f32: Project<'f32'>;
  rowsProject_f64: Project<'f64'>;
  rowsBlockDots_f32: BlockDots<'f32'>;
  rowsBlockDots_f64: BlockDots<'f64'>;
  rowsSoftmax_f32: Softmax<'f32'>;
  rowsSoftmax_f64: Softmax<'f64'>;
  rowsSoftmaxBack_f32: SoftmaxBack<'f32'>;
  rowsSoftmaxBack_f64: SoftmaxBack<'f64'>;
}
