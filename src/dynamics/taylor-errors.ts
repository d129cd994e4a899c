// How far Taylor models of a net are from the net itself while both train. At width N the error of order 1 falls as 1/N,
// and so does that of order 2, with a larger constant: the third derivative of f enters O4, which is of the same order.
// From order 3 on it falls faster.
import { taylorExpand } from '../empirical/taylor.js';
import { rootMeanSquare } from '../math/statistics.js';
import {
  createModel,
  momentum,
  sgd,
  Trainer,
  type LossName,
  type Model,
  type ModelOptions,
  type NetDocument,
  type Schedule,
  type TrainerOptions,
} from '../net/index.js';
import {
  defineJob,
  knownFields,
  RUN_OPTIONS,
  type Engine,
  type Fields,
  type Job,
  type RunOptions,
} from '../wasm/engine.js';
import { sharedRun, type DynamicsData, type SharedRun } from './data.js';
import { MODEL_OPTIONS } from '../net/model.js';

export interface TaylorErrorOptions extends DynamicsData {
  readonly model: ModelOptions;
  /** Orders of the Taylor models; default 1, 2, 3. */
  readonly orders?: readonly number[];
  /** Gradient descent; default 100 steps at rate 1. */
  readonly steps?: number;
  readonly learningRate?: number;
  /** How the rate changes; default: it stays. */
  readonly schedule?: Schedule;
  /** Default 0: without momentum. */
  readonly momentum?: number;
  /** Samples per step, the same ones for the net and its models; default all. */
  readonly batchSize?: number;
  /** Default `mse`. */
  readonly loss?: LossName;
}

export interface TaylorErrors {
  readonly order: number;
  /** Root mean square over samples and outputs of Taylor model minus net after 0, 1, ... steps of both. */
  readonly error: Float64Array;
}

type Params = SharedRun & {
  readonly order: number;
  readonly learningRate: number;
  readonly loss: LossName;
  readonly momentum: number;
  readonly more: Pick<TrainerOptions, 'schedule' | 'batchSize'>;
};

/** @internal one order */
export const taylorErrorJob: Job<Params, TaylorErrors> = defineJob(
  'dynamics/taylor-error',
  async (core, params, { send, breathe }) => {
    const { net, model: options, x, y, order, steps, learningRate, loss, momentum: mass, more } = params;
    using model = createModel(core, net, options);
    using taylor = taylorExpand(model, order);
    const optimizer = mass > 0 ? momentum(learningRate, mass) : sgd(learningRate);
    const trainerOf = (trained: Model): Trainer => new Trainer(trained, { x, y, loss, optimizer, ...more });
    const trainers = [trainerOf(model), trainerOf(taylor)];
    try {
      const error = new Float64Array(steps + 1);
      for (let step = 0; ; step++) {
        const f = model.forward(x).data;
        error[step] = rootMeanSquare(Float64Array.from(taylor.forward(x).data, (value, i) => value - f[i]!));
        if (step === steps) return { order, error };
        for (const trainer of trainers) trainer.next();
        if (step % 20 === 0) send(step / steps);
        await breathe();
      }
    } finally {
      for (const trainer of trainers) trainer.dispose();
    }
  },
);

const TAYLOR_OPTIONS: Fields<TaylorErrorOptions> = {
  x: true,
  y: true,
  model: MODEL_OPTIONS,
  orders: true,
  steps: true,
  learningRate: true,
  schedule: true,
  momentum: true,
  batchSize: true,
  loss: true,
};

/** Trains the net and its Taylor models side by side, one job per order. NumericalError when one of them diverges. */
export async function taylorErrors(
  engine: Engine,
  net: NetDocument,
  options: TaylorErrorOptions,
  run: RunOptions = {},
): Promise<TaylorErrors[]> {
  knownFields('taylorErrors', run, RUN_OPTIONS);
  knownFields('taylorErrors', options, TAYLOR_OPTIONS);
  const { orders = [1, 2, 3], steps = 100, learningRate = 1, loss = 'mse', momentum: mass = 0 } = options;
  const { schedule, batchSize } = options;
  if (!(mass >= 0 && mass < 1))
    throw new RangeError(`taylorErrors: momentum must be at least 0 and below 1, got ${mass}.`);
  const more = { ...(schedule ? { schedule } : {}), ...(batchSize === undefined ? {} : { batchSize }) };
  if (orders.length === 0) throw new RangeError('taylorErrors: orders must name at least one order, got [].');
  const shared = {
    ...sharedRun('taylorErrors', net, options, steps),
    learningRate,
    loss,
    momentum: mass,
    more,
  };
  return engine.map(
    taylorErrorJob,
    orders.map((order) => ({ ...shared, order })),
    run,
  );
}
