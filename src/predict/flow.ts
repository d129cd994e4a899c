// Function-space training dynamics for any loss: df/dt = -learningRate Theta dL/df, with heavy-ball momentum
// f'' = -(1 - m) f' - learningRate Theta dL/df (t counts steps). Source: Lee et al. 2019 (1902.06720), Qian 1999.
import { exp } from '../math/elementary.js';
import { asTensor, type Tensor, type TensorLike } from '../math/tensor.js';
import {
  breather,
  knownFields,
  type Core,
  type Engine,
  type Fields,
  wholeNumber,
  type RunOptions,
} from '../wasm/engine.js';
import { flowJob, lossOf, type FlowOutcome, type FlowParams } from './flow-job.js';
import type { IntegrateReport } from './integrate.js';
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
import type { CustomLoss, FlowLossName } from './losses.js';
import { gradientDescentMse } from './mse.js';
import { product } from './linear.js';
import { relativeDecay } from './spectral.js';
import { largestEigenvalue } from './stability.js';

/** Kernel, targets, loss and accuracy of `gradientFlow`. */
export interface GradientFlowOptions {
  /** Train-train kernel, symmetric; axes as for `gradientDescentMse`. */
  readonly ntk: TensorLike;
  readonly y: TensorLike;
  /** A named loss (a mean over samples or entries; see `FlowLossName`) or your own gradient. */
  readonly loss: FlowLossName | CustomLoss;
  readonly learningRate?: number;
  /** Heavy-ball momentum in [0, 1); null (default): plain gradient flow. */
  readonly momentum?: number | null;
  readonly traceAxes?: readonly number[];
  /** Relative and absolute tolerance of one step; default 1e-9. */
  readonly rtol?: number;
  readonly atol?: number;
  /** Steps, accepted or not, before an error, or ten times as many evaluations of the loss; default 20,000. */
  readonly maxSteps?: number;
}

/** Where a flow stands; give it back to continue. Velocities are per step and exist only with momentum. */
export interface FlowState {
  readonly train: Tensor;
  readonly test?: Tensor;
  readonly trainVelocity?: Tensor;
  readonly testVelocity?: Tensor;
}

/** Where outputs start, or the state to go on from. */
export interface FlowCall extends RunOptions {
  /** Initial outputs, default 0; not together with `state`. */
  readonly f0Train?: TensorLike;
  readonly f0Test?: TensorLike;
  readonly ntkTestTrain?: TensorLike;
  /** Continue from here; times then count from this state. */
  readonly state?: FlowState;
  /** Called with the time reached. */
  readonly onProgress?: (progress: { done: number; total: number }) => void;
}

/** Outputs at the times asked for, the state at the last one, and what the integrator did. */
export interface FlowResult {
  /** (...t, n, ...o) */
  readonly train: Tensor;
  /** (...t, tests, ...o), when `ntkTestTrain` was given. */
  readonly test?: Tensor;
  /** (...t, n, ...o), without momentum: c with f_t(x) = f_0(x) + Theta(x, train) c for any x. */
  readonly coefficients?: Tensor;
  /** The state at the last time. */
  readonly state: FlowState;
  readonly report: IntegrateReport | { readonly method: 'closed form' };
}

/** Outputs at increasing, finite times in steps. */
export type GradientFlow = (t: Times, call?: FlowCall) => Promise<FlowResult>;

const FLOW_OPTIONS: Fields<GradientFlowOptions> = {
  ntk: true,
  y: true,
  loss: true,
  learningRate: true,
  momentum: true,
  traceAxes: true,
  rtol: true,
  atol: true,
  maxSteps: true,
};

const FLOW_CALL: Fields<FlowCall> = {
  f0Train: true,
  f0Test: true,
  ntkTestTrain: true,
  state: true,
  signal: true,
  onMessage: true,
  onDone: true,
  onProgress: true,
};

/**
 * Training dynamics in function space for any loss, to the tolerances asked for. Returns a function of the times
 * (increasing, in steps). MSE without momentum has a closed form and uses it. NumericalError with advice when the step count overflows.
 */
export function gradientFlow(engine: Engine, options: GradientFlowOptions): GradientFlow {
  knownFields('gradientFlow', options, FLOW_OPTIONS);
  const name = 'gradientFlow';
  const { layout, samples, fixed, curvature } = problemOf(name, options);
  const momentum = options.momentum ?? null;
  if (options.loss === 'mse' && momentum === null) return closedForm(engine, options, layout);
  let radius: Promise<number | null> | null = null;
  return async (t, call = {}) => {
    knownFields(name, call, FLOW_CALL);
    const times = flowTimes(name, t);
    const from = start(name, layout, samples, call, momentum);
    radius ??= spectralRadius(engine, fixed, curvature);
    const params = { ...fixed, f0: from.f, v0: from.v, times: times.values, spectralRadius: await radius };
    const total = times.values.at(-1)!;
    const run: RunOptions = {
      signal: call.signal,
      onMessage: (done) => call.onProgress?.({ done: done as number, total }),
    };
    const outcome =
      typeof options.loss === 'string'
        ? await engine.run(flowJob, params, run)
        : await flowJob.run(engine as Core, params, {
            send: (done) => run.onMessage?.(done, 0),
            signal: call.signal,
            breathe: breather(call.signal),
          });
    return assemble(engine, layout, samples, call, { momentum, times, flown: outcome });
  };
}

