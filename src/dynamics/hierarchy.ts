// The hierarchy of kernels: df/dt = -Theta g, dTheta/dt = -O3 g, dO3/dt = -O4 g, ..., g = dL/df, truncated, beside the
// gradient flow of the net itself. At width N, O3 and O4 are both of order 1/N, so only keeping both gains an order.
import { rootMeanSquare } from '../math/statistics.js';
import { tensor, type Tensor } from '../math/tensor.js';
import { createModel, type Model, type ModelOptions, type NetDocument } from '../net/index.js';
import { defineJob, drain, drainNow, knownFields, type Fields, type Job } from '../wasm/engine.js';
import { checkedData, type DynamicsData } from './data.js';
import { descent, kernelOrderSteps, kernelVelocity } from './kernel-orders.js';
import { rungeKutta4, type OdeState } from './runge-kutta.js';

export type HierarchyOrder = 2 | 3 | 4;

export interface HierarchyOptions extends DynamicsData {
  /** End of the flow, in units in which df/dt = -Theta (f - y)/n. */
  readonly time: number;
  /** Runge-Kutta steps; default 200. */
  readonly steps?: number;
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
}

export interface HierarchyResult {
  /** The times of the traces: 0, time/steps, ..., time. */
  readonly times: Float64Array;
  /** Outputs (times, n, outputs) of the net along gradient flow, and its tangent kernel (P, P) at the end. */
  readonly outputs: Tensor;
  readonly kernel: Tensor;
  /** The same as each truncation sees them. Order 2 freezes Theta, 3 freezes O3, 4 freezes O4. */
  readonly truncations: readonly {
    readonly order: HierarchyOrder;
    readonly outputs: Tensor;
    readonly kernel: Tensor;
  }[];
  /** Root mean squares of Theta, O3, O4 at initialisation. */
  readonly size: { readonly theta: number; readonly o3: number; readonly o4: number };
}

const HIERARCHY_OPTIONS: Fields<HierarchyOptions> = {
  x: true,
  y: true,
  time: true,
  steps: true,
  onProgress: true,
};

/**
 * Gradient flow of a net beside its kernel hierarchy truncated at orders 2, 3 and 4, from the same start; the model is
 * left as it was. Rows of kernels are sample * outputs + output. Memory grows as (n outputs)^4: for a handful of
 * samples. RangeError for shapes, sizes or options that do not fit.
 */
export function hierarchy(model: Model, options: HierarchyOptions): HierarchyResult {
  knownFields('hierarchy', options, HIERARCHY_OPTIONS);
  return drainNow(hierarchySteps(model, options));
}

function* hierarchySteps(model: Model, options: HierarchyOptions): Generator<void, HierarchyResult> {
  const { time, steps = 200, onProgress } = options;
  if (!(time > 0) || !Number.isFinite(time) || !Number.isInteger(steps) || steps < 1) {
    throw new RangeError(
      `hierarchy: time must be positive and steps a whole number >= 1, got ${time}, ${steps}.`,
    );
  }
  const { x, y, n } = checkedData('hierarchy', model, options);
  const { theta, o3, o4 } = yield* kernelOrderSteps(model, x, 4);
  const f0 = Float64Array.from(model.forward(x).data);
  const h = time / steps;
  const shape = [steps + 1, n, model.outputSize];
  const frozen = [theta, o3, o4!].map(({ data }) => Float64Array.from(data));
  const truncations = [];
  for (const order of [2, 3, 4] as const) {
    const trace = new Float64Array((steps + 1) * f0.length);
    trace.set(f0);
    let state: OdeState = [f0, ...frozen.slice(0, order - 2)];
    for (let step = 1; step <= steps; step++) {
      state = rungeKutta4(state, h, (now) => hierarchySlope([...now, frozen[order - 2]!], y.data, n));
      trace.set(state[0]!, step * f0.length);
      yield;
    }
    const last = tensor(state[1] ?? frozen[0]!, theta.shape);
    truncations.push({ order, outputs: tensor(trace, shape), kernel: last });
  }
  const flow = yield* gradientFlow(model, { x, y }, { h, steps, onProgress });
  return {
    times: Float64Array.from({ length: steps + 1 }, (_, step) => step * h),
    outputs: tensor(flow.trace, shape),
    kernel: flow.kernel,
    truncations,
    size: { theta: rootMeanSquare(theta.data), o3: rootMeanSquare(o3.data), o4: rootMeanSquare(o4!.data) },
  };
}

type JobParams = Omit<HierarchyOptions, 'onProgress'> & {
  readonly net: NetDocument;
  readonly model: ModelOptions;
};

/** @internal the same on a worker; sends the share of the flow that is done */
export const hierarchyJob: Job<JobParams, HierarchyResult> = defineJob(
  'dynamics/hierarchy',
  async (core, { net, model: options, ...rest }, { send, breathe }) => {
    using model = createModel(core, net, options);
    const onProgress = ({ done, total }: { done: number; total: number }): void => send(done / total);
    return await drain(hierarchySteps(model, { ...rest, onProgress }), breathe);
  },
);

/** Each order's slope is minus the next order contracted with g = (f - y)/n; the last one does not move. */
function hierarchySlope(orders: OdeState, y: ArrayLike<number>, n: number): OdeState {
  const g = orders[0]!.map((value, p) => (value - y[p]!) / n);
  return orders.slice(0, -1).map((order, k) => {
    const next = orders[k + 1]!;
    const slope = new Float64Array(order.length);
    for (let i = 0; i < slope.length; i++) {
      let sum = 0;
      for (let p = 0; p < g.length; p++) sum += next[i * g.length + p]! * g[p]!;
      slope[i] = -sum;
    }
    return slope;
  });
}

/** The net's own outputs along gradient flow on its parameters, which are put back at the end. */
function* gradientFlow(
  model: Model,
  data: { readonly x: Tensor; readonly y: Tensor },
  { h, steps, onProgress }: { h: number; steps: number; onProgress: HierarchyOptions['onProgress'] },
): Generator<void, { trace: Float64Array; kernel: Tensor }> {
  const { heap } = model.core;
  const start = heap.read(model.theta);
  const put = (theta: ArrayLike<number>): void => heap.write(model.theta, theta);
  const size = data.y.data.length;
  const trace = new Float64Array((steps + 1) * size);
  try {
    let state: OdeState = [Float64Array.from(start)];
    for (let step = 0; ; step++) {
      put(state[0]!);
      trace.set(model.forward(data.x).data, step * size);
      if (step === steps) return { trace, kernel: kernelVelocity(model, data).theta };
      state = rungeKutta4(state, h, ([theta]) => {
        put(theta!);
        return [Float64Array.from(descent(model, data))];
      });
      onProgress?.({ done: step + 1, total: steps });
      yield;
    }
  } finally {
    put(start);
  }
}
