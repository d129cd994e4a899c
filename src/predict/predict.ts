// From a net and data to predictions: kernels, then the law of trained infinitely wide nets at any time.
import { asTensor, assertFinite, type Tensor, type TensorLike } from '../math/tensor.js';
import type { NetDocument } from '../net/document.js';
import { knownFields, type Engine, type Fields } from '../wasm/engine.js';
import { ensemble, type EnsembleResult } from './ensemble.js';
import { inference, type GpMethod } from './gp.js';
import { kernelDiagonal, kernelPair, pointsLike, samplesOf, type Samples } from './kernels.js';
import { timesOf, type Times } from './layout.js';
import { DYNAMICS, type DynamicsOptions } from './sweep.js';
import type { LargeOptions } from './large/regressor.js';
import { chooseSolver, largePredictor, type Solver } from './large/predictor.js';
import { REGULARISATION, type Regularisation } from './system.js';

/** The train set of `predict`, noise, dynamics, and how the system is solved. */
export interface TrainSet extends Regularisation, DynamicsOptions, LargeOptions {
  /** (n, ...) inputs, as the net takes them. */
  readonly xTrain: TensorLike;
  /** (n, outputs) or (n) targets. */
  readonly yTrain: TensorLike;
  /**
   * `ntk` (default): all layers trained by gradient descent. `nngp`: the last layer alone; at t = infinity the Bayesian
   * posterior. `ntkgp`: posterior of a Gaussian process with the NTK as prior, t = infinity only.
   */
  readonly method?: GpMethod;
  readonly solver?: Solver;
  /** Entries of the inputs equal to it are masked, of train and test points alike; may be NaN. Not for solver `features`. */
  readonly maskConstant?: number;
  /** Graphs of the train points for `aggregate` layers, (n, v, v): entry [n, i, j] weighs the edge i to j. */
  readonly pattern1?: TensorLike | null;
}

/** Points, times and what is asked of them. */
export interface PredictCall {
  /** (m, ...) inputs; absent: the train set itself. */
  readonly xTest?: TensorLike;
  /** Times in steps, any shape; default Infinity. */
  readonly time?: Times;
  /** Of the outputs over initialisations (no observation noise); default `none`. */
  readonly covariance?: 'full' | 'diagonal' | 'none';
  /** Graphs of the test points, (m, v, v); needed where the train points have theirs in `pattern1`. */
  readonly pattern2?: TensorLike | null;
  readonly signal?: AbortSignal | undefined;
}

const TRAIN_SET: Fields<TrainSet> = {
  ...{ xTrain: true, yTrain: true, method: true, solver: true, maskConstant: true, pattern1: true },
  ...{ rank: true, tolerance: true, seed: true, checkpoint: true, signal: true, onProgress: true },
  ...REGULARISATION,
  ...DYNAMICS,
};
const CALL: Fields<PredictCall> = {
  ...{ xTest: true, time: true, covariance: true, pattern2: true, signal: true },
};

/** The law at the points and times of a call. */
export type Predictor = (call?: PredictCall) => Promise<EnsembleResult>;

/**
 * The train kernels of a net, computed and decomposed once; then predictions for any test set and times. Mean (...t,
 * m, outputs) and variances (...t, m), the same for every output, of gradient descent on |f - y|^2 / (2N). RangeError
 * for shapes, sizes or options that do not fit; NumericalError for kernels that cannot be solved.
 */
export async function createPredictor(engine: Engine, net: NetDocument, train: TrainSet): Promise<Predictor> {
  const name = 'predict';
  knownFields('createPredictor', train, TRAIN_SET);
  const { xTrain, yTrain, method = 'ntk', signal, solver, maskConstant, pattern1, ...options } = train;
  const points = samplesOf(xTrain, `${name}: xTrain`, maskConstant, pattern1);
  const { x } = points;
  const y = asTensor(yTrain, `${name}: yTrain`);
  if (x.shape[0] !== y.shape[0])
    throw new RangeError(`${name}: xTrain has ${x.shape[0]} samples, yTrain ${y.shape[0]}`);
  assertFinite(y, `${name}: yTrain`);
  const n = x.shape[0]!;
  const chosen = chooseSolver(engine, n, solver);
  if (chosen !== 'exact')
    return largePredictor(engine, net, chosen, { ...options, train: points, y, method, signal });
  const pair = await kernelPair(engine, net, points, null, { signal });
  const square = (data: Float64Array): Tensor => ({ data, shape: [n, n] });
  const kernels = { nngp: square(pair.nngp), ntk: square(pair.ntk), y };
  if (method === 'ntkgp') {
    const posterior = inference(engine, { ...kernels, ...options, method });
    return async (call = {}) => {
      knownFields(name, call, CALL);
      const { values, shape } = timesOf(name, call.time ?? Infinity);
      if (shape.length > 0 || values[0] !== Infinity)
        throw new RangeError(`${name}: method 'ntkgp' has no time; leave time at Infinity`);
      return posterior(await testKernels(engine, net, points, call));
    };
  }
  const law = ensemble(engine, { ...kernels, ...options, method });
  return async (call = {}) => {
    knownFields(name, call, CALL);
    return law(call.time ?? Infinity, await testKernels(engine, net, points, call));
  };
}

/** One-shot form of `createPredictor`: train kernels, test kernels and predictions. Errors as there. */
export async function predict(
  engine: Engine,
  net: NetDocument,
  options: TrainSet & PredictCall,
): Promise<EnsembleResult> {
  knownFields('predict', options, { ...TRAIN_SET, ...CALL });
  const { xTest, time, covariance, pattern2, ...train } = options;
  const predictor = await createPredictor(engine, net, train);
  return predictor({
    signal: options.signal,
    ...(xTest === undefined ? {} : { xTest }),
    ...(time === undefined ? {} : { time }),
    ...(covariance === undefined ? {} : { covariance }),
    ...(pattern2 === undefined ? {} : { pattern2 }),
  });
}

type TestKernels = Record<string, Tensor> & {
  covariance: 'full' | 'diagonal' | 'none';
  signal: AbortSignal | undefined;
};

async function testKernels(
  engine: Engine,
  net: NetDocument,
  train: Samples,
  call: PredictCall,
): Promise<TestKernels> {
  const { covariance = 'none', signal } = call;
  const base = { covariance, signal } as TestKernels;
  if (call.xTest === undefined) {
    if (call.pattern2 !== undefined && call.pattern2 !== null)
      throw new RangeError('predict: pattern2 holds the graphs of xTest, which is missing');
    return base;
  }
  const points = pointsLike(train, call.xTest, call.pattern2);
  const [m, n] = [points.x.shape[0]!, train.x.shape[0]!];
  const cross = await kernelPair(engine, net, points, train, { signal });
  base['nngpTestTrain'] = { data: cross.nngp, shape: [m, n] };
  base['ntkTestTrain'] = { data: cross.ntk, shape: [m, n] };
  if (covariance === 'none') return base;
  const own =
    covariance === 'full'
      ? await kernelPair(engine, net, points, null, { signal })
      : await kernelDiagonal(engine, net, points, { signal });
  const shape = covariance === 'full' ? [m, m] : [m];
  base['nngpTestTest'] = { data: own.nngp, shape };
  base['ntkTestTest'] = { data: own.ntk, shape };
  return base;
}
