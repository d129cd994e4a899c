// Pairs of samples a <= b, numbered row by row.

/** N (N + 1) / 2. */
export const pairCount = (n: number): number => (n * (n + 1)) / 2;

/** The number of the pair {a, b} among those of n samples. */
export function pairIndex(n: number, a: number, b: number): number {
  const [low, high] = a <= b ? [a, b] : [b, a];
  return low * n - (low * (low - 1)) / 2 + high - low;
}

/** All pairs in order. */
export function pairList(n: number): [number, number][] {
  const list: [number, number][] = [];
  for (let a = 0; a < n; a++) for (let b = a; b < n; b++) list.push([a, b]);
  return list;
}

/** A symmetric matrix (n x n) from its pairs. */
export function symmetricOf(n: number, values: ArrayLike<number>): Float64Array<ArrayBuffer> {
  const matrix = new Float64Array(n * n);
  for (const [index, [a, b]] of pairList(n).entries()) matrix[a * n + b] = matrix[b * n + a] = values[index]!;
  return matrix;
}
