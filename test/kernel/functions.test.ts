// Activations given in code: against the same activations of the format, and against finite differences.
import {
  conv,
  createEngine,
  createModel,
  defineActivation,
  dense,
  dualSeries,
  elementwise,
  elu,
  empiricalNtk,
  erf,
  globalAvgPool,
  kernel,
  monteCarloKernel,
  NumericalError,
  parseNet,
  planKernel,
  relu,
  serial,
  tanh,
  tensor,
  toJson,
  type Engine,
  type NetDocument,
  type Tensor,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

const smooth = defineActivation('test-tanh', { fn: Math.tanh, derivative: (x) => 1 - Math.tanh(x) ** 2 });
const differenced = defineActivation('test-tanh-differences', { fn: Math.tanh });
const bent = defineActivation('test-relu', { fn: (x) => Math.max(0, x), kinks: [0] });
const curved = defineActivation('test-elu', { fn: (x) => (x > 0 ? x : 0.5 * Math.expm1(x)), kinks: [0] });
/** kappa and slope of relu, Cho & Saul (2009). */
const reluDual = (k11: number, k12: number, k22: number): { kappa: number; slope: number } => {
  const a = Math.sqrt(k11 * k22); // exact for equal variances
  if (a === 0) return { kappa: 0, slope: 0.25 };
  const theta = 2 * Math.atan2(Math.sqrt(Math.max(0, a - k12)), Math.sqrt(a + k12));
  const slope = (Math.PI - theta) / (2 * Math.PI);
  return { kappa: (a * Math.sin(theta)) / (2 * Math.PI) + slope * k12, slope };
};
const byDual = defineActivation('test-relu-dual', { kernelFunction: reluDual });
const byKappa = defineActivation('test-relu-kappa', { kernelFunction: (a, b, c) => reluDual(a, b, c).kappa });
const erfKappa = defineActivation('test-erf-kappa', {
  kernelFunction: (k11, k12, k22) =>
    (2 / Math.PI) * Math.atan2(2 * k12, Math.sqrt((1 + 2 * k11) * (1 + 2 * k22) - 4 * k12 * k12)),
});

const numbers = (length: number, seed: number): Float64Array =>
  Float64Array.from({ length }, (_, i) => Math.sin(12.9898 * (i + 1) + 78.233 * seed) * 1.3);
const x1 = tensor(numbers(30, 1), [6, 5]);
const x2 = tensor(numbers(20, 2), [4, 5]);
const images = tensor(numbers(96, 3), [3, 4, 4, 2]);
const weights = { wStd: 1.5, bStd: 0.1 };
const flat = (phi: NetDocument, options: Readonly<Record<string, unknown>> = weights): NetDocument =>
  serial(dense(8, options), phi, dense(8, options), phi, dense(1));
const spatial = (phi: NetDocument): NetDocument =>
  serial(
    conv(8, [3, 3], { ...weights, padding: 'SAME' }),
    phi,
    conv(8, [2, 2], weights),
    phi,
    globalAvgPool(),
    dense(1),
  );

/** Largest difference by the largest entry. */
function apart(a: Tensor, b: Tensor): number {
  const size = Math.max(...Array.from(b.data, Math.abs));
  return Math.max(...Array.from(a.data, (value, i) => Math.abs(value - b.data[i]!))) / size;
}

describe('kernels of functions in code', () => {
  it.each([
    ['fn and derivative', smooth, tanh, 1e-13],
    ['fn alone', differenced, tanh, 1e-12],
    // A series against exact elu: 400 terms of a kink leave up to 1e-3 c^400; rows and neighbours in an image are alike.
    ['a kink', curved, () => elu({ alpha: 0.5 }), 1e-3],
    ['kernelFunction', byDual, relu, 1e-13],
    ['kernelFunction of kappa alone, with a corner', byKappa, relu, 1e-9],
    ['kernelFunction of kappa alone', erfKappa, erf, 1e-8],
  ] as const)('%s gives the kernels of the activation of the format', async (_, mine, known, tolerance) => {
    for (const [net, first, second] of [
      [flat, x1, x2],
      [flat, x1, null],
      [spatial, images, null],
    ] as const) {
      const got = await kernel(engine, net(mine()), first, second);
      const want = await kernel(engine, net(known()), first, second);
      expect(apart(got.nngp, want.nngp)).toBeLessThan(tolerance);
      expect(apart(got.ntk, want.ntk)).toBeLessThan(tolerance);
    }
  });

  it('a corner gives the kernels of relu within the error estimate of its series', async () => {
    // Left out at c = 1 after L terms: in kappa the estimate, twice for two layers; in kappa' sum over l > L of
    // l B_l^2 / E phi'^2 = (1 / pi) (L pi / 2)^(-1/2), B of relu from He_(l-1)(0).
    const { error, terms } = dualSeries(bent(), 2)!;
    const slopeError = (1 / Math.PI) * ((terms * Math.PI) / 2) ** -0.5;
    for (const [net, first] of [
      [flat, x1],
      [spatial, images],
    ] as const) {
      const got = await kernel(engine, net(bent()), first);
      const want = await kernel(engine, net(relu()), first);
      expect(apart(got.nngp, want.nngp)).toBeLessThan(2 * error);
      expect(apart(got.ntk, want.ntk)).toBeLessThan(2 * slopeError);
    }
    expect(slopeError).toBeLessThan(0.03);
  });

  it('works in float32, in the standard parametrization, by tiles and beside workers, with equal bits', async () => {
    const net = flat(smooth(), { ...weights, parametrization: 'standard' });
    const want = await kernel(engine, net, x1);
    const single = await kernel(engine, flat(byDual()), x1, null, { dtype: 'f32' });
    expect(apart(single.ntk, (await kernel(engine, flat(relu()), x1)).ntk)).toBeLessThan(1e-6);
    await using busy = await createEngine({ variant: 'simd', workers: 1 });
    expect(await kernel(busy, net, x1)).toEqual(want);
    const { ntk } = await kernel(engine, flat(byDual()), x1);
    expect((await kernel(engine, flat(byDual()), x1, null, { tile: 2 })).ntk).toEqual(ntk);
  });

  it('says how good the series is', () => {
    const good = dualSeries(smooth(), 2)!;
    expect(good.error).toBeLessThan(1e-12);
    expect(good.terms).toBeLessThan(400);
    expect(good.kappa).toBeCloseTo(dualSeries(tanh(), 2)!.kappa, 14);
    const corner = dualSeries(bent(), 1)!;
    expect(corner.kappa).toBeCloseTo(0.5, 13);
    expect(corner.error).toBeGreaterThan(1e-9); // an honest one: kappa at c = 1 misses about L^(-3/2)
    expect(corner.error).toBeLessThan(1e-3);
    // sum over l >= L of (l + 1) B_l^2, B_l^2 ~ l^(-5/2): a kink shows in kappa' as L^(-1/2)
    expect(corner.slopeError).toBeGreaterThan(1e-3);
    expect(corner.slopeError).toBeLessThan(1e-1);
    expect(good.slopeError).toBeLessThan(1e-12);
    expect(dualSeries(relu(), 1)).toBeNull();
    expect(() => dualSeries(dense(2), 1)).toThrow(/activation layer/);
  });

  it('refuses what it cannot represent, naming the reason', async () => {
    const define = (name: string, definition: object): NetDocument =>
      flat(defineActivation(name, definition)());
    const cases: [NetDocument, RegExp, object][] = [
      [
        define('bad-jump', { fn: (x: number) => (x > 0.3 ? 1 : 0) }),
        /not the integral of its derivative/,
        NumericalError,
      ],
      [
        define('bad-slope', { fn: Math.tanh, derivative: () => 1 }),
        /not the integral of its derivative/,
        NumericalError,
      ],
      [define('bad-log', { fn: Math.log }), /bad-log\(-.*is NaN, expected a finite number/, RangeError],
      [define('bad-dual', { kernelFunction: () => NaN }), /bad-dual.*both must be finite/, NumericalError],
      [
        define('bad-kappa', { kernelFunction: (a: number, b: number) => (b > 0 ? 1 : 0) * a }),
        /not smooth enough.*\{ kappa, slope \}/,
        NumericalError,
      ],
      [
        flat(elementwise('nobody')),
        /layers\.1 \(elementwise\): no activation 'nobody' is defined/,
        RangeError,
      ],
    ];
    for (const [net, message, type] of cases) {
      await expect(kernel(engine, net, x1)).rejects.toThrow(message);
      await expect(kernel(engine, net, x1)).rejects.toThrow(type as new () => Error);
    }
    expect(() => defineActivation('test-tanh', { fn: Math.tanh })).toThrow(/defined already/);
    expect(() => defineActivation('empty', {})).toThrow(TypeError);
    expect(() => defineActivation('text', { fn: 'tanh' as never })).toThrow(/must be a function/);
    expect(() => createModel(engine, flat(byDual()), { inputShape: [5] })).toThrow(/kernel alone/);
  });

  it('stays JSON in documents and is planned', () => {
    expect(JSON.parse(JSON.stringify(toJson(serial(smooth()))))).toEqual({
      layer: 'serial',
      layers: [{ layer: 'elementwise', name: 'test-tanh' }],
    });
    expect(() => parseNet({ layer: 'elementwise' })).toThrow(/needs "name"/);
    expect(planKernel(engine, spatial(smooth()), [3, 4, 4, 2]).offsets).not.toHaveProperty('reason');
    expect(planKernel(engine, spatial(byDual()), [3, 4, 4, 2]).offsets).toHaveProperty('reason');
  });
});

describe('finite nets of functions in code', () => {
  it('have the values, gradients and Monte Carlo kernels of the activation of the format', async () => {
    const options = { inputShape: [5], seed: 3 };
    const labels = tensor(Float64Array.of(1, -1, 0.5, 0, 2, -2), [6, 1]);
    const known = createModel(engine, flat(tanh()), options);
    const want = {
      f: known.forward(x1),
      gradients: known.gradients(x1, labels, 'mse'),
      ntk: empiricalNtk(known, x1, x2),
    };
    for (const mine of [smooth, differenced]) {
      const model = createModel(engine, flat(mine()), options);
      expect(apart(model.forward(x1), want.f)).toBeLessThan(1e-14);
      const { gradients } = model.gradients(x1, labels, 'mse');
      for (const [i, { w }] of gradients.entries())
        expect(apart(w, want.gradients.gradients[i]!.w)).toBeLessThan(1e-11);
      expect(apart(empiricalNtk(model, x1, x2), want.ntk)).toBeLessThan(1e-11);
      model.dispose();
    }
    known.dispose();
    const estimate = await monteCarloKernel(engine, flat(smooth()), x1, null, { samples: 4, seed: 5 });
    const reference = await monteCarloKernel(engine, flat(tanh()), x1, null, { samples: 4, seed: 5 });
    expect(apart(estimate.ntk!.kernel, reference.ntk!.kernel)).toBeLessThan(1e-13);
  });
});
