// Masks and graphs in predictions: what `predict` does with them by itself must be what the kernels say.
import { describe, expect, test } from 'vitest';
import {
  aggregate,
  conv,
  createEngine,
  createPredictor,
  dense,
  globalAvgPool,
  gpInference,
  kernel,
  kernelState,
  predict,
  relu,
  serial,
  tensor,
  type GpMethod,
  type KernelOptions,
  type Solver,
  type Tensor,
} from 'infinite-width';

const engine = await createEngine({ variant: 'simd' });
const PAD = 100;
const pad = (words: number[], by = PAD) => [
  ...words.map((v) => [v]),
  ...Array<number[]>(6 - words.length).fill([by]),
];
const train = [
  [0.1, 0.5, -1, 2],
  [1, -1, 0.3],
  [0.2, 0.2, 0.9, -0.4, 0.8],
  [-1, 0.4, 0.6, 0.1],
];
const test1 = [
  [0.5, 0.1, -0.2],
  [1, 2, 0.5, -1],
];
const y = [[1], [-1], [0.5], [-0.5]];
const net = serial(conv(1, [2]), relu(), globalAvgPool(), dense(1));
const close = (a: Tensor | undefined, b: Tensor | undefined, tolerance: number) => {
  expect(a!.shape).toEqual(b!.shape);
  a!.data.forEach((value, i) => expect(Math.abs(value - b!.data[i]!)).toBeLessThan(tolerance));
};
const SOLVERS: Solver[] = ['exact', 'tiled', 'cg', 'nystrom'];
const METHODS: GpMethod[] = ['ntk', 'nngp', 'ntkgp'];

/** The law from kernels that got the masks or graphs themselves. */
async function byKernels(
  document: Parameters<typeof kernel>[1],
  x: Parameters<typeof kernel>[2],
  xt: Parameters<typeof kernel>[2],
  method: GpMethod,
  [own, cross, last]: readonly KernelOptions[],
) {
  const K = await kernel(engine, document, x, null, own);
  const T = await kernel(engine, document, xt, x, cross);
  const S = await kernel(engine, document, xt, null, last);
  const call = { ntkTestTrain: T.ntk, nngpTestTrain: T.nngp, nngpTestTest: S.nngp, ntkTestTest: S.ntk };
  return gpInference(engine, { ...K, y, method, diagReg: 1e-3 })({ ...call, covariance: 'full' });
}

describe('maskConstant', () => {
  for (const method of METHODS)
    for (const solver of SOLVERS)
      test(`${method} by ${solver}`, async () => {
        for (const by of [PAD, NaN, Infinity]) {
          const [x, xt] = [train, test1].map((list) => list.map((words) => pad(words, by)));
          const o = { maskConstant: by };
          const want = await byKernels(net, x!, xt!, method, [o, o, o]);
          const set = { xTrain: x!, yTrain: y, method, solver, diagReg: 1e-3, maskConstant: by, rank: 4 };
          const found = await predict(engine, net, {
            ...set,
            tolerance: 1e-12,
            xTest: xt!,
            covariance: 'full',
          });
          close(found.mean, want.mean, 1e-8);
          close(found.covariance, want.covariance, 1e-8);
          const few = await predict(engine, net, {
            ...set,
            tolerance: 1e-12,
            xTest: xt!,
            covariance: 'diagonal',
          });
          close(
            few.variance,
            tensor(want.covariance!.data.filter((_, i) => i % 3 === 0) as Float64Array),
            1e-8,
          );
        }
      });

  test('shorter inputs without padding give the same', async () => {
    // Global pooling is over the visible positions, so one sample alone needs no mask when cut to its length.
    const masked = await predict(engine, net, {
      ...{ xTrain: train.map((words) => pad(words)), yTrain: y, maskConstant: PAD, diagReg: 0.1 },
      xTest: [pad([0.5, 0.1, -0.2])],
    });
    const other = await predict(engine, net, {
      ...{ xTrain: train.map((words) => pad(words, -7)), yTrain: y, maskConstant: -7, diagReg: 0.1 },
      xTest: [pad([0.5, 0.1, -0.2], -7)],
    });
    expect(masked.mean.data).toEqual(other.mean.data); // the padding's value plays no part
  });

  test('finite times use it too, and a predictor for several test sets', async () => {
    const set = { xTrain: train.map((words) => pad(words)), yTrain: y, maskConstant: PAD, diagReg: 1e-3 };
    const predictor = await createPredictor(engine, net, set);
    const xTest = test1.map((words) => pad(words));
    const late = await predictor({ xTest, time: 1e9 });
    close(late.mean, (await predictor({ xTest })).mean, 1e-8);
  });

  test('is refused by the random features of finite nets', async () => {
    const set = { xTrain: train.map((words) => pad(words)), yTrain: y, maskConstant: PAD };
    await expect(
      predict(engine, net, { ...set, solver: 'features', xTest: test1.map((words) => pad(words)) }),
    ).rejects.toThrow("solver 'features' of inputs with maskConstant is not available here.");
    await expect(predict(engine, net, { ...set, maskConstant: 'x' as never })).rejects.toThrow(TypeError);
  });

  test('other entries that are not finite are still refused', async () => {
    const x = train.map((words) => pad(words));
    x[1]![0] = [NaN];
    await expect(predict(engine, net, { xTrain: x, yTrain: y, maskConstant: PAD })).rejects.toThrow(
      'predict: xTrain: entry [1, 0, 0] is NaN',
    );
  });
});

