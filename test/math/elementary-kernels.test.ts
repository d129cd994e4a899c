import { createEngine, normal, randomKey, type Engine } from 'infinite-width';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fnv1a } from '../support/hash.js';

const NAMES = [
  'exp',
  'expm1',
  'log',
  'log1p',
  'sigmoid',
  'tanh',
  'erf',
  'erfc',
  'sin',
  'cos',
  'asin',
  'acos',
  'sinh',
  'cosh',
] as const;
type Name = (typeof NAMES)[number];
const DTYPES = ['f32', 'f64'] as const;
type Floats = Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

const arrayOf = (dtype: 'f32' | 'f64', x: ArrayLike<number>): Floats =>
  dtype === 'f32' ? Float32Array.from(x) : Float64Array.from(x);

interface Place {
  readonly ptr: number;
  readonly length: number;
}
const put = (scope: { put(array: Floats): Place }, array: Floats): Place => scope.put(array);
const read = (place: Place): Floats => engine.heap.read(place as never) as never;

/** f over x by its array kernel, from element `shift` of the memory on, checking that the words around stay. */
function apply(name: Name, dtype: 'f32' | 'f64', x: ArrayLike<number>, shift = 0): Floats {
  return engine.heap.scope((scope) => {
    const guard = [7, 7, 7, 7];
    const memory = put(scope, arrayOf(dtype, [...guard.slice(0, shift), ...Array.from(x), ...guard]));
    const size = dtype === 'f32' ? 4 : 8;
    const at = (memory.ptr + shift * size) as never;
    (engine.kernels[`${name}_${dtype}`] as (n: number, x: never, y: never) => void)(x.length, at, at);
    const all = read(memory);
    expect([...all.slice(0, shift), ...all.slice(shift + x.length)]).toEqual([
      ...guard.slice(0, shift),
      ...guard,
    ]);
    return all.slice(shift, shift + x.length);
  });
}

function atan2(dtype: 'f32' | 'f64', y: ArrayLike<number>, x: ArrayLike<number>): Floats {
  return engine.heap.scope((scope) => {
    const a = put(scope, arrayOf(dtype, y));
    const b = put(scope, arrayOf(dtype, x));
    const out = scope.alloc(dtype, y.length);
    (engine.kernels[`atan2_${dtype}`] as (...args: unknown[]) => void)(y.length, a.ptr, b.ptr, out.ptr);
    return read(out);
  });
}

const SPECIAL: Record<Name, readonly (readonly [number, number])[]> = {
  exp: [
    [0, 1],
    [-0, 1],
    [Infinity, Infinity],
    [-Infinity, 0],
    [1000, Infinity],
    [-1000, 0],
  ],
  expm1: [
    [0, 0],
    [-0, -0],
    [Infinity, Infinity],
    [-Infinity, -1],
    [-50, -1],
    [1000, Infinity],
  ],
  log: [
    [0, -Infinity],
    [-0, -Infinity],
    [1, 0],
    [-1, NaN],
    [Infinity, Infinity],
    [-Infinity, NaN],
  ],
  log1p: [
    [0, 0],
    [-0, -0],
    [-1, -Infinity],
    [-2, NaN],
    [Infinity, Infinity],
  ],
  sigmoid: [
    [0, 0.5],
    [-0, 0.5],
    [Infinity, 1],
    [-Infinity, 0],
    [50, 1],
  ],
  tanh: [
    [0, 0],
    [-0, -0],
    [Infinity, 1],
    [-Infinity, -1],
    [-30, -1],
  ],
  erf: [
    [0, 0],
    [-0, -0],
    [Infinity, 1],
    [-Infinity, -1],
    [10, 1],
  ],
  erfc: [
    [0, 1],
    [-0, 1],
    [Infinity, 0],
    [-Infinity, 2],
    [30, 0],
    [-10, 2],
  ],
  sin: [
    [0, 0],
    [-0, -0],
    [Infinity, NaN],
    [-Infinity, NaN],
  ],
  cos: [
    [0, 1],
    [-0, 1],
    [Infinity, NaN],
    [-Infinity, NaN],
  ],
  asin: [
    [0, 0],
    [-0, -0],
    [1, Math.PI / 2],
    [-1, -Math.PI / 2],
    [1.5, NaN],
    [-Infinity, NaN],
  ],
  acos: [
    [0, Math.PI / 2],
    [1, 0],
    [-1, Math.PI],
    [1.5, NaN],
    [Infinity, NaN],
  ],
  sinh: [
    [0, 0],
    [-0, -0],
    [Infinity, Infinity],
    [-Infinity, -Infinity],
    [-800, -Infinity],
  ],
  cosh: [
    [0, 1],
    [-0, 1],
    [Infinity, Infinity],
    [-Infinity, Infinity],
    [800, Infinity],
  ],
};
/** f(x) = x to rounding for tiny x, subnormals included. */
const NEAR_IDENTITY: readonly Name[] = ['expm1', 'log1p', 'tanh', 'sin', 'asin', 'sinh'];

