// The kernels of finite nets (windows, pools, rows, losses, optimisers, one hidden layer) against loops written for the test, on
// random sizes. Every operand lies between guard words; what a kernel must not read is NaN, and a NaN it reads comes out.
import fc from 'fast-check';
import { createEngine, type Engine } from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { source } from '../support/matrices.js';
import { eps, expectMemory, Matrix, runOn, seed, size, unchanged } from '../support/strided.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

type Kernel = (...args: number[]) => number;
type Want = (i: number, j: number) => number | null;
const RUNS = { seed: 5, numRuns: 60 };
const beta = fc.constantFrom(0, 1, -0.5);
/** A dense matrix of random numbers; those that must not be read are NaN. */
const matrix = (rows: number, cols: number, from: number, read = true): Matrix => {
  const made = new Matrix(rows, cols, cols, from);
  if (!read) for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) made.set(i, j, NaN);
  return made;
};
const total = (n: number, term: (i: number) => number): number => {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += term(i);
  return sum;
};

describe.each(['f64', 'f32'] as const)('kernels of finite nets in %s', (dtype) => {
  const kernel = (name: string): Kernel =>
    (engine.kernels as unknown as Record<string, Kernel>)[`${name}_${dtype}`]!;
  /** Runs `call` on pointers to the operands and holds each to what is wanted of it; null: as before. */
  const check = (
    operands: readonly Matrix[],
    wanted: readonly (Want | null)[],
    bound: number,
    call: (...pointers: number[]) => void,
  ): void => {
    const after = runOn(engine, dtype, operands, (...tickets) => call(...tickets.map(({ ptr }) => ptr)));
    operands.forEach((operand, k) => {
      const want = wanted[k];
      if (want) expectMemory(operand, after[k]!, want, bound);
      else unchanged(operand, after[k]!);
    });
  };
  const ints = (list: readonly number[], use: (pointer: number) => void): void =>
    engine.heap.scope((scope) => use(scope.put(Int32Array.from(list)).ptr));
  const small = (k: number): number => 64 * (k + 4) * eps[dtype];

  it('convGather and convScatter', () => {
    const shape = fc.record({ samples: size(4), entries: size(9), places: size(5), c: size(11), seed });
    fc.assert(
      fc.property(shape, ({ samples, entries, places, c, seed }) => {
        const next = source(seed);
        const table = Array.from(
          { length: entries },
          () => Math.floor(((next() + 1) / 2) * (places + 1)) - 1,
        );
        const x = matrix(samples, places * c, seed);
        const rows = matrix(samples, entries * c, seed + 1);
        const at = (j: number): number => table[Math.floor(j / c)]!;
        ints(table, (t) =>
          check([x, rows], [null, (s, j) => (at(j) < 0 ? 0 : x.at(s, at(j) * c + (j % c)))], 0, (px, out) =>
            kernel('convGather')(samples, entries, c, px!, places * c, t, out!),
          ),
        );
        const scattered: Want = (s, j) =>
          x.at(s, j) +
          total(entries, (e) => (table[e] === Math.floor(j / c) ? rows.at(s, e * c + (j % c)) : 0));
        ints(table, (t) =>
          check([rows, x], [null, scattered], small(entries), (from, to) =>
            kernel('convScatter')(samples, entries, c, from!, t, to!, places * c),
          ),
        );
      }),
      RUNS,
    );
  });

  it('poolMap', () => {
    const shape = fc.record({ samples: size(3), out: size(5), places: size(6), c: size(11), beta, seed });
    fc.assert(
      fc.property(shape, ({ samples, out, places, c, beta, seed }) => {
        const next = source(seed);
        const counts = Array.from({ length: out }, () => Math.floor((next() + 1) * 2));
        const starts = [0, ...counts.map((_, p) => total(p + 1, (q) => counts[q]!))];
        const entries = starts[out]!;
        const columns = Array.from({ length: entries }, () => Math.floor(((next() + 1) / 2) * places));
        const weights = matrix(1, entries + 1, seed + 1);
        const x = matrix(samples, places * c, seed + 2);
        const y = matrix(samples, out * c, seed + 3, beta !== 0);
        const want: Want = (s, j) => {
          const p = Math.floor(j / c);
          const sum = total(
            counts[p]!,
            (e) => weights.at(0, starts[p]! + e) * x.at(s, columns[starts[p]! + e]! * c + (j % c)),
          );
          return sum + beta * y.at(s, j);
        };
        ints(starts, (ps) =>
          ints([...columns, 0], (pc) =>
            check([weights, x, y], [null, null, want], small(4), (w, px, py) =>
              kernel('poolMap')(samples, out, c, px!, places * c, ps, pc, w!, beta, py!, out * c),
            ),
          ),
        );
      }),
      RUNS,
    );
  });

  it('rowsCombine, rowsSum, rowsMultiply, rowsDot, rowsBlockDots', () => {
    const shape = fc.record({ rows: size(5), c: size(19), beta, seed });
    fc.assert(
      fc.property(shape, ({ rows, c, beta, seed }) => {
        const x = matrix(rows, c, seed);
        const y = matrix(rows, c, seed + 1, beta !== 0);
        check([x, y], [null, (i, j) => 1.5 * x.at(i, j) + beta * y.at(i, j)], small(2), (px, py) =>
          kernel('rowsCombine')(rows, c, 1.5, px!, c, beta, py!, c),
        );
        const sum = matrix(1, c, seed + 2, beta !== 0);
        const summed: Want = (_, j) => beta * sum.at(0, j) - 0.5 * total(rows, (i) => x.at(i, j));
        check([x, sum], [null, summed], small(rows), (px, py) =>
          kernel('rowsSum')(rows, c, -0.5, px!, beta, py!),
        );
        const u = matrix(rows, c, seed + 3);
        const v = matrix(rows, c, seed + 4, beta !== 0);
        check(
          [x, u, v],
          [null, null, (i, j) => x.at(i, j) * u.at(i, j) + beta * v.at(i, j)],
          small(2),
          (px, pu, pv) => kernel('rowsMultiply')(rows * c, px!, pu!, beta, pv!),
        );
        let dot = 0;
        check([x, u], [null, null], 0, (px, pu) => void (dot = kernel('rowsDot')(rows * c, px!, pu!)));
        const exact = total(rows * c, (k) => x.dense[k]! * u.dense[k]!);
        expect(Math.abs(dot - exact)).toBeLessThanOrEqual(small(rows * c));
        // x and u as (n1 = rows, p1 = 1, n2 = 1, p2 = c): the inner products of their rows.
        const blocks = new Matrix(rows, 1, 3, seed + 5);
        const inner: Want = (i) => blocks.at(i, 0) + 2 * total(c, (j) => x.at(i, j) * u.at(i, j));
        check([x, u, blocks], [null, null, inner], small(2 * c), (px, pu, out) =>
          kernel('rowsBlockDots')(rows, 1, 1, c, 2, px!, pu!, out!, 3),
        );
      }),
      RUNS,
    );
  });

  it('layer norm, softmax and their derivatives', () => {
    const shape = fc.record({ rows: size(5), c: size(19), beta, seed });
    fc.assert(
      fc.property(shape, ({ rows, c, beta, seed }) => {
        const [x, v] = [matrix(rows, c, seed), matrix(rows, c, seed + 1)];
        const [y, inverse] = [matrix(rows, c, seed + 2, false), matrix(rows, 1, seed + 3, false)];
        const out = matrix(rows, c, seed + 4, beta !== 0);
        const mean = (i: number): number => total(c, (j) => x.at(i, j)) / c;
        const scale = (i: number): number =>
          1 / Math.sqrt(0.1 + total(c, (j) => (x.at(i, j) - mean(i)) ** 2) / c);
        const normal = (i: number, j: number): number => (x.at(i, j) - mean(i)) * scale(i);
        check([x, y, inverse], [null, normal, scale], small(2 * c), (px, py, ps) =>
          kernel('rowsNormalise')(rows, c, 0.1, px!, py!, ps!),
        );
        const [normals, scales] = [matrix(rows, c, seed), matrix(rows, 1, seed)];
        const soft = matrix(rows, c, seed);
        const weight = (i: number, j: number): number =>
          Math.exp(x.at(i, j)) / total(c, (k) => Math.exp(x.at(i, k)));
        for (let i = 0; i < rows; i++) {
          scales.put(i, 0, Math.fround(scale(i)));
          for (let j = 0; j < c; j++) {
            normals.put(i, j, Math.fround(normal(i, j)));
            soft.put(i, j, Math.fround(weight(i, j)));
          }
        }
        const projected: Want = (i, j) => {
          const along = total(c, (k) => v.at(i, k) * normals.at(i, k)) / c;
          const centred = v.at(i, j) - total(c, (k) => v.at(i, k)) / c - normals.at(i, j) * along;
          return beta * out.at(i, j) + scales.at(i, 0) * centred;
        };
        check([normals, scales, v, out], [null, null, null, projected], small(4 * c), (py, ps, pv, po) =>
          kernel('rowsProject')(rows, c, py!, ps!, pv!, beta, po!),
        );
        check([x, y], [null, weight], small(c), (px, py) => kernel('rowsSoftmax')(rows, c, px!, py!));
        const back: Want = (i, j) =>
          beta * out.at(i, j) + soft.at(i, j) * (v.at(i, j) - total(c, (k) => soft.at(i, k) * v.at(i, k)));
        check([soft, v, out], [null, null, back], small(c), (pp, pv, po) =>
          kernel('rowsSoftmaxBack')(rows, c, pp!, pv!, beta, po!),
        );
      }),
      RUNS,
    );
  });

  it('losses and their gradients', () => {
    fc.assert(
      fc.property(fc.record({ rows: size(6), c: size(7), seed }), ({ rows, c, seed }) => {
        const [f, g] = [matrix(rows, c, seed), matrix(rows, c, seed + 1, false)];
        const target = Float64Array.from({ length: rows * c }, source(seed + 2)).map(Math.abs);
        const y = (i: number, j: number): number => target[i * c + j]!;
        const share = (i: number, j: number): number =>
          Math.exp(f.at(i, j)) / total(c, (k) => Math.exp(f.at(i, k)));
        const logistic = (z: number): number => 1 / (1 + Math.exp(-z));
        const cases: readonly [Want, (i: number, j: number) => number][] = [
          [(i, j) => f.at(i, j) - y(i, j), (i, j) => (f.at(i, j) - y(i, j)) ** 2 / 2],
          [
            (i, j) => logistic(f.at(i, j)) - y(i, j),
            (i, j) => Math.log1p(Math.exp(f.at(i, j))) - y(i, j) * f.at(i, j),
          ],
          [
            (i, j) => total(c, (k) => y(i, k)) * share(i, j) - y(i, j),
            (i, j) => -y(i, j) * Math.log(share(i, j)),
          ],
        ];
        cases.forEach(([gradient, loss], kind) => {
          let value = NaN;
          engine.heap.scope((scope) => {
            const targets = scope.put(target).ptr;
            const run = kernel('loss');
            check([f, g], [null, (i, j) => 3 * gradient(i, j)!], small(c), (pf, pg) => {
              value = run(kind, rows, c, 3, pf!, targets, pg!);
            });
          });
          const exact = 3 * total(rows, (i) => total(c, (j) => loss(i, j)));
          expect(Math.abs(value - exact)).toBeLessThanOrEqual(1e-13 * rows * c);
        });
      }),
      RUNS,
    );
  });

  it('rmsprop and adam', () => {
    fc.assert(
      fc.property(fc.record({ n: size(21), seed }), ({ n, seed }) => {
        const [g, p, m, s] = [0, 1, 2, 3].map((k) => matrix(1, n, seed + k)) as [
          Matrix,
          Matrix,
          Matrix,
          Matrix,
        ];
        for (let j = 0; j < n; j++) s.put(0, j, Math.abs(s.at(0, j)) + 0.125);
        const square = (decay: number, j: number): number =>
          decay * s.at(0, j) + (1 - decay) * g.at(0, j) ** 2;
        const first = (j: number): number => 0.75 * m.at(0, j) + 0.25 * g.at(0, j);
        check(
          [g, s, p],
          [
            null,
            (_, j) => square(0.875, j),
            (_, j) => p.at(0, j) - (0.5 * g.at(0, j)) / (Math.sqrt(square(0.875, j)) + 0.25),
          ],
          small(8),
          (pg, ps, pp) => kernel('rmsprop')(n, 0.5, 0.875, 0.25, pg!, ps!, pp!),
        );
        check(
          [g, m, s, p],
          [
            null,
            (_, j) => first(j),
            (_, j) => square(0.875, j),
            (_, j) => p.at(0, j) - (0.5 * 2 * first(j)) / (Math.sqrt(4 * square(0.875, j)) + 0.25),
          ],
          small(8),
          (pg, pm, pv, pp) => kernel('adam')(n, 0.5, 0.75, 0.875, 2, 4, 0.25, pg!, pm!, pv!, pp!),
        );
      }),
      RUNS,
    );
  });

  /** Float64 results beside operands of either dtype: what the kernel added to them; the words around stay. */
  const added = (starts: readonly number[], call: (pointer: number) => void): Float64Array =>
    engine.heap.scope((scope) => {
      const place = scope.put(Float64Array.from([7, ...starts, 7]));
      call(place.ptr + 8);
      const all = engine.heap.read(place);
      expect([all[0], all.at(-1)]).toEqual([7, 7]);
      return all.slice(1, -1);
    });

  it('one hidden layer: hiddenDot, hiddenBack, hiddenKernels, hiddenUpdate', () => {
    const shape = fc.record({ rows: size(9), cols: size(23), given: fc.boolean(), seed });
    fc.assert(
      fc.property(shape, ({ rows, cols, given, seed }) => {
        const slope = 0.25;
        const [z, d] = [matrix(rows, cols, seed), matrix(rows, cols, seed + 1)];
        const a = matrix(1, cols, seed + 2);
        const leaky = (x: number): number => (x > 0 ? 1 : slope);
        const bend = (i: number, r: number): number => (given ? d.at(i, r) : leaky(z.at(i, r)));
        const phi = (i: number, r: number): number => (given ? z.at(i, r) : leaky(z.at(i, r)) * z.at(i, r));
        const g = Array.from({ length: rows }, source(seed + 3));
        const near = (got: ArrayLike<number>, want: (i: number) => number): void => {
          for (let i = 0; i < rows; i++)
            expect(Math.abs(got[i]! - want(i))).toBeLessThanOrEqual(small(2 * cols));
        };
        check([z, d, a], [null, null, null], 0, (pz, pd, pa) => {
          const f = added(g, (pf) => kernel('hiddenDot')(rows, cols, pz!, pd!, pa!, slope, pf));
          near(f, (i) => g[i]! + total(cols, (r) => a.at(0, r) * leaky(z.at(i, r)) * d.at(i, r)));
          let kw: Float64Array = new Float64Array();
          const ka = added(g, (pa2) => {
            kw = added(g, (pw) =>
              kernel('hiddenKernels')(rows, cols, pz!, given ? pd! : 0, pa!, slope, pa2, pw),
            );
          });
          near(ka, (i) => g[i]! + total(cols, (r) => phi(i, r) ** 2));
          near(kw, (i) => g[i]! + total(cols, (r) => (a.at(0, r) * bend(i, r)) ** 2));
        });
        const out = matrix(rows, cols, seed + 4, false);
        const moved: Want = (_, r) => a.at(0, r) + total(rows, (i) => g[i]! * phi(i, r));
        check(
          [z, d, out, a],
          [null, null, (i, r) => g[i]! * bend(i, r), moved],
          small(2 * rows),
          (pz, pd, po, pa) =>
            void added(g, (pg) =>
              kernel('hiddenBack')(rows, cols, pz!, given ? pd! : 0, pg, slope, po!, pa!),
            ),
        );
        // w (rows x cols) by a column of factors, one per row.
        const factors = matrix(1, rows, seed + 5);
        const updated: Want = (r, k) => 1.5 * factors.at(0, r) * d.at(r, k) + 0.5 * z.at(r, k);
        check([z, factors, d], [updated, null, null], small(4), (pw, pf, pt) =>
          kernel('hiddenUpdate')(rows, cols, 0.5, pw!, 1.5, pf!, pt!),
        );
      }),
      RUNS,
    );
  });

  it('pass a NaN on to what depends on it, and to nothing else', () => {
    const [rows, c] = [3, 7];
    const x = matrix(rows, c, 3);
    x.put(1, 4, NaN);
    const y = matrix(rows, c, 4, false);
    const spread = (name: string, ...rest: number[]): boolean[][] => {
      const after = runOn(engine, dtype, [x, y, matrix(rows, 1, 5)], (px, py, ps) =>
        kernel(name)(rows, c, ...rest, px!.ptr, py!.ptr, ps!.ptr),
      )[1]!;
      const entries = after.slice(9, 9 + rows * c);
      return Array.from({ length: rows }, (_, i) =>
        Array.from({ length: c }, (_, j) => Number.isNaN(entries[i * c + j])),
      );
    };
    const row = [false, true, false].map((all) => Array.from({ length: c }, () => all));
    expect(spread('rowsSoftmax')).toEqual(row);
    expect(spread('rowsNormalise', 0.1)).toEqual(row);
  });
});
