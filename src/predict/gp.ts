// Gaussian-process inference with infinite-width kernels. `nngp`: posterior of the infinite Bayesian net, noise =
// regularisation. `ntk`: law of infinitely many infinitely wide nets trained to t = infinity. `ntkgp`: posterior of a
// Gaussian process whose prior covariance is the NTK. Sources: Lee et al. 2018, 2019 (1902.06720 eqs. 13-16),
// He et al. 2020 (2007.05864).
import { asTensor, type Tensor, type TensorLike } from '../math/tensor.js';
import { knownFields, type Engine, type Fields, type RunOptions } from '../wasm/engine.js';
import { finishCovariance, finishVariance, priorVariance } from './covariance.js';
import {
  fromMatrix,
  kernelMatrix,
  layoutOf,
  testKernelMatrix,
  toMatrix,
  zipped,
  type Layout,
} from './layout.js';
import { divided, notDefinite, product, relativeGap, rowDots, transpose } from './linear.js';
import { exactBytes } from './factored.js';
import { REGULARISATION, TrainSystem, type Diagnostics, type Regularisation } from './system.js';

/** Posterior with the NNGP, law of nets trained with the NTK, or posterior with the NTK as prior. */
export type GpMethod = 'nngp' | 'ntk' | 'ntkgp';

/** The train set of `gpInference`: kernels, targets and noise. */
export interface GpOptions extends Regularisation {
  /** Train-train kernels; `ntk` needs both for its covariance. Axes as for `gradientDescentMse`. */
  readonly nngp?: TensorLike;
  readonly ntk?: TensorLike;
  readonly y: TensorLike;
  /** Default `nngp`. */
  readonly method?: GpMethod;
  readonly traceAxes?: readonly number[];
}

/** The points of one call, by their kernels. */
export interface GpCall {
  readonly nngpTestTrain?: TensorLike;
  readonly ntkTestTrain?: TensorLike;
  /** Test-test prior kernel of the method (`ntk` uses the NNGP): full, or only its diagonal `(tests)`. */
  readonly nngpTestTest?: TensorLike;
  readonly ntkTestTest?: TensorLike;
  /** `full`, `diagonal` or `none`; default `full` when a test-test kernel is given, else `none`. */
  readonly covariance?: 'full' | 'diagonal' | 'none';
  readonly signal?: AbortSignal | undefined;
}

/** The law of the outputs without observation noise. */
export interface GpResult {
  /** (tests, ...o) */
  readonly mean: Tensor;
  /** Zipped like the kernels, (tests, tests) when outputs are traced; of the noiseless outputs, one per channel. */
  readonly covariance?: Tensor;
  /** The diagonal of the covariance, (tests, ...axes not traced). */
  readonly variance?: Tensor;
  readonly diagnostics: Diagnostics;
}

/** The law at the points of a call. */
export type GpPredictor = (call?: GpCall) => Promise<GpResult>;

const GP_OPTIONS: Fields<GpOptions> = {
  ...{ nngp: true, ntk: true, y: true, method: true, traceAxes: true },
  ...REGULARISATION,
};
const GP_CALL: Fields<GpCall> = {
  ...{ nngpTestTrain: true, ntkTestTrain: true, nngpTestTest: true, ntkTestTest: true },
  ...{ covariance: true, signal: true },
};

/**
 * Inference from kernels. The train-train kernel is factorised once, when first needed. Called without a test-train
 * kernel it answers for the train set of the limit: mean y (of a singular kernel the part of y that it reaches) and covariance 0. RangeError for shapes, sizes or options
 * that do not fit; NumericalError for a train kernel that is not positive definite. Sources: 1902.06720 eqs. 13-16,
 * 2007.05864.
 */
export function gpInference(engine: Engine, options: GpOptions): GpPredictor {
  knownFields('gpInference', options, GP_OPTIONS);
  const predictor = inference(engine, options);
  return async (call = {}) => {
    knownFields('gpInference', call, GP_CALL);
    return predictor(call);
  };
}

