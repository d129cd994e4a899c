// Small dense helpers in plain loops: the independent side of the tests.
import { tensor, type DataTable, type Tensor } from 'infinite-width';

/** Deterministic numbers in (-1, 1). */
export function noise(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

export function random(shape: number[], seed: number): Tensor<Float64Array> {
  const next = noise(seed);
  return tensor(
    Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => next() + next()),
    shape,
  );
}

/** A positive definite kernel of n + m points: blocks (train-train, test-train, test-test). */
export function kernels(
  n: number,
  m: number,
  seed: number,
  rank = 2 * (n + m),
): Record<'dd' | 'td' | 'tt', Tensor<Float64Array>> {
  const x = random([n + m, rank], seed).data;
  const dot = (i: number, j: number): number => {
    let sum = 0;
    for (let k = 0; k < rank; k++) sum += x[i * rank + k]! * x[j * rank + k]!;
    return sum / rank;
  };
  const block = (rows: number, columns: number, r0: number, c0: number): Tensor<Float64Array> =>
    tensor(
      Float64Array.from({ length: rows * columns }, (_, i) =>
        dot(r0 + Math.floor(i / columns), c0 + (i % columns)),
      ),
      [rows, columns],
    );
  return { dd: block(n, n, 0, 0), td: block(m, n, n, 0), tt: block(m, m, n, n) };
}

/** a (m, k) times b (k, n). */
export function times(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  m: number,
  n: number,
  k: number,
): Float64Array {
  const out = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) for (let l = 0; l < k; l++) out[i * n + j]! += a[i * k + l]! * b[l * n + j]!;
  return out;
}

export function maxGap(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let gap = a.length === b.length ? 0 : Infinity;
  for (let i = 0; i < a.length; i++) gap = Math.max(gap, Math.abs(a[i]! - b[i]!));
  return gap;
}

export function scaled(a: Tensor, factor: number): Tensor<Float64Array> {
  return tensor(
    Float64Array.from(a.data, (value) => value * factor),
    a.shape,
  );
}

/** Seven train and three test points with two outputs: what most tests of dynamics train. */
export function smallProblem() {
  const [n, m, o] = [7, 3, 2] as const;
  const { dd, td } = kernels(n, m, 5);
  return { n, m, o, dd, td, y: random([n, o], 6), f0Train: random([n, o], 7), f0Test: random([m, o], 8) };
}

/** y = sin of x1 + colour, with noise; x2 is skewed and irrelevant. */
export function numbers(rows: number, seed: number): DataTable {
  const next = noise(seed);
  const colours = ['red', 'green', 'blue'];
  return {
    columns: ['x1', 'x2', 'colour', 'y'],
    rows: Array.from({ length: rows }, () => {
      const x1 = 2 * next();
      const colour = Math.floor((next() + 1) * 1.49);
      const y = 3 * Math.sin(2 * x1) + colour + 0.2 * (next() + next() + next());
      return [x1, 1 / (1.001 + next()), colours[colour]!, y];
    }),
  };
}

/** Two classes whose true log odds are 3 x1. */
export function classes(rows: number, seed: number): DataTable {
  const next = noise(seed);
  return {
    columns: ['x1', 'x2', 'class'],
    rows: Array.from({ length: rows }, () => {
      const [x1, x2] = [2 * next(), next()];
      return [x1, x2, (next() + 1) / 2 < 1 / (1 + Math.exp(-3 * x1)) ? 'yes' : 'no'];
    }),
  };
}
