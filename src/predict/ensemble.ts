// The law of an infinite ensemble of infinitely wide nets trained on the mean squared error for a time t: mean and
// covariance over random initialisations. `ntk`: all layers trained; `nngp`: only the last one.
// Source: Lee et al. 2019 (1902.06720) eqs. 15-16 and their finite-time form.
import { asTensor, sizeOf, type Tensor, type TensorLike } from '../math/tensor.js';
import type { Engine, RunOptions } from '../wasm/engine.js';
import { finishCovariance, finishVariance, priorVariance } from './covariance.js';
import { gpInference } from './gp.js';
import {
  kernelMatrix,
  layoutOf,
  testKernelMatrix,
  toMatrix,
  zipped,
  type Layout,
  type Times,
} from './layout.js';
import { product, rowDots } from './linear.js';
import { batched, dynamicsOf, stepsOf, type DynamicsOptions } from './mse.js';
import { spectralFactors, type Dynamics, type SpectralFactors } from './spectral.js';
import { TrainSystem, type Diagnostics, type Regularisation } from './system.js';

export interface EnsembleOptions extends Regularisation, DynamicsOptions {
  /** Train-train kernels. The NNGP is the covariance of the initial outputs; `ntk` uses both. */
  readonly nngp?: TensorLike;
  readonly ntk?: TensorLike;
  readonly y: TensorLike;
  /** Default `ntk`. */
  readonly method?: 'ntk' | 'nngp';
  readonly traceAxes?: readonly number[];
}

export interface EnsembleCall {
  /** Test-train kernels; without them the answer is about the train set. */
  readonly nngpTestTrain?: TensorLike;
  readonly ntkTestTrain?: TensorLike;
  /** NNGP of the test set, full or its diagonal; needed for a test covariance. */
  readonly nngpTestTest?: TensorLike;
  /** Default `none`. */
  readonly covariance?: 'full' | 'diagonal' | 'none';
  readonly signal?: AbortSignal | undefined;
}

export interface EnsembleResult {
  /** (...t, samples, ...o) */
  readonly mean: Tensor;
  /** (...t, samples, samples) when outputs are traced (the same for every output), else zipped. */
  readonly covariance?: Tensor;
  /** (...t, samples, ...axes not traced) */
  readonly variance?: Tensor;
  readonly diagnostics: Diagnostics;
}

export type EnsemblePredictor = (t: Times, call?: EnsembleCall) => Promise<EnsembleResult>;

interface Model {
  readonly engine: Engine;
  readonly layout: Layout;
  readonly samples: number;
  readonly method: 'ntk' | 'nngp';
  readonly system: TrainSystem;
  readonly targets: Float64Array;
  readonly dynamics: Dynamics;
  /** NNGP train-train over the scale of the system; null when not given. */
  readonly nngp: Float64Array | null;
}

/** Mean and covariance over initialisations of trained infinitely wide nets (prior mean 0), at any times. */
export function gradientDescentMseEnsemble(engine: Engine, options: EnsembleOptions): EnsemblePredictor {
  const name = 'gradientDescentMseEnsemble';
  const method = options.method ?? 'ntk';
  if (method !== 'ntk' && method !== 'nngp')
    throw new RangeError(`${name}: method must be 'ntk' or 'nngp', got ${String(method)}`);
  const y = asTensor(options.y, `${name}: y`);
  const layout = layoutOf(name, y.shape, options.traceAxes);
  const samples = y.shape[0]!;
  const kernel = options[method];
  if (kernel === undefined) throw new RangeError(`${name}: method '${method}' needs the ${method} kernel`);
  const own = kernelMatrix(layout, kernel, `${name}: ${method}`, samples).data;
  const system = new TrainSystem(engine, name, own, layout.rows, options);
  const nngp =
    options.nngp === undefined
      ? null
      : kernelMatrix(layout, options.nngp, `${name}: nngp`, samples).data.map(
          (value) => value / system.scale,
        );
  const targets = toMatrix(layout, y, samples, `${name}: y`);
  const dynamics = dynamicsOf(name, options);
  const model: Model = { engine, layout, samples, method, system, targets, dynamics, nngp };
  const limit = gpInference(engine, { ...options, method });
  const cache = new Map<string, Promise<Float64Array>>();
  return async (t, call = {}) => {
    const times = stepsOf(name, t, dynamics);
    const test = method === 'ntk' ? call.ntkTestTrain : call.nngpTestTrain;
    if (test !== undefined && dynamics.mode === 'flow' && times.values.every((time) => time === Infinity))
      return repeatLimit(await limit({ ...call, covariance: call.covariance ?? 'none' }), times.shape);
    return finite(model, cache, times, test, call);
  };
}

