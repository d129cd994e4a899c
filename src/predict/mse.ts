// Closed-form training dynamics of the mean squared error L = |f - y|^2 / (2N), N = number of target entries.
// Sources: Jacot et al. 2018 (1806.07572) section 5, Lee et al. 2019 (1902.06720) eqs. 10-11.
import { asTensor, sizeOf, type Tensor, type TensorLike } from '../math/tensor.js';
import type { Engine, RunOptions } from '../wasm/engine.js';
import {
  fromMatrix,
  kernelMatrix,
  layoutOf,
  targetShape,
  timesOf,
  toMatrix,
  type Layout,
  type Times,
} from './layout.js';
import { product } from './linear.js';
import { spectralFactors, type Dynamics } from './spectral.js';
import { TrainSystem, type Diagnostics, type Regularisation } from './system.js';

/** How the outputs are trained. */
export interface DynamicsOptions {
  /** Time is learningRate * t; t counts steps. Default 1. */
  readonly learningRate?: number;
  /** `flow` (default): gradient flow. `discrete`: exactly t steps of gradient descent. */
  readonly mode?: 'flow' | 'discrete';
  /** Heavy-ball momentum in [0, 1): v <- m v + grad, theta <- theta - learningRate v. null (default): none. */
  readonly momentum?: number | null;
}

export interface GradientDescentMseOptions extends Regularisation, DynamicsOptions {
  /** Train-train kernel: zipped axes (d0, d0', d1, d1', ...) for the axes of y that are not traced. */
  readonly ntk: TensorLike;
  /** Train targets (n, ...o). */
  readonly y: TensorLike;
  /** Axes of y on which the kernel is `Theta (x) I`; default [-1] ([] when y is a vector). */
  readonly traceAxes?: readonly number[];
}

export interface MseCall {
  /** Initial train outputs (default 0); null: no train outputs are computed. */
  readonly f0Train?: TensorLike | null;
  /** Initial test outputs (default 0); used with `ntkTestTrain`. */
  readonly f0Test?: TensorLike;
  /** Test-train kernel; without it no test outputs are computed. */
  readonly ntkTestTrain?: TensorLike;
  readonly signal?: AbortSignal | undefined;
}

export interface MseResult {
  /** (...t, n, ...o) */
  readonly train?: Tensor;
  /** (...t, tests, ...o) */
  readonly test?: Tensor;
  readonly diagnostics: Diagnostics;
}

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

/**
 * Exact predictions of gradient descent on the mean squared error with a constant kernel. The kernel is decomposed
 * once, when first needed; many times then cost two matrix products. At t = infinity alone a Cholesky factor is used.
 * Regularisation changes the train-train kernel only. RangeError for shapes that do not fit, NumericalError when the
 * kernel is indefinite beyond rounding or discrete descent diverges.
 */
export function gradientDescentMse(engine: Engine, options: GradientDescentMseOptions): MsePredictor {
  const name = 'gradientDescentMse';
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
  const predictor = async (t: Times, call: MseCall = {}): Promise<MseResult> => predictMse(model, t, call);
  return Object.assign(predictor, {
    loss: (t: Times, f0?: TensorLike) => lossCurve(model, t, f0),
    displacement: (t: Times, f0?: TensorLike) => displacement(model, t, f0),
    coefficients: (t: Times, f0?: TensorLike) => coefficients(model, t, f0),
    spectrum: async () => (await system.spectrum()).values.map((value) => value * system.scale),
  });
}

interface MseModel {
  readonly engine: Engine;
  readonly layout: Layout;
  readonly samples: number;
  readonly system: TrainSystem;
  readonly targets: Float64Array;
  readonly dynamics: Dynamics;
}

/** Checks and completes the options of the dynamics. */
export function dynamicsOf(name: string, options: DynamicsOptions): Dynamics {
  const { learningRate = 1, mode = 'flow', momentum = null } = options;
  if (!(learningRate > 0) || learningRate === Infinity)
    throw new RangeError(`${name}: learningRate must be positive and finite, got ${learningRate}`);
  if (mode !== 'flow' && mode !== 'discrete')
    throw new RangeError(`${name}: mode must be 'flow' or 'discrete', got ${String(mode)}`);
  if (momentum !== null && !(momentum >= 0 && momentum < 1))
    throw new RangeError(`${name}: momentum must be in [0, 1) or null, got ${momentum}`);
  return { learningRate, mode, momentum };
}

/** Times; whole numbers of steps when the dynamics is discrete. */
export function stepsOf(
  name: string,
  t: Times,
  { mode }: Dynamics,
): { values: Float64Array; shape: readonly number[] } {
  const times = timesOf(name, t);
  for (const value of times.values)
    if (mode === 'discrete' && value !== Infinity && !Number.isSafeInteger(value))
      throw new RangeError(
        `${name}: t must be whole steps in mode 'discrete', got ${value}. Use mode 'flow'.`,
      );
  return times;
}

