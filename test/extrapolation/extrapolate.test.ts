// Infinite width by extrapolation, against limits that are known.
import {
  createEngine,
  dense,
  extrapolate,
  extrapolateTraining,
  gradientDescentMse,
  kernel,
  normal,
  randomKey,
  scalings,
  serial,
  tensor,
  type Engine,
  type NetDocument,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chiSquareTail } from '#build/math/chi-square.js';
import { gaussLegendre } from '#build/math/quadrature.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

const standard = (units: number, wStd: number): NetDocument =>
  dense(units, { parametrization: 'standard', wStd, bStd: null });
const rows = (data: ArrayLike<number>, d: number): number[][] =>
  Array.from({ length: data.length / d }, (_, i) => Array.from({ length: d }, (__, k) => data[i * d + k]!));
const column = (list: readonly number[]): number[][] => list.map((value) => [value]);

describe('the test of a fit', () => {
  it('has the tail of the chi-squared distribution', () => {
    // P(X > x) in closed form: erfc(sqrt(x / 2)) for one degree, exp(-x/2) sums for even ones.
    const even = (x: number, k: number): number => {
      let [term, sum] = [Math.exp(-x / 2), 0];
      for (let i = 0; i < k / 2; i++) {
        sum += term;
        term *= x / 2 / (i + 1);
      }
      return sum;
    };
    for (const [x, k] of [
      [5, 10],
      [30, 10],
      [100, 80],
      [60, 80],
      [2, 2],
      [0, 4],
    ] as const)
      expect(Math.abs(chiSquareTail(x, k) - even(x, k))).toBeLessThan(1e-12);
    expect(chiSquareTail(1, 1)).toBeCloseTo(0.31731050786291415, 12);
  });

  const widths = [16, 32, 64, 128];
  const draw = (f: (n: number, noise: number) => number, seeds = 40): number[][][] =>
    widths.map((n, k) => {
      const [one, two] = [normal(engine, randomKey(k), seeds), normal(engine, randomKey(99 + k), seeds)];
      return [...one].map((noise, i) => [f(n, noise), f(n, two[i]!)]);
    });

  it('accepts 1/n and finds the intercept, and refuses what is no power of 1/n', async () => {
    const good = await extrapolate(engine, {
      widths,
      runs: draw((n, noise) => 3 - 2 / n + (0.5 * noise) / Math.sqrt(n)),
    });
    for (const j of [0, 1]) expect(Math.abs(good.estimate[j]! - 3)).toBeLessThan(3 * good.standardError[j]!);
    expect(Math.abs(good.scatterPower + 0.5)).toBeLessThan(0.2);
    expect(good.pValue).toBeGreaterThan(0.05);
    const wave = extrapolate(engine, {
      widths,
      runs: draw((n, noise) => (Math.log2(n) % 2) + (0.05 * noise) / Math.sqrt(n)),
    });
    await expect(wave).rejects.toThrow(/no fit in 1\/width goes through the means/);
  });

  it('refuses a scatter that does not fall, unless the limit is random', async () => {
    const runs = draw((n, noise) => 1 + 1 / n + noise);
    await expect(extrapolate(engine, { widths, runs })).rejects.toThrow(
      /scatter between seeds goes as width\^-?0\.\d\d, expected at most -0\.3/,
    );
    const { estimate, standardError } = await extrapolate(engine, { widths, runs, limit: 'random' });
    expect(Math.abs(estimate[0]! - 1)).toBeLessThan(3 * standardError[0]!);
  });

  it('adds 1/n^2 where 1/n alone does not fit, and keeps exact values', async () => {
    const runs = draw((n, noise) => 3 + 400 / n ** 2 + 1 / n + (0.05 * noise) / Math.sqrt(n));
    const bent = await extrapolate(engine, { widths, runs });
    expect(bent.powers).toEqual([1, 2]);
    expect(Math.abs(bent.estimate[0]! - 3)).toBeLessThan(4 * bent.standardError[0]!);
    const exact = await extrapolate(engine, {
      widths: [1, 2, 4],
      runs: [1, 2, 4].map((n) => [[5 + 1 / n], [5 + 1 / n]]),
    });
    expect(exact.estimate[0]).toBeCloseTo(5, 12);
    expect(exact.standardError[0]).toBe(0);
  });

  it('refuses too little', async () => {
    await expect(extrapolate(engine, { widths: [1, 2], runs: [] })).rejects.toThrow(/at least three growing/);
    await expect(extrapolate(engine, { widths: [1, 2, 4], runs: [[[1]], [[1]], [[1]]] })).rejects.toThrow(
      /two seeds/,
    );
    const bad = [
      [[NaN], [1]],
      [[1], [1]],
      [[1], [1]],
    ];
    await expect(extrapolate(engine, { widths: [1, 2, 4], runs: bad })).rejects.toThrow(/is NaN/);
  });
});

