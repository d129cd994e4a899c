// Random features of a net's kernels: means over seeds against the kernels themselves, and the regression on them against
// exact Gaussian inference with the kernel they make.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  avgPool,
  conv,
  createEngine,
  dense,
  dropout,
  erf,
  flatten,
  globalAvgPool,
  gpInference,
  identity,
  kernel,
  layerNorm,
  predict,
  relu,
  rnn,
  serial,
  sum,
  tensor,
  UnsupportedError,
  type Engine,
  type NetDocument,
  type Tensor,
} from 'infinite-width';
import { featureCount, featureMap, features } from '#build/predict/large/feature-map.js';
import { maxGap, random, times } from './support.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

const hidden = (): NetDocument => serial(dense(8, { wStd: 1.4, bStd: 0.3 }), relu());
const dense3 = serial(hidden(), hidden(), dense(1, { wStd: 1.3, bStd: 0.2 }));
const branch = serial(relu(), dense(8, { wStd: 0.7 }));

/** (points, features) */
async function matrix(net: NetDocument, x: Tensor, rank: number, seed: number, tangents: boolean) {
  const map = featureMap(net, x.shape.slice(1), rank, seed, tangents);
  const width = featureCount(map);
  const data = new Float64Array(x.shape[0]! * width);
  await features(engine, map, x, (part: Float64Array, first: number) => data.set(part, first * width));
  return { data, width };
}

/** F F' */
async function gramOf(net: NetDocument, x: Tensor, rank: number, seed: number, tangents: boolean) {
  const { data, width } = await matrix(net, x, rank, seed, tangents);
  const count = x.shape[0]!;
  const turned = data.map((_, i) => data[(i % count) * width + Math.floor(i / count)]!);
  return times(data, turned, count, count, width);
}

describe('random features', () => {
  const flat = random([5, 4], 3);
  const image = random([5, 4, 4, 2], 4);
  for (const [name, net, x] of [
    ['dense', dense3, flat],
    ['one layer', serial(dense(1, { wStd: 1.2, bStd: 0.1 })), flat],
    ['erf', serial(dense(8), erf(), dense(8, { bStd: 0.5 }), erf(), dense(1)), flat],
    ['residual', serial(dense(8), sum(identity(), branch), dense(1)), flat],
    ['layer norm', serial(dense(8, { bStd: 0.4 }), layerNorm(), relu(), dense(1)), flat],
    [
      'flat convolution',
      serial(conv(8, [3, 3], { wStd: 1.4 }), relu(), avgPool([2, 2]), flatten(), dense(1)),
      image,
    ],
    [
      'pooled convolution',
      serial(conv(8, [3, 3], { wStd: 1.4, bStd: 0.2 }), relu(), globalAvgPool(), dense(1)),
      image,
    ],
    [
      'recurrent',
      serial(rnn(8, { wStd: 1.1, uStd: 0.7, bStd: 0.2, activation: relu() }), dense(1)),
      random([5, 3, 2], 5),
    ],
  ] as const) {
    it(`have the kernels as means: ${name}`, async () => {
      const exact = await kernel(engine, net, x, null);
      for (const which of ['nngp', 'ntk'] as const) {
        const seeds = 30;
        const list: Float64Array[] = [];
        for (let seed = 0; seed < seeds; seed++) list.push(await gramOf(net, x, 400, seed, which === 'ntk'));
        exact[which].data.forEach((value, i) => {
          const mean = list.reduce((all, one) => all + one[i]! / seeds, 0);
          const error = Math.sqrt(
            list.reduce((all, one) => all + (one[i]! - mean) ** 2, 0) / seeds / (seeds - 1),
          );
          // 25 entries of 16 kernels; at 300 units the mean itself is off by about 1 / 300 where layers are random.
          expect(Math.abs(mean - value)).toBeLessThan(4.5 * error + 0.01 * Math.abs(value) + 1e-12);
        });
      }
    });
  }
});