/** @internal `gpInference` for callers whose options hold more. */
export function inference(engine: Engine, options: GpOptions): GpPredictor {
  const name = 'gpInference';
  const method = options.method ?? 'nngp';
  if (method !== 'nngp' && method !== 'ntk' && method !== 'ntkgp')
    throw new RangeError(`${name}: method must be 'nngp', 'ntk' or 'ntkgp', got ${String(method)}`);
  const y = asTensor(options.y, `${name}: y`);
  const layout = layoutOf(name, y.shape, options.traceAxes);
  const samples = y.shape[0]!;
  const own = method === 'nngp' ? 'nngp' : 'ntk';
  const matrix = (which: 'nngp' | 'ntk'): Float64Array => {
    const kernel = options[which];
    if (kernel === undefined)
      throw new RangeError(`${name}: method '${method}' needs the ${which} train-train kernel here`);
    return kernelMatrix(layout, kernel, `${name}: ${which}`, samples).data;
  };
  const system = new TrainSystem(engine, name, matrix(own), layout.rows, options);
  const targets = toMatrix(layout, y, samples, `${name}: y`);
  let solved: ReturnType<TrainSystem['solve']> | null = null;

  return async (call = {}) => {
    const run = { signal: call.signal };
    const testTrain = own === 'nngp' ? call.nngpTestTrain : call.ntkTestTrain;
    const prior = method === 'ntkgp' ? call.ntkTestTest : call.nngpTestTest;
    const wants = call.covariance ?? (prior === undefined ? 'none' : 'full');
    if (testTrain === undefined) return trainLimit(system, layout, targets, samples, wants);
    const cross = kernelMatrix(layout, testTrain, `${name}: ${own}TestTrain`, null);
    const rows = cross.data.length / layout.rows;
    const scaled = divided(cross.data, system.scale);
    solved ??= system.solve(targets, layout.columns, run);
    solved.catch(() => (solved = null));
    const { weights, residual, factored } = await solved;
    if (factored.left?.modes === layout.rows) throw notDefinite(0, [0, 0], 0);
    const mean = await product(engine, scaled, weights, [rows, layout.columns, layout.rows], run);
    const result = {
      mean: fromMatrix(layout, mean, cross.samples),
      diagnostics: await system.solved(residual),
    };
    if (wants === 'none') return result;
    if (prior === undefined)
      throw new RangeError(
        `${name}: a covariance of method '${method}' needs ${method === 'ntkgp' ? 'ntkTestTest' : 'nngpTestTest'}`,
      );
    const task: CovarianceTask = { engine, layout, system, scaled, rows, samples: cross.samples, prior, run };
    if (method !== 'ntk') return { ...result, ...(await posterior(task, wants)) };
    const nngp = matrix('nngp');
    if (call.nngpTestTrain === undefined)
      throw new RangeError(`${name}: a covariance of method 'ntk' needs nngpTestTrain too`);
    const nngpCross = kernelMatrix(layout, call.nngpTestTrain, `${name}: nngpTestTrain`, cross.samples).data;
    return { ...result, ...(await ensembleLaw(task, wants, nngp, nngpCross)) };
  };
}

/** The train set of the limit: its targets, as far as the kernel reaches them, without a doubt. */
async function trainLimit(
  system: TrainSystem,
  layout: Layout,
  targets: Float64Array,
  samples: number,
  wants: 'full' | 'diagonal' | 'none',
): Promise<GpResult> {
  const left = system.isRegular ? undefined : (await system.factored()).left;
  const out = left && (await left.project(targets, layout.columns));
  const reached = out ? targets.map((value, i) => value - out[i]!) : targets;
  const diagnostics = left
    ? await system.solved(relativeGap(targets, reached))
    : await system.diagnostics('none');
  const mean = fromMatrix(layout, reached, samples);
  const size = layout.rows;
  if (wants === 'full')
    return { mean, covariance: zipped(layout, new Float64Array(size * size), samples), diagnostics };
  if (wants === 'diagonal')
    return { mean, variance: variances(layout, new Float64Array(size), samples), diagnostics };
  return { mean, diagnostics };
}