/** The limit's answer for every one of the (infinite) times. */
function repeatLimit(
  { mean, covariance, variance, diagnostics }: EnsembleResult,
  shape: readonly number[],
): EnsembleResult {
  const count = sizeOf(shape);
  const many = (value: Tensor): Tensor => {
    const data = new Float64Array(count * value.data.length);
    for (let k = 0; k < count; k++) data.set(value.data, k * value.data.length);
    return { data, shape: [...shape, ...value.shape] };
  };
  return {
    mean: many(mean),
    ...(covariance ? { covariance: many(covariance) } : {}),
    ...(variance ? { variance: many(variance) } : {}),
    diagnostics,
  };
}

async function finite(
  model: Model,
  cache: Map<string, Promise<Float64Array>>,
  times: { values: Float64Array; shape: readonly number[] },
  test: TensorLike | undefined,
  call: EnsembleCall,
): Promise<EnsembleResult> {
  const { engine, layout, system, dynamics, targets, method } = model;
  const name = 'gradientDescentMseEnsemble';
  const run = { signal: call.signal };
  const { values, vectors } = await system.spectrum(run);
  const cutoff = await system.cutoff(run);
  const size = sizeOf(layout.yShape) / system.scale;
  const list = Array.from(times.values, (t) => spectralFactors(values, cutoff, dynamics, size, t));
  const [n, columns] = [layout.rows, layout.columns];
  const projected = await product(engine, vectors, targets, [n, columns, n], { transA: true, ...run });
  // Rows of `basis` are the points asked for, in the eigenbasis: V itself, or the test-train kernel times V.
  const cross = test === undefined ? null : kernelMatrix(layout, test, `${name}: ${method}TestTrain`, null);
  const samples = cross?.samples ?? model.samples;
  const rows = cross ? cross.data.length / n : n;
  const toBasis = (kernel: Float64Array): Promise<Float64Array> =>
    product(
      engine,
      kernel.map((value) => value / system.scale),
      vectors,
      [rows, n, n],
      run,
    );
  const basis = cross ? await toBasis(cross.data) : vectors;
  const means = new Float64Array(list.length * rows * columns);
  for (const [k, factors] of list.entries()) {
    const weight = cross ? factors.g : factors.residual.map((e) => 1 - e);
    const scaled = projected.map((value, i) => value * weight[Math.floor(i / columns)]!);
    means.set(await product(engine, basis, scaled, [rows, columns, n], run), k * rows * columns);
  }
  const dropped = times.values.includes(Infinity) ? values.filter((value) => value <= cutoff).length : 0;
  const result: { -readonly [K in keyof EnsembleResult]: EnsembleResult[K] } = {
    mean: batched(layout, means, samples, times.shape),
    diagnostics: await system.diagnostics('eigen', dropped),
  };
  const wants = call.covariance ?? 'none';
  if (wants === 'none') return result;
  const parts = await spreadParts(model, cache, call, cross !== null, basis, rows, samples, toBasis, run);
  const each: Tensor[] = [];
  for (const factors of list) each.push(await spread(model, parts, factors, wants, run));
  const data = new Float64Array(each.reduce((sum, item) => sum + item.data.length, 0));
  each.forEach((item, k) => data.set(item.data, k * item.data.length));
  const tensor = { data, shape: [...times.shape, ...each[0]!.shape] };
  if (wants === 'full') result.covariance = tensor;
  else result.variance = tensor;
  return result;
}

