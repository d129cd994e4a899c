import type { FloatType, Ptr } from '../heap.js';

type Gemv<D extends FloatType> = (
  trans: number,
  m: number,
  n: number,
  alpha: number,
  a: Ptr<D>,
  lda: number,
  x: Ptr<D>,
  beta: number,
  y: Ptr<D>,
) => void;
type Symv<D extends FloatType> = (n: number, a: Ptr<D>, lda: number, x: Ptr<D>, y: Ptr<D>) => void;
type Mirror<D extends FloatType> = (n: number, c: Ptr<D>, ldc: number, down: number) => void;
type GetDiagonal<D extends FloatType> = (n: number, a: Ptr<D>, lda: number, x: Ptr<D>) => void;
type SetDiagonal<D extends FloatType> = (n: number, a: Ptr<D>, lda: number, x: Ptr<D>, shift: number) => void;
type Hadamard<D extends FloatType> = (
  m: number,
  n: number,
  a: Ptr<D>,
  lda: number,
  alpha: number,
  b: Ptr<D>,
  ldb: number,
  shift: number,
  c: Ptr<D>,
  ldc: number,
) => void;

/** Contracts: assembly/linalg.ts. */
export interface LinalgKernels {
  gemv_f32: Gemv<'f32'>;
  gemv_f64: Gemv<'f64'>;
  symv_f32: Symv<'f32'>;
  symv_f64: Symv<'f64'>;
  mirror_f32: Mirror<'f32'>;
  mirror_f64: Mirror<'f64'>;
  getDiagonal_f32: GetDiagonal<'f32'>;
  getDiagonal_f64: GetDiagonal<'f64'>;
  setDiagonal_f32: SetDiagonal<'f32'>;
  setDiagonal_f64: SetDiagonal<'f64'>;
  hadamard_f32: Hadamard<'f32'>;
  hadamard_f64: Hadamard<'f64'>;
}
