// The kernels of rows and losses of finite nets against scalar references.
import { createEngine, type Engine } from 'infinite-width';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  call,
  check,
  close,
  DTYPES,
  matrix,
  rowsOf,
  sizes,
  total,
  useEngine,
} from '../support/kernel-calls.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd', workers: 0 });
  useEngine(engine);
});
afterAll(() => engine.dispose());

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
        const combined = call('rowsCombine', dtype, [x, y], ([p, q]) => [rows, c, a, p!, c, b, q!, c]);
        close(
          combined.after[1]!,
          x.map((value, i) => a * value + b * y[i]!),
          dtype,
        );
        const summed = call('rowsSum', dtype, [x, y.slice(0, c)], ([p, q]) => [rows, c, a, p!, b, q!]);
        close(
          summed.after[1]!,
          Array.from({ length: c }, (_, i) => b * y[i]! + a * total(rowsOf(x, c).map((row) => row[i]!))),
          dtype,
          rows,
        );
        const product = call('rowsMultiply', dtype, [x, y], ([p, q]) => [x.length, p!, q!, b, q!]);
        close(
          product.after[1]!,
          x.map((value, i) => value * y[i]! + b * y[i]!),
          dtype,
        );
        const dot = call('rowsDot', dtype, [x, y], ([p, q]) => [x.length, p!, q!]);
        close([dot.value], [total(x.map((value, i) => value * y[i]!))], dtype, 16 * x.length);
      }),
    );
  });

  it('combine and sum with b = 0 do not read what they write', () => {
    const nothing = [NaN, NaN, NaN];
    expect(
      call('rowsCombine', dtype, [[1, 2, 3], nothing], ([p, q]) => [1, 3, 2, p!, 3, 0, q!, 3]).after[1],
    ).toEqual([2, 4, 6]);
    expect(call('rowsSum', dtype, [[1, 2, 3], nothing], ([p, q]) => [1, 3, 2, p!, 0, q!]).after[1]).toEqual([
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
        const out = call('rowsNormalise', dtype, [x, x, place], ([p, q, s]) => [rows, c, eps, p!, q!, s!]);
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
        const back = call('rowsProject', dtype, [out.after[1]!, out.after[2]!, v], ([p, s, q]) => [
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
        const out = call('rowsSoftmax', dtype, [x], ([at]) => [rows, c, at!, at!]);
        close(out.after[0]!, p, dtype);
        const want = v.map((value, i) => {
          const row = Math.floor(i / c) * c;
          const mean = total(p.slice(row, row + c).map((weight, j) => weight * v[row + j]!));
          return b * value + p[i]! * (value - mean);
        });
        close(
          call('rowsSoftmaxBack', dtype, [p, v], ([at, q]) => [rows, c, at!, q!, b, q!]).after[1]!,
          want,
          dtype,
          16,
        );
      }),
    );
  });

  it('softmax of far entries neither overflows nor hides NaN', () => {
    const softmax = (x: number[]) =>
      call('rowsSoftmax', dtype, [x], ([at]) => [1, x.length, at!, at!]).after[0]!;
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
