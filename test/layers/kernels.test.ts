// The kernels of finite nets against scalar references, at random sizes and alignments, with words around that must stay.
import { createEngine, type Engine } from 'infinite-width';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd', workers: 0 });
});
afterAll(() => engine.dispose());

const DTYPES = ['f32', 'f64'] as const;
type DType = (typeof DTYPES)[number];
const WORDS = 5; // around every array; odd, so that arrays are not aligned to vectors
const MARK = 7;

/** Runs kernel `name` on copies of `arrays` (places in its arguments by number), and returns its result and the arrays after it. */
function call(
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
const i32 = (numbers: readonly number[], run: (ptr: number) => void): void =>
  engine.heap.scope((scope) => run(scope.put(Int32Array.from(numbers)).ptr));

function close(got: readonly number[], want: readonly number[], dtype: DType, scale = 1): void {
  const bound = (dtype === 'f32' ? 4e-6 : 1e-13) * scale;
  expect(got.length).toBe(want.length);
  got.forEach((x, i) =>
    expect(Math.abs(x - want[i]!)).toBeLessThanOrEqual(bound * Math.max(1, Math.abs(want[i]!))),
  );
}

/** Rows of numbers that both dtypes hold exactly. */
const matrix = (rows: number, c: number) =>
  fc.array(
    fc.integer({ min: -4096, max: 4096 }).map((x) => x / 1024),
    { minLength: rows * c, maxLength: rows * c },
  );
const sizes = fc.record({ rows: fc.integer({ min: 1, max: 4 }), c: fc.integer({ min: 1, max: 19 }) });
const rowsOf = (x: readonly number[], c: number) =>
  Array.from({ length: x.length / c }, (_, r) => x.slice(r * c, (r + 1) * c));
const total = (x: readonly number[]) => x.reduce((sum, value) => sum + value, 0);
const check = (property: fc.IRawProperty<unknown>) => fc.assert(property, { numRuns: 60, seed: 5 });

describe.each(DTYPES)('rows (%s)', (dtype) => {
  const two = sizes.chain(({ rows, c }) =>
    fc.record({
      c: fc.constant(c),
      x: matrix(rows, c),
      y: matrix(rows, c),
      a: fc.constantFrom(0.5, -1),
      b: fc.constantFrom(0, 1, 0.25),
    }),
  );

  it('combine, sum, multiply and dot', () => {
    check(
      fc.property(two, ({ c, x, y, a, b }) => {
        const rows = x.length / c;
        const combined = call('rows_combine', dtype, [x, y], ([p, q]) => [rows, c, a, p!, c, b, q!, c]);
        close(
          combined.after[1]!,
          x.map((value, i) => a * value + b * y[i]!),
          dtype,
        );
        const summed = call('rows_sum', dtype, [x, y.slice(0, c)], ([p, q]) => [rows, c, a, p!, b, q!]);
        close(
          summed.after[1]!,
          Array.from({ length: c }, (_, i) => b * y[i]! + a * total(rowsOf(x, c).map((row) => row[i]!))),
          dtype,
          rows,
        );
        const product = call('rows_multiply', dtype, [x, y], ([p, q]) => [x.length, p!, q!, b, q!]);
        close(
          product.after[1]!,
          x.map((value, i) => value * y[i]! + b * y[i]!),
          dtype,
        );
        const dot = call('rows_dot', dtype, [x, y], ([p, q]) => [x.length, p!, q!]);
        close([dot.value], [total(x.map((value, i) => value * y[i]!))], dtype, 16 * x.length);
      }),
    );
  });

  it('combine and sum with b = 0 do not read what they write', () => {
    const nothing = [NaN, NaN, NaN];
    expect(
      call('rows_combine', dtype, [[1, 2, 3], nothing], ([p, q]) => [1, 3, 2, p!, 3, 0, q!, 3]).after[1],
    ).toEqual([2, 4, 6]);
    expect(call('rows_sum', dtype, [[1, 2, 3], nothing], ([p, q]) => [1, 3, 2, p!, 0, q!]).after[1]).toEqual([
      2, 4, 6,
    ]);
  });

  it('layer norm and its derivative', () => {
    check(
      fc.property(two, ({ c, x, y: v, b }) => {
        const [rows, eps] = [x.length / c, 0.25];
        const place = Array<number>(rows).fill(0);
        const stats = rowsOf(x, c).map((row) => {
          const mean = total(row) / c;
          return { mean, s: 1 / Math.sqrt(eps + total(row.map((value) => (value - mean) ** 2)) / c) };
        });
        const normal = x.map(
          (value, i) => (value - stats[Math.floor(i / c)]!.mean) * stats[Math.floor(i / c)]!.s,
        );
        const out = call('rows_normalise', dtype, [x, x, place], ([p, q, s]) => [rows, c, eps, p!, q!, s!]);
        close(out.after[1]!, normal, dtype, 16);
        close(
          out.after[2]!,
          stats.map(({ s }) => s),
          dtype,
          16,
        );
        const want = x.map((_, i) => {
          const row = Math.floor(i / c);
          const [part, unit] = [v.slice(row * c, row * c + c), normal.slice(row * c, row * c + c)];
          const along = total(part.map((value, j) => value * unit[j]!)) / c;
          return b * v[i]! + stats[row]!.s * (v[i]! - total(part) / c - normal[i]! * along);
        });
        const back = call('rows_project', dtype, [out.after[1]!, out.after[2]!, v], ([p, s, q]) => [
          rows,
          c,
          p!,
          s!,
          q!,
          b,
          q!,
        ]);
        close(back.after[2]!, want, dtype, 256);
      }),
    );
  });

  it('softmax and its derivative', () => {
    check(
      fc.property(two, ({ c, x, y: v, b }) => {
        const rows = x.length / c;
        const p = rowsOf(x, c).flatMap((row) => {
          const e = row.map((value) => Math.exp(value));
          return e.map((value) => value / total(e));
        });
        const out = call('rows_softmax', dtype, [x], ([at]) => [rows, c, at!, at!]);
        close(out.after[0]!, p, dtype);
        const want = v.map((value, i) => {
          const row = Math.floor(i / c) * c;
          const mean = total(p.slice(row, row + c).map((weight, j) => weight * v[row + j]!));
          return b * value + p[i]! * (value - mean);
        });
        close(
          call('rows_softmax_back', dtype, [p, v], ([at, q]) => [rows, c, at!, q!, b, q!]).after[1]!,
          want,
          dtype,
          16,
        );
      }),
    );
  });

  it('softmax of far entries neither overflows nor hides NaN', () => {
    const softmax = (x: number[]) =>
      call('rows_softmax', dtype, [x], ([at]) => [1, x.length, at!, at!]).after[0]!;
    expect(softmax([1e30, -1e30, 1e30])).toEqual([0.5, 0, 0.5]);
    expect(softmax([-Infinity, 0])).toEqual([0, 1]);
    expect(softmax([1, NaN, 2]).every(Number.isNaN)).toBe(true);
  });
});

describe.each(DTYPES)('losses (%s)', (dtype) => {
  /** Value, from the definitions. */
  const value = (kind: number, f: readonly number[], y: readonly number[], c: number): number => {
    if (kind === 0) return total(f.map((x, i) => (x - y[i]!) ** 2 / 2));
    if (kind === 1) return total(f.map((x, i) => Math.log(1 + Math.exp(x)) - y[i]! * x));
    return total(
      rowsOf(f, c).map((row, r) => {
        const norm = Math.log(total(row.map((x) => Math.exp(x))));
        return -total(row.map((x, k) => y[r * c + k]! * (x - norm)));
      }),
    );
  };
  /** The kernel; targets are f64 for both dtypes. */
  const run = (kind: number, f: readonly number[], y: readonly number[], c: number, scale: number) =>
    engine.heap.scope((scope) => {
      const targets = scope.put(Float64Array.from(y)).ptr;
      const { value: loss, after } = call('loss', dtype, [f, f], ([p, g]) => [
        kind,
        f.length / c,
        c,
        scale,
        p!,
        targets,
        g!,
      ]);
      return { loss, gradient: after[1]! };
    });

  it.each([0, 1, 2])('kind %i: value, and gradient by central differences of the value', (kind) => {
    check(
      fc.property(
        sizes.chain(({ rows, c }) =>
          fc.record({ c: fc.constant(c), f: matrix(rows, c), y: matrix(rows, c) }),
        ),
        ({ c, f, y: raw }) => {
          const y = kind === 0 ? raw : raw.map((x) => Math.abs(x) / 4);
          const { loss, gradient } = run(kind, f, y, c, 0.5);
          close([loss], [value(kind, f, y, c) / 2], 'f64', f.length * 8);
          const h = 1e-4; // error h^2/6 times a third derivative below c, plus 1e-16/h times the value
          const slopes = f.map((_, i) => {
            const moved = (by: number) =>
              value(
                kind,
                f.map((x, j) => (j === i ? x + by : x)),
                y,
                c,
              );
            return (moved(h) - moved(-h)) / (4 * h);
          });
          gradient.forEach((g, i) => expect(Math.abs(g - slopes[i]!)).toBeLessThan(1e-6));
        },
      ),
    );
  });

  it('far outputs stay finite, NaN passes', () => {
    expect(run(1, [800, -800], [1, 0], 1, 1).loss).toBe(0);
    expect(run(2, [1e30, 0], [0, 1], 2, 1).loss).toBeCloseTo(1e30, -24);
    for (const kind of [0, 1, 2]) expect(run(kind, [NaN, 1], [0, 1], 2, 1).loss).toBeNaN();
  });
});

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
          const out = call('conv_gather', dtype, [x, want.map(() => NaN)], ([p, q]) => [
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
          const scattered = call('conv_scatter', dtype, [want, x], ([p, q]) => [
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
            const out = call('pool_map', dtype, [x, weights, y], ([p, w, q]) => [
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