/** What all calls of a flow share. */
type Fixed = Omit<FlowParams, 'f0' | 'v0' | 'times' | 'spectralRadius'>;

/** Checked options; arrays are copies, kept for later calls. */
function problemOf(
  name: string,
  { loss, momentum = null, ...options }: GradientFlowOptions,
): { layout: Layout; samples: number; fixed: Fixed; curvature: number | undefined } {
  const y = asTensor(options.y, `${name}: y`);
  const layout = layoutOf(name, y.shape, options.traceAxes);
  if (layout.tracedAxes.some((axis) => axis < layout.rowAxes.at(-1)!))
    throw new RangeError(`${name}: traced axes of y must come after all others, got [${layout.tracedAxes}]`);
  const samples = y.shape[0]!;
  const kernel = kernelMatrix(layout, options.ntk, `${name}: ntk`, samples).data.slice();
  const targets = toMatrix(layout, y, samples, `${name}: y`);
  const learningRate = positive(name, 'learningRate', options.learningRate ?? 1);
  if (momentum !== null && !(momentum >= 0 && momentum < 1))
    throw new RangeError(`${name}: momentum must be in [0, 1) or null, got ${momentum}`);
  const fixed = {
    kernel,
    rows: layout.rows,
    columns: layout.columns,
    samples,
    outputs: y.data.length / samples,
    y: targets,
    loss,
    learningRate,
    damping: momentum === null ? null : 1 - momentum,
    rtol: positive(name, 'rtol', options.rtol ?? 1e-9),
    atol: positive(name, 'atol', options.atol ?? 1e-9),
    maxSteps: wholeNumber(name, 'maxSteps', options.maxSteps ?? 20_000, 1),
  };
  return { layout, samples, fixed, curvature: lossOf(fixed).curvature };
}

/** A bound on the largest rate of the flow, where the loss knows its curvature. */
async function spectralRadius(
  engine: Engine,
  fixed: Fixed,
  curvature: number | undefined,
): Promise<number | null> {
  if (curvature === undefined) return null;
  const lambda = await largestEigenvalue(engine, fixed.kernel, fixed.rows);
  return 1.05 * lambda * curvature * fixed.learningRate;
}

/** The initial outputs and velocities as matrices. */
function start(
  name: string,
  layout: Layout,
  samples: number,
  call: FlowCall,
  momentum: number | null,
): { f: Float64Array; v: Float64Array | null } {
  const { state } = call;
  if (state && (call.f0Train !== undefined || call.f0Test !== undefined))
    throw new RangeError(`${name}: give either state or f0Train and f0Test, not both`);
  if (momentum === null && (state?.trainVelocity || state?.testVelocity))
    throw new RangeError(`${name}: the state has velocities, but momentum is null`);
  const f = toMatrix(layout, state?.train ?? call.f0Train ?? 0, samples, `${name}: f0Train`);
  if (momentum === null) return { f, v: null };
  return { f, v: toMatrix(layout, state?.trainVelocity ?? 0, samples, `${name}: trainVelocity`) };
}

function flowTimes(name: string, t: Times): { values: Float64Array; shape: readonly number[] } {
  const times = timesOf(name, t);
  if (times.values.length === 0) throw new RangeError(`${name}: no times given`);
  for (let i = 0; i < times.values.length; i++) {
    if (times.values[i] === Infinity)
      throw new RangeError(
        `${name}: this loss has no limit in closed form (cross-entropy outputs never stop growing). Ask for finite times.`,
      );
    if (i > 0 && times.values[i]! <= times.values[i - 1]!)
      throw new RangeError(
        `${name}: times must increase, got ${times.values[i - 1]} before ${times.values[i]}`,
      );
  }
  return times;
}

