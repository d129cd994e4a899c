// Kernels that are singular: the answer is the limit of a vanishing noise, on every path and at every late time.
import {
  createEngine,
  dense,
  fit,
  gpInference,
  gradientDescentMse,
  gradientDescentMseEnsemble,
  kernel,
  logMarginalLikelihood,
  NumericalError,
  predict,
  relu,
  serial,
} from 'infinite-width';
import { describe, expect, it } from 'vitest';

const engine = await createEngine({ variant: 'simd' });
it('predictions at duplicated rows are the means of their targets', async () => {
  const net = serial(dense(1, { wStd: 1.4, bStd: 0.1 }), relu(), dense(1));
  const rows = [
    [1, 0.2],
    [-0.5, 0.7],
    [0.3, -1.1],
    [-0.8, -0.4],
    [0.1, 0.9],
  ];
  const xTrain = [0, 1, 2, 3].flatMap(() => rows);
  const yTrain = Array.from({ length: 20 }, (_, i) => [(i % 5) + Math.floor(i / 5)]);
  for (const method of ['ntk', 'nngp', 'ntkgp'] as const)
    for (const solver of ['exact', 'tiled', 'nystrom', 'features'] as const) {
      const found = await predict(engine, net, { xTrain, yTrain, xTest: rows, method, solver, rank: 400 });
      found.mean.data.forEach((value, i) => expect(value).toBeCloseTo(i + 1.5, 5));
    }
  for (const time of [1e15, 1e300, [1, Infinity]]) {
    const found = await predict(engine, net, { xTrain, yTrain, xTest: rows, time });
    found.mean.data.slice(-5).forEach((value, i) => expect(value).toBeCloseTo(i + 1.5, 6));
  }
});

describe('limits at t = infinity', () => {
  const zero = { data: new Float64Array(9), shape: [3, 3] };
  const y = [[1], [2], [3]];

  it('a zero kernel learns nothing, at any time', async () => {
    const descent = gradientDescentMse(engine, { ntk: zero, y });
    for (const t of [null, Infinity, [Infinity], [0, Infinity], 1e300]) {
      const { train } = await descent(t);
      expect(train!.data.every((value) => value === 0)).toBe(true);
    }
  });

  it('a kernel of rank one learns the mean, at any late time', async () => {
    const ntk = { data: new Float64Array(9).fill(2), shape: [3, 3] };
    const descent = gradientDescentMse(engine, { ntk, y });
    const call = {
      ntkTestTrain: { data: new Float64Array(3).fill(2), shape: [1, 3] },
      f0Train: [[0.5], [0], [0]],
    };
    for (const t of [Infinity, [Infinity], [3, Infinity], 1e17, 1e300]) {
      const { train, test, diagnostics } = await descent(t, call);
      // f_inf = f_0 + mean(y - f_0)
      const move = (6 - 0.5) / 3;
      [0.5 + move, move, move].forEach((value, i) => expect(train!.data.at(i - 3)).toBeCloseTo(value, 12));
      expect(test!.data.at(-1)).toBeCloseTo(move, 12);
      expect(diagnostics).toMatchObject({ method: 'eigen', droppedModes: 2 });
    }
    const law = gradientDescentMseEnsemble(engine, { ntk, nngp: ntk, y });
    for (const t of [Infinity, [1e200]])
      (await law(t)).mean.data.forEach((value) => expect(value).toBeCloseTo(2, 12));
    for (const method of ['ntk', 'nngp', 'ntkgp'] as const)
      (await gpInference(engine, { ntk, nngp: ntk, y, method })({})).mean.data.forEach((value) =>
        expect(value).toBeCloseTo(2, 12),
      );
  });

  it('a regular kernel still reaches its targets', async () => {
    const ntk = [
      [2, 1, 0],
      [1, 2, 0],
      [0, 0, 1],
    ];
    for (const t of [Infinity, [5, Infinity]]) {
      const { train, diagnostics } = await gradientDescentMse(engine, { ntk, y })(t);
      expect([...train!.data].slice(-3).map((value) => Math.round(value * 1e12) / 1e12)).toEqual([1, 2, 3]);
      if (!Array.isArray(t)) expect(diagnostics.residual).toBeLessThan(1e-14);
    }
  });
});

it('duplicated rows keep one output at late times and the mean of their targets at infinity', async () => {
  let s = 1;
  const u = () => ((s = (s * 1103515245 + 12345) % 2147483648) / 2147483648) * 2 - 1;
  const net = serial(dense(1), relu(), dense(1));
  for (let t = 0; t < 20; t++) {
    const x = Array.from({ length: 20 }, () => Array.from({ length: 2 + (t % 4) }, u));
    x[7] = x[3]!.slice();
    const y = x.map(([a]) => [a!]);
    y[7] = [y[3]![0]! + 1];
    const { ntk } = await kernel(engine, net, x);
    const { train } = await gradientDescentMse(engine, { ntk, y })(1e14);
    expect(Math.abs(train!.data[7]! - train!.data[3]!)).toBeLessThan(1e-6);
    const { mean } = await predict(engine, net, { xTrain: x, yTrain: y, xTest: [x[3]!] });
    expect(Math.abs(mean.data[0]! - y[3]![0]! - 0.5)).toBeLessThan(1e-5);
  }
});

it('tables: without noise duplicated rows predict the means of their targets, and leaving one out the mean of the others', async () => {
  const rows = Array.from({ length: 40 }, (_, i) => ({ a: i % 5, y: i }));
  const model = await fit(engine, rows, { target: 'y', diagReg: 0, method: 'ntk' });
  const { mean } = await model.predict([0, 1, 2, 3, 4].map((a) => ({ a })));
  [17.5, 18.5, 19.5, 20.5, 21.5].forEach((value, i) => expect(mean![i]!).toBeCloseTo(value, 4));
  // The mean of the others is off by 8/7 of the deviation: R2 of leaving one out is 1 - (8/7)^2 SS_within / SS.
  const [within, total] = [5 * 42 * 25, (40 * (1600 - 1)) / 12];
  expect((await model.prepare()).looR2).toBeCloseTo(1 - ((8 / 7) ** 2 * within) / total, 4);
});

it('the evidence of a kernel that is singular to working precision is an error', async () => {
  const net = serial(dense(1), relu(), dense(1));
  const x = [
    [1, 2],
    [1, 2],
    [0, 1],
  ];
  await expect(logMarginalLikelihood(engine, net, x, [[1], [2], [3]], { diagReg: 0 })).rejects.toThrow(
    NumericalError,
  );
});
