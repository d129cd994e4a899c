// Closed-form training dynamics of the mean squared error L = |f - y|^2 / (2N), N = number of target entries.
// Sources: Jacot et al. 2018 (1806.07572) section 5, Lee et al. 2019 (1902.06720) eqs. 10-11.
import { asTensor, type Tensor, type TensorLike } from '../math/tensor.js';
import { knownFields, type Engine, type Fields, type RunOptions } from '../wasm/engine.js';
import { coefficients, displacement, lossCurve, type MseModel } from './curves.js';
import { kernelMatrix, layoutOf, toMatrix, type Times } from './layout.js';
import { divided, product } from './linear.js';
import {
  batched,
  byTime,
  dynamicsOf,
  factorsAt,
  repeatColumns,
  stepsOf,
  sweep,
  DYNAMICS,
  type DynamicsOptions,
} from './sweep.js';
import { REGULARISATION, TrainSystem, type Diagnostics, type Regularisation } from './system.js';

/** Kernel, targets, noise and dynamics of `gradientDescentMse`. */
export interface GradientDescentMseOptions extends Regularisation, DynamicsOptions {
  /** Train-train kernel: zipped axes (d0, d0', d1, d1', ...) for the axes of y that are not traced. */
  readonly ntk: TensorLike;
  /** Train targets (n, ...o). */
  readonly y: TensorLike;
  /** Axes of y on which the kernel is `Theta (x) I`; default [-1] ([] when y is a vector). */
  readonly traceAxes?: readonly number[];
}

/** Where outputs start, and the test points by their kernel. */
export interface MseCall {
  /** Initial train outputs (default 0); null: no train outputs are computed. */
  readonly f0Train?: TensorLike | null;
  /** Initial test outputs (default 0); used with `ntkTestTrain`. */
  readonly f0Test?: TensorLike;
  /** Test-train kernel; without it no test outputs are computed. */
  readonly ntkTestTrain?: TensorLike;
  readonly signal?: AbortSignal | undefined;
}

/** Outputs at the times asked for. */
export interface MseResult {
  /** (...t, n, ...o) */
  readonly train?: Tensor;
  /** (...t, tests, ...o) */
  readonly test?: Tensor;
  readonly diagnostics: Diagnostics;
}

/** Outputs at times in steps, of any shape; null is infinity. */
export interface MsePredictor {
  (t: Times, call?: MseCall): Promise<MseResult>;
  /** Train loss |f_t - y|^2 / (2N) at the times, from the spectrum alone. */
  loss(t: Times, f0Train?: TensorLike): Promise<Tensor>;
  /** |theta_t - theta_0| of the linearised net: the norm of J' coefficients. */
  displacement(t: Times, f0Train?: TensorLike): Promise<Tensor>;
  /** (...t, n, ...o): c with theta_t - theta_0 = J' c and f_t(x) = f_0(x) + Theta(x, train) c. */
  coefficients(t: Times, f0Train?: TensorLike): Promise<Tensor>;
  /** Eigenvalues of the regularised kernel, ascending. */
  spectrum(): Promise<Float64Array>;
}

const MSE_OPTIONS: Fields<GradientDescentMseOptions> = {
  ...{ ntk: true, y: true, traceAxes: true },
  ...REGULARISATION,
  ...DYNAMICS,
};
const MSE_CALL: Fields<MseCall> = { f0Train: true, f0Test: true, ntkTestTrain: true, signal: true };

/**
 * Exact predictions of gradient descent on the mean squared error with a constant kernel. The kernel is decomposed
 * once, when first needed; many times then cost two matrix products. At t = infinity alone a Cholesky factor is used.
 * Regularisation changes the train-train kernel only. RangeError for shapes that do not fit, NumericalError when the
 * kernel is indefinite beyond rounding or discrete descent diverges.
 */
export function gradientDescentMse(engine: Engine, options: GradientDescentMseOptions): MsePredictor {
  const name = 'gradientDescentMse';
  knownFields(name, options, MSE_OPTIONS);
  const y = asTensor(options.y, `${name}: y`);
  const layout = layoutOf(name, y.shape, options.traceAxes);
  const samples = y.shape[0]!;
  const kernel = kernelMatrix(layout, options.ntk, `${name}: ntk`, samples).data;
  const system = new TrainSystem(engine, name, kernel, layout.rows, options);
  const model: MseModel = {
    engine,
    layout,
    samples,
    system,
    targets: toMatrix(layout, y, samples, `${name}: y`),
    dynamics: dynamicsOf(name, options),
  };
  const predictor = async (t: Times, call: MseCall = {}): Promise<MseResult> => {
    knownFields(name, call, MSE_CALL);
    return predictMse(model, t, call);
  };
  return Object.assign(predictor, {
    loss: (t: Times, f0?: TensorLike) => lossCurve(model, t, f0),
    displacement: (t: Times, f0?: TensorLike) => displacement(model, t, f0),
    coefficients: (t: Times, f0?: TensorLike) => coefficients(model, t, f0),
    spectrum: async () => (await system.spectrum()).values.map((value) => value * system.scale),
  });
}

