import {
  createEngine,
  createModel,
  empiricalNtk,
  empiricalNtkVectorProduct,
  kernelOrders,
  linearize,
  sgd,
  sharpness,
  taylorExpand,
  tensor,
  Trainer,
  type Engine,
  type LayerParameters,
  type Model,
  type NetDocument,
} from 'infinite-width';
import { seriesRule } from '#build/layers/activation/series-rule.js';
import type { ActivationLayer } from '#build/layers/vocabulary.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { list, type EmpiricalCase } from '../support/empirical.js';
import { loadReference, mismatch, toArray } from '../support/reference.js';

const random = (n: number, seed: number): Float64Array<ArrayBuffer> => {
  let state = seed;
  return Float64Array.from({ length: n }, () => (state = (state * 16807) % 2147483647) / 2147483647 - 0.5);
};
const flat = (parameters: readonly LayerParameters[]): number[] =>
  parameters.flatMap(({ w, b }) => [...w.data, ...(b?.data ?? [])]);
const added = (
  parameters: LayerParameters[],
  direction: LayerParameters[],
  step: number,
): LayerParameters[] =>
  parameters.map(({ path, w, b }, i) => {
    const sum = (p: typeof w, d: typeof w) =>
      tensor(
        Float64Array.from(p.data, (value, j) => value + step * d.data[j]!),
        p.shape,
      );
    return { path, w: sum(w, direction[i]!.w), ...(b ? { b: sum(b, direction[i]!.b!) } : {}) };
  });
const dense = (units: number): NetDocument => ({ layer: 'dense', units, bStd: 0.1 });

