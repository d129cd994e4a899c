import {
  createEngine,
  foldIn,
  normal,
  normalAt,
  permutation,
  randomKey,
  uniform,
  uniformAt,
  type Engine,
} from 'infinite-width';
import { threefry, normalInto } from '#build/math/random.js';
import { fnv1a } from '../support/hash.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

const moments = (x: ArrayLike<number>): number[] => {
  const n = x.length;
  const mean = Array.from(x).reduce((sum, v) => sum + v, 0) / n;
  return [2, 3, 4].reduce(
    (list, k) => [...list, Array.from(x).reduce((sum, v) => sum + (v - mean) ** k, 0) / n],
    [mean],
  );
};

describe('threefry2x32-20', () => {
  it.each([
    [
      [0, 0],
      [0, 0],
      [0x6b200159, 0x99ba4efe],
    ],
    [
      [0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x1cb996fc, 0xbb002be7],
    ],
    [
      [0x13198a2e, 0x03707344],
      [0x243f6a88, 0x85a308d3],
      [0xc4923a9c, 0x483df7a0],
    ],
  ] as [[number, number], [number, number], [number, number]][])(
    'gives the known answer of Random123 for key %j, counter %j',
    (key, counter, want) => expect(threefry(key, ...counter)).toEqual(want),
  );

  it('gives the known answers in the kernel, and the same words as the scalar form across the 32-bit carry', () => {
    const bits = (key: readonly [number, number], first: number, n: number): number[] =>
      engine.heap.scope((scope) => {
        const out = scope.alloc('u32', 2 * n);
        engine.kernels.randomBits(key[0], key[1], first, n, out.ptr);
        return [...engine.heap.read(out)];
      });
    expect(bits([0, 0], 0, 1)).toEqual([0x99ba4efe, 0x6b200159]);
    const first = 2 ** 33 - 3;
    const want = Array.from({ length: 7 }, (_, i) => {
      const at = first + i;
      const [high, low] = threefry([7, 9], Math.floor(at / 2 ** 32), at >>> 0);
      return [low, high];
    }).flat();
    expect(bits([7, 9], first, 7)).toEqual(want);
  });
});

describe('streams', () => {
  const key = foldIn(randomKey(42), 'streams', 1);

  it('have the same bits in scalar and vector form', () => {
    const n = 20_000;
    const u = uniform(engine, key, n);
    const z = normal(engine, key, n);
    for (let i = 0; i < n; i++) {
      if (u[i] !== uniformAt(key, i) || z[i] !== normalAt(key, i)) expect([i, u[i], z[i]]).toBeNull();
    }
  });

  it('do not depend on how they are split', () => {
    const whole = normal(engine, key, 1001);
    engine.heap.scope((scope) => {
      const guard = 1e300;
      for (const [first, n] of [
        [0, 1],
        [1, 2],
        [3, 3],
        [6, 995],
      ] as const) {
        const out = scope.alloc('f64', n + 1);
        engine.heap.fill(out, guard);
        normalInto(engine, key, { ...out, length: n }, { first });
        expect([...engine.heap.read(out)]).toEqual([...whole.subarray(first, first + n), guard]);
      }
    });
    const long = 2 ** 18 + 3;
    expect(normal(engine, key, long).at(-1)).toBe(normalAt(key, long - 1));
  });

  it('give f32 as rounded (normal) or cut (uniform) f64, any length, nothing written behind', () => {
    for (const n of [0, 1, 2, 3, 4, 5, 1000]) {
      expect(normal(engine, key, n, 'f32')).toEqual(Float32Array.from(normal(engine, key, n)));
      const cut = uniform(engine, key, n).map((v) => Math.floor(v * 2 ** 24) / 2 ** 24);
      expect(uniform(engine, key, n, 'f32')).toEqual(Float32Array.from(cut));
    }
    const scaled = uniform(engine, key, 1000, 'f64', [-3, 5]);
    uniform(engine, key, 1000).forEach((v, i) => expect(scaled[i]).toBe(-3 + 8 * v));
  });

  it('have the moments of the uniform and of the normal', () => {
    const n = 200_000;
    const [mean, variance, third, fourth] = moments(normal(engine, key, n)) as [
      number,
      number,
      number,
      number,
    ];
    const sigmas = 5 / Math.sqrt(n);
    expect(Math.abs(mean)).toBeLessThan(sigmas);
    expect(Math.abs(variance - 1)).toBeLessThan(Math.sqrt(2) * sigmas);
    expect(Math.abs(third)).toBeLessThan(Math.sqrt(15) * sigmas);
    expect(Math.abs(fourth - 3)).toBeLessThan(Math.sqrt(96) * sigmas);
    const [centre, spread] = moments(uniform(engine, key, n)) as [number, number];
    expect(Math.abs(centre - 0.5)).toBeLessThan(sigmas / Math.sqrt(12));
    expect(Math.abs(spread - 1 / 12)).toBeLessThan(sigmas * Math.sqrt(1 / 80 - 1 / 144));
  });

  it('have a Kolmogorov-Smirnov distance within the 0.1 % level, and tails of the right weight', () => {
    const n = 100_000;
    const u = uniform(engine, foldIn(key, 'ks'), n).sort();
    const distance = u.reduce((max, v, i) => Math.max(max, Math.abs(v - (i + 0.5) / n)), 0);
    expect(distance).toBeLessThan(1.95 / Math.sqrt(n));
    const z = normal(engine, foldIn(key, 'tails'), 1_000_000, 'f32');
    const beyond = z.reduce((count, v) => count + (Math.abs(v) > 4 ? 1 : 0), 0);
    expect(beyond).toBeGreaterThan(63.34 - 5 * 8); // P(|Z| > 4) = 6.334e-5
    expect(beyond).toBeLessThan(63.34 + 5 * 8);
  });

  it('never change: golden hashes, equal in Node and Chromium', () => {
    expect(fnv1a(uniform(engine, randomKey(1), 10_000))).toBe('2290632c5e598a51');
    expect(fnv1a(normal(engine, randomKey(2), 10_000))).toBe('1cb2e8b76ea8c304');
    expect(fnv1a(normal(engine, randomKey(3), 10_000, 'f32'))).toBe('30c54fb8dd1b8ff4');
    expect(fnv1a(permutation(engine, randomKey(4), 10_000))).toBe('0cb7d9281037ade5');
  });
});

