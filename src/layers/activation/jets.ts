// Power series through an activation by its derivatives at x0, entry by entry in kernels: the coefficient of order m of
// phi(x) is the sum over k <= m of phi^(k)(x0) times coefficient m of (x - x0)^k / k!. The kernels know k <= 3.
import type { Numbers, Pass } from '../finite.js';
import { kernelOf } from '../rows.js';

/** The highest derivative of the activation kernels. */
export const MOST_DERIVATIVES = 3;

/** Coefficient `m` of (x - x0)^k / k! for 1 <= k <= m <= 3, in scratch memory (k = 1: the value itself). */
export function powerCoefficient(pass: Pass, x: number, length: number, m: number, k: number): Numbers {
  if (k === 1) return pass.value(x, m);
  const out = pass.scratch(`jet ${m} ${k}`, length);
  const one = pass.value(x, 1);
  const other = k === 3 ? powerCoefficient(pass, x, length, 2, 2) : pass.value(x, m - 1);
  kernelOf(pass.core, 'rowsMultiply', pass.dtype)(length, one.ptr, other.ptr, 0, out.ptr);
  const factor = k === 3 ? 1 / 3 : m === 2 ? 0.5 : 1; // x1^2/2, x1 x2, x1^3/6
  if (factor !== 1)
    kernelOf(pass.core, 'rowsCombine', pass.dtype)(1, length, factor, out.ptr, 0, 0, out.ptr, 0);
  return out;
}

/** x o y in scratch memory. */
export function entrywise(pass: Pass, x: Numbers, y: Numbers, length: number): Numbers {
  const out = pass.scratch('jet product', length);
  kernelOf(pass.core, 'rowsMultiply', pass.dtype)(length, x.ptr, y.ptr, 0, out.ptr);
  return out;
}
