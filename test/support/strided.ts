// Matrices with leading dimensions between guard words, for tests that compare every word of memory with a loop.
import fc from 'fast-check';
import type { Engine } from 'infinite-width';
import type { FloatType, Ticket } from '#build/wasm/engine.js';
import { source } from './matrices.js';

const GUARD = 12345;
export const MARGIN = 9; // guard words before and after

/** A rows x cols matrix of random numbers (exact in float32), `ld` apart in memory, and what lies there before the run. */
export class Matrix {
  readonly rows: number;
  readonly cols: number;
  readonly ld: number;
  readonly dense: Float64Array;
  readonly before: Float64Array<ArrayBuffer>;
  constructor(rows: number, cols: number, ld: number, seed: number) {
    [this.rows, this.cols, this.ld] = [rows, cols, ld];
    this.dense = Float64Array.from({ length: rows * cols }, source(seed)).map(Math.fround);
    this.before = new Float64Array(2 * MARGIN + Math.max(rows, 1) * ld).fill(GUARD);
    for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) this.set(i, j, this.at(i, j));
  }
  at(i: number, j: number): number {
    return this.dense[i * this.cols + j]!;
  }
  /** Changes an entry. */
  put(i: number, j: number, value: number): void {
    this.dense[i * this.cols + j] = value;
    this.set(i, j, value);
  }
  /** Changes memory only: what the kernel must not read. */
  set(i: number, j: number, value: number): void {
    this.before[MARGIN + i * this.ld + j] = value;
  }
}

export type Tickets = Ticket<FloatType>[];
/** Runs `call` on the matrices in wasm memory and returns what each place holds after it. */
export function runOn(
  engine: Engine,
  dtype: FloatType,
  matrices: readonly Matrix[],
  call: (...tickets: Tickets) => void,
) {
  return engine.heap.scope((scope) => {
    const whole = matrices.map(({ before }) =>
      scope.put(dtype === 'f32' ? Float32Array.from(before) : before),
    ) as Tickets;
    const bytes = dtype === 'f32' ? 4 : 8;
    const inner = whole.map((ticket) => ({
      ...ticket,
      ptr: ticket.ptr + MARGIN * bytes,
      length: ticket.length - 2 * MARGIN,
    }));
    call(...(inner as Tickets));
    return whole.map((ticket) => engine.heap.read(ticket) as Float64Array);
  });
}
/** Entries of `matrix` for which `want` gives a number lie within `bound` of it; all other memory is as before. */
export function expectMemory(
  matrix: Matrix,
  after: Float64Array,
  want: (i: number, j: number) => number | null,
  bound: number,
): void {
  for (let at = 0; at < after.length; at++) {
    const [i, j] = [Math.floor((at - MARGIN) / matrix.ld), (at - MARGIN) % matrix.ld];
    const inside = at >= MARGIN && i < matrix.rows && j < matrix.cols;
    const expected = inside ? want(i, j) : null;
    if (expected === null) {
      if (!Object.is(after[at], matrix.before[at])) throw new Error(`memory ${at} (${i}, ${j}) was written`);
    } else if (
      Number.isNaN(expected) ? !Number.isNaN(after[at]) : !(Math.abs(after[at]! - expected) <= bound)
    )
      throw new Error(`entry ${i}, ${j}: got ${after[at]}, wanted ${expected} within ${bound}`);
  }
}
export const unchanged = (matrix: Matrix, after: Float64Array): void =>
  expectMemory(matrix, after, () => null, 0);

export const size = (max: number) => fc.integer({ min: 1, max });
export const pad = fc.integer({ min: 0, max: 5 });
export const seed = fc.integer({ min: 1, max: 1e6 });
export const factor = fc.constantFrom(1, -1, 0, 0.5, -3);
export const eps = { f32: 2 ** -24, f64: 2 ** -53 } as const;
/** Bound of a sum of k products of numbers below 1 and one more of size `other`, any order (Higham, 3.1), doubled. */
export const sumBound = (dtype: FloatType, k: number, alpha = 1, other = 0): number =>
  2 * eps[dtype] * ((k + 2) * (Math.abs(alpha) * k + other) + 1);
