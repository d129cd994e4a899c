// Flows of any loss against small steps, closed forms and at their limits.
import { createEngine, gradientDescentMse, gradientFlow, tensor, type Engine } from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { maxGap, random, scaled, times, smallProblem } from './support.js';

let engine: Engine;
beforeAll(async () => void (engine = await createEngine({ variant: 'simd' })));
afterAll(() => engine.dispose());

const { n, m, o, dd, td, y, f0Train, f0Test } = smallProblem();

describe('gradientFlow', () => {
  const labels = tensor(
    Float64Array.from({ length: n * o }, (_, i) => +(i % o === Math.floor(i / o) % o)),
    [n, o],
  );

  it('is many small steps of gradient descent', async () => {
    const flow = gradientFlow(engine, { ntk: dd, y: labels, loss: 'huber' });
    const { train } = await flow(5, { f0Train: scaled(f0Train, 3) });
    const f = scaled(f0Train, 3).data;
    const steps = 20000;
    for (let k = 0; k < steps; k++) {
      const g = f.map((value, i) => Math.max(-1, Math.min(1, value - labels.data[i]!)) / (n * o));
      const push = times(dd.data, g, n, o, n);
      for (let i = 0; i < f.length; i++) f[i]! -= (5 / steps) * push[i]!;
    }
    expect(maxGap(train.data, f)).toBeLessThan(2e-4);
  });

  for (const momentum of [null, 0.6]) {
    for (const loss of ['crossEntropy', 'logistic', 'mse'] as const) {
      it(`resumes: ${loss}, momentum ${momentum}`, async () => {
        const flow = gradientFlow(engine, { ntk: dd, y: labels, loss, momentum, learningRate: 0.4 });
        const call = { f0Train, f0Test, ntkTestTrain: td };
        const whole = await flow([4, 10], call);
        const { state } = await flow(4, call);
        const rest = await flow(6, { state, ntkTestTrain: td });
        expect(maxGap(rest.train.data, whole.train.data.slice(n * o))).toBeLessThan(1e-8);
        expect(maxGap(rest.test!.data, whole.test!.data.slice(m * o))).toBeLessThan(1e-8);
      });
    }
  }

  it('gives the coefficients from which any point follows', async () => {
    for (const loss of ['crossEntropy', 'mse'] as const) {
      const flow = gradientFlow(engine, { ntk: dd, y: labels, loss });
      const { test, coefficients } = await flow([1, 8], { f0Train, f0Test, ntkTestTrain: td });
      for (const k of [0, 1]) {
        const dual = coefficients!.data.slice(k * n * o, (k + 1) * n * o);
        const want = times(td.data, dual, m, o, n).map((value, i) => f0Test.data[i]! + value);
        expect(maxGap(test!.data.slice(k * m * o, (k + 1) * m * o), want)).toBeLessThan(1e-10);
      }
    }
    const heavy = await gradientFlow(engine, { ntk: dd, y: labels, loss: 'logistic', momentum: 0.5 })(1);
    expect(heavy.coefficients).toBeUndefined();
  });

  it('takes a loss of your own', async () => {
    const gradient = (f: Float64Array, target: Float64Array, out: Float64Array): void => {
      for (let i = 0; i < f.length; i++) out[i] = (f[i]! - target[i]!) / (n * o);
    };
    const own = await gradientFlow(engine, { ntk: dd, y, loss: { gradient } })([2, 20], { f0Train });
    const built = await gradientFlow(engine, { ntk: dd, y, loss: 'mse' })([2, 20], { f0Train });
    expect(built.report.method).toBe('closed form');
    expect(maxGap(own.train.data, built.train.data)).toBeLessThan(1e-8);
  });

  it('handles stiff kernels: eigenvalues over six decades, checked against the closed form', async () => {
    const stiff = tensor(
      Float64Array.from({ length: 9 }, (_, i) => (i % 4 === 0 ? [3e6, 1, 3][i / 4]! : 0)),
      [3, 3],
    );
    const gradient = (f: Float64Array, target: Float64Array, out: Float64Array): void => {
      for (let i = 0; i < f.length; i++) out[i] = (f[i]! - target[i]!) / 3;
    };
    const target = random([3, 1], 4);
    const flow = gradientFlow(engine, {
      ntk: stiff,
      y: target,
      loss: { gradient, curvature: 1 / 3 },
      rtol: 1e-7,
      atol: 1e-7,
    });
    const got = await flow([0.5, 3, 8], { ntkTestTrain: stiff });
    expect(got.report.method).toContain('chebyshev');
    expect((got.report as { evaluations: number }).evaluations).toBeLessThan(400_000);
    const exact = await gradientDescentMse(engine, { ntk: stiff, y: target })([0.5, 3, 8]);
    expect(maxGap(got.train.data, exact.train!.data)).toBeLessThan(1e-5);
    expect(maxGap(got.test!.data, exact.train!.data)).toBeLessThan(1e-5);
  });

  it('says what to do when steps run out, and refuses nonsense', async () => {
    const flow = gradientFlow(engine, { ntk: dd, y: labels, loss: 'crossEntropy', maxSteps: 5 });
    await expect(flow(1e6)).rejects.toThrow(/5 steps with 31 evaluations reached only t = .* Raise maxSteps/);
    const make = (options: object) => () =>
      gradientFlow(engine, { ntk: dd, y: labels, loss: 'crossEntropy', ...options } as never);
    expect(make({ loss: 'hinge' })).toThrow('loss must be');
    expect(make({ momentum: 1 })).toThrow('momentum');
    expect(make({ loss: 'logistic', y: scaled(labels, 5) })).toThrow('logistic targets');
    expect(make({ loss: 'crossEntropy', y: scaled(labels, -1) })).toThrow('>= 0');
    const fine = make({})();
    await expect(fine([2, 1])).rejects.toThrow('increase');
    await expect(fine(Infinity)).rejects.toThrow('finite times');
    await expect(fine(1, { f0Test })).rejects.toThrow('ntkTestTrain');
  });
});
