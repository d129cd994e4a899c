/**
 * Training finite nets: loops with records, ensembles, optimisers, one step at a time, and the largest stable rate.
 * @module
 */
export { train, type Evaluation, type TrainOptions, type TrainRecord } from './train.js';
export { trainJob, type TrainJobParams, type TrainJobResult, type TrainJobState } from './job.js';
export {
  trainEnsemble,
  type TrainEnsembleMoments,
  type TrainEnsembleOptions,
  type TrainEnsembleResult,
} from './ensemble.js';
export type { KernelTrace, Probe } from './probe.js';
export * from '../net/optimization.js';
