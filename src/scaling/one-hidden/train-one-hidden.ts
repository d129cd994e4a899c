import { asTensor, assertFinite, type TensorLike } from '../../math/tensor.js';
import {
  defineJob,
  knownFields,
  type Engine,
  type Fields,
  type FloatType,
  type Job,
} from '../../wasm/engine.js';
import { slopeOf, type HiddenActivation } from './activation.js';
import { trainRun } from './finite-model.js';
import type { TrainingLoss } from './loss.js';
import type { LayerFactors, OptimizerKind } from '../theory/multipliers.js';
import { scaling as complete, type ScalingSpec } from '../theory/scalings.js';
import { bytesOfRun } from './space.js';
import type { BinaryData, Resume, RunParams, RunTrace } from './run.js';

/** A binary classification problem: inputs `(n, ...)`, labels 0/1 or -1/1 `(n)`. */
export interface BinaryProblem {
  readonly xTrain: TensorLike;
  readonly yTrain: TensorLike;
  readonly xTest: TensorLike;
  readonly yTest: TensorLike;
}

/** Calls that may be long: how far they are, and a way to stop them. */
export interface LongCall {
  readonly signal?: AbortSignal | undefined;
  /** Units are epochs of single runs. */
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
}

/** What all runs of an experiment share. */
export interface TrainingOptions extends LongCall {
  readonly data: BinaryProblem;
  /** Width of the reference net, default 128. */
  readonly baseWidth?: number;
  /** Default `[0]`. A run depends on its seed only, not on the others. */
  readonly seeds?: readonly number[];
  readonly epochs: number;
  /** Rate of the reference net, default 0.02. */
  readonly learningRate?: number;
  /** Default: the full batch. */
  readonly batchSize?: number;
  /** Draw a new order of the training points for every epoch; default false. */
  readonly shuffle?: boolean;
  readonly optimizer?: OptimizerKind;
  /** Default leaky ReLU with slope 0.1. */
  readonly activation?: HiddenActivation;
  readonly loss?: TrainingLoss;
  /** Initial weights before scaling: law and standard deviation times sqrt(fan-in); default uniform, 1/sqrt(3). */
  readonly init?: { readonly law?: 'uniform' | 'normal'; readonly gain?: number };
  readonly dtype?: FloatType;
  /**
   * Where nets are trained: in their weights, or in the space of their pre-activations (`gram`: with few training points
   * of many inputs it takes fewer operations; the same up to rounding). Default: whichever takes fewer.
   */
  readonly space?: 'auto' | 'weights' | 'gram';
  /** When to evaluate: every epoch, about 12 per decade, or these epochs. Default every epoch. */
  readonly evaluateAt?: 'all' | 'log' | readonly number[];
  /** Test points whose tangent kernel is recorded, default 10. */
  readonly kernelPoints?: number;
  readonly keep?: RunParams['keep'];
}

export interface TrainOneHiddenOptions extends TrainingOptions {
  readonly scaling: ScalingSpec;
  readonly width: number;
  /** Explicit unscaled weights (then one seed): input `(width, inputs)`, output `(width)`. */
  readonly weights?: { readonly input: TensorLike; readonly output: TensorLike };
  /** Explicit factors instead of the scaling's. */
  readonly factors?: LayerFactors;
  /**
   * `full`: the net itself. `frozenGradient`: weights move along the output's gradient at the start, the loss's
   * derivative and the reported output are the full net's. `firstOrder`: the linear Taylor model in the weights.
   */
  readonly mode?: 'full' | 'frozenGradient' | 'firstOrder';
}

/** @internal Messages are epochs done, or checkpoints where `resume` asks for them. */
export const oneHiddenJob: Job<RunParams & { readonly resume?: Resume }, RunTrace> = defineJob(
  'scaling/train',
  (core, { resume, ...params }, { send }) => trainRun(core, params, send, resume),
);

/** @internal */
export const LONG_CALL: Fields<LongCall> = { signal: true, onProgress: true };

/** @internal */
export const TRAINING_OPTIONS: Fields<TrainingOptions> = {
  ...{
    data: true,
    baseWidth: true,
    seeds: true,
    epochs: true,
    learningRate: true,
    batchSize: true,
    shuffle: true,
  },
  ...{
    optimizer: true,
    activation: true,
    loss: true,
    dtype: true,
    space: true,
    evaluateAt: true,
    kernelPoints: true,
  },
  init: { law: true, gain: true },
  keep: {
    testLogits: true,
    decomposition: true,
    grams: true,
    weights: true,
    increments: true,
    coordinates: true,
  },
  ...LONG_CALL,
};
const ONE_HIDDEN: Fields<TrainOneHiddenOptions> = {
  ...TRAINING_OPTIONS,
  scaling: true,
  width: true,
  weights: { input: true, output: true },
  factors: true,
  mode: true,
};

