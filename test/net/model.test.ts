import {
  createEngine,
  createModel,
  type LayerParameters,
  type Model,
  type NetDocument,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from 'infinite-width';
import { loadReference, mismatch, toArray, type Tolerance } from '../support/reference.js';

export type Plain = { shape: number[]; data: (number | string)[] };
export type PlainParameters = { path: string; w: Plain; b?: Plain }[];
export interface EmpiricalCase {
  name: string;
  net: NetDocument;
  x1: Plain;
  x2: Plain;
  params: PlainParameters;
  displacement: PlainParameters;
  inputs: Record<string, Plain>;
  options: { steps: number; learningRate: Record<string, number>; momentum: number };
  expected: Record<string, Plain>;
  expectedParams: Record<string, PlainParameters>;
  tolerance: Tolerance;
}

const list = (parameters: PlainParameters) =>
  parameters.map(({ path, w, b }) => ({ path, w: toArray(w), ...(b ? { b: toArray(b) } : {}) }));
const worst = (
  got: readonly LayerParameters[],
  want: PlainParameters,
  tolerance: Tolerance,
): string | null => {
  for (const [i, { path, w, b }] of want.entries()) {
    const bad =
      mismatch(got[i]!.w.data, toArray(w), tolerance) ??
      (b ? mismatch(got[i]!.b!.data, toArray(b), tolerance) : null);
    if (bad) return `${path}: ${bad}`;
  }
  return null;
};

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