describe.each(DTYPES)('elementary kernels, %s', (dtype) => {
  it.each(NAMES)('%s: special values', (name) => {
    const cases = [...SPECIAL[name], [NaN, NaN] as const];
    const got = apply(
      name,
      dtype,
      cases.map(([x]) => x),
    );
    expect([...got]).toEqual([
      ...arrayOf(
        dtype,
        cases.map(([, y]) => y),
      ),
    ]);
    if (NEAR_IDENTITY.includes(name)) {
      const tiny = arrayOf(
        dtype,
        dtype === 'f32' ? [1.4e-45, -1e-40, 1e-38, 2e-20] : [5e-324, -1e-310, 3e-308, 1e-40],
      );
      expect(apply(name, dtype, tiny)).toEqual(tiny);
    }
  });

  it.each(NAMES)('%s: bits depend on x only, not on place, length or alignment', (name) => {
    const numbers = fc.array(fc.double({ min: -30, max: 30, noNaN: true }), { minLength: 1, maxLength: 11 });
    fc.assert(
      fc.property(numbers, fc.integer({ min: 0, max: 3 }), (x, shift) => {
        const alone = x.map((value) => apply(name, dtype, [value])[0]!);
        expect([...apply(name, dtype, x, shift)]).toEqual([...alone]);
      }),
      { numRuns: 30, seed: 1 },
    );
  });

  it('exp gives subnormals', () => {
    const x = dtype === 'f32' ? [-88, -95.5, -103] : [-709, -730.25, -744.9];
    const got = apply('exp', dtype, x);
    const step = dtype === 'f32' ? 2 ** -149 : 2 ** -1074;
    x.forEach((value, i) =>
      expect(Math.abs(got[i]! - Math.exp(value)) / step).toBeLessThan(dtype === 'f32' ? 1.5 : 2),
    );
  });

  it('atan2: all quadrants, zeros, infinities, extremes', () => {
    const [big, tiny] = dtype === 'f32' ? [3e38, 1.4e-45] : [1.7e308, 5e-324];
    const values = [0, -0, 1, -1, 2.5, -0.3, Infinity, -Infinity, big, -big, tiny, -tiny, NaN];
    const pairs = values.flatMap((y) => values.map((x) => [y, x] as const));
    const y = arrayOf(
      dtype,
      pairs.map((p) => p[0]),
    );
    const x = arrayOf(
      dtype,
      pairs.map((p) => p[1]),
    );
    const got = atan2(dtype, y, x);
    pairs.forEach((pair, i) => {
      const want = Math.atan2(y[i]!, x[i]!);
      const exact = arrayOf(dtype, [want])[0] === 0 || Number.isNaN(want);
      if (exact) expect(Object.is(got[i], arrayOf(dtype, [want])[0]), `atan2(${pair})`).toBe(true);
      else
        expect(Math.abs(got[i]! / want - 1), `atan2(${pair})`).toBeLessThan(
          dtype === 'f32' ? 2.4e-7 : 4.5e-16,
        );
    });
  });
});

it('golden hashes, equal in Node and Chromium', () => {
  const hashes = DTYPES.map((dtype) => {
    const z = normal(engine, randomKey(11), 20_000, dtype, [0, 3]);
    const unit = z.map((v) => v / (4 + Math.abs(v)));
    return NAMES.map((name) =>
      fnv1a(apply(name, dtype, name.startsWith('log') ? z.map(Math.abs) : name.startsWith('a') ? unit : z)),
    );
  });
  expect(Object.fromEntries(NAMES.map((name, i) => [name, hashes.map((list) => list[i])]))).toEqual(GOLDEN);
});

const GOLDEN: Record<Name, string[]> = {
  acos: ['260c49fb87ce6301', 'f01336c54eb2a6f1'],
  asin: ['37ddd966a38e277f', '3422f99bca718365'],
  cos: ['c543fb274d3e8864', '2f68b07e67061fd8'],
  cosh: ['2b3ab9fcdf3f8c6d', '874b32224c3fdc29'],
  erf: ['f75fa94ba338cac5', 'e442f6fdae40e6f0'],
  erfc: ['fc8f080034e67983', 'b32bf34c50793bdf'],
  exp: ['4c77704ebeaa8426', '5772b61da2b84c48'],
  expm1: ['2146310b01adafc9', '6860ec030028f64a'],
  log: ['eae66a18d7a7c22e', '395af06d0cfc566d'],
  log1p: ['f29ec84fac0746b3', '80357720442b38ea'],
  sigmoid: ['6b5a98e1e313109b', '24dc0c13d21bb33d'],
  sin: ['b39c3cb2118e97f2', '4fbcadd082690c7d'],
  sinh: ['48fd9447e852f5a0', '839dfadb44e2d07d'],
  tanh: ['025901dec9881dc0', 'ba0d616c1b83a335'],
};
