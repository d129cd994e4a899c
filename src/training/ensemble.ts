// Many draws of one net, trained alike: what predictions of infinite width are compared with.
import { knownFields, type Engine, type Fields } from '../wasm/engine.js';
import { asTensor, tensor, type Tensor } from '../math/tensor.js';
import type { NetDocument } from '../net/document.js';
import { trainJob, type TrainJobParams, type TrainJobResult } from './job.js';
import { MODEL_OPTIONS, type ModelOptions } from '../net/model.js';
import { TRAIN_OPTIONS } from './train.js';

export interface TrainEnsembleOptions {
  readonly model: Omit<ModelOptions, 'seed'>;
  readonly train: TrainJobParams['train'];
  /** Seeds of the parameters; a number counts them from 0. Batches are the same in all runs (`train.seed`). */
  readonly seeds: number | readonly number[];
  /** Also return the final parameters of every run. */
  readonly keepParameters?: boolean;
  readonly signal?: AbortSignal;
  /** Runs finished, with the place of the last one. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

/** Entrywise over the runs. */
export interface TrainEnsembleMoments {
  readonly mean: Tensor;
  /** With one degree of freedom taken off; zero for a single run. */
  readonly variance: Tensor;
}

export interface TrainEnsembleResult {
  /** In the order of the seeds; each equals, bit for bit, the run of its seed alone. */
  readonly runs: readonly TrainJobResult[];
  /** Of the final outputs of every evaluated set. */
  readonly moments: Readonly<Record<string, TrainEnsembleMoments>>;
}

const { signal: _signal, onProgress: _onProgress, ...TRAIN } = TRAIN_OPTIONS;
const { seed: _seed, ...MODEL } = MODEL_OPTIONS;
const ENSEMBLE_OPTIONS: Fields<TrainEnsembleOptions> = {
  model: MODEL,
  train: TRAIN,
  seeds: true,
  keepParameters: true,
  signal: true,
  onProgress: true,
};

/**
 * Trains the net once per seed on the engine's workers. The first run whose loss stops being finite ends the call with
 * its NumericalError.
 */
export async function trainEnsemble(
  engine: Engine,
  net: NetDocument,
  options: TrainEnsembleOptions,
): Promise<TrainEnsembleResult> {
  knownFields('trainEnsemble', options, ENSEMBLE_OPTIONS);
  const { seeds, model, keepParameters = false, signal, onProgress } = options;
  const list = typeof seeds === 'number' ? Array.from({ length: seeds }, (_, seed) => seed) : seeds;
  if (list.length === 0 || (typeof seeds === 'number' && !Number.isSafeInteger(seeds))) {
    throw new RangeError(
      `trainEnsemble: seeds must be a whole number >= 1 or a list of seeds, got ${JSON.stringify(seeds)}.`,
    );
  }
  // Nested arrays are walked once here, not once per worker.
  const { evaluate = {}, ...rest } = options.train;
  const sets = Object.entries(evaluate).map(([name, { x, y }]) => [
    name,
    { x: asTensor(x, `train: ${name}`), ...(y === undefined ? {} : { y: asTensor(y, `train: ${name}`) }) },
  ]);
  const train = {
    ...rest,
    x: asTensor(rest.x, 'train: x'),
    y: asTensor(rest.y, 'train: y'),
    evaluate: Object.fromEntries(sets) as typeof evaluate,
  };
  const params = list.map((seed) => ({ net, model: { ...model, seed }, train, keepParameters }));
  const runs = await engine.map(trainJob, params, {
    signal,
    onDone: (done, total) => onProgress?.({ done, total }),
  });
  const names = Object.keys(runs[0]!.outputs);
  const moments = names.map((name) => [name, momentsOf(runs.map(({ outputs }) => outputs[name]!))]);
  return { runs, moments: Object.fromEntries(moments) as TrainEnsembleResult['moments'] };
}

function momentsOf(outputs: readonly Tensor[]): TrainEnsembleMoments {
  const { shape, data } = outputs[0]!;
  const mean = new Float64Array(data.length);
  const variance = new Float64Array(data.length);
  for (const { data: f } of outputs) for (let i = 0; i < mean.length; i++) mean[i]! += f[i]! / outputs.length;
  const freedom = Math.max(1, outputs.length - 1);
  for (const { data: f } of outputs)
    for (let i = 0; i < mean.length; i++) variance[i]! += (f[i]! - mean[i]!) ** 2 / freedom;
  return { mean: tensor(mean, shape), variance: tensor(variance, shape) };
}
