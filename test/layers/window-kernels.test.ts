// The kernels of windows, pools and optimisers against scalar references.
import { createEngine, type Engine } from 'infinite-width';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, check, close, DTYPES, i32, matrix, total, useEngine } from '../support/kernel-calls.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd', workers: 0 });
  useEngine(engine);
});
afterAll(() => engine.dispose());

describe.each(DTYPES)('windows and pools (%s)', (dtype) => {
  const windows = fc
    .record({
      n: fc.integer({ min: 1, max: 3 }),
      c: fc.integer({ min: 1, max: 9 }),
      positions: fc.integer({ min: 1, max: 6 }),
    })
    .chain(({ n, c, positions }) =>
      fc.record({
        ...{ n: fc.constant(n), c: fc.constant(c), positions: fc.constant(positions) },
        x: matrix(n * positions, c),
        table: fc.array(fc.integer({ min: -1, max: positions - 1 }), { minLength: 1, maxLength: 8 }),
      }),
    );

  it('gather, and scatter as its transpose', () => {
    check(
      fc.property(windows, ({ n, c, positions, x, table }) => {
        const want = Array.from({ length: n }, (_, s) =>
          table.flatMap((at) =>
            Array.from({ length: c }, (_, k) => (at < 0 ? 0 : x[(s * positions + at) * c + k]!)),
          ),
        ).flat();
        i32(table, (places) => {
          const out = call('convGather', dtype, [x, want.map(() => NaN)], ([p, q]) => [
            n,
            table.length,
            c,
            p!,
            positions * c,
            places,
            q!,
          ]);
          expect(out.after[1]).toEqual(want);
          const back = [...x];
          want.forEach((value, i) => {
            const [s, entry] = [Math.floor(i / (table.length * c)), Math.floor(i / c) % table.length];
            if (table[entry]! >= 0) back[(s * positions + table[entry]!) * c + (i % c)]! += value;
          });
          const scattered = call('convScatter', dtype, [want, x], ([p, q]) => [
            n,
            table.length,
            c,
            p!,
            places,
            q!,
            positions * c,
          ]);
          close(scattered.after[1]!, back, dtype, 8);
        });
      }),
    );
  });

  it('pool: a sparse matrix over positions', () => {
    check(
      fc.property(windows, fc.constantFrom(0, 1, 0.5), ({ n, c, positions, x, table }, beta) => {
        const columns = table.map((at) => Math.max(at, 0));
        const weights = columns.map((_, i) => (i % 3) - 0.5);
        const y = Array.from({ length: n * 2 * c }, (_, i) => i / 8);
        const cut = Math.floor(columns.length / 2);
        const want = y.map((value, i) => {
          const [s, p] = [Math.floor(i / (2 * c)), Math.floor(i / c) % 2];
          const list = p === 0 ? columns.slice(0, cut) : columns.slice(cut);
          return (
            beta * value +
            total(list.map((at, e) => weights[e + p * cut]! * x[(s * positions + at) * c + (i % c)]!))
          );
        });
        i32([0, cut, columns.length], (starts) =>
          i32(columns, (places) => {
            const out = call('poolMap', dtype, [x, weights, y], ([p, w, q]) => [
              n,
              2,
              c,
              p!,
              positions * c,
              starts,
              places,
              w!,
              beta,
              q!,
              2 * c,
            ]);
            close(out.after[2]!, want, dtype, 8);
          }),
        );
      }),
    );
  });
});

describe.each(DTYPES)('optimisers (%s)', (dtype) => {
  const vectors = fc
    .integer({ min: 1, max: 21 })
    .chain((n) => fc.record({ g: matrix(1, n), p: matrix(1, n), m: matrix(1, n) }));

  it('rmsprop', () => {
    check(
      fc.property(vectors, ({ g, p, m }) => {
        const s = m.map(Math.abs);
        const next = s.map((value, i) => 0.9 * value + 0.1 * g[i]! ** 2);
        const out = call('rmsprop', dtype, [g, s, p], ([a, b, c]) => [g.length, 0.1, 0.9, 0.01, a!, b!, c!]);
        close(out.after[1]!, next, dtype);
        close(
          out.after[2]!,
          p.map((value, i) => value - (0.1 * g[i]!) / (Math.sqrt(next[i]!) + 0.01)),
          dtype,
          4,
        );
      }),
    );
  });

  it('adam', () => {
    check(
      fc.property(vectors, ({ g, p, m }) => {
        const v = m.map(Math.abs);
        const mean = m.map((value, i) => 0.75 * value + 0.25 * g[i]!);
        const square = v.map((value, i) => 0.875 * value + 0.125 * g[i]! ** 2);
        const out = call('adam', dtype, [g, m, v, p], ([a, b, c, d]) => [
          g.length,
          0.1,
          0.75,
          0.875,
          4,
          8,
          0.01,
          a!,
          b!,
          c!,
          d!,
        ]);
        close(out.after[1]!, mean, dtype);
        close(out.after[2]!, square, dtype);
        close(
          out.after[3]!,
          p.map((value, i) => value - (0.4 * mean[i]!) / (Math.sqrt(8 * square[i]!) + 0.01)),
          dtype,
          4,
        );
      }),
    );
  });
});
