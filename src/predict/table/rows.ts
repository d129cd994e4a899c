// Subsets of rows of encoded tables and of kernels.
import type { Tensor } from '../../math/tensor.js';

/** Some rows of a (rows, columns) matrix. */
export function gather(data: Float64Array, rows: readonly number[], columns: number): Float64Array {
  const out = new Float64Array(rows.length * columns);
  rows.forEach((row, i) => out.set(data.subarray(row * columns, (row + 1) * columns), i * columns));
  return out;
}

/** The rows and columns of a square matrix that the lists name. */
export function block(
  kernel: Float64Array,
  size: number,
  rows: readonly number[],
  columns: readonly number[],
): Tensor {
  const data = Float64Array.from(rows.flatMap((i) => columns.map((j) => kernel[i * size + j]!)));
  return { data, shape: [rows.length, columns.length] };
}

/** The place of the largest of `count` numbers; the first of equals. */
export function argmax(data: ArrayLike<number>, from: number, count: number): number {
  let best = 0;
  for (let k = 1; k < count; k++) if (data[from + k]! > data[from + best]!) best = k;
  return best;
}

/** The folds of early-stopped training: sample i is left out in fold i mod 5. */
export function fiveFolds(rows: number): { left: number[]; rest: number[] }[] {
  const all = Array.from({ length: rows }, (_, i) => i);
  return Array.from({ length: Math.min(5, rows) }, (_, fold) => ({
    left: all.filter((i) => i % 5 === fold),
    rest: all.filter((i) => i % 5 !== fold),
  }));
}
