// Mean-field training of one hidden layer as a gradient flow of measures: f(x) = (1/N) sum_r a_r phi(w_r.x), a particle
// theta_r = (a_r, w_r) per unit, d theta_r/dt = -grad Psi(theta_r) = -N dE/d theta_r. The energy
//   E = loss(f) + decay/(2N) sum_r |theta_r|^2   falls as   dE/dt = -D,   D = (1/N) sum_r |grad Psi(theta_r)|^2
// (Mei, Montanari & Nguyen 2018, eq. 5; Chizat & Bach 2018). One step of size h of the particles changes E by
// -h D + (h^2/2) g.Hg N^2 and D by -2h g.Hg N^2, so -h (3 D_k + D_{k+1})/4 is the change up to h^3.
import { isActivation } from '../layers/registry.js';
import { createModel, type LossName, type Model, type ModelOptions, type NetDocument } from '../net/index.js';
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
import { pulledBack, sharedRun, type DynamicsData, type SharedRun } from './data.js';
import { MODEL_OPTIONS } from '../net/model.js';

export interface MeanFieldEnergyOptions extends DynamicsData {
  readonly model: ModelOptions;
  /** Default `mse`: half the mean over all entries. */
  readonly loss?: LossName;
  /** Step h of the particles' time; default 0.1. */
  readonly learningRate?: number;
  /** Default 200. */
  readonly steps?: number;
  /** Weight of |theta|^2 / 2 in the energy; default 0. */
  readonly decay?: number;
}

export interface MeanFieldEnergy {
  /** E before step 0, 1, 2, ... */
  readonly energy: Float64Array;
  /** The loss in it. */
  readonly loss: Float64Array;
  /** D at the same steps: what the flow loses per unit of time. */
  readonly dissipation: Float64Array;
  /** E_0 minus the dissipation so far, to second order of the step: `energy`, if training follows the flow. */
  readonly predicted: Float64Array;
  /** Steps after which the energy was higher: 0 for steps small enough. */
  readonly rises: number;
  /** Root mean square over the particles of |theta_end - theta_0|. */
  readonly movement: number;
}

type Params = SharedRun & Required<Pick<MeanFieldEnergyOptions, 'loss' | 'learningRate' | 'decay'>>;

/** @internal */
export const meanFieldEnergyJob: Job<Params, MeanFieldEnergy> = defineJob(
  'dynamics/mean-field-energy',
  async (
    core,
    { net, model: options, x, y, loss: name, learningRate: h, steps, decay },
    { send, breathe },
  ) => {
    using model = createModel(core, net, options);
    const units = particles(model);
    const targets = prepareTargets('meanFieldEnergy', name, y, x.shape[0]!, model.outputSize);
    const start = Float64Array.from(core.heap.read(model.theta));
    const theta = start.slice();
    const factor = 1 / Math.sqrt(units); // the net's output has 1/sqrt(N), the mean over particles 1/N
    const trace = (): Float64Array => new Float64Array(steps + 1);
    const traces = { energy: trace(), loss: trace(), dissipation: trace(), predicted: trace() };
    const { energy, loss, dissipation, predicted } = traces;
    let rises = 0;
    for (let k = 0; ; k++) {
      const f = model.forward(x);
      const now = evaluateLoss(
        core,
        name,
        Float64Array.from(f.data, (value) => value * factor),
        targets,
        { outputs: model.outputSize },
      );
      loss[k] = now.loss;
      energy[k] = now.loss + (decay / (2 * units)) * squares(theta);
      if (!Number.isFinite(energy[k]!)) {
        throw new NumericalError(
          `meanFieldEnergy: the energy is not finite at step ${k}. Lower learningRate (now ${h}).`,
          { step: k },
        );
      }
      const cotangent = Float64Array.from(now.cotangent, (value) => value * factor);
      const flat = pulledBack('meanFieldEnergy', model, x, cotangent);
      const velocity = Float64Array.from(theta, (value, i) => -(units * flat[i]! + decay * value));
      dissipation[k] = squares(velocity) / units;
      predicted[k] =
        k === 0 ? energy[0]! : predicted[k - 1]! - (h * (3 * dissipation[k - 1]! + dissipation[k]!)) / 4;
      if (k > 0 && energy[k]! > energy[k - 1]!) rises++;
      if (k === steps) {
        const movement = Math.sqrt(squares(theta.map((value, i) => value - start[i]!)) / units);
        return { ...traces, rises, movement };
      }
      for (let i = 0; i < theta.length; i++) theta[i]! += h * velocity[i]!;
      core.heap.write(model.theta, theta);
      if (k % 20 === 0) send((k + 1) / steps);
      await breathe();
    }
  },
);

/** Units of the hidden layer; the net must be particles: dense, activation, dense without bias. */
function particles({ slots, net }: Model): number {
  const [hidden, middle, output, more] = net.layer === 'serial' ? net.layers : [];
  if (
    !more &&
    hidden?.layer === 'dense' &&
    middle &&
    isActivation(middle) &&
    output?.layer === 'dense' &&
    hidden.parametrization === 'ntk' &&
    output.parametrization === 'ntk' &&
    slots[1]!.bSize === 0
  )
    return slots[0]!.spec.w.at(-1)!;
  throw new RangeError(
    "meanFieldEnergy: net must be [dense, activation, dense] in parametrisation 'ntk', without bias (bStd null) in the last layer: its units are the particles.",
  );
}

const squares = (values: Float64Array): number => values.reduce((sum, value) => sum + value * value, 0);

const ENERGY_OPTIONS: Fields<MeanFieldEnergyOptions> = {
  x: true,
  y: true,
  model: MODEL_OPTIONS,
  loss: true,
  learningRate: true,
  steps: true,
  decay: true,
};

/**
 * Trains a net of one hidden layer in the mean-field scaling, as a job: energy, and what the flow predicts for it.
 * RangeError for other nets; NumericalError where training diverges (Mei, Montanari & Nguyen 2018).
 */
export async function meanFieldEnergy(
  engine: Engine,
  net: NetDocument,
  options: MeanFieldEnergyOptions,
  run: RunOptions = {},
): Promise<MeanFieldEnergy> {
  knownFields('meanFieldEnergy', run, RUN_OPTIONS);
  knownFields('meanFieldEnergy', options, ENERGY_OPTIONS);
  const { loss = 'mse', learningRate = 0.1, steps = 200, decay = 0 } = options;
  if (!(learningRate > 0) || !Number.isFinite(learningRate) || !(decay >= 0) || !Number.isFinite(decay))
    throw new RangeError(
      `meanFieldEnergy: learningRate must be positive and decay >= 0, got ${learningRate}, ${decay}.`,
    );
  const shared = sharedRun('meanFieldEnergy', net, options, steps);
  return engine.run(meanFieldEnergyJob, { ...shared, loss, learningRate, decay }, run);
}
