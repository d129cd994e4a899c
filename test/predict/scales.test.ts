// Scales of a target: their inverses and derivatives, and what choosing among them gains.
import { createEngine, fit, type Engine } from 'infinite-width';
import {
  backward,
  forward,
  logSlope,
  scaled,
  scaleOf,
  transformsOf,
  valueOf,
  type Transform,
} from '#build/predict/table/transform.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noise } from './support.js';

let engine: Engine;
beforeAll(async () => void (engine = await createEngine({ variant: 'simd' })));
afterAll(() => engine.dispose());

const next = noise(4);
const positive = Array.from({ length: 60 }, () => Math.exp(2 * next()));
const both = Array.from({ length: 60 }, () => 3 * next());
const powers = [-1, -0.5, 0, 0.5, 1.5, 2].map((lambda): Transform => ({ kind: 'power', lambda, unit: 2 }));

describe('scales of a target', () => {
  it.each([{ kind: 'none' } as const, ...powers, ...transformsOf(both)])(
    'go there and back: %j',
    (transform) => {
      for (const value of both) expect(backward(transform, forward(transform, value))).toBeCloseTo(value, 9);
    },
  );

  it.each([...powers, ...transformsOf(positive)])(
    'have the derivative of a difference quotient: %j',
    (transform) => {
      for (const value of positive.slice(0, 20)) {
        const h = 1e-6 * value;
        const slope = (forward(transform, value + h) - forward(transform, value - h)) / (2 * h);
        // The normal scores are a polygon: at a knot both slopes are right.
        if (transform.kind !== 'ranks') expect(logSlope(transform, [value])).toBeCloseTo(Math.log(slope), 5);
        else expect(slope).toBeGreaterThan(0);
      }
    },
  );

  it('agree with the values of scipy.stats.yeojohnson', () => {
    const at = (lambda: number, value: number): number => forward({ kind: 'power', lambda, unit: 1 }, value);
    // [scipy.stats.yeojohnson([v], l) for v, l in ((3, .5), (-2, .5), (3, 0), (-2, 2))]
    expect(at(0.5, 3)).toBeCloseTo(2, 12);
    expect(at(0.5, -2)).toBeCloseTo(-2.797434948471088, 12);
    expect(at(0, 3)).toBeCloseTo(1.3862943611198906, 12);
    expect(at(2, -2)).toBeCloseTo(-1.0986122886681098, 12);
  });

  it('are standardised, and end one range beyond the values', () => {
    const scale = scaleOf({ kind: 'log' }, positive);
    const z = positive.map((value) => scaled(scale, value));
    expect(z.reduce((a, b) => a + b, 0) / 60).toBeCloseTo(0, 12);
    expect(z.reduce((a, b) => a + b * b, 0) / 60).toBeCloseTo(1, 12);
    const [low, high] = [Math.min(...positive), Math.max(...positive)];
    expect(valueOf(scale, 1000)).toBeCloseTo(2 * high - low, 9);
    expect(valueOf(scale, scaled(scale, 1.5))).toBeCloseTo(1.5, 9);
  });

  it('few values, and values that repeat, get no scale of their own shape', () => {
    expect(transformsOf([1, 2, 3]).map(({ kind }) => kind)).toEqual(['none']);
    const zeros = Array.from({ length: 100 }, (_, i) => (i < 80 ? 0 : i));
    expect(transformsOf(zeros).map(({ kind }) => kind)).toEqual(['none', 'power']);
  });
});

it('a target that grows by factors is learned on the scale of its logarithm, with positive intervals', async () => {
  const draw = noise(9);
  const rows = (count: number) =>
    Array.from({ length: count }, () => {
      const [x, e] = [2 * draw(), draw() + draw()];
      return { x, z: draw(), y: Math.exp(1.5 * x + 0.5 * e) };
    });
  const model = await fit(engine, rows(200), { target: 'y', selectionRows: 120 });
  const { candidates } = await model.prepare();
  expect(['log', 'power', 'ranks']).toContain(candidates[0]!.scale);
  const test = rows(1000);
  const { mean, intervals } = await model.predict(test, { levels: [0.9] });
  const { low, high } = intervals![0]!;
  expect(Math.min(...low)).toBeGreaterThan(-0.1);
  expect(Math.min(...mean!)).toBeGreaterThan(0);
  const covered = test.filter(({ y }, i) => y >= low[i]! && y <= high[i]!).length / 1000;
  expect(covered).toBeGreaterThan(0.84);
  expect(covered).toBeLessThan(0.96);
});
