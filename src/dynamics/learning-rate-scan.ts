// Full-batch gradient descent over a range of learning rates: lazy below 2, catapult from 2 to about 4, divergent above,
// in units of 1/lambda_max(Theta_0/n) (Lewkowycz et al. 2020). One job per learning rate.
import { taylorExpand } from '../empirical/taylor.js';
import { createModel, sgd, sharpness, Trainer, type ModelOptions, type NetDocument } from '../net/index.js';
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
import { checkedData, checkPositive, sharedRun, type DynamicsData, type SharedRun } from './data.js';
import { MODEL_OPTIONS } from '../net/model.js';

export interface ScanOptions extends DynamicsData {
  readonly model: ModelOptions;
  /** Learning rates in units of n/lambda_max(Theta_0). */
  readonly multiples: readonly number[];
  /** Default 400. */
  readonly steps?: number;
  /** Trains the Taylor model of this order instead of the net: 1 is the linearised net. */
  readonly taylor?: number;
}

export interface ScanPoint {
  /** learningRate * lambda_max(Theta_0) / n. */
  readonly multiple: number;
  readonly learningRate: number;
  /** sum (f - y)^2 / (2n) before step 0, 1, 2, ... */
  readonly loss: Float64Array;
  readonly maxLoss: number;
  readonly maxLossStep: number;
  readonly finalLoss: number;
  /** lambda_max(Theta) at the end over that at the start; null when training diverged, and for Taylor models. */
  readonly sharpnessRatio: number | null;
  /** The step at which the loss passed 1e10 times its start, or null. */
  readonly divergedAt: number | null;
}

type Params = SharedRun & { readonly multiple: number; readonly taylor: number | null };

/** Relative change of the largest eigenvalue between iterations at which it is taken as found. */
const TOLERANCE = 1e-7;

/** @internal one learning rate */
export const learningRateJob: Job<Params, ScanPoint> = defineJob(
  'dynamics/learning-rate',
  async (core, { net, model: options, x, y, multiple, steps, taylor }, { send, breathe }) => {
    using model = createModel(core, net, options);
    const data = checkedData('scanLearningRates', model, { x, y });
    const { n } = data;
    const squares = { x: data.x, y: data.y, loss: 'mse', reduction: 'sum' } as const;
    const curvature = (): number => sharpness(model, squares, undefined, n, TOLERANCE);
    const start = curvature();
    const learningRate = (multiple * n) / start;
    const trained = taylor === null ? model : taylorExpand(model, taylor);
    const trainer = new Trainer(trained, { ...squares, optimizer: sgd(learningRate / n) });
    const loss: number[] = [];
    let divergedAt: number | null = null;
    try {
      while (loss.length <= steps && divergedAt === null) {
        loss.push(lossOf(trainer, n));
        if (!(loss.at(-1)! <= 1e10 * Math.max(loss[0]!, 1))) divergedAt = loss.length - 1;
        if (loss.length % 20 === 0) send(loss.length / (steps + 1));
        await breathe();
      }
      const maxLossStep = loss.reduce((best, value, step) => (value > loss[best]! ? step : best), 0);
      return {
        ...{ multiple, learningRate, loss: Float64Array.from(loss) },
        ...{ maxLoss: loss[maxLossStep]!, maxLossStep, finalLoss: loss.at(-1)!, divergedAt },
        sharpnessRatio: divergedAt === null && taylor === null ? curvature() / start : null,
      };
    } finally {
      trainer.dispose();
      if (trained !== model) trained.dispose();
    }
  },
);

/** The loss before an update, Infinity when it is no finite number. */
function lossOf(trainer: Trainer, n: number): number {
  try {
    return trainer.next().loss / n;
  } catch (error) {
    if (error instanceof NumericalError) return Infinity;
    throw error;
  }
}

const SCAN_OPTIONS: Fields<ScanOptions> = {
  x: true,
  y: true,
  model: MODEL_OPTIONS,
  multiples: true,
  steps: true,
  taylor: true,
};

/**
 * Trains the same initial net once per learning rate, on the engine's workers. Any net with dense, convolutional or
 * other layers that has a finite model. RangeError for shapes that do not fit; rates that diverge say at which step
 * (Lewkowycz et al. 2020).
 */
export async function scanLearningRates(
  engine: Engine,
  net: NetDocument,
  options: ScanOptions,
  run: RunOptions = {},
): Promise<ScanPoint[]> {
  knownFields('scanLearningRates', run, RUN_OPTIONS);
  knownFields('scanLearningRates', options, SCAN_OPTIONS);
  const { multiples, steps = 400, taylor = null } = options;
  checkPositive('scanLearningRates', 'multiples', multiples);
  const shared = { ...sharedRun('scanLearningRates', net, options, steps), taylor };
  return engine.map(
    learningRateJob,
    multiples.map((multiple) => ({ ...shared, multiple })),
    run,
  );
}
