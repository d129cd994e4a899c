// Evidence against dense linear algebra written out, its gradients against central differences, and the climb.
import {
  createEngine,
  dense,
  erf,
  fitHyperparameters,
  kernel,
  layer,
  leaveOneOutLogDensity,
  logMarginalLikelihood,
  relu,
  serial,
  tensor,
  type Engine,
  type NetDocument,
} from 'infinite-width';
import { kernelParameters, withParameters } from '#build/kernel/derivatives/directions.js';
import { climb } from '#build/predict/hyper/lbfgs.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { random } from './support.js';

let engine: Engine;
beforeAll(async () => void (engine = await createEngine({ variant: 'simd' })));
afterAll(() => engine.dispose());

const [n, d] = [12, 3];
const x = random([n, d], 1);
const y = random([n, 2], 2);

const nets: Record<string, NetDocument> = {
  relu: serial(
    dense(40, { wStd: 1.3, bStd: 0.4 }),
    relu(),
    dense(30, { wStd: 1.5, bStd: 0.2 }),
    relu(),
    dense(1, { wStd: 1.1, bStd: 0.3 }),
  ),
  erf: serial(
    dense(40, { wStd: 1.3, bStd: 0.4 }),
    erf({ a: 1.2, b: 0.8, c: 0.3 }),
    dense(30, { wStd: 1.5 }),
    layer('leakyRelu', { alpha: 0.2 }),
    dense(1, { wStd: 0.9, bStd: 0.1 }),
  ),
  standard: serial(
    dense(40, { wStd: 1.3, bStd: 0.4, parametrization: 'standard' }),
    relu(),
    dense(30, { wStd: 1.2, bStd: 0.2, parametrization: 'standard' }),
    layer('abRelu', { a: -0.3, b: 1.1 }),
    dense(1, { wStd: 1.1, parametrization: 'standard' }),
  ),
};

const layersOf = (net: NetDocument): { wStd: number }[] =>
  (net as unknown as { layers: { wStd: number }[] }).layers;

describe('evidence', () => {
  it('is the Gaussian density, and the chain of conditionals', async () => {
    // log N(y; 0, M) by sequential conditioning, in plain loops.
    const { nngp } = await kernel(engine, nets['relu']!, x);
    let mean = 0;
    for (let i = 0; i < n; i++) mean += nngp.data[i * n + i]! / n;
    const m = Float64Array.from(nngp.data, (v, i) => v + (i % (n + 1) === 0 ? 0.05 * mean : 0));
    const lower = new Float64Array(n * n);
    let want = 0;
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = m[i * n + j]!;
        for (let k = 0; k < j; k++) sum -= lower[i * n + k]! * lower[j * n + k]!;
        lower[i * n + j] = i === j ? Math.sqrt(sum) : sum / lower[j * n + j]!;
      }
      want -= 2 * Math.log(lower[i * n + i]!) + Math.log(2 * Math.PI);
    }
    for (let c = 0; c < 2; c++) {
      const w = new Float64Array(n);
      for (let i = 0; i < n; i++) {
        let sum = y.data[i * 2 + c]!;
        for (let k = 0; k < i; k++) sum -= lower[i * n + k]! * w[k]!;
        w[i] = sum / lower[i * n + i]!;
        want -= 0.5 * w[i]! * w[i]!;
      }
    }
    const { value } = await logMarginalLikelihood(engine, nets['relu']!, x, y, { diagReg: 0.05 });
    expect(value).toBeCloseTo(want, 9);
  });

  it('leaves one out: the marginal of all minus the marginal of the others', async () => {
    // A fixed noise: the mean diagonal of the subset differs, so the relative noise is adjusted.
    const net = nets['erf']!;
    const { nngp } = await kernel(engine, net, x);
    const diagonal = Array.from({ length: n }, (_, i) => nngp.data[i * n + i]!);
    const mean = diagonal.reduce((a, b) => a + b) / n;
    const whole = await logMarginalLikelihood(engine, net, x, y, { diagReg: 0.1 });
    let want = 0;
    for (let left = 0; left < n; left++) {
      const keep = [...Array(n).keys()].filter((i) => i !== left);
      const rows = (t: typeof x, w: number) =>
        tensor(Float64Array.from(keep.flatMap((i) => [...t.data.subarray(i * w, (i + 1) * w)])), [n - 1, w]);
      const part = keep.reduce((sum, i) => sum + diagonal[i]! / (n - 1), 0);
      const rest = await logMarginalLikelihood(engine, net, rows(x, d), rows(y, 2), {
        diagReg: (0.1 * mean) / part,
      });
      want += whole.value - rest.value;
    }
    const { value } = await leaveOneOutLogDensity(engine, net, x, y, { diagReg: 0.1 });
    expect(value).toBeCloseTo(want, 8);
  });

  for (const [name, net] of Object.entries(nets)) {
    for (const method of ['nngp', 'ntk'] as const) {
      for (const score of [logMarginalLikelihood, leaveOneOutLogDensity]) {
        it(`has exact gradients: ${name} ${method} ${score.name}`, async () => {
          const scale = name === 'standard' ? 'profiled' : 'fixed';
          const options = { method, diagReg: 0.07, scale } as const;
          const { gradient } = await score(engine, net, x, y, { ...options, gradient: true });
          const parameters = kernelParameters(net, [d]);
          expect(Object.keys(gradient!)).toEqual([...parameters.map((p) => p.name), 'diagReg']);
          const at = async (key: string, value: number): Promise<number> =>
            key === 'diagReg'
              ? (await score(engine, net, x, y, { ...options, diagReg: value })).value
              : (await score(engine, withParameters(net, new Map([[key, value]])), x, y, options)).value;
          for (const { name: key, value } of [...parameters, { name: 'diagReg', value: 0.07 }]) {
            // Fourth-order central difference.
            const h = 2e-3 * value;
            const [a, b, c, e] = await Promise.all([-2, -1, 1, 2].map((k) => at(key, value + k * h)));
            const want = (a! - 8 * b! + 8 * c! - e!) / (12 * h);
            expect(Math.abs(gradient![key]! - want)).toBeLessThan(1e-7 * Math.max(1, Math.abs(want)));
          }
        });
      }
    }
  }

  it('refuses targets of another number', async () => {
    const net = serial(layer('flatten'), dense(1));
    const x = random([n, 3, 4], 1);
    expect(Number.isFinite((await logMarginalLikelihood(engine, net, x, y, { gradient: true })).value)).toBe(
      true,
    );
    await expect(logMarginalLikelihood(engine, net, x, random([3, 1], 1))).rejects.toThrow('y must be');
  });
});

