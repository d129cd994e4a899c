import {
  createEngine,
  createModel,
  empiricalNtk,
  linearize,
  sgd,
  taylorExpand,
  tensor,
  Trainer,
  type Engine,
  type LayerParameters,
  type Model,
  type NetDocument,
} from 'infinite-width';
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