describe('patterns', () => {
  const graphNet = serial(dense(1), aggregate(), relu(), globalAvgPool(), dense(1));
  const wave = (n: number, step: number) =>
    tensor(
      Float64Array.from({ length: n * 12 }, (_, i) => Math.sin(i * step + 1)),
      [n, 4, 3],
    );
  const graphs = (n: number, step: number) =>
    tensor(
      Float64Array.from({ length: n * 16 }, (_, i) => 0.5 + Math.cos(i * step)),
      [n, 4, 4],
    );
  const [x, xt, p, pt] = [wave(4, 0.7), wave(2, 0.9), graphs(4, 0.3), graphs(2, 1.1)];
  for (const method of METHODS)
    for (const solver of SOLVERS)
      test(`${method} by ${solver}`, async () => {
        const own = { pattern1: p };
        const want = await byKernels(graphNet, x, xt, method, [
          own,
          { pattern1: pt, pattern2: p },
          { pattern1: pt },
        ]);
        const set = {
          xTrain: x,
          yTrain: y,
          method,
          solver,
          diagReg: 1e-3,
          rank: 4,
          tolerance: 1e-12,
          pattern1: p,
        };
        const found = await predict(engine, graphNet, {
          ...set,
          xTest: xt,
          pattern2: pt,
          covariance: 'full',
        });
        close(found.mean, want.mean, 1e-8);
        close(found.covariance, want.covariance, 1e-8);
        const few = await predict(engine, graphNet, {
          ...set,
          xTest: xt,
          pattern2: pt,
          covariance: 'diagonal',
        });
        close(
          few.variance,
          tensor(want.covariance!.data.filter((_, i) => i % 3 === 0) as Float64Array),
          1e-8,
        );
      });

  test('must belong to their samples', async () => {
    const set = { xTrain: x, yTrain: y, pattern1: p, diagReg: 1e-3 };
    await expect(predict(engine, graphNet, { ...set, xTest: xt })).rejects.toThrow(
      'give both or none, got pattern1 alone',
    );
    await expect(predict(engine, graphNet, { ...set, pattern2: pt })).rejects.toThrow(
      'xTest, which is missing',
    );
    await expect(predict(engine, graphNet, { ...set, pattern1: graphs(5, 1) })).rejects.toThrow(
      'one graph for each of the 4 samples',
    );
    await expect(predict(engine, net, { ...set, xTrain: train.map((w) => pad(w)) })).rejects.toThrow(
      'has no layer that takes one (aggregate)',
    );
    for (const call of [kernel, kernelState]) {
      const two = serial(aggregate(), globalAvgPool());
      await expect(call(engine, two, x, null, { pattern1: graphs(6, 1) })).rejects.toThrow(
        'one graph for each of the 4',
      );
      await expect(call(engine, two, x, null, { pattern1: p, pattern2: p })).rejects.toThrow(
        'pattern2 belongs to x2',
      );
      await expect(call(engine, two, xt, x, { pattern1: pt, pattern2: pt })).rejects.toThrow(
        'kernel: pattern2 must',
      );
    }
  });
});
