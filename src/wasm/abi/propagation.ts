import type { Ptr } from '../heap.js';

type Combine<D extends 'f32' | 'f64'> = (
  outer: number,
  nin: number,
  nout: number,
  inner: number,
  start: Ptr<'i32'>,
  col: Ptr<'i32'>,
  weight: Ptr<'f64'>,
  x: Ptr<D>,
  y: Ptr<D>,
) => void;
type Scale<D extends 'f32' | 'f64'> = (
  sheets: number,
  rows: number,
  ld: number,
  index: Ptr<'i32'>,
  one: Ptr<D>,
  oneLd: number,
  own: number,
  two: Ptr<D>,
  twoLd: number,
  x: Ptr<D>,
) => void;
type Affine<D extends 'f32' | 'f64'> = (
  n: number,
  k: Ptr<D>,
  t: Ptr<D>,
  a: number,
  b: number,
  c: number,
  g: number,
  d: number,
) => void;
type Add<D extends 'f32' | 'f64'> = (n: number, s: number, x: Ptr<D>, y: Ptr<D>) => void;
type Product<D extends 'f32' | 'f64'> = (n: number, k: Ptr<D>, t: Ptr<D>, k2: Ptr<D>, t2: Ptr<D>) => void;
type Same<D extends 'f32' | 'f64'> = (
  put: number,
  sheets: number,
  rows: number,
  ld: number,
  shift: number,
  index: Ptr<'i32'>,
  x: Ptr<D>,
  saved: Ptr<'f64'>,
) => void;

type Transpose<D extends 'f32' | 'f64'> = (
  rows: number,
  cols: number,
  from: Ptr<D>,
  fromLd: number,
  to: Ptr<D>,
  toLd: number,
) => void;

/** Contracts: assembly/propagation.ts. */
export interface PropagationKernels {
  sheetsCombine_f32: Combine<'f32'>;
  sheetsCombine_f64: Combine<'f64'>;
  sheetsScale_f32: Scale<'f32'>;
  sheetsScale_f64: Scale<'f64'>;
  sheetsAffine_f32: Affine<'f32'>;
  sheetsAffine_f64: Affine<'f64'>;
  sheetsAdd_f32: Add<'f32'>;
  sheetsAdd_f64: Add<'f64'>;
  sheetsProduct_f32: Product<'f32'>;
  sheetsProduct_f64: Product<'f64'>;
  sheetsSame_f32: Same<'f32'>;
  sheetsSame_f64: Same<'f64'>;
  /** 1 when all n entries are finite. */
  sheetsFinite_f32(n: number, x: Ptr<'f32'>): number;
  sheetsFinite_f64(n: number, x: Ptr<'f64'>): number;
  rowSquares_f32(n: number, d: number, scale: number, x: Ptr<'f32'>, out: Ptr<'f64'>): void;
  rowSquares_f64(n: number, d: number, scale: number, x: Ptr<'f64'>, out: Ptr<'f64'>): void;
  transposeInto_f32: Transpose<'f32'>;
  transposeInto_f64: Transpose<'f64'>;
  copyRows(rows: number, bytes: number, from: number, fromStride: number, to: number, toStride: number): void;
  sheetsToGroups(
    n: number,
    index: Ptr<'i32'>,
    count: number,
    sheets: number,
    bytes: number,
    groups: number,
    group: number,
    back: number,
  ): void;
}
