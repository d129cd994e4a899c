// Steps of gradient descent, momentum and spectral factors against the loops and equations they stand for.
import {
  createEngine,
  gradientDescentMse,
  gradientFlow,
  maxLearningRate,
  NumericalError,
  type Engine,
} from 'infinite-width';
import { spectralFactors } from '#build/predict/spectral.js';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { maxGap, times, smallProblem } from './support.js';

let engine: Engine;
beforeAll(async () => void (engine = await createEngine({ variant: 'simd' })));
afterAll(() => engine.dispose());

const { n, m, o, dd, td, y, f0Train, f0Test } = smallProblem();

/** Gradient descent on |f - y|^2 / (2N) with a constant kernel, step by step. */
function descend(steps: number, rate: number, momentum: number): { train: Float64Array; test: Float64Array } {
  const train = f0Train.data.slice();
  const test = f0Test.data.slice();
  let [v, w] = [new Float64Array(n * o), new Float64Array(m * o)];
  for (let k = 0; k < steps; k++) {
    const g = train.map((value, i) => (value - y.data[i]!) / (n * o));
    const [push, pull] = [times(dd.data, g, n, o, n), times(td.data, g, m, o, n)];
    v = v.map((value, i) => momentum * value + push[i]!);
    w = w.map((value, i) => momentum * value + pull[i]!);
    for (let i = 0; i < train.length; i++) train[i]! -= rate * v[i]!;
    for (let i = 0; i < test.length; i++) test[i]! -= rate * w[i]!;
  }
  return { train, test };
}

describe('discrete gradient descent', () => {
  for (const momentum of [null, 0.3, 0.9]) {
    it(`is the loop, momentum ${momentum}`, async () => {
      const rate = 0.9 * (await maxLearningRate(engine, dd, { targets: n * o, momentum: momentum ?? 0 }));
      const predictor = gradientDescentMse(engine, {
        ntk: dd,
        y,
        learningRate: rate,
        mode: 'discrete',
        momentum,
      });
      for (const t of [0, 1, 2, 7, 100]) {
        const want = descend(t, rate, momentum ?? 0);
        const got = await predictor(t, { f0Train, f0Test, ntkTestTrain: td });
        expect(maxGap(got.train!.data, want.train)).toBeLessThan(1e-11);
        expect(maxGap(got.test!.data, want.test)).toBeLessThan(1e-10);
      }
    });
  }

  it('converges below the largest learning rate and diverges above it', async () => {
    const bound = await maxLearningRate(engine, dd, { targets: n * o });
    const at = (factor: number) =>
      gradientDescentMse(engine, { ntk: dd, y, learningRate: factor * bound, mode: 'discrete' });
    const [first, last] = (await at(0.99).loss([0, 4000])).data;
    expect(last! / first!).toBeLessThan(1e-10);
    const [before, after] = (await at(1.01).loss([0, 4000])).data;
    expect(after! / before!).toBeGreaterThan(1e10);
    await expect(at(1.5)(1e9)).rejects.toThrow(NumericalError);
    await expect(at(1.5)(Infinity)).rejects.toThrow('maxLearningRate');
    await expect(at(0.5)(1.5)).rejects.toThrow('whole steps');
  });

  it('approaches the flow for small rates', async () => {
    const flow = await gradientDescentMse(engine, { ntk: dd, y, learningRate: 0.01 })(300, {
      ntkTestTrain: td,
    });
    const gaps = await Promise.all(
      [0.01, 0.001].map(async (learningRate) => {
        const predictor = gradientDescentMse(engine, { ntk: dd, y, learningRate, mode: 'discrete' });
        const got = await predictor(3 / learningRate, { ntkTestTrain: td });
        return maxGap(got.test!.data, flow.test!.data);
      }),
    );
    expect(gaps[0]! / gaps[1]!).toBeCloseTo(10, 0);
  });
});

describe('momentum flow in closed form', () => {
  it('is the integrated ODE: over-damped, critical, under-damped, tiny and null modes', async () => {
    for (const momentum of [0, 0.5, 0.97]) {
      for (const [t, learningRate] of [
        [0.3, 0.01],
        [9, 0.5],
        [60, 0.5],
      ] as const) {
        const closed = await gradientDescentMse(engine, { ntk: dd, y, learningRate, momentum })(t, {
          f0Train,
          f0Test,
          ntkTestTrain: td,
        });
        const flow = gradientFlow(engine, {
          ntk: dd,
          y,
          loss: 'mse',
          learningRate,
          momentum,
          rtol: 1e-11,
          atol: 1e-11,
        });
        const ode = await flow(t, { f0Train, f0Test, ntkTestTrain: td });
        expect(maxGap(closed.train!.data, ode.train.data)).toBeLessThan(1e-8);
        expect(maxGap(closed.test!.data, ode.test!.data)).toBeLessThan(1e-8);
      }
    }
  });

  it('loses no digits of the integral factor near lambda = 0', () => {
    const dynamics = { mode: 'flow', learningRate: 1, momentum: 0.9 } as const;
    const at = (x: number, t: number) => spectralFactors(Float64Array.of(x), -1, dynamics, 1, t).g[0]!; // -1: no mode is cut off
    for (const t of [0.1, 3, 8, 20, 1000]) {
      const [zero, tiny] = [at(0, t), at(1e-12, t)];
      // int_0^t (1 - e^(-c s)) / c ds, c = 0.1, as its own power series or closed form
      const c = 0.1;
      let want = 0;
      for (let k = 2, term = (t * t) / 2; k < 400; k++, term *= (-c * t) / k) want += term;
      if (t > 100) want = t / c - (1 - Math.exp(-c * t)) / (c * c);
      expect(Math.abs(zero / want - 1)).toBeLessThan(1e-12);
      expect(Math.abs(tiny / zero - 1)).toBeLessThan(1e-8);
    }
  });
});

describe('spectral factors', () => {
  it('g * x = 1 - residual for every dynamics', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1e-12, max: 1.99, noNaN: true }),
        fc.integer({ min: 0, max: 500 }),
        fc.constantFrom('flow' as const, 'discrete' as const),
        fc.constantFrom(null, 0, 0.5, 0.9),
        (x, t, mode, momentum) => {
          const { g, residual } = spectralFactors(
            Float64Array.of(x),
            0,
            { mode, learningRate: 1, momentum },
            1,
            t,
          );
          expect(Math.abs(g[0]! * x - (1 - residual[0]!))).toBeLessThan(1e-11);
          expect(Math.abs(residual[0]!)).toBeLessThanOrEqual(1 + 1e-9);
        },
      ),
      { seed: 1, numRuns: 400 },
    );
  });

  it('treats null and negative modes as never learning, at any time', () => {
    const flow = { mode: 'flow', learningRate: 1, momentum: null } as const;
    const { g, residual } = spectralFactors(Float64Array.of(-1e-18, 0, 2), 1e-15, flow, 4, Infinity);
    expect([...g]).toEqual([0, 0, 0.5]);
    expect([...residual]).toEqual([1, 1, 0]);
    const finite = spectralFactors(Float64Array.of(-1e-18, 0), 1e-15, flow, 4, 10);
    expect([...finite.g]).toEqual([0, 0]);
  });
});
