// Kernels called at random sizes and alignments, with words around every array that must stay.
import type { Engine } from 'infinite-width';
import fc from 'fast-check';
import { expect } from 'vitest';

export const DTYPES = ['f32', 'f64'] as const;
export type DType = (typeof DTYPES)[number];
const WORDS = 5; // around every array; odd, so that arrays are not aligned to vectors
const MARK = 7;

/** The engine of the test file. */
let engine: Engine;
export const useEngine = (next: Engine): void => void (engine = next);

/** Runs kernel `name` on copies of `arrays` (places in its arguments by number), and returns its result and the arrays after it. */
export function call(
  name: string,
  dtype: DType,
  arrays: readonly ArrayLike<number>[],
  args: (at: number[]) => number[],
) {
  return engine.heap.scope((scope) => {
    const size = dtype === 'f32' ? 4 : 8;
    const marks = Array<number>(WORDS).fill(MARK);
    const tickets = arrays.map((array) => {
      const padded = [...marks, ...Array.from(array), ...marks];
      return scope.put(dtype === 'f32' ? Float32Array.from(padded) : (Float64Array.from(padded) as never));
    });
    const kernel = (engine.kernels as unknown as Record<string, (...list: number[]) => number>)[
      `${name}_${dtype}`
    ]!;
    const value = kernel(...args(tickets.map((ticket) => ticket.ptr + WORDS * size)));
    const after = tickets.map((ticket) => {
      const all = Array.from(engine.heap.read(ticket as never) as ArrayLike<number>);
      expect([...all.slice(0, WORDS), ...all.slice(-WORDS)]).toEqual([...marks, ...marks]);
      return all.slice(WORDS, -WORDS);
    });
    return { value, after };
  });
}
export const i32 = (numbers: readonly number[], run: (ptr: number) => void): void =>
  engine.heap.scope((scope) => run(scope.put(Int32Array.from(numbers)).ptr));

export function close(got: readonly number[], want: readonly number[], dtype: DType, scale = 1): void {
  const bound = (dtype === 'f32' ? 4e-6 : 1e-13) * scale;
  expect(got.length).toBe(want.length);
  got.forEach((x, i) =>
    expect(Math.abs(x - want[i]!)).toBeLessThanOrEqual(bound * Math.max(1, Math.abs(want[i]!))),
  );
}

/** Rows of numbers that both dtypes hold exactly. */
export const matrix = (rows: number, c: number) =>
  fc.array(
    fc.integer({ min: -4096, max: 4096 }).map((x) => x / 1024),
    { minLength: rows * c, maxLength: rows * c },
  );
export const sizes = fc.record({ rows: fc.integer({ min: 1, max: 4 }), c: fc.integer({ min: 1, max: 19 }) });
export const rowsOf = (x: readonly number[], c: number) =>
  Array.from({ length: x.length / c }, (_, r) => x.slice(r * c, (r + 1) * c));
export const total = (x: readonly number[]) => x.reduce((sum, value) => sum + value, 0);
export const check = (property: fc.IRawProperty<unknown>) => fc.assert(property, { numRuns: 60, seed: 5 });