interface CovarianceTask {
  readonly engine: Engine;
  readonly layout: Layout;
  readonly system: TrainSystem;
  /** Test-train kernel over the scale. */
  readonly scaled: Float64Array;
  readonly rows: number;
  readonly samples: number;
  readonly prior: TensorLike;
  readonly run: RunOptions;
}

type Spread = Pick<GpResult, 'covariance' | 'variance'>;

/** K_tt - K_td M^-1 K_dt. */
async function posterior(task: CovarianceTask, wants: 'full' | 'diagonal'): Promise<Spread> {
  const { layout, system, scaled, rows, samples, prior, run } = task;
  const explained = await (await system.factored(run)).explained(scaled, wants, run);
  if (wants === 'diagonal') {
    const before = priorVariance(layout, prior, samples);
    return { variance: variances(layout, finishVariance(before, explained, system.scale), samples) };
  }
  const before = testKernelMatrix(layout, prior, 'gpInference: test-test kernel', samples);
  const data = before.map((value, i) => value - system.scale * explained[i]!);
  return { covariance: zipped(layout, finishCovariance('gpInference', data, before, rows), samples) };
}

/** K_tt + A K_dd A' - (A K_dt + K_td A') with A = Theta_td M^-1. */
async function ensembleLaw(
  task: CovarianceTask,
  wants: 'full' | 'diagonal',
  nngp: Float64Array,
  nngpCross: Float64Array,
): Promise<Spread> {
  const { engine, layout, system, scaled, rows, samples, prior, run } = task;
  const n = layout.rows;
  const factor = await system.factored(run);
  const a = transpose(await factor.solve(transpose(scaled, rows, n), rows, run), n, rows);
  // H = A K_dd / 2 - K_td, so that the change is A H' + H A'
  const half = await symmetricProduct(engine, a, nngp, { rows, n, run });
  for (let i = 0; i < half.length; i++) half[i] = half[i]! / 2 - nngpCross[i]!;
  if (wants === 'diagonal') {
    const before = priorVariance(layout, prior, samples);
    const change = rowDots(half, a, rows, n);
    const data = before.map((value, i) => value + 2 * change[i]!);
    return { variance: variances(layout, finishVariance(data, null, 1, before), samples) };
  }
  const change = await product(engine, half, a, [rows, rows, n], { transB: true, ...run });
  const before = testKernelMatrix(layout, prior, 'gpInference: nngpTestTest', samples);
  const data = before.slice();
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < rows; j++) data[i * rows + j]! += change[i * rows + j]! + change[j * rows + i]!;
  return { covariance: zipped(layout, finishCovariance('gpInference', data, before, rows), samples) };
}

/** Variances with the axes of y that are not traced. */
export function variances(layout: Layout, data: Float64Array, samples: number): Tensor {
  const shape = layout.rowAxes.map((axis, i) => (i === 0 ? samples : layout.yShape[axis]!));
  return { data, shape };
}

const PANEL = 1024;

/** A K for a symmetric K (n, n), which goes through wasm memory in panels when it is beyond the budget. */
async function symmetricProduct(
  engine: Engine,
  a: Float64Array,
  k: Float64Array,
  { rows, n, run }: { readonly rows: number; readonly n: number; readonly run: RunOptions },
): Promise<Float64Array> {
  if (exactBytes(n) <= engine.memoryBytes) return product(engine, a, k, [rows, n, n], run);
  const out = new Float64Array(rows * n);
  for (let from = 0; from < n; from += PANEL) {
    const width = Math.min(PANEL, n - from);
    const panel = k.subarray(from * n, (from + width) * n);
    const part = await product(engine, a, panel, [rows, width, n], { transB: true, ...run });
    for (let i = 0; i < rows; i++) out.set(part.subarray(i * width, (i + 1) * width), i * n + from);
  }
  return out;
}
