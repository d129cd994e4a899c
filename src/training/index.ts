export { train, type Evaluation, type TrainOptions, type TrainRecord } from './train.js';
export { trainJob, type TrainJobParams, type TrainJobResult, type TrainJobState } from './job.js';
export {
  trainEnsemble,
  type TrainEnsembleMoments,
  type TrainEnsembleOptions,
  type TrainEnsembleResult,
} from './ensemble.js';
export type { KernelTrace, Probe } from './probe.js';
