import { createEngine, normal, randomKey, type Engine } from 'infinite-width';
import { activationCode } from '#build/layers/activation/codes.js';
import { seriesRule } from '#build/layers/activation/series-rule.js';
import type { ActivationLayer } from '#build/layers/vocabulary.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

const LAYERS: readonly ActivationLayer[] = [
  { layer: 'relu' },
  { layer: 'abs' },
  { layer: 'sign' },
  { layer: 'leakyRelu', alpha: 0.1 },
  { layer: 'abRelu', a: -0.3, b: 1.7 },
  { layer: 'erf', a: 1.3, b: 0.7, c: 0.2 },
  { layer: 'sin', a: 1.3, b: 0.7, c: 0.2 },
  { layer: 'cos', a: 0.8, b: 1.7, c: -0.4 },
  { layer: 'sigmoidLike' },
  { layer: 'gabor' },
  { layer: 'gelu', approximate: false },
  { layer: 'gelu', approximate: true },
  { layer: 'rbf', gamma: 1.4 },
  { layer: 'exp', a: 0.5, b: 0.9 },
  { layer: 'gaussian', a: 1.2, b: -0.8 },
  { layer: 'hermite', degree: 5 },
  { layer: 'monomial', degree: 3 },
  { layer: 'rectifiedMonomial', degree: 2 },
  { layer: 'polynomial', coefficients: [0.5, -1, 0.25, 0, 0.125] },
  { layer: 'tanh' },
  { layer: 'sigmoid' },
  { layer: 'softplus' },
  { layer: 'swish' },
  { layer: 'elu', alpha: 1.5 },
  { layer: 'selu' },
  { layer: 'mish' },
  { layer: 'softsign' },
];
const FACTORIAL = [1, 1, 2, 6];
type Floats = Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;
const arrayOf = (dtype: 'f32' | 'f64', x: ArrayLike<number>): Floats =>
  dtype === 'f32' ? Float32Array.from(x) : Float64Array.from(x);

/** beta z + v phi^(order)(x), or phi^(order)(x) where v is null; the words behind the output stay. */
function run(
  layer: ActivationLayer,
  order: number,
  dtype: 'f32' | 'f64',
  x: ArrayLike<number>,
  v: ArrayLike<number> | null = null,
  beta = 0,
  z: ArrayLike<number> = x,
): Floats {
  const { code, parameters, coefficients } = activationCode(layer);
  return engine.heap.scope((scope) => {
    const put = (values: ArrayLike<number>): { ptr: number } =>
      (scope.put as (a: Floats) => { ptr: number })(arrayOf(dtype, values));
    const table = coefficients[order] ?? new Float64Array();
    const rest = [...parameters, put([...table, 0]).ptr, table.length];
    const out = put([...Array.from(z), 1234]);
    const kernels = engine.kernels as unknown as Record<string, (...args: unknown[]) => void>;
    if (v)
      kernels[`activationProduct_${dtype}`]!(
        code,
        order,
        x.length,
        put(x).ptr,
        put(v).ptr,
        beta,
        out.ptr,
        ...rest,
      );
    else kernels[`activation_${dtype}`]!(code, order, x.length, put(x).ptr, out.ptr, ...rest);
    const all = engine.heap.read(out as never) as Floats;
    expect(all[x.length]).toBe(1234);
    return all.slice(0, x.length);
  });
}

const inputs = (dtype: 'f32' | 'f64'): Floats => {
  const z = normal(engine, randomKey(8), 401, dtype, [0, 2]);
  return arrayOf(dtype, [...z, -9, 9, -25, 25, -0.001, 0.001]);
};

