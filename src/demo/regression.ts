// All ten digits: the exact infinite-width answer of a deep ReLU net, and finite nets of growing width approaching it.
import { kernel } from '../kernel/index.js';
import { solve } from '../math/index.js';
import { dense, relu, serial, sgd, type NetDocument } from '../net/index.js';
import { gradientDescentMseEnsemble, maxLearningRate } from '../predict/index.js';
import { mean as average, rootMeanSquare, slopeFit, type SlopeFit } from '../math/statistics.js';
import type { Tensor } from '../math/tensor.js';
import { trainJob } from '../training/index.js';
import type { Engine } from '../wasm/engine.js';
import { accuracyOf, centredOneHot, digitsSplit, type Split } from './problem.js';

export interface RegressionOptions {
  readonly train: number;
  /** Times of the exact solution, in steps of gradient descent. */
  readonly times: readonly number[];
  /** Gradient descent steps of the finite nets; their exact counterpart is the discrete solution at this time. */
  readonly steps: number;
  readonly finiteTrain: number;
  readonly widths: readonly number[];
  /** Pairs of nets per width; the two nets of a pair start with opposite output weights. */
  readonly pairs: number;
  readonly diagReg: number;
  readonly seed: number;
}

/** One method at one time. */
export interface ExactRow {
  readonly method: 'ntk' | 'nngp';
  readonly time: number;
  readonly accuracy: number;
  readonly rmse: number;
  /** Root mean square over test points of the predictive standard deviation over random nets. */
  readonly std: number;
}

export interface WidthRow {
  readonly width: number;
  /** Mean accuracy of single nets, and of the mean of all nets. */
  readonly accuracy: number;
  readonly ensembleAccuracy: number;
  /** |mean over nets - exact mean| / |exact mean| on the test set. */
  readonly gap: number;
  /** Variance over nets divided by the exact variance, averaged over test points. */
  readonly varianceRatio: number;
  readonly nets: number;
}

export interface RegressionResult {
  readonly net: NetDocument;
  readonly train: number;
  readonly test: number;
  readonly learningRate: number;
  readonly exact: readonly ExactRow[];
  readonly finiteTrain: number;
  readonly steps: number;
  readonly widths: readonly WidthRow[];
  /** log2 gap against log2 width. */
  readonly slope: SlopeFit;
  /** (target - mean)/standard deviation for every test point and class of the Bayesian posterior (NNGP). */
  readonly standardised: Float64Array;
  readonly attribution: string;
}

export interface Watch {
  readonly signal: AbortSignal;
  readonly step: (label: string, total: number) => void;
  readonly update: (done: number, note?: string) => void;
}

const CLASSES = 10;

/** Two hidden ReLU layers in `ntk` parametrisation, weights of variance 2/fanIn and small biases. */
export const digitsNet = (width: number): NetDocument =>
  serial(
    dense(width, { wStd: Math.SQRT2, bStd: 0.1 }),
    relu(),
    dense(width, { wStd: Math.SQRT2, bStd: 0.1 }),
    relu(),
    dense(CLASSES, { wStd: 1, bStd: 0.1 }),
  );

export async function runRegression(
  engine: Engine,
  options: RegressionOptions,
  watch: Watch,
): Promise<RegressionResult> {
  const split = await digitsSplit(engine, {
    classes: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    train: options.train,
    seed: options.seed,
  });
  watch.step('exact infinite-width prediction, ten digits', 4);
  const exact = await exactPrediction(engine, split, options, watch);
  const finite = await finiteNets(engine, split, options, watch);
  return {
    net: digitsNet(1),
    train: options.train,
    test: split.testLabels.length,
    ...exact,
    finiteTrain: options.finiteTrain,
    steps: options.steps,
    ...finite,
    attribution: split.attribution,
  };
}

async function exactPrediction(
  engine: Engine,
  { xTrain, xTest, trainLabels, testLabels }: Split,
  { times, diagReg }: RegressionOptions,
  { signal, update }: Watch,
): Promise<Pick<RegressionResult, 'exact' | 'learningRate' | 'standardised'>> {
  const net = digitsNet(1);
  const call = { get: ['nngp', 'ntk'] as const, signal };
  const train = await kernel(engine, net, xTrain, null, call);
  update(1);
  const cross = await kernel(engine, net, xTest, xTrain, call);
  const own = await kernel(engine, net, xTest, null, call);
  update(2);
  const y = centredOneHot(trainLabels, CLASSES);
  const target = centredOneHot(testLabels, CLASSES);
  const learningRate = 0.5 * (await maxLearningRate(engine, train.ntk!, { targets: y.data.length }));
  const exact: ExactRow[] = [];
  let standardised: Float64Array = new Float64Array(0);
  for (const method of ['ntk', 'nngp'] as const) {
    const predictor = gradientDescentMseEnsemble(engine, {
      nngp: train.nngp!,
      ntk: train.ntk!,
      y,
      method,
      learningRate,
      diagReg,
    });
    const { mean, variance } = await predictor([...times, Infinity], {
      nngpTestTrain: cross.nngp!,
      ntkTestTrain: cross.ntk!,
      nngpTestTest: own.nngp!,
      covariance: 'diagonal',
      signal,
    });
    const size = target.data.length;
    for (const [k, time] of [...times, Infinity].entries()) {
      const outputs = mean.data.subarray(k * size, (k + 1) * size);
      const spread = variance!.data.subarray(k * testLabels.length, (k + 1) * testLabels.length);
      exact.push({
        method,
        time,
        accuracy: accuracyOf(outputs, testLabels, CLASSES),
        rmse: rootMeanSquare(outputs.map((value, i) => value - target.data[i]!)),
        std: Math.sqrt(average(spread)),
      });
      if (method === 'nngp' && time === Infinity) {
        const scale = await posteriorScale(engine, train.nngp, y, diagReg);
        standardised = Float64Array.from(
          outputs,
          (value, i) => (target.data[i]! - value) / (scale * Math.sqrt(spread[Math.floor(i / CLASSES)]!)),
        );
      }
    }
    update(method === 'ntk' ? 3 : 4);
  }
  return { exact, learningRate, standardised };
}

