// From a net and data to predictions: kernels, then the law of trained infinitely wide nets at any time.
import { asTensor, assertFinite, type Tensor, type TensorLike } from '../math/tensor.js';
import type { NetDocument } from '../net/document.js';
import type { Engine } from '../wasm/engine.js';
import { gradientDescentMseEnsemble, type EnsembleResult } from './ensemble.js';
import { gpInference, type GpMethod } from './gp.js';
import { kernelDiagonal, kernelPair } from './kernels.js';
import { timesOf, type Times } from './layout.js';
import type { DynamicsOptions } from './sweep.js';
import type { LargeOptions } from './large/regressor.js';
import { chooseSolver, largePredictor, type Solver } from './large/predictor.js';
import type { Regularisation } from './system.js';

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
}

/** Points, times and what is asked of them. */
export interface PredictCall {
  /** (m, ...) inputs; absent: the train set itself. */
  readonly xTest?: TensorLike;
  /** Times in steps, any shape; default Infinity. */
  readonly time?: Times;
  /** Of the outputs over initialisations (no observation noise); default `none`. */
  readonly covariance?: 'full' | 'diagonal' | 'none';
  readonly signal?: AbortSignal | undefined;
}

/** The law at the points and times of a call. */
export type Predictor = (call?: PredictCall) => Promise<EnsembleResult>;

/**
 * The train kernels of a net, computed and decomposed once; then predictions for any test set and times. Mean (...t,
 * m, outputs) and variances (...t, m), the same for every output, of gradient descent on |f - y|^2 / (2N). RangeError
 * for shapes, sizes or options that do not fit; NumericalError for kernels that cannot be solved.
 */
export async function createPredictor(engine: Engine, net: NetDocument, train: TrainSet): Promise<Predictor> {
  const name = 'predict';
  const { xTrain, yTrain, method = 'ntk', signal, solver, ...options } = train;
  const x = samples(xTrain, `${name}: xTrain`);
  const y = asTensor(yTrain, `${name}: yTrain`);
  if (x.shape[0] !== y.shape[0])
    throw new RangeError(`${name}: xTrain has ${x.shape[0]} samples, yTrain ${y.shape[0]}`);
  assertFinite(y, `${name}: yTrain`);
  const n = x.shape[0]!;
  const chosen = chooseSolver(engine, n, solver);
  if (chosen !== 'exact') return largePredictor(engine, net, chosen, { ...options, x, y, method, signal });
  const pair = await kernelPair(engine, net, x, null, { signal });
  const square = (data: Float64Array): Tensor => ({ data, shape: [n, n] });
  const kernels = { nngp: square(pair.nngp), ntk: square(pair.ntk), y };
  if (method === 'ntkgp') {
    const posterior = gpInference(engine, { ...kernels, ...options, method });
    return async (call = {}) => {
      const { values, shape } = timesOf(name, call.time ?? Infinity);
      if (shape.length > 0 || values[0] !== Infinity)
        throw new RangeError(`${name}: method 'ntkgp' has no time; leave time at Infinity`);
      return posterior(await testKernels(engine, net, x, call));
    };
  }
  const law = gradientDescentMseEnsemble(engine, { ...kernels, ...options, method });
  return async (call = {}) => law(call.time ?? Infinity, await testKernels(engine, net, x, call));
}

/** One-shot form of `createPredictor`: train kernels, test kernels and predictions. Errors as there. */
export async function predict(
  engine: Engine,
  net: NetDocument,
  options: TrainSet & PredictCall,
): Promise<EnsembleResult> {
  const { xTest, time, covariance, ...train } = options;
  const predictor = await createPredictor(engine, net, train);
  return predictor({
    signal: options.signal,
    ...(xTest === undefined ? {} : { xTest }),
    ...(time === undefined ? {} : { time }),
    ...(covariance === undefined ? {} : { covariance }),
  });
}

type TestKernels = Record<string, Tensor> & {
  covariance: 'full' | 'diagonal' | 'none';
  signal: AbortSignal | undefined;
};

async function testKernels(
  engine: Engine,
  net: NetDocument,
  x: Tensor,
  call: PredictCall,
): Promise<TestKernels> {
  const { covariance = 'none', signal } = call;
  const base = { covariance, signal } as TestKernels;
  if (call.xTest === undefined) return base;
  const xTest = samples(call.xTest, 'predict: xTest');
  const [m, n] = [xTest.shape[0]!, x.shape[0]!];
  const cross = await kernelPair(engine, net, xTest, x, { signal });
  base['nngpTestTrain'] = { data: cross.nngp, shape: [m, n] };
  base['ntkTestTrain'] = { data: cross.ntk, shape: [m, n] };
  if (covariance === 'none') return base;
  const own =
    covariance === 'full'
      ? await kernelPair(engine, net, xTest, null, { signal })
      : await kernelDiagonal(engine, net, xTest, { signal });
  const shape = covariance === 'full' ? [m, m] : [m];
  base['nngpTestTest'] = { data: own.nngp, shape };
  base['ntkTestTest'] = { data: own.ntk, shape };
  return base;
}

function samples(value: TensorLike, name: string): Tensor {
  const given = asTensor(value, name);
  if (given.shape.length < 2 || given.shape.includes(0))
    throw new RangeError(
      `${name}: samples (n, ...) with at least one feature are expected, got [${given.shape}]`,
    );
  assertFinite(given, name);
  return given;
}