async function predictMse(model: MseModel, t: Times, call: MseCall): Promise<MseResult> {
  const { engine, layout, samples, system, targets, dynamics } = model;
  const name = 'gradientDescentMse';
  const wantsTrain = call.f0Train !== null;
  const wantsTest = call.ntkTestTrain !== undefined;
  if (!wantsTest && call.f0Test !== undefined)
    throw new RangeError(`${name}: f0Test needs ntkTestTrain, the test-train kernel`);
  if (!wantsTrain && !wantsTest)
    throw new RangeError(`${name}: nothing to compute: f0Train is null and ntkTestTrain is missing`);
  const times = stepsOf(name, t, dynamics);
  const f0 = toMatrix(layout, call.f0Train ?? 0, samples, `${name}: f0Train`);
  const testKernel = wantsTest
    ? kernelMatrix(layout, call.ntkTestTrain!, `${name}: ntkTestTrain`, null)
    : null;
  const f0Test = testKernel
    ? toMatrix(layout, call.f0Test ?? 0, testKernel.samples, `${name}: f0Test`)
    : null;
  const residual = f0.map((value, i) => value - targets[i]!);

  const run = { signal: call.signal };
  const only = onlyInfinity(times.values) && dynamics.mode === 'flow';
  const modes = only ? null : await spectralTrajectory(model, residual, times.values, run);
  const dual = modes
    ? modes.dual
    : only && wantsTest
      ? await limitDual(model, residual, times.values, run)
      : null;
  const result: { -readonly [K in keyof MseResult]: MseResult[K] } = {
    diagnostics: await system.diagnostics(modes ? 'eigen' : dual ? 'cholesky' : 'none', modes?.dropped),
  };
  if (wantsTrain) {
    const left = modes?.residual; // f = y + what is left
    const data = repeat(targets, times.values.length);
    if (left) for (let i = 0; i < data.length; i++) data[i]! += left[i]!;
    if (times.values.includes(0)) restore(data, f0, times.values);
    result.train = batched(layout, data, samples, times.shape);
  }
  if (testKernel) {
    const rows = testKernel.data.length / layout.rows;
    const data = await applyDual(
      engine,
      testKernel.data,
      dual!,
      rows,
      layout,
      times.values.length,
      system.scale,
      run,
    );
    for (let i = 0; i < data.length; i++) data[i]! += f0Test![i % f0Test!.length]!;
    result.test = batched(layout, data, testKernel.samples, times.shape);
  }
  return result;
}

/** f at t = 0 is f0 to the bit. */
function restore(data: Float64Array, f0: Float64Array, times: Float64Array): void {
  times.forEach((time, i) => {
    if (time === 0) data.set(f0, i * f0.length);
  });
}

const onlyInfinity = (times: Float64Array): boolean => times.every((time) => time === Infinity);

interface Trajectory {
  /** (T, rows, columns) e(M) r0. */
  readonly residual: Float64Array;
  /** (T, rows, columns) -g(M) r0 in units of the scaled kernel. */
  readonly dual: Float64Array;
  readonly dropped: number;
}

async function spectralTrajectory(
  model: MseModel,
  residual: Float64Array,
  times: Float64Array,
  run: RunOptions,
): Promise<Trajectory> {
  const { engine, layout, system } = model;
  const { rows, columns } = layout;
  const { values, vectors } = await system.spectrum(run);
  const factors = await factorsAt(model, times, run);
  const projected = await product(engine, vectors, residual, [rows, columns, rows], { transA: true, ...run });
  // Columns of all times side by side: one product brings them back.
  const width = 2 * times.length * columns;
  const stacked = new Float64Array(rows * width);
  for (let j = 0; j < rows; j++) {
    for (const [k, { residual: e, g }] of factors.list.entries()) {
      for (let c = 0; c < columns; c++) {
        const at = j * width + 2 * k * columns + c;
        stacked[at] = e[j]! * projected[j * columns + c]!;
        stacked[at + columns] = -g[j]! * projected[j * columns + c]!;
      }
    }
  }
  const back = await product(engine, vectors, stacked, [rows, width, rows], run);
  const size = rows * columns;
  const out = [new Float64Array(times.length * size), new Float64Array(times.length * size)];
  for (let i = 0; i < rows; i++)
    for (let k = 0; k < times.length; k++)
      for (let part = 0; part < 2; part++)
        for (let c = 0; c < columns; c++)
          out[part]![k * size + i * columns + c] = back[i * width + (2 * k + part) * columns + c]!;
  return {
    residual: out[0]!,
    dual: out[1]!,
    dropped: factors.dropped && values.length ? factors.dropped : 0,
  };
}

