// The same seed gives the same bits in Node, in Chromium and for any number of workers (variant simd). The hashes were
// taken once; both engines must reproduce them.
import {
  createEngine,
  createModel,
  dense,
  golikovDeepWidths,
  gradientDescentMseEnsemble,
  hierarchy,
  kernel,
  measureExponents,
  measureWidthLaws,
  monteCarloKernel,
  orderChaos,
  relu,
  scalings,
  serial,
  sgd,
  tensor,
  trainJob,
  trainOneHidden,
  type Engine,
  type Tensor,
} from 'infinite-width';
import { normal, randomKey } from '#build/math/random.js';
import { describe, expect, it } from 'vitest';
import { fnv1a } from './support/hash.js';

const hash = (...arrays: (Float64Array | Float32Array)[]): string => arrays.map(fnv1a).join(' ');

const net = serial(
  dense(1, { wStd: Math.SQRT2, bStd: 0.1 }),
  relu(),
  dense(1, { wStd: 1.3 }),
  relu(),
  dense(1),
);

function draw(engine: Engine, seed: number, rows: number, columns: number): Tensor<Float64Array> {
  return tensor(normal(engine, randomKey(seed), rows * columns), [rows, columns]);
}

async function kernelHash(engine: Engine): Promise<string> {
  const { nngp, ntk } = await kernel(engine, net, draw(engine, 1, 70, 9), null, { tile: 32 });
  return hash(nngp.data, ntk.data);
}

async function predictionHash(engine: Engine): Promise<string> {
  const [x, y, test] = [draw(engine, 1, 20, 5), draw(engine, 2, 20, 2), draw(engine, 3, 7, 5)];
  const [train, cross, own] = [
    await kernel(engine, net, x),
    await kernel(engine, net, test, x),
    await kernel(engine, net, test),
  ];
  const predictor = gradientDescentMseEnsemble(engine, { ...train, y, learningRate: 0.3, diagReg: 1e-4 });
  const { mean, variance } = await predictor([0.5, 10, Infinity], {
    nngpTestTrain: cross.nngp,
    ntkTestTrain: cross.ntk,
    nngpTestTest: own.nngp,
    covariance: 'diagonal',
  });
  return hash(mean.data, variance!.data);
}

async function trainingHash(engine: Engine): Promise<string> {
  const [x, y] = [draw(engine, 1, 24, 6), draw(engine, 2, 24, 3)];
  const runs = ['f64' as const, 'f32' as const].map((dtype) => ({
    net: serial(dense(33, { wStd: 1.4, bStd: 0.1 }), relu(), dense(17), { layer: 'tanh' }, dense(3)),
    model: { inputShape: [6], seed: 5, dtype },
    train: {
      x,
      y,
      loss: 'mse' as const,
      optimizer: sgd(0.2),
      steps: 20,
      batchSize: 10,
      seed: 4,
      evaluate: { train: { x } },
    },
  }));
  const results = await engine.map(trainJob, runs);
  return hash(...results.map(({ outputs }) => outputs['train']!.data));
}

function classes(engine: Engine): { xTrain: Tensor; yTrain: number[]; xTest: Tensor; yTest: number[] } {
  const [x, y] = [draw(engine, 1, 24, 6), draw(engine, 2, 24, 1)];
  const labels = Array.from(y.data, (value) => (value > 0 ? 1 : -1));
  return { xTrain: x, yTrain: labels, xTest: draw(engine, 3, 11, 6), yTest: labels.slice(0, 11) };
}

async function scalingHash(engine: Engine): Promise<string> {
  const traces = await trainOneHidden(engine, {
    data: classes(engine),
    scaling: scalings.meanField,
    width: 64,
    baseWidth: 16,
    epochs: 20,
    learningRate: 0.3,
    seeds: [0, 1],
  });
  return hash(...traces.map((trace) => Float64Array.from(trace.trainLoss)));
}

/** Powers fitted over widths: of scaled classifiers, and of nets in training, their kernels and series. */
async function powersHash(engine: Engine): Promise<string> {
  const { slopes } = await measureExponents(engine, {
    scaling: scalings.ntk,
    widths: [64, 128, 256],
    seeds: 2,
    baseWidth: 32,
  });
  const small = serial(dense(8, { wStd: 1.2 }), { layer: 'tanh' }, dense(1));
  const data = { x: draw(engine, 1, 6, 3), y: draw(engine, 2, 6, 1), baseWidth: 8, steps: 10 };
  const laws = await measureWidthLaws(engine, small, { ...data, widths: [8, 16, 32], seeds: 2 });
  return hash(
    Float64Array.from(slopes, ({ slope }) => slope),
    Float64Array.from(laws.slopes, ({ slope }) => slope),
  );
}

/** Kernels by averages over nets, the hierarchy of a net, deep nets over widths, depth scales. */
async function netsHash(engine: Engine): Promise<string> {
  const { ntk } = await monteCarloKernel(engine, net, draw(engine, 1, 5, 4), null, { samples: 6 });
  const small = serial(dense(8, { wStd: 1.2 }), { layer: 'tanh' }, dense(1));
  using model = createModel(engine, small, { inputShape: [3], seed: 5 });
  const data = { x: draw(engine, 1, 4, 3), y: draw(engine, 2, 4, 1) };
  const { truncations } = hierarchy(model, { ...data, time: 2, steps: 10 });
  const deep = await golikovDeepWidths(engine, {
    ...{ hiddenLayers: 2, optimizer: 'rmsprop', widths: [128, 256], seeds: 1, epochs: 2 },
    data: classes(engine),
  });
  const { qStar, cStar, chi1 } = await orderChaos(engine, {
    ...{ activation: { layer: 'tanh' }, wStd: 1.8, bStd: 0.1 },
  });
  return hash(
    ntk!.kernel.data as Float64Array,
    ...truncations.map(({ outputs }) => outputs.data as Float64Array),
    Float64Array.from(deep.summaries.flatMap(({ trainLoss }) => trainLoss.map(({ mean }) => mean))),
    Float64Array.of(qStar, cStar, chi1),
  );
}

describe('equal bits everywhere', () => {
  it.each([
    ['kernel of two tiles a side', kernelHash, 'ad4e839ccbb1e97d e7979c9dc0902050'],
    ['prediction', predictionHash, 'a716012c254c2767 8eeb4d52b4287eca'],
    ['20 training steps', trainingHash, 'c09d88dabb9152be 71edfdd539dc1116'],
    ['20 epochs of a scaled classifier', scalingHash, '17455ac4984b71a4 7e9bd6f99520a407'],
    ['powers over widths', powersHash, '6109a0e3dabb4abf 9bb4da447fdea700'],
    [
      'averages, hierarchies and deep nets',
      netsHash,
      '81ae61c6d1e17148 8154d1e3d1394b59 5e1acc59fbd629fa 8d15b37a1c529b35 47fcdd5113bb8720 7ea829f75dfdc569',
    ],
  ] as const)('%s', async (_, compute, golden) => {
    for (const workers of [0, 1, 2]) {
      await using engine = await createEngine({ variant: 'simd', workers });
      expect(await compute(engine)).toBe(golden);
    }
  });
});
