// A whole training run as a job: plain data in and out, for worker pools, shards and queues.
import { usesFunctions } from '../layers/registry.js';
import { defineJob, type Core, type Job } from '../wasm/engine.js';
import { asTensor, type Tensor } from '../math/tensor.js';
import { parseNet, type NetDocument } from '../net/document.js';
import { createModel, type ModelOptions } from '../net/model.js';
import type { LayerParameters } from '../net/parameters.js';
import type { Checkpoint } from '../net/trainer.js';
import { recordCount, train, type TrainOptions, type TrainRecord } from './train.js';

export interface TrainJobParams {
  readonly net: NetDocument;
  readonly model: ModelOptions;
  /** Tensors (not nested arrays) cross to workers without being walked. */
  readonly train: Omit<TrainOptions, 'signal' | 'onProgress'>;
  /** Also return the final parameters. */
  readonly keepParameters?: boolean;
  /** Also return what a job of the same run with more steps takes as `train.resume`. */
  readonly keepCheckpoint?: boolean;
  /** Sends `{ state }` at records after the first, no two of them within so many seconds. */
  readonly checkpointSeconds?: number;
  /** A state that a stopped job of this run has sent: the result is that of a run that was not stopped. */
  readonly from?: TrainJobState;
}

/** What a job goes on from. */
export interface TrainJobState extends Pick<TrainJobResult, 'trace' | 'losses' | 'accuracies'> {
  readonly checkpoint: Checkpoint;
}

export type TraceEntry = Omit<TrainRecord, 'checkpoint'>;

export interface TrainJobResult {
  /** One entry per record. */
  readonly trace: readonly Omit<TraceEntry, 'evaluations'>[];
  readonly losses: Readonly<Record<string, readonly (number | null)[]>>;
  readonly accuracies: Readonly<Record<string, readonly (number | null)[]>>;
  /** Final outputs of every evaluated set. */
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly parameters?: readonly LayerParameters[];
  readonly checkpoint?: Checkpoint;
}

/**
 * Trains one net from `params` alone: `engine.map(trainJob, list)` runs many in parallel, bit-equal for any number of
 * workers. Sends `{ step, epoch, loss }` at every record, and `{ state }` as `checkpointSeconds` says.
 */
export const trainJob: Job<TrainJobParams, TrainJobResult> = defineJob(
  'net/train',
  async (core, params, { send, signal }) => {
    const { from, checkpointSeconds = Infinity } = params;
    const model = createModel(core, params.net, params.model);
    try {
      const trace = [...(from?.trace ?? [])];
      const losses = listsOf(from?.losses);
      const accuracies = listsOf(from?.accuracies);
      let outputs: Record<string, Tensor> = {};
      let checkpoint: Checkpoint | undefined;
      let [records, saved] = [0, performance.now()];
      const resume = from ? { resume: from.checkpoint } : {};
      for await (const record of train(model, {
        ...params.train,
        ...resume,
        ...(signal ? { signal } : {}),
      })) {
        const { step, epoch, loss, accuracy, movement, kernels, evaluations } = record;
        if (records === 0) checkKept(core, params.train, kernels);
        if (params.keepCheckpoint && step === params.train.steps) checkpoint = record.checkpoint();
        const entries = Object.entries(evaluations);
        outputs = Object.fromEntries(entries.map(([name, evaluation]) => [name, evaluation.outputs]));
        if (records++ === 0 && from) continue; // where it stopped: recorded before
        trace.push({ step, epoch, loss, accuracy, movement, kernels });
        for (const [name, evaluation] of entries) {
          (losses[name] ??= []).push(evaluation.loss);
          (accuracies[name] ??= []).push(evaluation.accuracy);
        }
        send({ step, epoch, loss });
        if (step === 0 || performance.now() - saved < 1000 * checkpointSeconds) continue;
        send({ state: structuredClone({ trace, losses, accuracies, checkpoint: record.checkpoint() }) });
        saved = performance.now();
      }
      const parameters = params.keepParameters ? { parameters: model.parameters } : {};
      return { trace, losses, accuracies, outputs, ...parameters, ...(checkpoint ? { checkpoint } : {}) };
    } finally {
      model.dispose();
    }
  },
  ({ net }) => usesFunctions(parseNet(net)),
);

const listsOf = (kept: TrainJobResult['losses'] = {}): Record<string, (number | null)[]> =>
  Object.fromEntries(Object.entries(kept).map(([name, list]) => [name, [...list]]));

/** Kernels that all records keep, before the first step. */
function checkKept(core: Core, options: TrainOptions, kernels: TrainRecord['kernels']): void {
  let bytes = 0;
  for (const { kernel } of Object.values(kernels ?? {})) bytes += kernel?.data.byteLength ?? 0;
  const all = bytes * (options.probe?.at?.length ?? recordCount(options, asTensor(options.x).shape[0]!));
  if (all <= core.memoryBytes) return;
  throw new RangeError(
    `train: probe: the kernels of all records need ${all} bytes, the limit is ${core.memoryBytes}. Set probe.keep false (numbers alone), or name fewer steps in probe.at.`,
  );
}