async function factorsAt(
  { system, dynamics, layout }: MseModel,
  times: Float64Array,
  run: RunOptions,
): Promise<{ list: ReturnType<typeof spectralFactors>[]; dropped: number }> {
  const { values } = await system.spectrum(run);
  const cutoff = await system.cutoff(run);
  const size = sizeOf(layout.yShape) / system.scale;
  const list = Array.from(times, (t) => spectralFactors(values, cutoff, dynamics, size, t));
  const dropped = times.includes(Infinity) ? values.filter((value) => value <= cutoff).length : 0;
  return { list, dropped };
}

/** -M^-1 r0, repeated for every (infinite) time. */
async function limitDual(
  { layout, system }: MseModel,
  residual: Float64Array,
  times: Float64Array,
  run: RunOptions,
): Promise<Float64Array> {
  const solved = await (await system.factored(run)).solve(residual, layout.columns, run);
  return repeat(
    solved.map((value) => -value),
    times.length,
  );
}

/** Theta_td dual for every time. */
async function applyDual(
  engine: Engine,
  kernel: Float64Array,
  dual: Float64Array,
  tests: number,
  { rows, columns }: Layout,
  times: number,
  scale: number,
  run: RunOptions,
): Promise<Float64Array> {
  const width = times * columns;
  const side = new Float64Array(rows * width);
  for (let k = 0; k < times; k++)
    for (let i = 0; i < rows; i++)
      for (let c = 0; c < columns; c++)
        side[i * width + k * columns + c] = dual[(k * rows + i) * columns + c]!;
  const scaled = scale === 1 ? kernel : kernel.map((value) => value / scale);
  const flat = await product(engine, scaled, side, [tests, width, rows], run);
  const out = new Float64Array(flat.length);
  for (let k = 0; k < times; k++)
    for (let i = 0; i < tests; i++)
      for (let c = 0; c < columns; c++)
        out[(k * tests + i) * columns + c] = flat[i * width + k * columns + c]!;
  return out;
}

function repeat(data: Float64Array, times: number): Float64Array {
  const out = new Float64Array(times * data.length);
  for (let k = 0; k < times; k++) out.set(data, k * data.length);
  return out;
}

/** Matrices of several times, stacked, as a tensor (...t, samples, ...o). */
export function batched(
  layout: Layout,
  data: Float64Array,
  samples: number,
  times: readonly number[],
): Tensor {
  const count = sizeOf(times);
  const size = data.length / Math.max(count, 1);
  const out = new Float64Array(data.length);
  for (let k = 0; k < count; k++)
    out.set(fromMatrix(layout, data.subarray(k * size, (k + 1) * size), samples).data, k * size);
  return { data: out, shape: [...times, ...targetShape(layout, samples)] };
}

async function lossCurve(model: MseModel, t: Times, f0Train: TensorLike = 0): Promise<Tensor> {
  const size = sizeOf(model.layout.yShape);
  return quadratic(model, t, f0Train, (e) => (e * e) / (2 * size));
}

async function displacement(model: MseModel, t: Times, f0Train: TensorLike = 0): Promise<Tensor> {
  const { added, scale } = model.system;
  const curve = await quadratic(model, t, f0Train, (_, g, lambda) => g * g * Math.max(lambda - added, 0));
  // g is in units of 1/scale and lambda in units of scale.
  return { data: curve.data.map((value) => Math.sqrt(value / scale)), shape: curve.shape };
}

/** sum_j weight(e_j, g_j, lambda_j) |(V' r0)_j|^2 at every time. */
async function quadratic(
  model: MseModel,
  t: Times,
  f0Train: TensorLike,
  weight: (e: number, g: number, lambda: number) => number,
): Promise<Tensor> {
  const { engine, layout, samples, system, targets } = model;
  const { rows, columns } = layout;
  const times = stepsOf('gradientDescentMse', t, model.dynamics);
  const f0 = toMatrix(layout, f0Train, samples, 'gradientDescentMse: f0Train');
  const { values, vectors } = await system.spectrum();
  const residual = f0.map((value, i) => value - targets[i]!);
  const projected = await product(engine, vectors, residual, [rows, columns, rows], { transA: true });
  const { list } = await factorsAt(model, times.values, {});
  const data = Float64Array.from(list, ({ residual: e, g }) => {
    let sum = 0;
    for (let j = 0; j < rows; j++) {
      const w = weight(e[j]!, g[j]!, values[j]!);
      for (let c = 0; c < columns; c++) sum += w * projected[j * columns + c]! ** 2;
    }
    return sum;
  });
  return { data, shape: times.shape };
}

async function coefficients(model: MseModel, t: Times, f0Train: TensorLike = 0): Promise<Tensor> {
  const { layout, samples, system, targets } = model;
  const times = stepsOf('gradientDescentMse', t, model.dynamics);
  const f0 = toMatrix(layout, f0Train, samples, 'gradientDescentMse: f0Train');
  const residual = f0.map((value, i) => value - targets[i]!);
  const { dual } = await spectralTrajectory(model, residual, times.values, {});
  return batched(
    layout,
    dual.map((value) => value / system.scale),
    samples,
    times.shape,
  );
}
