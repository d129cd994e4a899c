import type { FloatType, Ptr } from '../heap.js';

type Cholesky<D extends FloatType> = (n: number, a: Ptr<D>, lda: number, work: Ptr<'u8'>) => number;
type SolveLower<D extends FloatType> = (
  trans: number,
  n: number,
  l: Ptr<D>,
  ldl: number,
  b: Ptr<D>,
  ldb: number,
  r: number,
  work: Ptr<'u8'>,
) => void;
type SolveRight<D extends FloatType> = (
  n: number,
  l: Ptr<D>,
  ldl: number,
  b: Ptr<D>,
  ldb: number,
  m: number,
  work: Ptr<'u8'>,
) => void;
type LogDeterminant<D extends FloatType> = (n: number, l: Ptr<D>, ldl: number) => number;

/** Contracts: assembly/cholesky.ts. */
export interface CholeskyKernels {
  cholesky_f32: Cholesky<'f32'>;
  cholesky_f64: Cholesky<'f64'>;
  solveLower_f32: SolveLower<'f32'>;
  solveLower_f64: SolveLower<'f64'>;
  solveRight_f32: SolveRight<'f32'>;
  solveRight_f64: SolveRight<'f64'>;
  logDeterminant_f32: LogDeterminant<'f32'>;
  logDeterminant_f64: LogDeterminant<'f64'>;
}
