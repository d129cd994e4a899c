import {
  createEngine,
  createModel,
  empiricalNtk,
  hierarchy,
  kernelOrders,
  kernelVelocity,
  normal,
  randomKey,
  tensor,
  type Engine,
  type LayerParameters,
  type Model,
  type NetDocument,
  type Tensor,
} from 'infinite-width';
import { slopeFit } from '#build/math/statistics.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

describe('kernel orders', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ variant: 'simd' });
  });
  afterAll(() => engine.dispose());
  const draw = (shape: number[], seed: number): Tensor =>
    tensor(
      normal(
        engine,
        randomKey(seed),
        shape.reduce((a, b) => a * b, 1),
      ),
      shape,
    );
  const dense = (units: number, fields: object = {}): NetDocument => ({
    layer: 'dense',
    units,
    wStd: 1.1,
    bStd: 0.3,
    ...fields,
  });
  const tanh: NetDocument = { layer: 'tanh' };
  const nets: [string, NetDocument, number[]][] = [
    ['one hidden layer', [dense(7), tanh, dense(1)], [3]],
    ['two hidden layers, two outputs', [dense(5), tanh, dense(6), { layer: 'gelu' }, dense(2)], [3]],
    [
      'standard parametrisation, erf',
      [dense(4, { parametrization: 'standard' }), { layer: 'erf' }, dense(1)],
      [2],
    ],
    [
      'convolution, residual sum, pool',
      [
        { layer: 'conv', channels: 3, filter: [2], padding: 'SAME', bStd: 0.2 },
        tanh,
        { layer: 'sum', branches: [{ layer: 'identity' }, [dense(3), tanh]] },
        { layer: 'globalAvgPool' },
        dense(1),
      ],
      [4, 2],
    ],
    ['layer norm', [dense(5), { layer: 'layerNorm', eps: 0.1 }, tanh, dense(1)], [3]],
    [
      'attention',
      [
        {
          ...{ layer: 'attention', channels: 3, keyChannels: 2, valueChannels: 3, heads: 2, bStd: 0.2 },
          ...{ linearScaling: false, positional: 'sum', positionalStd: 0.6, keyStd: 1.5 },
        },
        tanh,
        { layer: 'flatten' },
        dense(1),
      ],
      [3, 2],
    ],
  ];

  const add = (to: LayerParameters[], direction: LayerParameters[], step: number): LayerParameters[] =>
    to.map(({ path, w, b }, i) => {
      const sum = (p: Tensor, d: Tensor) =>
        tensor(
          Float64Array.from(p.data, (value, j) => value + step * d.data[j]!),
          p.shape,
        );
      return { path, w: sum(w, direction[i]!.w), ...(b ? { b: sum(b, direction[i]!.b!) } : {}) };
    });
  /** The five-point derivative of `at` along a direction of the parameters. */
  const along = (model: Model, direction: LayerParameters[], at: () => Tensor): Float64Array => {
    const start = model.parameters;
    const step = 1e-3;
    let sum: Float64Array | null = null;
    for (const [by, weight] of [
      [-2, 1 / 12],
      [-1, -2 / 3],
      [1, 2 / 3],
      [2, -1 / 12],
    ] as const) {
      model.setParameters(add(start, direction, by * step));
      const { data } = at();
      sum = Float64Array.from(data, (value, i) => (sum?.[i] ?? 0) + (weight / step) * value);
    }
    model.setParameters(start);
    return sum!;
  };
  const largest = (values: ArrayLike<number>): number => Math.max(...Array.from(values, Math.abs));

  it.each(nets)('are what moving the parameters along grad f does: %s', (_, net, inputShape) => {
    using model = createModel(engine, net, { inputShape, seed: 11 });
    const n = 2;
    const x = draw([n, ...inputShape], 7);
    const { rows: P, theta, o3, o4 } = kernelOrders(model, x);
    const o = model.outputSize;
    expect(P).toBe(n * o);
    const full = empiricalNtk(model, x, null, { outputs: 'full' });
    for (let p = 0; p < P; p++) {
      for (let q = 0; q < P; q++) {
        const [s, i, t, j] = [Math.floor(p / o), p % o, Math.floor(q / o), q % o];
        const want = full.data[((s * n + t) * o + i) * o + j]!;
        expect(Math.abs(theta.data[p * P + q]! - want)).toBeLessThan(1e-12 * largest(full.data));
      }
    }
    expect(kernelOrders(model, x, { order: 3 })).toEqual({ rows: P, theta, o3, o4: null });
    for (let q = 0; q < P; q++) {
      const unit = new Float64Array(P);
      unit[q] = 1;
      const g = model.vectorJacobian(x, tensor(unit, [n, o]));
      const first = along(model, g, () => kernelOrders(model, x, { order: 3 }).theta);
      const second = along(model, g, () => kernelOrders(model, x, { order: 3 }).o3);
      const bounds = [1e-8 * largest(o3.data), 1e-8 * largest(o4!.data)] as const;
      first.forEach((value, i) => expect(Math.abs(o3.data[i * P + q]! - value)).toBeLessThan(bounds[0]));
      second.forEach((value, i) => expect(Math.abs(o4!.data[i * P + q]! - value)).toBeLessThan(bounds[1]));
    }
  });

  it('the velocity of the kernel is O3 contracted with the slope of the loss', () => {
    for (const [, net, inputShape] of nets) {
      using model = createModel(engine, net, { inputShape, seed: 2 });
      const [n, o] = [3, model.outputSize];
      const x = draw([n, ...inputShape], 5);
      const y = draw([n, o], 6);
      const { theta, velocity } = kernelVelocity(model, { x, y });
      const { rows: P, theta: same, o3 } = kernelOrders(model, x, { order: 3 });
      expect(theta).toEqual(same);
      const g = Array.from(model.forward(x).data, (f, p) => (f - y.data[p]!) / n);
      velocity.data.forEach((value, i) => {
        const want = -g.reduce((sum, gq, q) => sum + o3.data[i * P + q]! * gq, 0);
        expect(Math.abs(value - want)).toBeLessThan(1e-12 * Math.max(1, Math.abs(want)));
      });
    }
  });

  it('O3 of one hidden layer is the closed form', () => {
    const [dim, width, n] = [4, 50, 3] as const;
    using model = createModel(
      engine,
      [{ layer: 'dense', units: width }, tanh, { layer: 'dense', units: 1 }],
      { inputShape: [dim], seed: 2 },
    );
    const x = draw([n, dim], 9).data;
    const { o3 } = kernelOrders(model, tensor(Float64Array.from(x), [n, dim]), { order: 3 });
    const [v, w] = [model.parameters[0]!.w.data, model.parameters[1]!.w.data];
    const dot = (i: number, j: number): number => {
      let sum = 0;
      for (let k = 0; k < dim; k++) sum += x[i * dim + k]! * x[j * dim + k]!;
      return sum / dim;
    };
    for (const [i, j, k] of [
      [0, 1, 2],
      [0, 0, 1],
      [2, 1, 1],
      [0, 0, 0],
    ] as const) {
      let sum = 0;
      for (let r = 0; r < width; r++) {
        const [t1, t2, t3] = [i, j, k].map((s) => {
          let u = 0;
          for (let c = 0; c < dim; c++) u += (x[s * dim + c]! * v[c * width + r]!) / Math.sqrt(dim);
          return Math.tanh(u);
        }) as [number, number, number];
        const [d1, d2, d3] = [1 - t1 * t1, 1 - t2 * t2, 1 - t3 * t3];
        const [c1, c2] = [-2 * t1 * d1, -2 * t2 * d2];
        sum +=
          w[r]! *
          (d1 * d3 * t2 * dot(i, k) +
            d2 * d3 * t1 * dot(j, k) +
            2 * d1 * d2 * t3 * dot(i, j) +
            w[r]! ** 2 * (c1 * d2 * d3 * dot(i, k) + d1 * c2 * d3 * dot(j, k)) * dot(i, j));
      }
      expect(Math.abs(o3.data[(i * n + j) * n + k]! - sum / width ** 1.5)).toBeLessThan(1e-13);
    }
  });

  it('truncating after O4 gains an order in 1/N, after O3 alone nothing', () => {
    const widths = [128, 256, 512, 1024, 2048];
    const [seeds, n, dim, steps] = [8, 6, 8, 60];
    const [x, y] = [draw([n, dim], 31), tensor(Float64Array.of(1, -1, 1, -1, 1, -1), [n, 1])];
    const errors = widths.map((units) => {
      const total = [0, 0, 0];
      for (let seed = 0; seed < seeds; seed++) {
        using model = createModel(engine, [{ layer: 'dense', units }, tanh, { layer: 'dense', units: 1 }], {
          inputShape: [dim],
          seed: 1000 * units + seed,
        });
        const before = model.parameters;
        const { outputs, truncations } = hierarchy(model, { x, y, time: 15, steps });
        expect(model.parameters).toEqual(before);
        for (const [k, truncation] of truncations.entries()) {
          for (let p = steps * n; p < (steps + 1) * n; p++)
            total[k]! += (truncation.outputs.data[p]! - outputs.data[p]!) ** 2;
        }
      }
      return total.map((sum) => Math.sqrt(sum / seeds / n));
    });
    const slope = (k: number): number =>
      slopeFit(
        widths.map(Math.log),
        errors.map((row) => Math.log(row[k]!)),
      ).slope;
    // -1, -1 and -2 with the noise of eight seeds.
    expect(Math.abs(slope(0) + 1)).toBeLessThan(0.25);
    expect(Math.abs(slope(1) + 1)).toBeLessThan(0.25);
    expect(slope(2)).toBeLessThan(-1.6);
    const [frozen, third, fourth] = errors.at(-1) as [number, number, number];
    expect(third).toBeGreaterThan(0.2 * frozen);
    expect(fourth).toBeLessThan(0.1 * frozen);
  }, 120_000);

  it('says what does not fit', () => {
    using model = createModel(engine, [dense(3), tanh, dense(1)], { inputShape: [3] });
    const x = draw([4, 3], 1);
    expect(() => kernelOrders(model, draw([3000, 3], 1))).toThrow(/needs \d+ bytes/);
    expect(() => kernelOrders(model, x, { order: 5 as never })).toThrow(/order must be 3 or 4/);
    expect(() => hierarchy(model, { x, y: draw([3, 1], 1), time: 1 })).toThrow(/y must have shape \[4, 1\]/);
    expect(() => hierarchy(model, { x, y: draw([4, 1], 1), time: -1 })).toThrow(/time must be positive/);
  });
});
