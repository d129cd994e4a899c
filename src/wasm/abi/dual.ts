import type { Ptr } from '../heap.js';

type Tables<D extends 'f32' | 'f64'> = (
  kind: number,
  n: number,
  params: Ptr<'f64'>,
  k: Ptr<'f64'>,
  out: Ptr<D>,
  stride: number,
) => void;
type DualMap<D extends 'f32' | 'f64'> = (
  kind: number,
  params: Ptr<'f64'>,
  sheets: number,
  rows: number,
  ld: number,
  index: Ptr<'i32'>,
  one: Ptr<D>,
  oneStride: number,
  oneLd: number,
  two: Ptr<D>,
  twoStride: number,
  twoLd: number,
  count: number,
  own: number,
  k: Ptr<D>,
  t: Ptr<D>,
  tRow: number,
  work: Ptr<'u8'>,
) => void;

type DualChain<D extends 'f32' | 'f64'> = (
  ops: number,
  program: Ptr<'f64'>,
  first: number,
  rows: number,
  cols: number,
  k: Ptr<D>,
  ld: number,
  t: Ptr<D>,
  tRow: number,
  work: Ptr<'u8'>,
) => number;

type SphereMap<D extends 'f32' | 'f64'> = (
  rows: number,
  n: number,
  k: Ptr<D>,
  ld: number,
  t: Ptr<D>,
  tRow: number,
  scale: number,
  terms: number,
  series: Ptr<'f64'>,
) => void;

/** Contracts: assembly/dual.ts, sphere.ts. */
export interface DualKernels {
  dualDiagonal(
    kind: number,
    n: number,
    params: Ptr<'f64'>,
    k: Ptr<'f64'>,
    kappa: Ptr<'f64'>,
    slope: Ptr<'f64'>,
  ): void;
  dualTables_f32: Tables<'f32'>;
  dualTables_f64: Tables<'f64'>;
  dualMap_f32: DualMap<'f32'>;
  dualMap_f64: DualMap<'f64'>;
  dualChain_f32: DualChain<'f32'>;
  dualChain_f64: DualChain<'f64'>;
  sphereMap_f32: SphereMap<'f32'>;
  sphereMap_f64: SphereMap<'f64'>;
}
