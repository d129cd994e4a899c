import { createEngine, createModel, type Model } from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from 'infinite-width';
import { list, worst, type EmpiricalCase } from '../support/empirical.js';
import { loadReference, mismatch, toArray } from '../support/reference.js';

describe('finite nets', () => {
  let engine: Engine;
  let cases: EmpiricalCase[];
  beforeAll(async () => {
    engine = await createEngine({ variant: 'simd' });
    cases = (await loadReference<{ cases: EmpiricalCase[] }>('neural-tangents/empirical')).cases;
  });
  afterAll(() => engine.dispose());
  const modelOf = ({ net, x1, params }: EmpiricalCase): Model =>
    createModel(engine, net, { inputShape: x1.shape.slice(1), parameters: list(params) });

  it('outputs, losses and gradients equal the reference', () => {
    for (const c of cases) {
      using model = modelOf(c);
      expect(
        mismatch(model.forward(toArray(c.x1)).data, toArray(c.expected['f1']!), c.tolerance),
        c.name,
      ).toBeNull();
      for (const [loss, name] of [
        ['mse', 'Mse'],
        ['crossEntropy', 'CrossEntropy'],
      ] as const) {
        if (!c.inputs[`y${name}`]) continue;
        const got = model.gradients(toArray(c.x1), toArray(c.inputs[`y${name}`]!), loss);
        expect(mismatch([got.loss], toArray(c.expected[`loss${name}`]!), c.tolerance), c.name).toBeNull();
        expect(worst(got.gradients, c.expectedParams[`gradient${name}`]!, c.tolerance), c.name).toBeNull();
      }
    }
  });

  it('takes named parameters in any order, unnamed ones in that of the net', () => {
    const c = cases[0]!;
    using model = modelOf(c);
    const { parameters, inputShape } = model;
    expect(parameters.length).toBeGreaterThan(1);
    using other = createModel(engine, c.net, { inputShape, parameters: parameters.toReversed() });
    expect(other.parameters).toEqual(parameters);
    const unnamed = parameters.map(({ w, b }) => ({ w, b }));
    using third = createModel(engine, c.net, { inputShape, parameters: unnamed });
    expect(third.parameters).toEqual(parameters);
    const wrong = parameters.map((entry, i) => (i === 0 ? { ...entry, path: 'layers.99' } : entry));
    expect(() => createModel(engine, c.net, { inputShape, parameters: wrong })).toThrow(/got layers\.99/);
  });

  it('Taylor coefficients equal the reference', () => {
    for (const c of cases) {
      using model = modelOf(c);
      const terms = model.coefficients(toArray(c.x1), list(c.displacement), 3);
      const sum = new Float64Array(terms[0]!.data.length);
      terms.forEach(({ data }, order) => {
        data.forEach((value, i) => (sum[i]! += value));
        const name = order === 1 ? 'linearized' : `taylor${order}`;
        if (c.expected[name])
          expect(mismatch(sum, toArray(c.expected[name]!), c.tolerance), `${c.name} ${name}`).toBeNull();
      });
    }
  });
});
