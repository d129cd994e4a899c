// The dial between lazy and rich training (Chizat, Oyallon & Bach 2019): train alpha (f - f_0) on loss / alpha^2. At every
// alpha the first step in function space is the same; for large alpha parameters hardly move and the kernel stays.
import { empiricalNtk } from '../empirical/kernels.js';
import type { Tensor } from '../math/tensor.js';
import { createModel, type LossName, type ModelOptions, type NetDocument } from '../net/index.js';
import { evaluateLoss, prepareTargets } from '../net/losses.js';
import {
  defineJob,
  knownFields,
  NumericalError,
  RUN_OPTIONS,
  type Engine,
  type Fields,
  type Job,
  type RunOptions,
} from '../wasm/engine.js';
import { checkPositive, pulledBack, sharedRun, type DynamicsData, type SharedRun } from './data.js';
import { relativeChange } from './relative.js';
import { MODEL_OPTIONS } from '../net/model.js';

export interface LazyDialOptions extends DynamicsData {
  readonly model: ModelOptions;
  /** Positive: small is rich, large is lazy. */
  readonly alphas: readonly number[];
  /** Default 200. */
  readonly steps?: number;
  /** Default 0.5. */
  readonly learningRate?: number;
  /** Default `mse`. */
  readonly loss?: LossName;
}

export interface LazyDialPoint {
  readonly alpha: number;
  /** Of alpha (f - f_0), without the division by alpha^2, before step 0, 1, 2, ... */
  readonly loss: Float64Array;
  /** alpha (f - f_0) at the end, (n, outputs). */
  readonly outputs: Tensor;
  /** |Theta_end - Theta_0| / |Theta_0|. */
  readonly kernelChange: number;
  /** |theta_end - theta_0| / |theta_0|. */
  readonly parameterChange: number;
}

type Params = SharedRun & {
  readonly alpha: number;
  readonly learningRate: number;
  readonly loss: LossName;
};

/** @internal one alpha */
export const lazyDialJob: Job<Params, LazyDialPoint> = defineJob(
  'dynamics/lazy-dial',
  async (core, params, { breathe }) => {
    const { net, model: options, alpha, x, y, steps, learningRate, loss: name } = params;
    using model = createModel(core, net, options);
    const f0 = model.forward(x);
    const targets = prepareTargets('lazyDial', name, y, x.shape[0]!, model.outputSize);
    const kernel0 = empiricalNtk(model, x).data;
    const start = Float64Array.from(core.heap.read(model.theta));
    const theta = start.slice();
    const loss = new Float64Array(steps + 1);
    for (let step = 0; ; step++) {
      const moved = Float64Array.from(model.forward(x).data, (value, p) => alpha * (value - f0.data[p]!));
      const now = evaluateLoss(core, name, moved, targets, { outputs: model.outputSize });
      loss[step] = now.loss;
      if (!Number.isFinite(now.loss)) {
        throw new NumericalError(
          `lazyDial: the loss is not finite at step ${step} for alpha ${alpha}. Lower learningRate (now ${learningRate}).`,
          { step },
        );
      }
      if (step === steps) {
        const outputs = { data: moved, shape: f0.shape };
        const kernelChange = relativeChange(empiricalNtk(model, x).data, kernel0);
        return { alpha, loss, outputs, kernelChange, parameterChange: relativeChange(theta, start) };
      }
      const cotangent = now.cotangent.map((value) => value / alpha);
      const flat = pulledBack('lazyDial', model, x, cotangent);
      for (let i = 0; i < theta.length; i++) theta[i]! -= learningRate * flat[i]!;
      core.heap.write(model.theta, theta);
      await breathe();
    }
  },
);

const DIAL_OPTIONS: Fields<LazyDialOptions> = {
  x: true,
  y: true,
  model: MODEL_OPTIONS,
  alphas: true,
  steps: true,
  learningRate: true,
  loss: true,
};

/**
 * Trains the same initial net once per alpha, on the engine's workers. RangeError for alphas that are not positive;
 * NumericalError where training diverges (Chizat, Oyallon & Bach 2019).
 */
export async function lazyDial(
  engine: Engine,
  net: NetDocument,
  options: LazyDialOptions,
  run: RunOptions = {},
): Promise<LazyDialPoint[]> {
  knownFields('lazyDial', run, RUN_OPTIONS);
  knownFields('lazyDial', options, DIAL_OPTIONS);
  const { alphas, steps = 200, learningRate = 0.5, loss = 'mse' } = options;
  checkPositive('lazyDial', 'alphas', alphas);
  const shared = { ...sharedRun('lazyDial', net, options, steps), learningRate, loss };
  return engine.map(
    lazyDialJob,
    alphas.map((alpha) => ({ ...shared, alpha })),
    run,
  );
}
