// Training as an async iterator: the consumer sets the pace, and may stop, cancel, save or resume at any record.
import { asTensor, type Tensor, type TensorLike } from '../math/tensor.js';
import { accuracyOf, evaluateLoss, prepareTargets } from './losses.js';
import type { Model } from './model.js';
import { Trainer, type Checkpoint, type TrainerOptions } from './trainer.js';

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
  checkpoint(): Checkpoint;
}

/**
 * Trains `model` in place. The first record is the state before any update (or at the resumed step), the last one the
 * state after all of them. NumericalError when the loss stops being finite. Aborting rejects with the signal's reason.
 */
export async function* train(model: Model, options: TrainOptions): AsyncGenerator<TrainRecord, void, void> {
  const trainer = new Trainer(model, options);
  const total = totalSteps(options, trainer.stepsPerEpoch);
  const isDue = recordRule(options, trainer.stepsPerEpoch);
  const start = trainer.initial;
  try {
    if (options.resume) trainer.restore(options.resume);
    yield record(trainer, options, start, null);
    let breath = performance.now();
    while (trainer.step < total) {
      const seen = { loss: 0, accuracy: 0, samples: 0 };
      do {
        options.signal?.throwIfAborted();
        const { loss, accuracy, samples } = trainer.next();
        seen.loss += loss * samples;
        seen.accuracy += accuracy * samples;
        seen.samples += samples;
        if (performance.now() - breath > 30) {
          options.onProgress?.({ done: trainer.step, total });
          await new Promise((resolve) => setTimeout(resolve));
          breath = performance.now();
        }
      } while (trainer.step < total && !isDue(trainer.step));
      yield record(trainer, options, start, seen);
    }
    options.onProgress?.({ done: total, total });
  } finally {
    trainer.dispose();
  }
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

/** @internal */
export function totalSteps(
  { epochs, steps }: Pick<TrainOptions, 'epochs' | 'steps'>,
  perEpoch: number,
): number {
  const total = steps ?? (epochs ?? 1) * perEpoch;
  if (!Number.isSafeInteger(total) || total < 0 || (steps !== undefined && epochs !== undefined)) {
    throw new RangeError(
      `train: give epochs or steps, a whole number >= 0, got epochs ${String(epochs)}, steps ${String(steps)}.`,
    );
  }
  return total;
}

function record(
  trainer: Trainer,
  options: TrainOptions,
  start: Float64Array | Float32Array,
  seen: { loss: number; accuracy: number; samples: number } | null,
): TrainRecord {
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
    movement: movement(model, start),
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
    loss: evaluateLoss(model.core, loss, outputs.data, targets, model.outputSize, reduction).loss,
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