async function assemble(
  engine: Engine,
  layout: Layout,
  samples: number,
  call: FlowCall,
  {
    momentum,
    times,
    flown: { f, u, v, p, report },
  }: {
    readonly momentum: number | null;
    readonly times: { values: Float64Array; shape: readonly number[] };
    readonly flown: FlowOutcome;
  },
): Promise<FlowResult> {
  const train = stack(layout, f, samples, times.shape);
  const state: { -readonly [K in keyof FlowState]: FlowState[K] } = {
    train: fromMatrix(layout, f.at(-1)!, samples),
  };
  if (momentum !== null) state.trainVelocity = fromMatrix(layout, v.at(-1)!, samples);
  const negative = momentum === null ? u.map((list) => list.map((value) => -value)) : null;
  const dual = negative ? { coefficients: stack(layout, negative, samples, times.shape) } : {};
  const test0 = call.state?.test ?? call.f0Test;
  if (call.ntkTestTrain === undefined) {
    if (test0 !== undefined) throw new RangeError('gradientFlow: test outputs need ntkTestTrain');
    return { train, ...dual, state, report };
  }
  const kernel = kernelMatrix(layout, call.ntkTestTrain, 'gradientFlow: ntkTestTrain', null);
  const f0 = toMatrix(layout, test0 ?? 0, kernel.samples, 'gradientFlow: f0Test');
  const damping = momentum === null ? null : 1 - momentum;
  const v0 =
    damping !== null && call.state?.testVelocity
      ? toMatrix(layout, call.state.testVelocity, kernel.samples, 'gradientFlow: testVelocity')
      : null;
  const pulled = await applyKernel(engine, kernel.data, layout, u);
  const outputs = pulled.map((pull, i) => {
    const drift = damping === null ? 0 : coasting(damping, times.values[i]!).distance;
    return pull.map((value, j) => f0[j]! - value + (v0 ? v0[j]! * drift : 0));
  });
  const test = stack(layout, outputs, kernel.samples, times.shape);
  state.test = fromMatrix(layout, outputs.at(-1)!, kernel.samples);
  if (damping !== null) {
    const last = (await applyKernel(engine, kernel.data, layout, [p.at(-1)!]))[0]!;
    const keep = coasting(damping, times.values.at(-1)!).speed;
    state.testVelocity = fromMatrix(
      layout,
      last.map((value, j) => (v0 ? v0[j]! * keep : 0) - value),
      kernel.samples,
    );
  }
  return { train, test, ...dual, state, report };
}

/** Theta times each of the dual coefficient matrices. */
async function applyKernel(
  engine: Engine,
  kernel: Float64Array,
  layout: Layout,
  list: readonly Float64Array[],
): Promise<Float64Array[]> {
  const rows = kernel.length / layout.rows;
  return Promise.all(list.map((u) => product(engine, kernel, u, [rows, layout.columns, layout.rows])));
}

/** A mode without force after t: the distance it coasts and the speed it keeps, per unit of initial velocity. */
function coasting(damping: number, t: number): { distance: number; speed: number } {
  return { distance: t * relativeDecay(damping * t), speed: exp(-Math.min(damping * t, 745)) };
}

/** Outputs at several times, in the shape of the times. */
function stack(
  layout: Layout,
  list: readonly Float64Array[],
  samples: number,
  shape: readonly number[],
): Tensor {
  const each = targetShape(layout, samples);
  const data = new Float64Array(list.length * list[0]!.length);
  list.forEach((item, i) => data.set(fromMatrix(layout, item, samples).data, i * item.length));
  return { data, shape: [...shape, ...each] };
}

function closedForm(engine: Engine, options: GradientFlowOptions, layout: Layout): GradientFlow {
  const { ntk, y, learningRate = 1, traceAxes } = options;
  const predictor = gradientDescentMse(engine, {
    ntk,
    y,
    learningRate,
    ...(traceAxes ? { traceAxes } : {}),
  });
  return async (t, call = {}) => {
    const times = flowTimes('gradientFlow', t);
    const samples = layout.yShape[0]!;
    const from = start('gradientFlow', layout, samples, call, null);
    const f0Test = call.state?.test ?? call.f0Test;
    if (f0Test !== undefined && call.ntkTestTrain === undefined)
      throw new RangeError('gradientFlow: test outputs need ntkTestTrain');
    const result = await predictor(t, {
      f0Train: fromMatrix(layout, from.f, samples),
      signal: call.signal,
      ...(call.ntkTestTrain === undefined ? {} : { ntkTestTrain: call.ntkTestTrain, f0Test: f0Test ?? 0 }),
    });
    const last = (value: Tensor): Tensor => {
      const size = value.data.length / times.values.length;
      return { data: value.data.slice(-size), shape: value.shape.slice(times.shape.length) };
    };
    return {
      train: result.train!,
      coefficients: await predictor.coefficients(t, fromMatrix(layout, from.f, samples)),
      ...(result.test ? { test: result.test } : {}),
      state: { train: last(result.train!), ...(result.test ? { test: last(result.test) } : {}) },
      report: { method: 'closed form' },
    };
  };
}

function positive(name: string, what: string, value: number): number {
  if (typeof value !== 'number' || !(value > 0) || value === Infinity)
    throw new RangeError(`${name}: ${what} must be positive and finite, got ${String(value)}`);
  return value;
}
