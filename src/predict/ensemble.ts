// The law of an infinite ensemble of infinitely wide nets trained on the mean squared error for a time t: mean and
// covariance over random initialisations. `ntk`: all layers trained; `nngp`: only the last one.
// Source: Lee et al. 2019 (1902.06720) eqs. 15-16 and their finite-time form.
import { asTensor, sizeOf, type Tensor, type TensorLike } from '../math/tensor.js';
import { knownFields, type Engine, type Fields, type RunOptions } from '../wasm/engine.js';
import { inference } from './gp.js';
import { kernelMatrix, layoutOf, toMatrix, type Times } from './layout.js';
import { divided, product } from './linear.js';
import { spreads, type EnsembleModel, type SpreadParts } from './ensemble-spread.js';
import {
  batched,
  byTime,
  dynamicsOf,
  factorsAt,
  stepsOf,
  sweep,
  DYNAMICS,
  type DynamicsOptions,
} from './sweep.js';
import { REGULARISATION, TrainSystem, type Diagnostics, type Regularisation } from './system.js';

/** The train set of `gradientDescentMseEnsemble`: kernels, targets, noise and dynamics. */
export interface EnsembleOptions extends Regularisation, DynamicsOptions {
  /** Train-train kernels. The NNGP is the covariance of the initial outputs; `ntk` uses both. */
  readonly nngp?: TensorLike;
  readonly ntk?: TensorLike;
  readonly y: TensorLike;
  /** Default `ntk`. */
  readonly method?: 'ntk' | 'nngp';
  readonly traceAxes?: readonly number[];
}

/** The points of one call, by their kernels. */
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

/** The law of the outputs over initialisations, at the times asked for. */
export interface EnsembleResult {
  /** (...t, samples, ...o) */
  readonly mean: Tensor;
  /** (...t, samples, samples) when outputs are traced (the same for every output), else zipped. */
  readonly covariance?: Tensor;
  /** (...t, samples, ...axes not traced) */
  readonly variance?: Tensor;
  readonly diagnostics: Diagnostics;
}

/** Means and covariances at times in steps, of any shape; null is infinity. */
export type EnsemblePredictor = (t: Times, call?: EnsembleCall) => Promise<EnsembleResult>;

const ENSEMBLE_OPTIONS: Fields<EnsembleOptions> = {
  ...{ nngp: true, ntk: true, y: true, method: true, traceAxes: true },
  ...REGULARISATION,
  ...DYNAMICS,
};
const ENSEMBLE_CALL: Fields<EnsembleCall> = {
  ...{ nngpTestTrain: true, ntkTestTrain: true, nngpTestTest: true, covariance: true, signal: true },
};

/**
 * Mean and covariance over initialisations of trained infinitely wide nets (prior mean 0), at any times. RangeError
 * for shapes, sizes or options that do not fit; NumericalError where the train kernel cannot be solved. Source: Lee et
 * al. 2019 (1902.06720) eqs. 15-16.
 */
export function gradientDescentMseEnsemble(engine: Engine, options: EnsembleOptions): EnsemblePredictor {
  knownFields('gradientDescentMseEnsemble', options, ENSEMBLE_OPTIONS);
  const predictor = ensemble(engine, options);
  return async (t, call = {}) => {
    knownFields('gradientDescentMseEnsemble', call, ENSEMBLE_CALL);
    return predictor(t, call);
  };
}

/** @internal `gradientDescentMseEnsemble` for callers whose options hold more. */
export function ensemble(engine: Engine, options: EnsembleOptions): EnsemblePredictor {
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
      : divided(kernelMatrix(layout, options.nngp, `${name}: nngp`, samples).data.slice(), system.scale);
  const targets = toMatrix(layout, y, samples, `${name}: y`);
  const dynamics = dynamicsOf(name, options);
  const model: EnsembleModel = { engine, layout, samples, method, system, targets, dynamics, nngp };
  const limit = inference(engine, { ...options, method });
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
  model: EnsembleModel,
  cache: Map<string, Promise<Float64Array>>,
  times: { values: Float64Array; shape: readonly number[] },
  test: TensorLike | undefined,
  call: EnsembleCall,
): Promise<EnsembleResult> {
  const { engine, layout, system, dynamics, targets, method } = model;
  const name = 'gradientDescentMseEnsemble';
  const run = { signal: call.signal };
  const { vectors } = await system.spectrum(run);
  const { list, dropped } = await factorsAt(system, dynamics, layout, times.values, run);
  const [n, columns] = [layout.rows, layout.columns];
  // Rows of `basis` are the points asked for, in the eigenbasis: V itself, or the test-train kernel times V.
  const cross = test === undefined ? null : kernelMatrix(layout, test, `${name}: ${method}TestTrain`, null);
  const samples = cross?.samples ?? model.samples;
  const rows = cross ? cross.data.length / n : n;
  const scaled = cross && divided(cross.data, system.scale);
  const toBasis = (kernel: Float64Array): Promise<Float64Array> =>
    product(engine, kernel, vectors, [rows, n, n], run);
  const wants = call.covariance ?? 'none';
  // Without a covariance few times need not the whole basis.
  const direct = scaled !== null && wants === 'none' && list.length * columns < n;
  const basis = scaled && !direct ? await toBasis(scaled) : null;
  const weights = list.map(({ g, residual }) => (cross ? g : residual.map((e) => 1 - e)));
  const task = { vectors, right: targets, n, columns };
  const { own, seen } = await sweep(
    engine,
    direct ? { ...task, kernel: scaled, dual: weights } : { ...task, basis, own: weights },
    run,
  );
  const result: { -readonly [K in keyof EnsembleResult]: EnsembleResult[K] } = {
    mean: batched(layout, byTime(direct ? seen : own, list.length, columns), samples, times.shape),
    diagnostics: await system.diagnostics('eigen', dropped),
  };
  if (wants === 'none') return result;
  const place = { test: cross !== null, basis: basis ?? vectors, rows, samples };
  const parts = await spreadParts(model, cache, call, { place, toBasis, run });
  const each = await spreads(model, parts, list, wants, run);
  const data = new Float64Array(each.reduce((sum, item) => sum + item.data.length, 0));
  each.forEach((item, k) => data.set(item.data, k * item.data.length));
  const tensor = { data, shape: [...times.shape, ...(each[0]?.shape ?? [])] };
  if (wants === 'full') result.covariance = tensor;
  else result.variance = tensor;
  return result;
}

async function spreadParts(
  model: EnsembleModel,
  cache: Map<string, Promise<Float64Array>>,
  call: EnsembleCall,
  {
    place,
    toBasis,
    run,
  }: {
    readonly place: Pick<SpreadParts, 'test' | 'basis' | 'rows' | 'samples'>;
    readonly toBasis: (kernel: Float64Array) => Promise<Float64Array>;
    readonly run: RunOptions;
  },
): Promise<SpreadParts> {
  const { engine, layout, system, method, nngp } = model;
  const { test, samples } = place;
  const name = 'gradientDescentMseEnsemble';
  if (test && call.nngpTestTest === undefined)
    throw new RangeError(`${name}: a test covariance needs nngpTestTest`);
  const prior = test ? call.nngpTestTest! : null;
  if (method === 'nngp') return { ...place, core: null, prior, crossBasis: null };
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
    ? await toBasis(
        divided(
          kernelMatrix(layout, call.nngpTestTrain!, `${name}: nngpTestTrain`, samples).data,
          system.scale,
        ),
      )
    : null;
  return { ...place, core: await core, prior, crossBasis };
}