describe('nets while they train', () => {
  const d = 3;
  const x = (): Float64Array => normal(engine, randomKey(11), 8 * d);
  const xTest = (): Float64Array => normal(engine, randomKey(12), 5 * d);
  const target = (data: ArrayLike<number>): number[] =>
    rows(data, d).map(([a, b, c]) => Math.sin(a! - 0.5 * b! + 0.3 * c!));
  const data = () => ({ x: tensor(x(), [8, d]), y: column(target(x())), xTest: tensor(xTest(), [5, d]) });
  const within = (outputs: ArrayLike<number>, errors: ArrayLike<number>, exact: readonly number[]): void => {
    for (const [i, value] of exact.entries())
      expect(Math.abs(outputs[i]! - value)).toBeLessThan(3 * errors[i]!);
  };

  it('reach the mean field of a linear net, whose moments close', async () => {
    // m = E a w, M = E w w^T, s = E a^2 under gradient descent on the mean loss.
    const [eta, steps] = [0.05, 8];
    const [inputs, y] = [rows(x(), d), target(x())];
    const dot = (a: readonly number[], b: readonly number[]): number =>
      a.reduce((sum, v, k) => sum + v * b[k]!, 0);
    let m = [0, 0, 0];
    let M: number[][] = [0, 1, 2].map((i) => [0, 1, 2].map((j) => (i === j ? 1 : 0)));
    let s = 1;
    for (let step = 0; step < steps; step++) {
      const r = inputs.map((row, i) => dot(row, m) - y[i]!);
      const g = [0, 1, 2].map((k) => (eta / 8) * inputs.reduce((sum, row, i) => sum + row[k]! * r[i]!, 0));
      const Mg = M.map((row) => dot(row, g));
      const next = m.map((v, k) => v - Mg[k]! - s * g[k]! + dot(g, m) * g[k]!);
      M = M.map((row, i) => row.map((v, j) => v - m[i]! * g[j]! - g[i]! * m[j]! + s * g[i]! * g[j]!));
      s = s - 2 * dot(g, m) + dot(g, Mg);
      m = next;
    }
    const net = serial(standard(1, Math.sqrt(d)), standard(1, 1));
    const found = await extrapolateTraining(engine, net, {
      ...data(),
      ...{ baseWidth: 1, widths: [32, 64, 128, 256], seeds: [48, 48, 24, 24] },
      ...{ steps, learningRate: eta, scaling: scalings.meanField },
    });
    expect(found.limit).toBe('deterministic');
    expect(Math.abs(found.scatterPower + 0.5)).toBeLessThan(0.2);
    within(
      found.outputs.data,
      found.standardErrors.data,
      rows(xTest(), d).map((row) => dot(row, m)),
    );
    expect(Math.max(...found.standardErrors.data)).toBeLessThan(0.02);
  });

  it('reach the mean field of a tanh net, by particles on a grid of 192 x 192', async () => {
    const exact = [-0.01171, 0.20195, 0.14263, -0.16021];
    const [eta, steps, nodes] = [0.3, 60, 48];
    const [points, y, tests] = [
      [-2, -1, 0.5, 1.5],
      [0.5, -0.6, 0.8, -0.3],
      [-1.5, 0.3, 1, 2.5],
    ];
    const { x: at, w: weight } = gaussLegendre(nodes);
    const particles = [...at].flatMap((a, i) =>
      [...at].map((w, j) => ({ a: a * Math.sqrt(3), w: w * Math.sqrt(3), p: (weight[i]! * weight[j]!) / 4 })),
    );
    const f = (z: number): number =>
      particles.reduce((sum, { a, w, p }) => sum + p * a * Math.tanh(w * z), 0);
    for (let step = 0; step < steps; step++) {
      const r = points.map((z, i) => f(z) - y[i]!);
      for (const one of particles) {
        let [ga, gw] = [0, 0];
        for (const [i, z] of points.entries()) {
          const h = Math.tanh(one.w * z);
          ga += h * r[i]!;
          gw += one.a * (1 - h * h) * r[i]! * z;
        }
        one.a -= (eta / 4) * ga;
        one.w -= (eta / 4) * gw;
      }
    }
    // A coarser grid here, to check the numbers above; it converges slowly.
    for (const [i, z] of tests.entries()) expect(Math.abs(f(z) - exact[i]!)).toBeLessThan(1.5e-3);
    const found = await extrapolateTraining(
      engine,
      serial(standard(1, 1), { layer: 'tanh' }, standard(1, 1)),
      {
        ...{
          x: column(points),
          y: column(y),
          xTest: column(tests),
          init: 'uniform',
          scaling: scalings.meanField,
        },
        ...{ baseWidth: 1, widths: [32, 64, 128, 256], seeds: [64, 64, 32, 32], steps, learningRate: eta },
      },
    );
    for (const [i, wanted] of exact.entries())
      expect(Math.abs(found.outputs.data[i]! - wanted)).toBeLessThan(
        3 * found.standardErrors.data[i]! + 1e-4,
      );
    expect(Math.max(...found.standardErrors.data)).toBeLessThan(3e-3);
  }, 30_000);

  it('reach the tangent kernel of a ReLU net on average over its random start', async () => {
    const net = serial(dense(1, { wStd: Math.sqrt(d) }), { layer: 'relu' }, dense(1));
    const { x: train, y, xTest: test } = data();
    const { ntk } = await kernel(engine, net, train, null, { get: 'ntk' });
    const across = await kernel(engine, net, test, train, { get: 'ntk' });
    const descent = gradientDescentMse(engine, { ntk, y, learningRate: 0.5, mode: 'discrete' });
    const limit = await descent(100, { ntkTestTrain: across.ntk, f0Train: null });
    const found = await extrapolateTraining(engine, net, {
      ...{ x: train, y, xTest: test, baseWidth: 1, widths: [64, 128, 256], seeds: [64, 64, 64] },
      ...{ steps: 100, learningRate: 0.5 },
    });
    expect(found.limit).toBe('random');
    within(found.outputs.data, found.standardErrors.data, [...limit.test!.data]);
  }, 30_000);

  it('of three layers under muP fit from widths 16 to 128, record by record, and go on where they stopped', async () => {
    const net = serial(
      standard(1, Math.sqrt(d)),
      { layer: 'tanh' },
      standard(1, 1),
      { layer: 'tanh' },
      standard(1, 1),
    );
    const shared = {
      ...data(),
      baseWidth: 1,
      scaling: scalings.muP,
      learningRate: 0.3,
      steps: 30,
      recordAt: [10, 30],
    };
    const kept = new Map<string, unknown>();
    const finished = {
      load: async (name: string) => kept.get(name),
      keep: async (name: string, value: unknown) => void kept.set(name, value),
    };
    const narrow = { ...shared, widths: [16, 32, 64, 128], seeds: [60, 40, 24, 16], finished };
    const stop = new AbortController();
    const stopped = extrapolateTraining(engine, net, {
      ...{ ...narrow, signal: stop.signal },
      onProgress: ({ done }) => done === 30 && stop.abort(new Error('enough')),
    });
    await expect(stopped).rejects.toThrow(/enough/);
    const before = kept.size;
    expect(before).toBeGreaterThan(15);
    let trained = 0;
    const limit = await extrapolateTraining(engine, net, { ...narrow, onProgress: () => void trained++ });
    expect(trained).toBe(140 - before);
    expect(limit.limit).toBe('deterministic');
    expect(limit.outputs.shape).toEqual([2, 5, 1]);
    const wide = await extrapolateTraining(engine, net, {
      ...shared,
      widths: [128, 192, 256],
      seeds: [16, 12, 12],
    });
    for (let j = 0; j < 10; j++) {
      const spread = Math.hypot(limit.standardErrors.data[j]!, wide.standardErrors.data[j]!);
      expect(Math.abs(limit.outputs.data[j]! - wide.outputs.data[j]!)).toBeLessThan(3.5 * spread);
    }
    // Other settings find nothing of it.
    const other = await extrapolateTraining(engine, net, { ...narrow, learningRate: 0.2 });
    expect([...other.outputs.data]).not.toEqual([...limit.outputs.data]);
  }, 60_000);

  it('are refused where there is no limit', async () => {
    const net = serial(standard(1, 1), { layer: 'tanh' }, standard(1, 1));
    const toy = {
      ...{ x: column([-2, -1, 0.5, 1.5]), y: column([0.5, -0.6, 0.8, -0.3]), xTest: column([0.3, 1]) },
      ...{ baseWidth: 1, steps: 5, widths: [8, 16, 32] },
    };
    const refused = (options: object): Promise<string> =>
      extrapolateTraining(engine, net, { ...toy, ...options } as never).then(
        () => 'nothing',
        (error: Error) => error.message,
      );
    expect(await refused({ scaling: { qSigma: '-1/2', qTilde: 1 } })).toMatch(/unstable: it has no limit/);
    expect(await refused({ widths: [8, 16] })).toMatch(/at least three widths/);
    expect(await refused({ recordAt: [3, 3] })).toMatch(/growing whole numbers from 0 to 5/);
    expect(await refused({ seeds: [2, 2] })).toMatch(/one per width/);
    expect(await refused({ rate: 1 })).toMatch(/unknown option "rate"/);
    // Large outputs that are still finite, and those that are not.
    const linear = extrapolateTraining(engine, serial(standard(1, 1), standard(1, 1)), {
      ...{ ...toy, widths: [8, 16, 32], scaling: scalings.meanField, learningRate: 3, steps: 5 },
    });
    await expect(linear).rejects.toThrow(
      /a net of width \d+ \(seed \d+\) diverges: .*Lower the learning rate/,
    );
    expect(await refused({ scaling: scalings.meanField, learningRate: 1000, steps: 60 })).toMatch(
      /loss is not finite/,
    );
    const huge = [1, 2, 4].map(() => [[1e200], [-1e200]]);
    await expect(extrapolate(engine, { widths: [1, 2, 4], runs: huge })).rejects.toThrow(/overflow/);
    const ntk = extrapolateTraining(engine, serial(dense(1), dense(1)), { ...toy, scaling: scalings.muP });
    await expect(ntk).rejects.toThrow(/layer in 'ntk'/);
    // At rate 1 the mean field amplifies the noise of its start: the scatter grows with width.
    const chaotic = {
      scaling: scalings.meanField,
      init: 'uniform',
      widths: [32, 64, 128, 256],
      seeds: [24, 24, 24, 24],
      steps: 60,
      learningRate: 1,
    };
    expect(await refused(chaotic)).toMatch(/scatter between seeds goes as width\^/);
  }, 30_000);
});
