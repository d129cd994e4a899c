import { createEngine, normal, randomKey, type Engine } from 'infinite-width';
import * as scalar from '#build/math/elementary.js';
import { VALUES } from './elementary-values.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

const ulp = (x: number): number => Math.max(2 ** (Math.floor(Math.log2(Math.abs(x))) - 52), 2 ** -1074);
const SPECIAL = [0, -0, 1, -1, 0.5, -0.5, Infinity, -Infinity, NaN, 5e-324, -1e-310, 1.7e308, -1.7e308];
const EDGES = [
  709.78, 709.79, 710.4, 710.5, -708.5, -745.1, -745.2, -40, 26.5, 27.3, 1e22, -1e300, 0.84375, 0.625,
];

describe('scalar functions', () => {
  const names = ['exp', 'expm1', 'log', 'log1p', 'sigmoid', 'tanh', 'erf', 'erfc'] as const;
  const more = ['sin', 'cos', 'asin', 'acos', 'sinh', 'cosh'] as const;
  it.each([...names, ...more])('%s has the bits of its f64 kernel', (name) => {
    const draws = normal(engine, randomKey(3), 20_000).map((z, i) => z * [0.3, 3, 100, 1e5][i % 4]!);
    const x = Float64Array.from([...SPECIAL, ...EDGES, ...draws]);
    const y = engine.heap.scope((scope) => {
      const ticket = scope.put(x);
      engine.kernels[`${name}_f64`](x.length, ticket.ptr, ticket.ptr);
      return engine.heap.read(ticket);
    });
    const differ = [...x].filter((value, i) => !Object.is(scalar[name](value), y[i]));
    expect(differ).toEqual([]);
  });

  it('atan2 has the bits of its f64 kernel', () => {
    const z = normal(engine, randomKey(4), 4000);
    const y = Float64Array.from([...SPECIAL.flatMap((v) => SPECIAL.map(() => v)), ...z]);
    const x = Float64Array.from([...SPECIAL.flatMap(() => SPECIAL), ...z.map((v) => v * v - 1)]);
    const got = engine.heap.scope((scope) => {
      const [a, b] = [scope.put(y), scope.put(x)];
      engine.kernels.atan2_f64(y.length, a.ptr, b.ptr, a.ptr);
      return engine.heap.read(a);
    });
    expect([...y.keys()].filter((i) => !Object.is(scalar.atan2(y[i]!, x[i]!), got[i]))).toEqual([]);
  });

  it.each(VALUES)('%s has the values of mpmath', (name, cases, allowed) => {
    for (const [x, want] of cases) {
      const error = Math.abs((scalar[name] as (x: number) => number)(x) - want);
      if (error > allowed * ulp(want)) expect([name, x, error / ulp(want)]).toEqual([name, x, allowed]);
    }
  });

  it('pow has the special cases of Math.pow and its values', () => {
    const bases = [...SPECIAL, 2, -2, -8, 0.999, 1e300, 3];
    const exponents = [...SPECIAL, 2, 3, -3, 1 / 3, 1e20, -320, 0.25, 1000];
    for (const x of bases) {
      for (const y of exponents) {
        const [got, want] = [scalar.pow(x, y), Math.pow(x, y)];
        const close = Object.is(got, want) || Math.abs(got - want) <= 2 * ulp(want);
        if (!close) expect([x, y, got]).toEqual([x, y, want]);
      }
    }
    expect(scalar.pow(10, 15)).toBe(1e15);
    for (let n = -1074; n < 1024; n++) expect(scalar.pow(2, n)).toBe(2 ** n);
  });

  it('the normal quantile inverts the distribution function', () => {
    for (let x = -38; x <= 5; x += 0.37) {
      expect(Math.abs(scalar.normalQuantile(scalar.normalCdf(x)) - x)).toBeLessThan(
        1e-10 * (1 + Math.abs(x)),
      );
    }
    expect(scalar.normalQuantile(0)).toBe(-Infinity);
    expect(scalar.normalQuantile(1)).toBe(Infinity);
    expect(scalar.normalQuantile(1.5)).toBeNaN();
    expect(scalar.softplus(-800)).toBe(0);
    expect(scalar.softplus(800)).toBe(800);
  });

  it('lgamma and digamma satisfy their recurrences and reflections', () => {
    for (let x = 0.07; x < 40; x += 0.61) {
      const rise = scalar.lgamma(x + 1) - scalar.lgamma(x);
      expect(Math.abs(rise - scalar.log(x))).toBeLessThan(3e-15 * (1 + Math.abs(scalar.lgamma(x))));
      expect(Math.abs(scalar.digamma(x + 1) - scalar.digamma(x) - 1 / x)).toBeLessThan(3e-15 * (1 + 1 / x));
    }
    expect(scalar.lgamma(1)).toBe(0);
    expect(scalar.lgamma(2)).toBe(0);
    expect(scalar.lgamma(0)).toBe(Infinity);
    expect(scalar.lgamma(-3)).toBe(Infinity);
    expect(scalar.digamma(-3)).toBeNaN();
  });
});