describe("predict with solver 'features'", () => {
  const [n, m] = [120, 4];
  const xTrain = random([n, 4], 1);
  const xTest = random([m, 4], 2);
  const yTrain = tensor(
    Float64Array.from({ length: 2 * n }, (_, i) => xTrain.data[4 * (i >> 1) + (i % 2)]! ** 2),
    [n, 2],
  );
  const problem = { xTrain, yTrain, xTest, diagReg: 0.02, diagRegScale: 'absolute' as const, seed: 5 };
  const all = tensor(Float64Array.of(...xTrain.data, ...xTest.data), [n + m, 4]);

  for (const method of ['nngp', 'ntk', 'ntkgp'] as const) {
    it(`is exact inference with the kernels that the features make, ${method}`, async () => {
      const rank = 101;
      const own = await gramOf(dense3, all, rank, 5, method !== 'nngp');
      // The NNGP of the law of `ntk` is that of the features without derivatives.
      const map = featureMap(dense3, [4], rank, 5, method !== 'nngp');
      const { data, width } = await matrix(dense3, all, rank, 5, method !== 'nngp');
      const base = data.map((value, i) => (i % width < map.size + 1 ? value : 0));
      const turned = base.map((_, i) => base[(i % (n + m)) * width + Math.floor(i / (n + m))]!);
      const nngp = method === 'ntk' ? times(base, turned, n + m, n + m, width) : own;
      const block = (from: Float64Array, row: number, rows: number, column: number, columns: number) =>
        tensor(
          Float64Array.from(
            { length: rows * columns },
            (_, i) => from[(row + Math.floor(i / columns)) * (n + m) + column + (i % columns)]!,
          ),
          [rows, columns],
        );
      const parts = (from: Float64Array) =>
        [block(from, 0, n, 0, n), block(from, n, m, 0, n), block(from, n, m, n, m)] as const;
      const [[nd, nc, nt], [td, tc, tt]] = [parts(nngp), parts(own)];
      const exact = await gpInference(engine, {
        nngp: nd,
        ntk: td,
        y: yTrain,
        method,
        diagReg: 0.02,
        diagRegScale: 'absolute',
      })({ nngpTestTrain: nc, ntkTestTrain: tc, nngpTestTest: nt, ntkTestTest: tt });
      const options = { ...problem, method, solver: 'features' as const, rank };
      const full = await predict(engine, dense3, { ...options, covariance: 'full' });
      expect(maxGap(full.mean.data, exact.mean.data)).toBeLessThan(1e-9);
      expect(maxGap(full.covariance!.data, exact.covariance!.data)).toBeLessThan(1e-9);
      const thin = await predict(engine, dense3, { ...options, covariance: 'diagonal' });
      thin.variance!.data.forEach((value, i) =>
        expect(value).toBeCloseTo(exact.covariance!.data[i * (m + 1)]!, 9),
      );
      expect(full.diagnostics.method).toBe('features');
      expect(full.diagnostics.rank).toBe(map.tangents ? 2 * map.size + 1 : map.size + 1);
    });
  }

  it('comes nearer with more features, as its estimates say', async () => {
    for (const method of ['nngp', 'ntk'] as const) {
      const exact = await predict(engine, dense3, { ...problem, method, covariance: 'diagonal' });
      const whole = await predict(engine, dense3, { ...problem, method, xTest: xTrain });
      const { nngp, ntk } = await kernel(engine, dense3, xTrain, null);
      const true_ = method === 'nngp' ? nngp : ntk;
      const norm = (v: ArrayLike<number>): number => Math.hypot(...Array.from(v));
      const found: { gap: number; kernelGap: number; variance: number }[] = [];
      for (const rank of [100, 1600]) {
        const options = { ...problem, method, solver: 'features' as const, rank };
        const { mean, variance, diagnostics } = await predict(engine, dense3, {
          ...options,
          covariance: 'diagonal',
        });
        // Fewer rows than are probed: the estimates are the numbers themselves.
        const own = await gramOf(dense3, xTrain, rank, 5, method === 'ntk');
        const gap = own.map((value, i) => value - true_.data[i]!);
        expect(diagnostics.kernelGap).toBeCloseTo(norm(gap) / norm(true_.data), 9);
        const train = await predict(engine, dense3, { ...options, xTest: xTrain });
        const change = norm(train.mean.data.map((value, i) => value - whole.mean.data[i]!));
        expect(change / norm(yTrain.data)).toBeLessThan(diagnostics.residual!);
        found.push({
          gap: maxGap(mean.data, exact.mean.data),
          kernelGap: diagnostics.kernelGap!,
          variance: maxGap(variance!.data, exact.variance!.data),
        });
      }
      const [few, many] = found as [(typeof found)[0], (typeof found)[0]];
      expect(many.kernelGap / few.kernelGap).toBeGreaterThan(0.12); // 1 / sqrt(16) = 0.25
      expect(many.kernelGap / few.kernelGap).toBeLessThan(0.5);
      expect(many.gap).toBeLessThan(few.gap);
      expect(many.variance).toBeLessThan(few.variance);
    }
  });

  it('does not depend on workers, to the bit, nor on the scale of the inputs', async () => {
    const parallel = await createEngine({ variant: 'simd', workers: 2 });
    const options = { ...problem, solver: 'features' as const, covariance: 'diagonal' as const, rank: 40 };
    const [a, b] = [await predict(engine, dense3, options), await predict(parallel, dense3, options)];
    expect(a.mean.data).toEqual(b.mean.data);
    expect(a.variance!.data).toEqual(b.variance!.data);
    parallel.dispose();
    const lone = serial(dense(8), relu(), dense(1));
    const relative = { ...options, diagReg: 1e-2, diagRegScale: 'relative' as const };
    const base = await predict(engine, lone, relative);
    for (const factor of [2 ** -500, 2 ** 500]) {
      const scale = (x: Tensor): Tensor => ({ data: x.data.map((value) => value * factor), shape: x.shape });
      const found = await predict(engine, lone, { ...relative, xTrain: scale(xTrain), xTest: scale(xTest) });
      expect(maxGap(found.mean.data, base.mean.data)).toBeLessThan(1e-10);
    }
  });

  it('says what it cannot do', async () => {
    const refuse = (net: NetDocument, message: RegExp) =>
      Promise.all([
        expect(predict(engine, net, { ...problem, solver: 'features' })).rejects.toThrow(message),
        expect(predict(engine, net, { ...problem, solver: 'features' })).rejects.toThrow(UnsupportedError),
      ]);
    await refuse(serial(dense(8), relu()), /ends in relu.*dense layer.*'nystrom'/);
    await refuse(serial(dense(8), dropout(0.9), dense(1)), /layer dropout/);
    const standard = { parametrization: 'standard' as const };
    await refuse(serial(dense(8, standard), relu(), dense(1)), /standard parametrisation/);
  });
});
