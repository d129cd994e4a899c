import { createEngine, normal, randomKey, type Engine } from 'infinite-width';
import * as scalar from '#build/math/elementary.js';
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

  // Values of mpmath with 40 digits; the last number is the error allowed, in units in the last place.
  it.each([
    [
      'sin',
      [
        [1e22, -0.8522008497671888],
        [1e300, -0.8178819121159086],
        [355.0, -3.0144353359488449e-5],
        [-710.0, -6.0288706691585266e-5],
        [103993.0, -1.912933577842375e-5],
        [1000000.0, -0.34999350217129295],
        [3.0, 0.14112000805986722],
      ],
      1.5,
    ],
    [
      'cos',
      [
        [1e22, 0.52321478539513895],
        [1e300, -0.57538611195754905],
        [11.0, 0.0044256979880507857],
        [1000000.0, 0.93675212753314479],
        [52174.0, 5.5075087922038071e-6],
      ],
      1.5,
    ],
    [
      'lgamma',
      [
        [1e-300, 690.77552789821371],
        [0.001, 6.9071788853838537],
        [0.3, 1.0957979948180756],
        [0.5, 0.57236494292470009],
        [0.9999, 5.7729791561193863e-5],
        [1.0001, -5.7713342220471268e-5],
        [1.5, -0.12078223763524522],
        [1.9999, -4.2275208772153458e-5],
        [2.0001, 4.2281658112919946e-5],
        [2.5, 0.28468287047291916],
        [3.7, 1.4280723266653881],
        [7.25, 7.0521854507385394],
        [9.99, 12.779315214350193],
        [10.5, 13.940625219403764],
        [100.5, 361.43554046777762],
        [10000000000.0, 220258509288.81058],
        [-0.5, 1.2655121234846454],
        [-1.5, 0.86004701537648101],
        [-3.3, -0.82435580501742646],
      ],
      8,
    ],
    [
      'digamma',
      [
        [1e-5, -100000.57719921567],
        [0.3, -3.5025242222001331],
        [0.5, -1.9635100260214235],
        [1.0, -0.57721566490153286],
        [1.25, -0.22745353337626541],
        [1.4616, -3.110625123034165e-5],
        [1.75, 0.24747245354686116],
        [2.0, 0.42278433509846714],
        [3.7, 1.1671535393615114],
        [9.99, 2.2507003728312011],
        [10.5, 2.3030010342976864],
        [1000.25, 6.9075052894144283],
        [-0.5, 0.036489973978576521],
        [-2.3, 3.3173231575618227],
      ],
      8,
    ],
    [
      'erf',
      [
        [1e-10, 1.1283791670955126e-10],
        [0.3, 0.32862675945912742],
        [0.84, 0.76514271145499452],
        [0.85, 0.77066805760835252],
        [1.5, 0.96610514647531073],
        [3.25, 0.99999569722053632],
        [5.5, 0.99999999999999264],
      ],
      2,
    ],
    [
      'erfc',
      [
        [-3.0, 1.9999779095030014],
        [-0.4, 1.4283923550466685],
        [0.3, 0.67137324054087258],
        [0.5, 0.47950012218695346],
        [1.5, 0.033894853524689273],
        [5.0, 1.5374597944280349e-12],
        [12.5, 6.231942781979911e-70],
        [26.0, 5.6631924088561428e-296],
      ],
      4,
    ],
    [
      'normalCdf',
      [
        [-37.5, 4.6053530095819548e-308],
        [-10.0, 7.6198530241605261e-24],
        [-3.0, 0.0013498980316300945],
        [-0.5, 0.3085375387259869],
        [0.0, 0.5],
        [0.25, 0.59870632568292372],
        [1.96, 0.97500210485177956],
        [6.0, 0.99999999901341235],
      ],
      4,
    ],
    [
      'normalQuantile',
      [
        [1e-10, -6.3613409024040562],
        [0.001, -3.0902323061678135],
        [0.025, -1.9599639845400542],
        [0.3, -0.52440051270804082],
        [0.6, 0.25334710313579974],
        [0.975, 1.9599639845400539],
        [0.999, 3.0902323061678133],
      ],
      8,
    ],
  ] as [keyof typeof scalar, [number, number][], number][])(
    '%s has the values of mpmath',
    (name, cases, allowed) => {
      for (const [x, want] of cases) {
        const error = Math.abs((scalar[name] as (x: number) => number)(x) - want);
        if (error > allowed * ulp(want)) expect([name, x, error / ulp(want)]).toEqual([name, x, allowed]);
      }
    },
  );

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