describe('keys', () => {
  it('differ for different data, order and kind, and are uncorrelated with the draws of their parent', () => {
    const root = randomKey(5);
    const keys = [
      root,
      foldIn(root, 0),
      foldIn(root, 1),
      foldIn(root, -1),
      foldIn(root, 2 ** 32),
      foldIn(root, 0, 1),
      foldIn(root, 1, 0),
      foldIn(root, '0'),
      foldIn(root, 'ab'),
      foldIn(root, 'a', 'b'),
      foldIn(root, ''),
      threefry(root, 0, 0),
      threefry(root, 0, 1),
    ];
    expect(new Set(keys.map(String)).size).toBe(keys.length);
    expect(foldIn(root, 'layer', 3)).toEqual(foldIn(root, 'layer', 3));
    const a = normal(engine, foldIn(root, 0), 100_000);
    const b = normal(engine, foldIn(root, 1), 100_000);
    expect(Math.abs(a.reduce((sum, v, i) => sum + v * b[i]!, 0)) / 1e5).toBeLessThan(5 / Math.sqrt(1e5));
  });

  it('refuse what is not a whole number', () => {
    expect(() => randomKey(-1)).toThrow(RangeError);
    expect(() => randomKey(0.5)).toThrow('whole number');
    expect(() => foldIn(randomKey(0), NaN)).toThrow(RangeError);
    expect(() => normal(engine, randomKey(0), -1)).toThrow(RangeError);
    expect(() => uniform(engine, randomKey(0), 1, 'f64', [1, 0])).toThrow('low <= high');
  });
});

describe('permutation', () => {
  it('is Fisher-Yates with the uniforms of its key', () => {
    const key = randomKey(77);
    const order = Array.from({ length: 100 }, (_, i) => i);
    for (let i = 99; i > 0; i--) {
      const j = Math.floor(uniformAt(key, i) * (i + 1));
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    expect([...permutation(engine, key, 100)]).toEqual(order);
  });

  it('is a permutation, and each place gets each value equally often', () => {
    expect([...permutation(engine, randomKey(1), 0)]).toEqual([]);
    expect([...permutation(engine, randomKey(1), 1)]).toEqual([0]);
    const n = 6;
    const counts = new Float64Array(n * n);
    const rounds = 6000;
    for (let round = 0; round < rounds; round++) {
      const order = permutation(engine, foldIn(randomKey(9), round), n);
      expect([...order].sort()).toEqual([0, 1, 2, 3, 4, 5]);
      order.forEach((value, place) => counts[place * n + value]!++);
    }
    const expected = rounds / n;
    const chi2 = counts.reduce((sum, c) => sum + (c - expected) ** 2 / expected, 0);
    expect(chi2).toBeLessThan(60); // 25 degrees of freedom: 99.99 % are below 58.6
  });
});