/**
 * Trains one-hidden-layer nets `sum_r a_r phi(w_r x)` without biases on the logistic loss, one per seed, as jobs.
 * RangeError for shapes, labels or sizes that do not fit; an overflowing run keeps what came before (`overflow`).
 */
export async function trainOneHidden(engine: Engine, options: TrainOneHiddenOptions): Promise<RunTrace[]> {
  knownFields('trainOneHidden', options, ONE_HIDDEN);
  return runAll(engine, runsOf(options), options);
}

/** Runs in parallel, with one progress count for all. */
export const runAll = (engine: Engine, runs: readonly RunParams[], options: LongCall): Promise<RunTrace[]> =>
  runJobs(engine, oneHiddenJob, runs, options);

/** @internal The same for any job that sends the epochs it has done. */
export async function runJobs<P extends { readonly epochs: number }, T>(
  engine: Engine,
  job: Job<P, T>,
  runs: readonly P[],
  { signal, onProgress }: LongCall,
): Promise<T[]> {
  const total = runs.reduce((sum, run) => sum + run.epochs, 0);
  const done = runs.map(() => 0);
  return engine.map(job, runs, {
    signal,
    onMessage: (epoch, index) => {
      done[index] = epoch as number;
      onProgress?.({ done: done.reduce((sum, part) => sum + part, 0), total });
    },
  });
}

function oneOf(name: string, value: string, allowed: readonly string[]): void {
  if (!allowed.includes(value)) {
    throw new RangeError(`train: ${name} must be one of ${allowed.join(', ')}, got ${JSON.stringify(value)}`);
  }
}

/** The runs of one scaling at one width, one per seed, validated. */
export function runsOf(options: TrainOneHiddenOptions): RunParams[] {
  const data = readData(options.data);
  const n = data.yTrain.length;
  const { width, baseWidth = 128, learningRate = 0.02, batchSize = n, epochs, kernelPoints = 10 } = options;
  const whole = (name: string, value: number, least: number): void => {
    if (!Number.isInteger(value) || value < least)
      throw new RangeError(`train: ${name} must be a whole number >= ${least}, got ${value}`);
  };
  whole('width', width, 1);
  whole('baseWidth', baseWidth, 1);
  whole('epochs', epochs, 0);
  whole('batchSize', batchSize, 1);
  whole('kernelPoints', kernelPoints, 0);
  if (width < baseWidth) {
    throw new RangeError(
      `train: width ${width} is below the base width ${baseWidth}. A scaling extrapolates upwards.`,
    );
  }
  if (!(learningRate > 0) || !Number.isFinite(learningRate))
    throw new RangeError(`train: learningRate must be positive and finite, got ${learningRate}`);
  const activation = options.activation ?? { layer: 'leakyRelu', alpha: 0.1 };
  slopeOf(activation);
  const { dtype = 'f64', init = {}, weights } = options;
  const gain = init.gain ?? Math.sqrt(1 / 3);
  if (typeof init !== 'object' || !(gain > 0) || !Number.isFinite(gain)) {
    throw new RangeError(
      `train: init must be { law, gain } with a positive gain, got ${JSON.stringify(init)}`,
    );
  }
  oneOf('init.law', init.law ?? 'uniform', ['uniform', 'normal']);
  oneOf('loss', options.loss ?? 'logistic', ['logistic', 'linear']);
  oneOf('optimizer', options.optimizer ?? 'sgd', ['sgd', 'rmsprop', 'adam']);
  oneOf('mode', options.mode ?? 'full', ['full', 'frozenGradient', 'firstOrder']);
  oneOf('dtype', dtype, ['f32', 'f64']);
  oneOf('space', options.space ?? 'auto', ['auto', 'weights', 'gram']);
  const shared = {
    data,
    scaling: complete(options.scaling),
    width,
    baseWidth,
    init: { law: init.law ?? 'uniform', gain },
    activation,
    loss: options.loss ?? 'logistic',
    optimizer: options.optimizer ?? 'sgd',
    learningRate,
    epochs,
    batchSize: Math.min(batchSize, n),
    shuffle: options.shuffle ?? false,
    dtype,
    evaluateAt: evaluationEpochs(options.evaluateAt ?? 'all', epochs),
    kernelPoints,
    mode: options.mode ?? 'full',
    space: options.space ?? 'auto',
    keep: options.keep ?? {},
    ...(options.factors ? { factors: options.factors } : {}),
    ...(weights ? { weights: readWeights(weights, width, data.inputs) } : {}),
  } as const;
  const seeds = options.seeds ?? [0];
  if (seeds.length === 0) throw new RangeError('train: expected at least one seed, got none');
  const bytes = bytesOfRun({ ...shared, seed: 0 });
  if (bytes > 3.5 * 2 ** 30) {
    throw new RangeError(
      `train: width ${width} needs ${(bytes / 2 ** 30).toFixed(1)} GiB per net, above 3.5. Use f32, a smaller batch or width.`,
    );
  }
  return seeds.map((seed): RunParams => {
    whole('seed', seed, 0);
    return { ...shared, seed };
  });
}