describe('fitHyperparameters', () => {
  it('climbs the Rosenbrock ridge', async () => {
    const f = async ([a, b]: readonly number[]) => ({
      value: -((1 - a!) ** 2) - 100 * (b! - a! * a!) ** 2,
      gradient: [2 * (1 - a!) + 400 * a! * (b! - a! * a!), -200 * (b! - a! * a!)],
    });
    const { x: top } = await climb(f, [-1.2, 1], {
      maxSteps: 300,
      gain: 1e-16,
      box: [
        [-10, 10],
        [-10, 10],
      ],
    });
    expect(Math.abs(top[0]! - 1)).toBeLessThan(1e-4);
  });

  it('stops at the side of its box, at the best point there', async () => {
    const ridge = async ([x, y]: readonly number[]) => ({
      value: -((1 - x!) ** 2) - 100 * (y! - x! * x!) ** 2,
      gradient: [2 * (1 - x!) + 400 * x! * (y! - x! * x!), -200 * (y! - x! * x!)],
    });
    const { x } = await climb(ridge, [-1, 1], {
      maxSteps: 300,
      gain: 1e-13,
      box: [
        [-2, 0.5],
        [-2, 2],
      ],
    });
    expect(x[0]).toBe(0.5);
    expect(Math.abs(x[1]! - 0.25)).toBeLessThan(1e-5);
  });

  it('recovers the noise of data drawn from a net of its own, and prefers better nets', async () => {
    const m = 80;
    const inputs = random([m, 2], 5);
    const next = random([m], 9).data;
    const targets = tensor(
      Float64Array.from(
        { length: m },
        (_, i) => Math.abs(inputs.data[2 * i]!) - inputs.data[2 * i + 1]! + 0.1 * next[i]!,
      ),
      [m, 1],
    );
    const one = serial(dense(20, { bStd: 0.3 }), relu(), dense(1, { wStd: 1.5 }));
    const linear = serial(dense(1, { bStd: 0.3 }));
    const start = await logMarginalLikelihood(engine, one, inputs, targets, { diagReg: 0.5 });
    const fitted = await fitHyperparameters(engine, [linear, one], inputs, targets, {
      diagReg: 0.5,
      restarts: 1,
    });
    expect(fitted.value).toBeGreaterThan(start.value + 10);
    expect(fitted.starts).toHaveLength(4);
    expect(layersOf(fitted.net)).toHaveLength(3);
    const { nngp } = await kernel(engine, fitted.net, inputs);
    let mean = 0;
    for (let i = 0; i < m; i++) mean += nngp.data[i * m + i]! / m;
    const noise = Math.sqrt(fitted.diagReg * mean); // true: 0.1 * sqrt(2/3)
    expect(noise).toBeGreaterThan(0.05);
    expect(noise).toBeLessThan(0.12);
    // At the maximum every derivative that is not at a bound vanishes.
    const { gradient } = await logMarginalLikelihood(engine, fitted.net, inputs, targets, {
      diagReg: fitted.diagReg,
      gradient: true,
    });
    expect(Math.abs(gradient!['diagReg']! * fitted.diagReg)).toBeLessThan(0.05);
  });

  it('keeps what is frozen, and refuses unknown names', async () => {
    const net = nets['relu']!;
    const fitted = await fitHyperparameters(engine, net, x, y, {
      freeze: ['layers.0.wStd', 'diagReg'],
      restarts: 0,
      objective: 'leaveOneOut',
      maxSteps: 5,
    });
    expect(fitted.diagReg).toBe(1e-2);
    expect(layersOf(fitted.net)[0]!.wStd).toBe(1.3);
    expect(layersOf(fitted.net)[2]!.wStd).not.toBe(1.5);
    await expect(fitHyperparameters(engine, net, x, y, { freeze: ['w'] })).rejects.toThrow("got 'w'");
  });
});
