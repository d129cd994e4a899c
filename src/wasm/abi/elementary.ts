import type { Ptr } from '../heap.js';

/** Functions of one number that have array kernels. */
export type ElementaryName =
  | 'exp'
  | 'expm1'
  | 'log'
  | 'log1p'
  | 'sigmoid'
  | 'tanh'
  | 'erf'
  | 'erfc'
  | 'sin'
  | 'cos'
  | 'asin'
  | 'acos'
  | 'sinh'
  | 'cosh';

/** Contracts: assembly/map.ts. */
export type ElementaryKernels = {
  [K in ElementaryName as `${K}_f32`]: (n: number, x: Ptr<'f32'>, y: Ptr<'f32'>) => void;
} & {
  [K in ElementaryName as `${K}_f64`]: (n: number, x: Ptr<'f64'>, y: Ptr<'f64'>) => void;
} & {
  atan2_f32(n: number, y: Ptr<'f32'>, x: Ptr<'f32'>, out: Ptr<'f32'>): void;
  atan2_f64(n: number, y: Ptr<'f64'>, x: Ptr<'f64'>, out: Ptr<'f64'>): void;
};
