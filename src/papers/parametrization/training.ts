// Figure 3 of arXiv:2001.07301: nets of finite width trained by gradient descent in both parametrisations, and the
// kernels they converge to as their width grows.
import { accuracyOf, centredOneHot } from '../../demo/problem.js';
import { mean, standardDeviation } from '../../math/statistics.js';
import { createModel, sgd, type Checkpoint, type NetDocument } from '../../net/index.js';
import type { Tensor } from '../../math/tensor.js';
import { gradientDescentMse, maxLearningRate } from '../../predict/index.js';
import { trainJob, type TrainJobParams } from '../../training/index.js';
import { NumericalError, type Engine } from '../../wasm/engine.js';
import { studyNet, type Architecture } from './architectures.js';
import { first, flat, rowsOf, type StudyData } from './data.js';
import { ntkPairs } from './kernels.js';
import type { Follow } from './memory.js';

/**
 * `ntk`; `standard`: the base widths are the widths themselves, as usual nets have it; `improved`: base widths stay
 * at `baseWidth` while the net grows, which has a limit.
 */
export type Family = 'ntk' | 'standard' | 'improved';
export const FAMILIES: readonly Family[] = ['ntk', 'standard', 'improved'];

export interface TrainingRow {
  readonly architecture: Architecture;
  readonly family: Family;
  readonly width: number;
  /** Of single nets on the test set: mean and its standard error over nets. */
  readonly error: number;
  readonly errorDeviation: number;
  /** |outputs - those of its kernel from the same start| / |those of the kernel|, test set, same time; mean over nets. */
  readonly gap: number;
  /** Of the grid, the one with the least squared error on the validation samples. */
  readonly learningRate: number;
  /** Test error of the kernel from the starts of the same nets, after as many steps at the same rate: mean over nets. */
  readonly kernelError: number;
}

export interface TrainingSizes {
  readonly train: number;
  readonly depth: number;
  readonly baseWidth: number;
  readonly steps: number;
  /** null: the whole train set in every step. */
  readonly batchSize: number | null;
  readonly nets: number;
  /** Learning rates that are tried, over the largest stable one of the kernel. */
  readonly rates: readonly number[];
  /** Samples behind the train samples that choose among several rates. */
  readonly validation: number;
}

/** All nets of one width. The kernel's prediction is that of gradient descent for as many steps at the same rate. */
export async function trainedNets(
  engine: Engine,
  {
    kind,
    family,
    width,
    data,
    size: { train, depth, baseWidth, steps, batchSize, nets, rates, validation, ...follow },
  }: {
    readonly kind: Architecture;
    readonly family: Family;
    readonly width: number;
    readonly data: StudyData;
    readonly size: TrainingSizes & Follow;
  },
): Promise<TrainingRow> {
  const { signal } = follow;
  const positions = data.xTrain.shape[1]! * data.xTrain.shape[2]!;
  const base = family === 'improved' ? baseWidth : width;
  const parametrization = family === 'ntk' ? 'ntk' : 'standard';
  const make = (outputs: number): NetDocument =>
    studyNet(kind, { depth, width: base, parametrization, positions, scale: width / base }, outputs);
  const shape = kind === 'FC' ? flat : (x: typeof data.xTrain): typeof data.xTrain => x;
  const [x, xTest] = [shape(first(data.xTrain, train)), shape(data.xTest)];
  const y = centredOneHot(data.trainLabels.subarray(0, train), data.classes);
  const part = {
    ...data,
    xTrain: first(data.xTrain, train),
    trainLabels: data.trainLabels.subarray(0, train),
  };
  const kernels = await ntkPairs(engine, kind, make(1), part, follow);
  const m = data.testLabels.length;
  const ntk = { data: kernels.train, shape: [train, train] };
  const most = await maxLearningRate(engine, ntk, { targets: y.data.length, signal });
  const model = { inputShape: x.shape.slice(1), dtype: 'f32' } as const;
  const at = (learningRate: number, evaluated: Tensor): TrainJobParams['train'] => ({
    ...{ x, y, loss: 'mse', optimizer: sgd(learningRate), recordEvery: steps },
    evaluate: { test: { x: evaluated } },
    ...(batchSize === null ? {} : { batchSize }),
  });
  const job = (seed: number, learningRate: number, evaluated: Tensor): TrainJobParams => ({
    net: make(data.classes),
    model: { ...model, seed },
    train: at(learningRate, evaluated),
  });
  const grid = rates.map((rate) => rate * most);
  const held = shape(rowsOf(data.xTrain, train, validation));
  const labels = data.trainLabels.subarray(train, train + validation);
  const learningRate =
    grid.length === 1
      ? grid[0]!
      : await bestRate(
          engine,
          grid.map((rate) => job(0, rate, held)),
          { targets: centredOneHot(labels, data.classes).data, steps, follow },
        );
  const jobs = Array.from({ length: nets }, (_, seed) => job(seed, learningRate, xTest));
  const predictor = gradientDescentMse(engine, { ntk, y, learningRate, mode: 'discrete' });
  const ntkTestTrain = { data: kernels.test, shape: [m, train] };
  const outputs = await trainInStages(engine, jobs, steps, follow);
  const errors = outputs.map((f) => 1 - accuracyOf(f, data.testLabels, data.classes));
  // The law of the limit from where each net starts.
  const gaps: number[] = [];
  const kernelErrors: number[] = [];
  for (const [seed, reached] of outputs.entries()) {
    const start = createModel(engine, make(data.classes), { ...model, seed });
    const [f0Train, f0Test] = [start.forward(x), start.forward(xTest)];
    start.dispose();
    const expected = (await predictor(steps, { ntkTestTrain, f0Train, f0Test, signal })).test!.data;
    gaps.push(distance(reached, expected));
    kernelErrors.push(1 - accuracyOf(expected, data.testLabels, data.classes));
  }
  return {
    architecture: kind,
    family,
    width,
    error: mean(errors),
    errorDeviation: standardDeviation(errors) / Math.sqrt(nets),
    gap: mean(gaps),
    learningRate,
    kernelError: mean(kernelErrors),
  };
}

