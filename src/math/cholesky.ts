// Cholesky factors and solves on tickets: synchronous building blocks for jobs. Row-major, leading dimensions in elements.
import type { Core, FloatType, Ticket } from '../wasm/engine.js';
import { fits, floatKernel, withWork } from './matmul.js';

/**
 * A = L L^T in place: the lower triangle of the n x n matrix A becomes L, the upper one is neither read nor written.
 * Returns -1, or the index of the first pivot that is not positive and finite (A is then spoiled). n^3/3 flops.
 */
export function choleskyFactor<D extends FloatType>(
  core: Core,
  a: Ticket<D>,
  n: number,
  lda: number = n,
): number {
  fits('choleskyFactor: A', a, n, n, lda);
  const kernel = floatKernel(core, 'cholesky', a.dtype);
  return withWork(core, (work) => kernel(n, a.ptr, lda, work)) - 1;
}

/** L X = B, or with `trans` L^T X = B, in place: B (n x r) becomes X. Only the lower triangle of L is read. */
export function solveTriangular<D extends FloatType>(
  core: Core,
  l: Ticket<D>,
  b: Ticket<D>,
  [n, r]: readonly [number, number],
  options: { trans?: boolean; ldl?: number; ldb?: number } = {},
): void {
  const { trans = false, ldl = n, ldb = r } = options;
  fits('solveTriangular: L', l, n, n, ldl);
  fits('solveTriangular: B', b, n, r, ldb);
  const kernel = floatKernel(core, 'solveLower', l.dtype);
  withWork(core, (work) => kernel(+trans, n, l.ptr, ldl, b.ptr, ldb, r, work));
}

/** X L^T = B in place: B (m x n) becomes X. The panel step of a tiled factorisation. */
export function solveTriangularRight<D extends FloatType>(
  core: Core,
  l: Ticket<D>,
  b: Ticket<D>,
  [m, n]: readonly [number, number],
  options: { ldl?: number; ldb?: number } = {},
): void {
  const { ldl = n, ldb = n } = options;
  fits('solveTriangularRight: L', l, n, n, ldl);
  fits('solveTriangularRight: B', b, m, n, ldb);
  const kernel = floatKernel(core, 'solveRight', l.dtype);
  withWork(core, (work) => kernel(n, l.ptr, ldl, b.ptr, ldb, m, work));
}

/** A X = B in place given the factor L of A = L L^T: B (n x r) becomes X. 2 n^2 r flops. */
export function choleskySolve<D extends FloatType>(
  core: Core,
  l: Ticket<D>,
  b: Ticket<D>,
  sizes: readonly [number, number],
  options: { ldl?: number; ldb?: number } = {},
): void {
  solveTriangular(core, l, b, sizes, options);
  solveTriangular(core, l, b, sizes, { ...options, trans: true });
}

/** log det A = 2 sum log l_ii of A = L L^T. */
export function logDeterminant<D extends FloatType>(
  core: Core,
  l: Ticket<D>,
  n: number,
  ldl: number = n,
): number {
  fits('logDeterminant: L', l, n, n, ldl);
  return floatKernel(core, 'logDeterminant', l.dtype)(n, l.ptr, ldl);
}