describe('Taylor models', () => {
  let engine: Engine;
  let cases: EmpiricalCase[];
  beforeAll(async () => {
    engine = await createEngine({ variant: 'simd' });
    cases = (await loadReference<{ cases: EmpiricalCase[] }>('neural-tangents/empirical')).cases;
  });
  afterAll(() => engine.dispose());

  it('equal the reference at displaced parameters; gradients equal central differences', () => {
    for (const c of cases) {
      using model = createModel(engine, c.net, {
        inputShape: c.x1.shape.slice(1),
        parameters: list(c.params),
      });
      const [x, y] = [toArray(c.x1), toArray(c.inputs['yMse']!)];
      const displacement = list(c.displacement);
      for (const [order, name] of [
        [1, 'linearized'],
        [2, 'taylor2'],
        [3, 'taylor3'],
      ] as const) {
        using taylor = taylorExpand(model, order);
        const at = added(model.parameters, displacement, 1);
        taylor.setParameters(at);
        expect(
          mismatch(taylor.forward(x).data, toArray(c.expected[name]!), c.tolerance),
          `${c.name} ${name}`,
        ).toBeNull();
        const g = flat(taylor.gradients(x, y, 'mse').gradients);
        const slope = flat(displacement).reduce((sum, value, i) => sum + value * g[i]!, 0);
        const h = 1e-5;
        const [up, down] = [h, -h].map((step) => {
          taylor.setParameters(added(at, displacement, step));
          return taylor.gradients(x, y, 'mse').loss;
        });
        const difference = (up! - down!) / (2 * h);
        expect(Math.abs(difference - slope)).toBeLessThan(1e-6 * Math.max(1, Math.abs(slope)));
      }
    }
  });

  const activations: ActivationLayer[] = [
    { layer: 'relu' },
    { layer: 'abRelu', a: -0.3, b: 1.7 },
    { layer: 'erf', a: 1.3, b: 0.7, c: 0.2 },
    { layer: 'cos', a: 0.8, b: 1.7, c: -0.4 },
    { layer: 'sigmoidLike' },
    { layer: 'gabor' },
    { layer: 'gelu', approximate: false },
    { layer: 'gelu', approximate: true },
    { layer: 'rbf', gamma: 1.4 },
    { layer: 'exp', a: 0.5, b: 0.9 },
    { layer: 'gaussian', a: 1.2, b: -0.8 },
    { layer: 'hermite', degree: 5 },
    { layer: 'rectifiedMonomial', degree: 2 },
    { layer: 'tanh' },
    { layer: 'sigmoid' },
    { layer: 'softplus' },
    { layer: 'swish' },
    { layer: 'elu', alpha: 1.5 },
    { layer: 'mish' },
    { layer: 'softsign' },
    { layer: 'hardSwish' },
  ];
  it.each(activations)(
    'series through $layer equal its power series, gradients differences',
    (activation) => {
      const net = [dense(5), activation as NetDocument, dense(2)];
      const x = tensor(random(12, 4), [4, 3]);
      const y = tensor(random(8, 5), [4, 2]);
      using model = createModel(engine, net, { inputShape: [3], seed: 6 });
      const { parameters } = model;
      const direction = parameters.map(({ path, w, b }, i) => ({
        path,
        w: tensor(random(w.data.length, i + 9), w.shape),
        b: tensor(random(b!.data.length, i + 19), b!.shape),
      }));
      const inner = (list: LayerParameters[]) => [{ ...list[0]!, path: '' }];
      using before = createModel(engine, dense(5), { inputShape: [3], parameters: inner(parameters) });
      using after = createModel(engine, [dense(5), activation as NetDocument], {
        inputShape: [3],
        parameters: [parameters[0]!],
      });
      const h = before.coefficients(x, inner(direction), 5);
      const got = after.coefficients(x, [direction[0]!], 5);
      const rule = seriesRule(activation);
      for (let i = 0; i < 20; i++) {
        const want = rule(Float64Array.from(h, ({ data }) => data[i]!));
        got.forEach(({ data }, m) =>
          expect(Math.abs(data[i]! - want[m]!), `order ${m}`).toBeLessThan(
            1e-13 * Math.max(1, Math.abs(want[m]!)),
          ),
        );
      }
      for (const order of [2, 3, 4]) {
        using taylor = taylorExpand(model, order);
        const at = added(parameters, direction, 0.7);
        taylor.setParameters(at);
        const g = flat(taylor.gradients(x, y, 'mse').gradients);
        const slope = flat(direction).reduce((sum, value, i) => sum + value * g[i]!, 0);
        const step = 1e-5;
        const [up, down] = [step, -step].map((by) => {
          taylor.setParameters(added(at, direction, by));
          return taylor.gradients(x, y, 'mse').loss;
        });
        expect(Math.abs((up! - down!) / (2 * step) - slope)).toBeLessThan(
          1e-7 * Math.max(1, Math.abs(slope)),
        );
      }
    },
  );

  it.each<[string, NetDocument[], number[]]>([
    ['layer norm over channels and positions', [{ layer: 'layerNorm', axis: [1, -1], eps: 0.1 }], [3, 2]],
    ['rms norm over channels and positions', [{ layer: 'rmsNorm', axis: [1, -1], eps: 0.1 }], [3, 2]],
    ['attention', [{ layer: 'attention', channels: 3, keyChannels: 2, valueChannels: 3, heads: 2 }], [3, 2]],
    ['a recurrent net', [{ layer: 'rnn', units: 4, activation: { layer: 'tanh' } }], [3, 2]],
  ])('gradients of every order are differences of the loss: %s', (_, layers, inputShape) => {
    const net = [dense(3), ...layers, { layer: 'tanh' }, { layer: 'flatten' }, dense(2)] as NetDocument;
    using model = createModel(engine, net, { inputShape, seed: 6 });
    const x = tensor(random(4 * 6, 4), [4, ...inputShape]);
    const y = tensor(random(8, 5), [4, 2]);
    const { parameters } = model;
    const direction = parameters.map(({ path, w, b }, i) => ({
      path,
      w: tensor(random(w.data.length, i + 9), w.shape),
      ...(b ? { b: tensor(random(b.data.length, i + 19), b.shape) } : {}),
    }));
    for (const order of [1, 2, 3, 4]) {
      using taylor = taylorExpand(model, order);
      const at = added(parameters, direction, 0.7);
      taylor.setParameters(at);
      const g = flat(taylor.gradients(x, y, 'mse').gradients);
      const slope = flat(direction).reduce((sum, value, i) => sum + value * g[i]!, 0);
      const step = 1e-5;
      const [up, down] = [step, -step].map((by) => {
        taylor.setParameters(added(at, direction, by));
        return taylor.gradients(x, y, 'mse').loss;
      });
      const difference = (up! - down!) / (2 * step);
      expect(Math.abs(difference - slope), `order ${order}`).toBeLessThan(
        1e-7 * Math.max(1, Math.abs(slope)),
      );
    }
  });

  it('the linear model trains as its kernel says: parameter space equals function space', () => {
    using model = createModel(engine, [dense(20), { layer: 'tanh' }, dense(1)], { inputShape: [3], seed: 1 });
    using linear = linearize(model);
    const n = 7;
    const x = tensor(random(n * 3, 2), [n, 3]);
    const y = tensor(random(n, 3), [n, 1]);
    const theta = empiricalNtk(model, x).data;
    let f = Array.from(model.forward(x).data);
    const trainer = new Trainer(linear, { x, y, loss: 'mse', optimizer: sgd(0.5) });
    for (let step = 0; step < 40; step++) {
      trainer.next();
      const g = f.map((value, i) => (value - y.data[i]!) / n);
      f = f.map((value, s) => value - 0.5 * g.reduce((sum, gt, t) => sum + theta[s * n + t]! * gt, 0));
    }
    linear.forward(x).data.forEach((value, i) => expect(value).toBeCloseTo(f[i]!, 12));
    trainer.dispose();
  });

  it('have the kernel of their origin where they are linear, and refuse it elsewhere', () => {
    using model = createModel(engine, [dense(9), { layer: 'tanh' }, dense(2)], { inputShape: [3], seed: 1 });
    const x = tensor(random(12, 2), [4, 3]);
    const theta = empiricalNtk(model, x, null, { outputs: 'full' });
    const squares = { x, loss: 'mse' } as const;
    const steep = sharpness(model, squares);
    using linear = linearize(model);
    using cubic = taylorExpand(model, 3);
    expect(empiricalNtk(cubic, x, null, { outputs: 'full' })).toEqual(theta); // at the origin
    expect(sharpness(cubic, squares)).toBe(steep);
    const moved = model.parameters.map(({ path, w, b }) => ({
      path,
      w: tensor(
        w.data.map((value) => value + 0.3),
        w.shape,
      ),
      b: b!,
    }));
    for (const taylor of [linear, cubic]) taylor.setParameters(moved);
    expect(empiricalNtk(linear, x, null, { outputs: 'full' })).toEqual(theta);
    expect(sharpness(linear, squares)).toBe(steep);
    // Theta v from the kernel: the product goes through the outputs' tangent and the gradient of the linear model
    const v = tensor(random(8, 3), [4, 2]);
    const product = empiricalNtkVectorProduct(linear, x, null, v).data;
    for (let s = 0; s < 4; s++) {
      for (let i = 0; i < 2; i++) {
        let sum = 0;
        for (let t = 0; t < 4; t++)
          for (let j = 0; j < 2; j++) sum += theta.data[((s * 4 + t) * 2 + i) * 2 + j]! * v.data[t * 2 + j]!;
        expect(product[s * 2 + i]!).toBeCloseTo(sum, 12);
      }
    }
    // f(theta + d) of a linear function is its two coefficients
    const [now, along, bend] = linear.coefficients(x, moved, 2);
    linear.setParameters(added(moved, moved, 1));
    linear.forward(x).data.forEach((value, i) => {
      expect(value).toBeCloseTo(now!.data[i]! + along!.data[i]!, 11);
      expect(bend!.data[i]).toBe(0);
    });
    using zero = taylorExpand(model, 0);
    for (const taylor of [cubic, zero]) {
      expect(() => empiricalNtk(taylor, x)).toThrow(/empiricalNtk: the tangent of a Taylor model/);
      expect(() => sharpness(taylor, squares)).toThrow(/sharpness: the tangent/);
      expect(() => empiricalNtkVectorProduct(taylor, x, null, v)).toThrow(/not available/);
    }
    for (const taylor of [linear, cubic, zero])
      expect(() => kernelOrders(taylor, x)).toThrow(/kernelOrders of a Taylor model/);
  });

  it('order 3 follows the real net more closely than order 1, and both errors fall with width', () => {
    const x = tensor(random(36, 5), [12, 3]);
    const y = tensor(
      Float64Array.from({ length: 12 }, (_, i) => (i % 3 === 0 ? 1 : -1)),
      [12, 1],
    );
    const options = { x, y, loss: 'mse' as const, optimizer: sgd(1) };
    const train = (model: Model): number[] => {
      const trainer = new Trainer(model, options);
      for (let step = 0; step < 40; step++) trainer.next();
      trainer.dispose();
      return Array.from(model.forward(x).data);
    };
    const errors = [32, 128].map((width) => {
      const sums = [0, 0];
      for (let seed = 0; seed < 2; seed++) {
        using model = createModel(
          engine,
          [{ layer: 'dense', units: width }, { layer: 'tanh' }, { layer: 'dense', units: 1 }],
          {
            inputShape: [3],
            seed,
          },
        );
        using first = taylorExpand(model, 1);
        using third = taylorExpand(model, 3);
        const real = train(model);
        [first, third].forEach((taylor, i) => {
          train(taylor).forEach((value, j) => (sums[i]! += (value - real[j]!) ** 2));
        });
      }
      return sums;
    });
    const [narrow, wide] = errors as [number[], number[]];
    expect(narrow[1]).toBeLessThan(narrow[0]! / 4);
    expect(wide[1]).toBeLessThan(wide[0]! / 4);
    expect(wide[0]).toBeLessThan(narrow[0]! / 3);
  });
});