interface SpreadParts {
  readonly test: boolean;
  readonly basis: Float64Array;
  readonly rows: number;
  readonly samples: number;
  /** V' K_dd V, for method ntk. */
  readonly core: Float64Array | null;
  /** K_td V, for method ntk on test points. */
  readonly prior: TensorLike | null;
  readonly crossBasis: Float64Array | null;
}

async function spreadParts(
  model: Model,
  cache: Map<string, Promise<Float64Array>>,
  call: EnsembleCall,
  test: boolean,
  basis: Float64Array,
  rows: number,
  samples: number,
  toBasis: (kernel: Float64Array) => Promise<Float64Array>,
  run: RunOptions,
): Promise<SpreadParts> {
  const { engine, layout, system, method, nngp } = model;
  const name = 'gradientDescentMseEnsemble';
  if (test && call.nngpTestTest === undefined)
    throw new RangeError(`${name}: a test covariance needs nngpTestTest`);
  const prior = test ? call.nngpTestTest! : null;
  if (method === 'nngp') return { test, basis, rows, samples, core: null, prior, crossBasis: null };
  if (!nngp) throw new RangeError(`${name}: a covariance of method 'ntk' needs the nngp train-train kernel`);
  if (test && call.nngpTestTrain === undefined)
    throw new RangeError(`${name}: a test covariance of method 'ntk' needs nngpTestTrain`);
  const n = layout.rows;
  const { vectors } = await system.spectrum(run);
  let core = cache.get('core');
  if (!core) {
    core = product(engine, nngp, vectors, [n, n, n], run).then((kv) =>
      product(engine, vectors, kv, [n, n, n], { transA: true, ...run }),
    );
    core.catch(() => cache.delete('core'));
    cache.set('core', core);
  }
  const crossBasis = test
    ? await toBasis(kernelMatrix(layout, call.nngpTestTrain!, `${name}: nngpTestTrain`, samples).data)
    : null;
  return { test, basis, rows, samples, core: await core, prior, crossBasis };
}

/** The covariance at one time, in the units of the kernel. */
async function spread(
  model: Model,
  parts: SpreadParts,
  { residual, g }: SpectralFactors,
  wants: 'full' | 'diagonal',
  run: RunOptions,
): Promise<Tensor> {
  const { engine, layout, system, method } = model;
  const { basis, rows, samples, test, core, crossBasis } = parts;
  const n = layout.rows;
  const name = 'gradientDescentMseEnsemble';
  const { values } = await system.spectrum(run);
  const columnsTimes = (matrix: Float64Array, weight: ArrayLike<number>): Float64Array =>
    matrix.map((value, i) => value * weight[i % n]!);
  // left * right' is the change of the covariance (test) or the covariance itself (train), once symmetrised.
  let left: Float64Array;
  let right: Float64Array;
  if (method === 'nngp') {
    const weight = test
      ? g.map((value, j) => -value * (1 + residual[j]!))
      : values.map((value, j) => Math.max(value, 0) * residual[j]! ** 2);
    left = columnsTimes(basis, weight);
    right = basis;
  } else {
    right = columnsTimes(basis, test ? g : residual);
    left = await product(engine, right, core!, [rows, n, n], run);
    if (crossBasis) for (let i = 0; i < left.length; i++) left[i]! -= 2 * crossBasis[i]!;
  }
  const { scale } = system;
  if (wants === 'diagonal') {
    const change = rowDots(left, right, rows, n);
    const prior = parts.prior ? priorVariance(layout, parts.prior, samples) : null;
    const data = change.map((value, i) => scale * value + (prior ? prior[i]! : 0));
    const bound = prior ?? data;
    const finished = finishVariance(data, null, 1, bound);
    const shape = layout.rowAxes.map((axis, i) => (i === 0 ? samples : layout.yShape[axis]!));
    return { data: finished, shape };
  }
  const data = await product(engine, left, right, [rows, rows, n], { transB: true, ...run });
  const prior = parts.prior ? testKernelMatrix(layout, parts.prior, `${name}: nngpTestTest`, samples) : null;
  for (let i = 0; i < data.length; i++) data[i] = scale * data[i]! + (prior ? prior[i]! : 0);
  return zipped(layout, finishCovariance(name, data, prior ?? data, rows), samples);
}
