// A flow of the outputs as one job: the kernel stays in wasm memory while the integrator steps.
import { gemm } from '../math/matmul.js';
import { defineJob, drain, type Core, type Job, type Region } from '../wasm/engine.js';
import { integrate, type IntegrateReport } from './integrate.js';
import { stage } from './linear.js';
import { builtInLoss, type CustomLoss, type FlowLossName, type Loss } from './losses.js';

export interface FlowParams {
  readonly kernel: Float64Array;
  readonly rows: number;
  readonly columns: number;
  readonly samples: number;
  readonly outputs: number;
  readonly y: Float64Array;
  readonly f0: Float64Array;
  readonly v0: Float64Array | null;
  readonly loss: FlowLossName | CustomLoss;
  readonly learningRate: number;
  readonly damping: number | null;
  readonly times: Float64Array;
  readonly rtol: number;
  readonly atol: number;
  readonly maxSteps: number;
  readonly spectralRadius: number | null;
}

export interface FlowOutcome {
  /** One state per time: f, and dual coefficients u with f_test = f0_test - Theta_td u; with momentum also p. */
  readonly f: Float64Array[];
  readonly u: Float64Array[];
  readonly v: Float64Array[];
  readonly p: Float64Array[];
  readonly report: IntegrateReport;
}

/** The loss of a flow, by name or as given. */
export const lossOf = ({
  loss,
  samples,
  outputs,
  y,
}: Pick<FlowParams, 'loss' | 'samples' | 'outputs' | 'y'>): CustomLoss =>
  isCustom(loss) ? loss : builtInLoss(loss, samples, outputs, y);

/** Whatever is neither a gradient nor a name is refused by `builtInLoss`. */
const isCustom = (loss: FlowParams['loss']): loss is CustomLoss =>
  typeof (loss as CustomLoss | undefined)?.gradient === 'function';

type Derivative = (state: Float64Array, out: Float64Array) => void;

/** Of f, u or with momentum f, u, v, p, side by side; the kernel stays in wasm memory. */
function derivativeOf(core: Core, region: Region, params: FlowParams): Derivative {
  const { rows, columns, damping, learningRate } = params;
  const size = rows * columns;
  const loss = lossOf(params);
  const kernel = stage(region, core, params.kernel);
  const slope = region.alloc('f64', size);
  const pulled = region.alloc('f64', size);
  const g = new Float64Array(size);
  const pull = new Float64Array(size);
  return (state, out) => {
    loss.gradient(state.subarray(0, size), params.y, g);
    core.heap.write(slope, g);
    gemm(core, [kernel, slope, pulled], [rows, columns, rows]);
    core.heap.readInto(pulled, pull);
    for (let i = 0; i < size; i++) {
      const force = -learningRate * pull[i]!;
      const dual = learningRate * g[i]!;
      if (damping === null) {
        out[i] = force;
        out[size + i] = dual;
      } else {
        out[i] = state[2 * size + i]!;
        out[size + i] = state[3 * size + i]!;
        out[2 * size + i] = force - damping * state[2 * size + i]!;
        out[3 * size + i] = dual - damping * state[3 * size + i]!;
      }
    }
  };
}

/** The bound of the flow's spectral radius, `most` anywhere, at a state. */
function radiusOf(params: FlowParams, most: number): (state: Float64Array) => number {
  const { curvature, curvatureAt } = lossOf(params) as Partial<Loss>;
  if (!curvature || !curvatureAt) return () => most;
  const size = params.rows * params.columns;
  return (state) => most * Math.min(1, curvatureAt(state.subarray(0, size)) / curvature);
}

/** @internal The whole integration. */
export const flowJob: Job<FlowParams, FlowOutcome> = defineJob(
  'predict/flow',
  async (core, params, { send, breathe }) => {
    const { damping, spectralRadius, rtol, atol, maxSteps } = params;
    const size = params.rows * params.columns;
    const parts = damping === null ? 2 : 4;
    const state = new Float64Array(parts * size);
    state.set(params.f0);
    if (params.v0) state.set(params.v0, 2 * size);
    const saved: Float64Array[][] = [[], [], [], []];
    let told = performance.now();
    const options = {
      ...{ rtol, atol, maxSteps },
      ...(spectralRadius !== null && damping === null
        ? { spectralRadius: radiusOf(params, spectralRadius) }
        : {}),
      onStep: (t: number): void => {
        if (performance.now() - told < 100) return;
        told = performance.now();
        send(t);
      },
    };
    const region = core.heap.region();
    try {
      const derivative = derivativeOf(core, region, params);
      const work = integrate(derivative, state, params.times, options, (_, y) => {
        for (let part = 0; part < parts; part++) saved[part]!.push(y.slice(part * size, (part + 1) * size));
      });
      const report = await drain(work, breathe);
      return { f: saved[0]!, u: saved[1]!, v: saved[2]!, p: saved[3]!, report };
    } finally {
      region.dispose();
    }
  },
);