async function predictMse(model: MseModel, t: Times, call: MseCall): Promise<MseResult> {
  const { layout, samples, system, targets, dynamics } = model;
  const name = 'gradientDescentMse';
  const wantsTrain = call.f0Train !== null;
  const wantsTest = call.ntkTestTrain !== undefined;
  if (!wantsTest && call.f0Test !== undefined)
    throw new RangeError(`${name}: f0Test needs ntkTestTrain, the test-train kernel`);
  if (!wantsTrain && !wantsTest)
    throw new RangeError(`${name}: nothing to compute: f0Train is null and ntkTestTrain is missing`);
  const times = stepsOf(name, t, dynamics);
  const f0 = toMatrix(layout, call.f0Train ?? 0, samples, `${name}: f0Train`);
  const test = wantsTest ? kernelMatrix(layout, call.ntkTestTrain!, `${name}: ntkTestTrain`, null) : null;
  const f0Test = test ? toMatrix(layout, call.f0Test ?? 0, test.samples, `${name}: f0Test`) : null;
  const residual = f0.map((value, i) => value - targets[i]!);
  const count = times.values.length;

  const run = { signal: call.signal };
  const limit = dynamics.mode === 'flow' && times.values.every((time) => time === Infinity);
  const kernel = test && divided(test.data, system.scale);
  const paths =
    (limit && (await limitPaths(model, residual, count, kernel, run))) ||
    (await spectralPaths(model, residual, times.values, { wantsTrain, kernel }, run));
  const result: { -readonly [K in keyof MseResult]: MseResult[K] } = { diagnostics: paths.diagnostics };
  if (wantsTrain) {
    // f = y + what is left
    const data = moved(targets, paths.residual, count, layout.columns);
    restore(data, f0, times.values);
    result.train = batched(layout, data, samples, times.shape);
  }
  if (test)
    result.test = batched(
      layout,
      moved(f0Test!, paths.change, count, layout.columns),
      test.samples,
      times.shape,
    );
  return result;
}

/** The outputs `from` plus a change of every time (side by side; null: none), one time after the other. */
function moved(
  from: Float64Array,
  change: Float64Array | null,
  times: number,
  columns: number,
): Float64Array {
  const data = change ? byTime(change, times, columns) : new Float64Array(times * from.length);
  for (let k = 0, at = 0; k < times; k++) for (const value of from) data[at++]! += value;
  return data;
}

/** f at t = 0 is f0 to the bit. */
function restore(data: Float64Array, f0: Float64Array, times: Float64Array): void {
  times.forEach((time, i) => {
    if (time === 0) data.set(f0, i * f0.length);
  });
}

/** Of all times side by side (rows, times x columns); null when not wanted or zero. */
interface Paths {
  /** e(M) r0. */
  readonly residual: Float64Array | null;
  /** -kernel g(M) r0: how far test outputs move. */
  readonly change: Float64Array | null;
  readonly diagnostics: Diagnostics;
}

async function spectralPaths(
  { engine, layout, system, dynamics }: MseModel,
  right: Float64Array,
  times: Float64Array,
  { wantsTrain, kernel }: { wantsTrain: boolean; kernel: Float64Array | null },
  run: RunOptions,
): Promise<Paths> {
  const { rows: n, columns } = layout;
  const { vectors } = await system.spectrum(run);
  const { list, dropped } = await factorsAt(system, dynamics, layout, times, run);
  const { own, seen } = await sweep(
    engine,
    {
      ...{ vectors, right, n, columns },
      ...(wantsTrain ? { own: list.map(({ residual }) => residual) } : {}),
      ...(kernel ? { kernel, dual: list.map(({ g }) => g.map((value) => -value)) } : {}),
    },
    run,
  );
  const diagnostics = await system.diagnostics('eigen', dropped);
  return { residual: wantsTrain ? own : null, change: kernel ? seen : null, diagnostics };
}

/** -kernel M^-1 r0, repeated for every (infinite) time; null where M is singular, so that a residual stays. */
async function limitPaths(
  { engine, layout, system }: MseModel,
  residual: Float64Array,
  times: number,
  kernel: Float64Array | null,
  run: RunOptions,
): Promise<Paths | null> {
  if (!kernel && system.isRegular)
    return { residual: null, change: null, diagnostics: await system.diagnostics('none') };
  const { rows: n, columns } = layout;
  const solved = await system.solve(residual, columns, run);
  if (solved.factored.method === 'eigen') return null;
  const diagnostics = await system.solved(solved.residual);
  if (!kernel) return { residual: null, change: null, diagnostics };
  const change = await product(engine, kernel, solved.weights, [kernel.length / n, columns, n], run);
  const negative = change.map((value) => -value);
  return { residual: null, change: repeatColumns(negative, times, columns), diagnostics };
}
