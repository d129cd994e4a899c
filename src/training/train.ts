// Training as an async iterator: the consumer sets the pace, and may stop, cancel, save or resume at any record.
import { asTensor, type Tensor, type TensorLike } from '../math/tensor.js';
import { accuracyOf, evaluateLoss, prepareTargets } from '../net/losses.js';
import type { Model } from '../net/model.js';
import { Trainer, TRAINER_OPTIONS, type Checkpoint, type TrainerOptions } from '../net/trainer.js';
import { breather, drain, knownFields, onlyFields, type Fields } from '../wasm/engine.js';
import { KernelProbe, type KernelTrace, type KernelTraceName, type Probe } from './probe.js';

export interface TrainOptions extends TrainerOptions {
  /** Passes over the data; or give `steps`. Default 1. */
  readonly epochs?: number;
  readonly steps?: number;
  /** Updates between records; default one epoch. */
  readonly recordEvery?: number;
  /** Or the steps to record, beside the first and the last: whole numbers, each larger than the one before. */
  readonly recordAt?: readonly number[];
  /** Sets to evaluate at every record; y may be left out when only the outputs are wanted. */
  readonly evaluate?: Readonly<Record<string, { readonly x: TensorLike; readonly y?: TensorLike }>>;
  /** Empirical kernels and their alignment at every record: quadratic in the samples of the probe. */
  readonly probe?: Probe;
  /** Continues a run; the other options must be those of that run. */
  readonly resume?: Checkpoint;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

export interface Evaluation {
  readonly outputs: Tensor;
  readonly loss: number | null;
  readonly accuracy: number | null;
}

/** One record: the state after `step` updates. */
export interface TrainRecord {
  readonly step: number;
  readonly epoch: number;
  /** Mean over the samples seen since the last record, each before its update; null in the first record. */
  readonly loss: number | null;
  readonly accuracy: number | null;
  readonly evaluations: Readonly<Record<string, Evaluation>>;
  /** |theta_l - theta_l(0)| / |theta_l(0)| per layer with weights. */
  readonly movement: readonly number[];
  /** Kernels between the samples of the probe; null without one, or at steps it does not name. */
  readonly kernels: Readonly<Partial<Record<KernelTraceName, KernelTrace>>> | null;
  checkpoint(): Checkpoint;
}

/** @internal */
export const TRAIN_OPTIONS: Fields<TrainOptions> = {
  ...TRAINER_OPTIONS,
  epochs: true,
  steps: true,
  recordEvery: true,
  recordAt: true,
  evaluate: true,
  probe: { x: true, y: true, kernels: true, outputs: true, at: true, keep: true },
  resume: true,
  signal: true,
  onProgress: true,
};

/**
 * Trains `model` in place. The first record is the state before any update (or at the resumed step), the last one the
 * state after all of them. NumericalError when the loss stops being finite. Aborting rejects with the signal's reason.
 */
export async function* train(model: Model, options: TrainOptions): AsyncGenerator<TrainRecord, void, void> {
  knownFields('train', options, TRAIN_OPTIONS);
  options.signal?.throwIfAborted();
  const breathe = breather(options.signal);
  const trainer = new Trainer(model, onlyFields<TrainerOptions>(options, TRAINER_OPTIONS));
  try {
    const total = totalSteps(options, trainer.stepsPerEpoch);
    const isDue = recordRule(options, trainer.stepsPerEpoch);
    const probe = options.probe ? new KernelProbe(model, options.loss, options.probe) : null;
    if (probe) await drain(probe.begin(), breathe);
    const record = async (seen: Seen | null): Promise<TrainRecord> => ({
      ...recordOf(trainer, options, seen),
      kernels: probe && (await drain(probe.take(trainer.step), breathe)),
    });
    if (options.resume) {
      trainer.restore(options.resume);
      if (trainer.step > total)
        throw new RangeError(
          `train: the checkpoint to resume is at step ${trainer.step}, the run has ${total}. Raise steps.`,
        );
    }
    yield await record(null);
    let told = performance.now();
    while (trainer.step < total) {
      const seen = { loss: 0, accuracy: 0, samples: 0 };
      do {
        const { loss, accuracy, samples } = trainer.next();
        seen.loss += loss * samples;
        seen.accuracy += accuracy * samples;
        seen.samples += samples;
        if (performance.now() - told > 30) {
          options.onProgress?.({ done: trainer.step, total });
          told = performance.now();
        }
        await breathe();
      } while (trainer.step < total && !isDue(trainer.step));
      yield await record(seen);
    }
    options.onProgress?.({ done: total, total });
  } finally {
    trainer.dispose();
  }
}

/** @internal how many records a run from its start gives */
export function recordCount(options: TrainOptions, samples: number): number {
  const perEpoch = Math.ceil(samples / Math.min(options.batchSize ?? samples, samples));
  const total = totalSteps(options, perEpoch);
  const { recordAt, recordEvery = perEpoch } = options;
  return Math.min(total, recordAt?.length ?? Math.ceil(total / recordEvery)) + 1;
}

/** Whether a step is to be recorded. */
function recordRule(
  { recordEvery, recordAt }: Pick<TrainOptions, 'recordEvery' | 'recordAt'>,
  perEpoch: number,
): (step: number) => boolean {
  if (recordAt) {
    if (recordEvery !== undefined) throw new RangeError('train: give recordEvery or recordAt, got both.');
    const wrong = recordAt.findIndex(
      (step, i) => !Number.isSafeInteger(step) || step < 0 || (i > 0 && step <= recordAt[i - 1]!),
    );
    if (wrong >= 0) {
      throw new RangeError(
        `train: recordAt must list whole numbers >= 0 in increasing order, got ${recordAt[wrong]} at entry ${wrong}.`,
      );
    }
    const due = new Set(recordAt);
    return (step) => due.has(step);
  }
  const every = recordEvery ?? perEpoch;
  if (!Number.isInteger(every) || every < 1) {
    throw new RangeError(`train: recordEvery must be a whole number >= 1, got ${every}.`);
  }
  return (step) => step % every === 0;
}

function totalSteps({ epochs, steps }: Pick<TrainOptions, 'epochs' | 'steps'>, perEpoch: number): number {
  const total = steps ?? (epochs ?? 1) * perEpoch;
  if (!Number.isSafeInteger(total) || total < 0 || (steps !== undefined && epochs !== undefined)) {
    throw new RangeError(
      `train: give epochs or steps, a whole number >= 0, got epochs ${String(epochs)}, steps ${String(steps)}.`,
    );
  }
  return total;
}

interface Seen {
  loss: number;
  accuracy: number;
  samples: number;
}

function recordOf(trainer: Trainer, options: TrainOptions, seen: Seen | null): Omit<TrainRecord, 'kernels'> {
  const { model } = trainer;
  const evaluations: Record<string, Evaluation> = {};
  for (const [name, set] of Object.entries(options.evaluate ?? {})) {
    evaluations[name] = evaluate(model, options, name, set);
  }
  return {
    step: trainer.step,
    epoch: trainer.epoch,
    loss: seen && seen.loss / seen.samples,
    accuracy: seen && seen.accuracy / seen.samples,
    evaluations,
    movement: movement(model, trainer.initial),
    checkpoint: () => trainer.checkpoint(),
  };
}

function evaluate(
  model: Model,
  { loss, reduction }: TrainOptions,
  name: string,
  { x, y }: { readonly x: TensorLike; readonly y?: TensorLike },
): Evaluation {
  const outputs = model.forward(x);
  if (y === undefined) return { outputs, loss: null, accuracy: null };
  const n = outputs.shape[0]!;
  const targets = prepareTargets(`train: ${name}`, loss, asTensor(y), n, model.outputSize);
  return {
    outputs,
    loss: evaluateLoss(model.core, loss, outputs.data, targets, { outputs: model.outputSize, reduction })
      .loss,
    accuracy: accuracyOf(loss, outputs.data, targets, model.outputSize),
  };
}

function movement(model: Model, start: Float64Array | Float32Array): number[] {
  const now = model.core.heap.read(model.theta);
  return model.slots.map(({ offset, wSize, bSize }) => {
    let [moved, size] = [0, 0];
    for (let i = offset; i < offset + wSize + bSize; i++) {
      moved += (now[i]! - start[i]!) ** 2;
      size += start[i]! ** 2;
    }
    return size > 0 ? Math.sqrt(moved / size) : moved > 0 ? Infinity : 0;
  });
}