describe.each(['f64', 'f32'] as const)('activation kernels, %s', (dtype) => {
  const eps = dtype === 'f64' ? 2e-14 : 4e-6;
  it.each(LAYERS)('$layer: derivatives 0 to 3 are those of the power series', (layer) => {
    const x = inputs(dtype);
    const rule = seriesRule(layer);
    for (let order = 0; order <= 3; order++) {
      const got = run(layer, order, dtype, x);
      x.forEach((at, i) => {
        const series = new Float64Array(order + 1);
        series.set(order ? [at, 1] : [at]);
        const want = rule(series)[order]! * FACTORIAL[order]!;
        const size = Math.abs(want) + (Math.abs(at) < 6 ? 1 : 1e-3 + Math.abs(rule(Float64Array.of(at))[0]!));
        if (!(Math.abs(got[i]! - want) <= eps * size * (1 + Math.abs(at)))) {
          expect([layer.layer, order, at, got[i]]).toEqual([layer.layer, order, at, want]);
        }
      });
    }
  });

  it.each(LAYERS)('$layer: each order is the difference quotient of the one before', (layer) => {
    if (dtype === 'f32') return expect(run(layer, 1, 'f32', [0.5]).length).toBe(1);
    const x = [-3.1, -1.2, -0.4, 0.3, 0.9, 2.2];
    const h = 1e-5;
    for (let order = 0; order < 3; order++) {
      const high = run(
        layer,
        order,
        'f64',
        x.map((v) => v + h),
      );
      const low = run(
        layer,
        order,
        'f64',
        x.map((v) => v - h),
      );
      const next = run(layer, order + 1, 'f64', x);
      x.forEach((_, i) => {
        const slope = (high[i]! - low[i]!) / (2 * h);
        expect(Math.abs(slope - next[i]!)).toBeLessThan(
          2e-8 * (1 + Math.abs(next[i]!) + Math.abs(high[i]!) * 10),
        );
      });
    }
  });

  it('products: beta z + v phi, any length, equal to the plain form', () => {
    for (const layer of LAYERS) {
      for (const n of [1, 2, 3, 4, 5, 9]) {
        const x = inputs(dtype).slice(0, n);
        const v = x.map((value) => 1 + value * value);
        const plain = run(layer, 1, dtype, x);
        const alone = run(layer, 1, dtype, x, v);
        expect([...alone]).toEqual([...plain.map((p, i) => p * v[i]!)]);
        const added = run(layer, 1, dtype, x, v, 0.5, v);
        added.forEach((a, i) =>
          expect(Math.abs(a - (alone[i]! + 0.5 * v[i]!))).toBeLessThan(eps * 100 * (1 + Math.abs(a))),
        );
      }
    }
  });

  it('takes the left side at a kink', () => {
    const slope = (layer: ActivationLayer): number => run(layer, 1, dtype, [0])[0]!;
    const f = Math.fround;
    expect(slope({ layer: 'relu' })).toBe(0);
    expect(slope({ layer: 'leakyRelu', alpha: 0.1 })).toBe(dtype === 'f32' ? f(0.1) : 0.1);
    expect(slope({ layer: 'abs' })).toBe(-1);
    expect(slope({ layer: 'elu', alpha: 0.5 })).toBe(0.5);
    expect(run({ layer: 'sign' }, 0, dtype, [-2, -0, 0, 3])).toEqual(arrayOf(dtype, [-1, -0, 0, 1]));
  });

  it('keeps the tails: no cancellation, no overflow, NaN in gives NaN out', () => {
    const at = (layer: ActivationLayer, order: number, x: number): number =>
      run(layer, order, dtype, [x])[0]!;
    const close = (got: number, want: number): void =>
      expect(Math.abs(got / want - 1)).toBeLessThan(eps * 10);
    close(at({ layer: 'tanh' }, 1, 15), 4 * Math.exp(-30));
    close(at({ layer: 'sigmoid' }, 1, -40), Math.exp(-40));
    close(at({ layer: 'softplus' }, 0, -40), Math.exp(-40));
    expect(at({ layer: 'softplus' }, 0, 1e30)).toBe(arrayOf(dtype, [1e30])[0]);
    expect(at({ layer: 'mish' }, 0, 1000)).toBe(1000);
    expect(at({ layer: 'mish' }, 1, 1000)).toBe(1);
    expect(Math.abs(at({ layer: 'mish' }, 1, -1000))).toBe(0);
    expect(at({ layer: 'elu', alpha: 1 }, 0, -1000)).toBe(-1);
    expect(at({ layer: 'elu', alpha: 1 }, 1, 1000)).toBe(1);
    for (const layer of LAYERS) expect(at(layer, 0, NaN)).toBeNaN();
  });
});
