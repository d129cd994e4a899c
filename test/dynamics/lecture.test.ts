// The lecture on wide networks, claim by claim: those that other files do not test already (docs/lecture.md lists all).
import {
  conv,
  createEngine,
  createModel,
  dense,
  empiricalNtk,
  flatten,
  gradientDescentMse,
  kernel,
  largestRates,
  linearize,
  measureWidthLaws,
  normal,
  predict,
  randomKey,
  relu,
  serial,
  sgd,
  taylorErrors,
  tensor,
  trainedParameters,
  trainEnsemble,
  Trainer,
  type Engine,
  type NetDocument,
  type Tensor,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

const draw = (shape: number[], seed: number): Tensor =>
  tensor(
    normal(
      engine,
      randomKey(seed),
      shape.reduce((a, b) => a * b, 1),
    ),
    shape,
  );
const signs = (n: number): Tensor =>
  tensor(
    Float64Array.from({ length: n }, (_, i) => (i % 2 ? -1 : 1)),
    [n, 1],
  );
const tanhNet = (units: number): NetDocument => serial(dense(units), { layer: 'tanh' }, dense(1));

describe('the closed form of the parameters', () => {
  const [x, y] = [draw.bind(null, [6, 3], 1), signs.bind(null, 6)];

  it('is where small steps of the linearised net end, for both reductions of the loss', () => {
    for (const reduction of ['mean', 'sum'] as const) {
      using model = createModel(engine, tanhNet(40), { inputShape: [3], seed: 2 });
      const time = reduction === 'mean' ? 12 : 2;
      const closed = trainedParameters(model, { x: x(), y: y(), time, reduction });
      // Gradient descent with two steps sizes, extrapolated to flow.
      const ends = [800, 1600].map((steps) => {
        using linear = linearize(model);
        const trainer = new Trainer(linear, {
          x: x(),
          y: y(),
          loss: 'mse',
          reduction,
          optimizer: sgd(time / steps),
        });
        for (let step = 0; step < steps; step++) trainer.next();
        trainer.dispose();
        return linear.parameters.flatMap(({ w, b }) => [...w.data, ...(b?.data ?? [])]);
      });
      const flat = closed.flatMap(({ w, b }) => [...w.data, ...(b?.data ?? [])]);
      for (const [i, value] of flat.entries()) {
        const limit = 2 * ends[1]![i]! - ends[0]![i]!;
        expect(Math.abs(value - limit)).toBeLessThan(2e-5);
      }
    }
  });

  it('gives outputs of the closed form in function space, and meets the targets at the end', async () => {
    using model = createModel(engine, tanhNet(64), { inputShape: [3], seed: 3 });
    const f0 = model.forward(x());
    const predictor = gradientDescentMse(engine, {
      ntk: empiricalNtk(model, x()),
      y: y(),
      learningRate: 1,
      mode: 'flow',
    });
    using linear = linearize(model);
    for (const time of [3, Infinity]) {
      linear.setParameters(trainedParameters(model, { x: x(), y: y(), time }));
      const { train } = await predictor(time, { f0Train: f0 });
      const f = linear.forward(x()).data;
      for (let i = 0; i < 6; i++) expect(Math.abs(f[i]! - train!.data[i]!)).toBeLessThan(1e-9);
      if (time === Infinity)
        for (let i = 0; i < 6; i++) expect(Math.abs(f[i]! - y().data[i]!)).toBeLessThan(1e-8);
    }
    expect(() => trainedParameters(model, { x: x(), y: y(), time: -1 })).toThrow(
      /time must be a number >= 0, got -1/,
    );
  });
});

describe('what moves', () => {
  it('per parameter and per node falls as width^-1/2, the kernel as 1/width, the function not at all', async () => {
    const { slopes } = await measureWidthLaws(engine, tanhNet(64), {
      ...{ x: draw([8, 6], 4), y: signs(8), baseWidth: 64, widths: [64, 256, 1024], seeds: 4, steps: 60 },
    });
    const at = (name: string): number => slopes.find(({ quantity }) => quantity === name)!.slope;
    expect(Math.abs(at('parameterChange') + 0.5)).toBeLessThan(0.15);
    expect(Math.abs(at('nodeMovement') + 0.5)).toBeLessThan(0.15);
    expect(Math.abs(at('kernelChange') + 1)).toBeLessThan(0.25);
    const moved = [64, 1024].map((units) => {
      using model = createModel(engine, tanhNet(units), { inputShape: [6], seed: 0 });
      const before = Float64Array.from(model.forward(draw([8, 6], 4)).data);
      const trainer = new Trainer(model, { x: draw([8, 6], 4), y: signs(8), loss: 'mse', optimizer: sgd(1) });
      for (let step = 0; step < 60; step++) trainer.next();
      trainer.dispose();
      const after = Float64Array.from(model.forward(draw([8, 6], 4)).data);
      return Math.sqrt(after.reduce((sum, value, k) => sum + (value - before[k]!) ** 2, 0) / 8);
    });
    expect(moved[1]! / moved[0]!).toBeGreaterThan(0.6);
    expect(moved[1]! / moved[0]!).toBeLessThan(1.6);
  });
});

describe('the catapult', () => {
  it('ends at a multiple of 4 for linear nets, above it for ReLU, whatever the width', async () => {
    const [x, y] = [draw([12, 20], 5), signs(12)];
    const options = { x, y, baseWidth: 64, widths: [256, 512, 1024], seeds: 2, steps: 150, precision: 0.1 };
    const linear = await largestRates(engine, serial(dense(64, { wStd: 1 }), dense(1)), options);
    for (const { mean } of linear.points) expect(Math.abs(mean - 4)).toBeLessThan(0.45);
    expect(Math.abs(linear.slope)).toBeLessThan(0.06);
    const bent = await largestRates(
      engine,
      serial(dense(64, { wStd: Math.SQRT2 }), relu(), dense(1)),
      options,
    );
    for (const { mean } of bent.points) expect(mean).toBeGreaterThan(3.6);
    expect(Math.abs(bent.slope)).toBeLessThan(0.12);
    await expect(largestRates(engine, tanhNet(64), { ...options, widths: [64] })).rejects.toThrow(
      /at least two widths/,
    );
    await expect(largestRates(engine, tanhNet(64), { ...options, width: 3 } as never)).rejects.toThrow(
      /unknown option/,
    );
  }, 60_000);
});

describe('Taylor models', () => {
  it('of a CNN of depth 4 follow it with cross-entropy, batches, momentum and a falling rate, the wider the closer', async () => {
    const cnn = (channels: number): NetDocument => {
      const layer = (): NetDocument => conv(channels, [3, 3], { padding: 'SAME', wStd: Math.SQRT2 });
      return serial(layer(), relu(), layer(), relu(), layer(), relu(), flatten(), dense(3));
    };
    const labels = tensor(
      Float64Array.from({ length: 12 }, (_, i) => i % 3),
      [12],
    );
    const y = tensor(
      Float64Array.from({ length: 36 }, (_, i) => (labels.data[Math.floor(i / 3)] === i % 3 ? 1 : 0)),
      [12, 3],
    );
    const ends: number[] = [];
    for (const channels of [4, 32]) {
      const curves = await taylorErrors(engine, cnn(channels), {
        ...{ x: draw([12, 4, 4, 1], 6), y, model: { inputShape: [4, 4, 1], seed: 1 }, orders: [1, 2] },
        ...{ steps: 30, learningRate: 0.2, loss: 'crossEntropy', batchSize: 4, momentum: 0.5 },
        schedule: { kind: 'decay', every: 10, factor: 0.5 },
      });
      ends.push(curves[0]!.error.at(-1)!);
      expect(curves[0]!.error[0]).toBe(0);
    }
    expect(ends[1]!).toBeLessThan(0.6 * ends[0]!);
  }, 60_000);

  it('take the schedule and the batches of the call', async () => {
    const options = {
      x: draw([8, 3], 7),
      y: signs(8),
      model: { inputShape: [3], seed: 0 },
      orders: [1],
      steps: 12,
      learningRate: 0.5,
    };
    const end = async (more: object): Promise<number> =>
      (await taylorErrors(engine, tanhNet(16), { ...options, ...more }))[0]!.error.at(-1)!;
    const plain = await end({});
    for (const more of [
      { batchSize: 2 },
      { momentum: 0.9 },
      { schedule: { kind: 'decay', every: 2, factor: 0.5 } },
    ])
      expect(await end(more)).not.toBe(plain);
    await expect(end({ momentum: 1 })).rejects.toThrow(/momentum must be at least 0 and below 1, got 1/);
  });
});

describe('an ensemble of trained nets', () => {
  it('has the mean and variance of the infinitely wide one in time', async () => {
    const [x, y, xTest] = [draw([4, 3], 8), signs(4), draw([3, 3], 9)];
    const net = serial(dense(512, { wStd: 1.4 }), { layer: 'erf' }, dense(1));
    const options = { xTrain: x, yTrain: y, xTest, time: 20, covariance: 'diagonal' } as const;
    const { mean, variance } = await predict(engine, net, options);
    const seeds = 80;
    const { moments } = await trainEnsemble(engine, net, {
      ...{ seeds, model: { inputShape: [3] } },
      train: { x, y, loss: 'mse', optimizer: sgd(0.5), steps: 40, evaluate: { test: { x: xTest } } },
    });
    for (let i = 0; i < 3; i++) {
      const spread = Math.sqrt(variance!.data[i]! / seeds);
      expect(Math.abs(moments['test']!.mean.data[i]! - mean.data[i]!)).toBeLessThan(3.5 * spread + 0.02);
      expect(moments['test']!.variance.data[i]! / variance!.data[i]!).toBeGreaterThan(0.55);
      expect(moments['test']!.variance.data[i]! / variance!.data[i]!).toBeLessThan(1.6);
    }
  }, 60_000);
});

it('the tangent kernel at the start is one number in the limit, whatever the draw', async () => {
  const x = draw([4, 3], 10);
  const exact = (await kernel(engine, tanhNet(16), x, null, { get: 'ntk' })).ntk.data;
  const spread = [64, 1024].map((units) => {
    let sum = 0;
    for (let seed = 0; seed < 12; seed++) {
      using model = createModel(engine, tanhNet(units), { inputShape: [3], seed });
      const h = empiricalNtk(model, x).data;
      for (let i = 0; i < 16; i++) sum += (h[i]! - exact[i]!) ** 2;
    }
    return Math.sqrt(sum);
  });
  expect(spread[0]! / spread[1]!).toBeGreaterThan(2.7); // width^-1/2: a factor 4
  expect(spread[0]! / spread[1]!).toBeLessThan(6);
});
