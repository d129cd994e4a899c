// Checks of matrices that come from outside, in one place.
import { asTensor, assertFinite, type Tensor, type TensorLike } from './tensor.js';

/** A square, finite, symmetric matrix; RangeError naming the function and what is wrong otherwise. */
export function symmetric(value: TensorLike, where: string): Tensor {
  const a = asTensor(value, `${where}: a`);
  const n = a.shape[0] ?? 0;
  if (a.shape.length !== 2 || a.shape[1] !== n) {
    throw new RangeError(`${where}: expected a square matrix, got shape [${a.shape.join(', ')}].`);
  }
  assertFinite(a, `${where}: a`);
  let largest = 0;
  for (const x of a.data) largest = Math.max(largest, Math.abs(x));
  const slack = largest * (a.data instanceof Float32Array ? 1e-4 : 1e-8);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const below = a.data[i * n + j]!;
      const above = a.data[j * n + i]!;
      if (Math.abs(below - above) > slack) {
        throw new RangeError(
          `${where}: expected a symmetric matrix, got a[${i}][${j}] = ${below} and a[${j}][${i}] = ${above}. Symmetrise it first.`,
        );
      }
    }
  }
  return a;
}