/** The rate whose net has the least squared error on held-out samples; rates at which it diverges are passed over. */
async function bestRate(
  engine: Engine,
  jobs: readonly TrainJobParams[],
  { targets, steps, follow }: { targets: ArrayLike<number>; steps: number; follow: Follow },
): Promise<number> {
  const { memory, name, signal } = follow;
  const kept = await memory?.load(`${name}-rate`);
  if (typeof kept === 'number') return kept;
  let best = { rate: NaN, error: Infinity };
  for (const job of jobs) {
    const rate = job.train.optimizer!.learningRate;
    try {
      const [run] = await engine.map(trainJob, [{ ...job, train: { ...job.train, steps } }], { signal });
      const f = Float64Array.from(run!.outputs['test']!.data);
      const error = f.reduce((sum, value, i) => sum + (value - targets[i]!) ** 2, 0);
      if (error < best.error) best = { rate, error };
    } catch (error) {
      if (!(error instanceof NumericalError)) throw error;
    }
  }
  if (Number.isNaN(best.rate))
    throw new NumericalError(
      `study: ${name} diverges at all ${jobs.length} learning rates. Give smaller rates.`,
    );
  await memory?.keep(`${name}-rate`, best.rate);
  return best.rate;
}

/**
 * Test outputs of every net after `steps` steps. With a memory the nets stop together for checkpoints, about every
 * `checkpointSeconds`; the numbers do not depend on where.
 */
async function trainInStages(
  engine: Engine,
  jobs: readonly TrainJobParams[],
  steps: number,
  { signal, memory, name, onPart }: Follow,
): Promise<Tensor['data'][]> {
  const kept = `${name}-checkpoint`;
  let checkpoints = ((await memory?.load(kept)) ?? []) as Checkpoint[];
  let at = checkpoints[0]?.step ?? 0;
  let stage = memory ? Math.ceil(steps / 16) : steps;
  for (;;) {
    const end = Math.min(steps, at + stage);
    const begun = performance.now();
    const runs = await engine.map(
      trainJob,
      jobs.map((job, i) => ({
        ...job,
        train: { ...job.train, steps: end, ...(checkpoints[i] ? { resume: checkpoints[i] } : {}) },
        keepCheckpoint: end < steps,
      })),
      { signal },
    );
    if (end === steps) {
      await memory?.drop(kept);
      return runs.map((run) => run.outputs['test']!.data);
    }
    checkpoints = runs.map((run) => run.checkpoint!);
    const took = (performance.now() - begun) / 1000 / memory!.checkpointSeconds;
    if (took > 1 / 8) await memory!.keep(kept, checkpoints);
    stage = Math.max(1, took < 1 / 2 ? 2 * stage : took > 2 ? stage >> 1 : stage);
    at = end;
    onPart?.(at / steps);
  }
}

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [sum, size] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    sum += (a[i]! - b[i]!) ** 2;
    size += b[i]! ** 2;
  }
  return Math.sqrt(sum / size);
}