/** All epochs, about 12 per decade, or a checked list. */
export function evaluationEpochs(wish: 'all' | 'log' | readonly number[], epochs: number): number[] {
  if (wish === 'all' && epochs > 1e6) {
    throw new RangeError(
      `train: evaluateAt 'all' is for up to 1e6 epochs, got ${epochs}. Use 'log' or a list of epochs.`,
    );
  }
  if (wish === 'all') return Array.from({ length: epochs + 1 }, (_, e) => e);
  const list = wish === 'log' ? logSpaced(epochs) : [...wish];
  if (list.some((e) => !Number.isInteger(e) || e < 0 || e > epochs)) {
    throw new RangeError(
      `train: evaluateAt must list whole numbers from 0 to ${epochs}, got [${list.join(', ')}]`,
    );
  }
  return [...new Set(list)].sort((a, b) => a - b);
}

function logSpaced(epochs: number): number[] {
  const steps = [1, 2, 3, 5, 8, 12, 20, 30, 50, 80]; // the last two repeat with the next decade's first
  const list = [0, epochs];
  for (let scale = 1; scale <= epochs; scale *= 10) {
    for (const step of steps) if (step * scale <= epochs) list.push(step * scale);
  }
  return list;
}

/** Validates a problem and turns labels into -1 and 1. */
export function readData(problem: BinaryProblem): BinaryData {
  const read = (name: keyof BinaryProblem): { data: Float64Array; rows: number } => {
    const value = asTensor(problem[name], `data: ${name}`);
    assertFinite(value, `data: ${name}`);
    return { data: Float64Array.from(value.data), rows: value.shape[0] ?? 0 };
  };
  const inputsOf = (x: { data: Float64Array; rows: number }): number => x.data.length / x.rows;
  const [xTrain, xTest, yTrain, yTest] = [read('xTrain'), read('xTest'), read('yTrain'), read('yTest')];
  const inputs = inputsOf(xTrain);
  for (const [name, x, y] of [
    ['Train', xTrain, yTrain],
    ['Test', xTest, yTest],
  ] as const) {
    if (x.rows === 0) throw new RangeError(`data: x${name} must have at least one row`);
    if (y.data.length !== x.rows)
      throw new RangeError(
        `data: y${name} must have one label per row of x${name} (${x.rows}), got ${y.data.length}`,
      );
  }
  if (inputsOf(xTest) !== inputs)
    throw new RangeError(
      `data: xTest must have ${inputs} inputs per row like xTrain, got ${inputsOf(xTest)}`,
    );
  return {
    inputs,
    xTrain: xTrain.data,
    xTest: xTest.data,
    yTrain: signs(yTrain.data, 'yTrain'),
    yTest: signs(yTest.data, 'yTest'),
  };
}

function signs(y: Float64Array, name: string): Float64Array {
  const strange = y.find((value) => value !== 0 && value !== 1 && value !== -1);
  if (strange !== undefined || (y.includes(0) && y.includes(-1)))
    throw new RangeError(
      `data: ${name} must hold labels 0 and 1, or -1 and 1, got ${strange ?? 'all three'}`,
    );
  return y.map((value) => (value > 0 ? 1 : -1));
}

function readWeights(
  weights: { input: TensorLike; output: TensorLike },
  width: number,
  inputs: number,
): RunParams['weights'] & object {
  const input = asTensor(weights.input, 'weights: input');
  const output = asTensor(weights.output, 'weights: output');
  if (input.data.length !== width * inputs || output.data.length !== width) {
    throw new RangeError(
      `weights: input must be (${width}, ${inputs}) and output (${width}), got [${input.shape.join(', ')}] and [${output.shape.join(', ')}]`,
    );
  }
  return { input: input.data, output: output.data };
}