/**
 * The prior's scale by maximum marginal likelihood, sqrt(mean of y (K + rho)^-1 y): a kernel fixes the shape of the
 * posterior, the train targets its size.
 */
async function posteriorScale(
  engine: Engine,
  nngp: Tensor,
  y: Tensor<Float64Array>,
  diagReg: number,
): Promise<number> {
  const n = y.shape[0]!;
  const diagonal = Float64Array.from({ length: n }, (_, i) => nngp.data[i * n + i]!);
  const matrix = Float64Array.from(nngp.data);
  for (let i = 0; i < n; i++) matrix[i * n + i]! += diagReg * average(diagonal);
  const { x } = await solve(engine, { data: matrix, shape: [n, n] }, y);
  return Math.sqrt(average(y.data.map((value, i) => value * x.data[i]!)));
}

async function finiteNets(
  engine: Engine,
  split: Split,
  { finiteTrain, widths, pairs, steps, seed }: RegressionOptions,
  { signal, step, update }: Watch,
): Promise<Pick<RegressionResult, 'widths' | 'slope'>> {
  const rows = (x: Tensor<Float64Array>, n: number): Tensor<Float64Array> => ({
    data: x.data.slice(0, n * x.shape[1]!),
    shape: [n, x.shape[1]!],
  });
  const xTrain = rows(split.xTrain, finiteTrain);
  const y = centredOneHot(split.trainLabels.slice(0, finiteTrain), CLASSES);
  const call = { get: ['nngp', 'ntk'] as const, signal };
  const train = await kernel(engine, digitsNet(1), xTrain, null, call);
  const cross = await kernel(engine, digitsNet(1), split.xTest, xTrain, call);
  const own = await kernel(engine, digitsNet(1), split.xTest, null, { get: ['nngp'] as const, signal });
  const learningRate = 0.5 * (await maxLearningRate(engine, train.ntk!, { targets: y.data.length }));
  const predictor = gradientDescentMseEnsemble(engine, {
    nngp: train.nngp!,
    ntk: train.ntk!,
    y,
    learningRate,
    mode: 'discrete',
  });
  const exact = await predictor(steps, {
    nngpTestTrain: cross.nngp!,
    ntkTestTrain: cross.ntk!,
    nngpTestTest: own.nngp!,
    covariance: 'diagonal',
    signal,
  });

  // The widest nets first, so that the workers end together.
  const runs = [...widths].reverse().flatMap((width) =>
    Array.from({ length: 2 * pairs }, (_, i) => ({
      net: digitsNet(width),
      model: {
        inputShape: [64],
        seed: seed + 1000 * width + (i >> 1),
        dtype: 'f32' as const,
        multipliers: [1, 1, i % 2 === 0 ? 1 : -1],
      },
      train: {
        x: xTrain,
        y,
        loss: 'mse' as const,
        optimizer: sgd(learningRate),
        steps,
        recordEvery: steps,
        evaluate: { test: { x: split.xTest } },
      },
    })),
  );
  const work = runs.map(({ net }) => widthOf(net) ** 2 + 74 * widthOf(net)); // weights: what a step costs
  step(
    'finite nets of growing width',
    work.reduce((sum, value) => sum + value, 0),
  );
  const results = await engine.map(trainJob, runs, {
    signal,
    onDone: (done) =>
      update(
        work.slice(0, done).reduce((sum, value) => sum + value, 0),
        `width ${widthOf(runs[done - 1]!.net)}`,
      ),
  });
  const outputs = new Map<number, (Float64Array | Float32Array)[]>();
  for (const [i, result] of results.entries()) {
    const width = widthOf(runs[i]!.net);
    outputs.set(width, [...(outputs.get(width) ?? []), result.outputs['test']!.data]);
  }
  const table = widths.map((width) =>
    compare(width, outputs.get(width)!, exact.mean.data, exact.variance!.data, split.testLabels),
  );
  return {
    widths: table,
    slope: slopeFit(
      table.map((row) => Math.log2(row.width)),
      table.map((row) => Math.log2(row.gap)),
    ),
  };
}

const widthOf = (net: NetDocument): number =>
  (net as unknown as { layers: { units: number }[] }).layers[0]!.units;

/** How far the nets of one width are from the exact mean and variance. */
function compare(
  width: number,
  nets: readonly (Float64Array | Float32Array)[],
  mean: ArrayLike<number>,
  variance: ArrayLike<number>,
  labels: Int32Array,
): WidthRow {
  const size = labels.length * CLASSES;
  const centre = Float64Array.from(
    { length: size },
    (_, i) => nets.reduce((sum, net) => sum + net[i]!, 0) / nets.length,
  );
  const ratio = centre.map((value, i) => {
    const spread = nets.reduce((sum, net) => sum + (net[i]! - value) ** 2, 0) / nets.length; // pairs are not independent: no n - 1
    return spread / variance[Math.floor(i / CLASSES)]!;
  });
  return {
    width,
    nets: nets.length,
    accuracy: average(nets.map((net) => accuracyOf(net, labels, CLASSES))),
    ensembleAccuracy: accuracyOf(centre, labels, CLASSES),
    gap: rootMeanSquare(centre.map((value, i) => value - mean[i]!)) / rootMeanSquare(mean),
    varianceRatio: average(ratio),
  };
}
