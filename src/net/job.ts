// A whole training run as a job: plain data in and out, for worker pools, shards and queues.
import { usesFunctions } from '../layers/activation/functions.js';
import { defineJob, type Job } from '../wasm/engine.js';
import type { Tensor } from '../math/tensor.js';
import { parseNet, type NetDocument } from './document.js';
import { createModel, type ModelOptions } from './model.js';
import type { LayerParameters } from './parameters.js';
import type { Checkpoint } from './trainer.js';
import { train, type TrainOptions, type TrainRecord } from './train.js';

export interface TrainJobParams {
  readonly net: NetDocument;
  readonly model: ModelOptions;
  /** Tensors (not nested arrays) cross to workers without being walked. */
  readonly train: Omit<TrainOptions, 'signal' | 'onProgress'>;
  /** Also return the final parameters. */
  readonly keepParameters?: boolean;
  /** Also return what a job of the same run with more steps takes as `train.resume`. */
  readonly keepCheckpoint?: boolean;
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
 * workers. Sends `{ step, epoch, loss }` at every record.
 */
export const trainJob: Job<TrainJobParams, TrainJobResult> = defineJob(
  'net/train',
  async (core, params, { send }) => {
    const model = createModel(core, params.net, params.model);
    try {
      const trace: Omit<TraceEntry, 'evaluations'>[] = [];
      const losses: Record<string, (number | null)[]> = {};
      const accuracies: Record<string, (number | null)[]> = {};
      let outputs: Record<string, Tensor> = {};
      let checkpoint: Checkpoint | undefined;
      for await (const record of train(model, params.train)) {
        const { step, epoch, loss, accuracy, movement, evaluations } = record;
        if (params.keepCheckpoint && step === params.train.steps) checkpoint = record.checkpoint();
        trace.push({ step, epoch, loss, accuracy, movement });
        send({ step, epoch, loss });
        outputs = {};
        for (const [name, evaluation] of Object.entries(evaluations)) {
          (losses[name] ??= []).push(evaluation.loss);
          (accuracies[name] ??= []).push(evaluation.accuracy);
          outputs[name] = evaluation.outputs;
        }
      }
      const parameters = params.keepParameters ? { parameters: model.parameters } : {};
      return { trace, losses, accuracies, outputs, ...parameters, ...(checkpoint ? { checkpoint } : {}) };
    } finally {
      model.dispose();
    }
  },
  ({ net }) => usesFunctions(parseNet(net)),
);
