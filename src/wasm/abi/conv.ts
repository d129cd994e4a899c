import type { Ptr } from '../heap.js';

type Float = 'f32' | 'f64';
type Gather<D extends Float> = (
  samples: number,
  entries: number,
  c: number,
  x: Ptr<D>,
  xStep: number,
  table: Ptr<'i32'>,
  out: Ptr<D>,
) => void;
type Scatter<D extends Float> = (
  samples: number,
  entries: number,
  c: number,
  rows: Ptr<D>,
  table: Ptr<'i32'>,
  x: Ptr<D>,
  xStep: number,
) => void;
type PoolMap<D extends Float> = (
  samples: number,
  out: number,
  c: number,
  x: Ptr<D>,
  xStep: number,
  starts: Ptr<'i32'>,
  columns: Ptr<'i32'>,
  weights: Ptr<D>,
  beta: number,
  y: Ptr<D>,
  yStep: number,
) => void;

/** Contracts: assembly/conv.ts, assembly/pool.ts. */
export interface ConvKernels {
  convGather_f32: Gather<'f32'>;
  convGather_f64: Gather<'f64'>;
  convScatter_f32: Scatter<'f32'>;
  convScatter_f64: Scatter<'f64'>;
  poolMap_f32: PoolMap<'f32'>;
  poolMap_f64: PoolMap<'f64'>;
}
