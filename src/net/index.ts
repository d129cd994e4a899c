export * from './builders.js';
export { parseNet, toJson, type LayerDocument, type Net, type NetDocument } from './document.js';
export { inferShapes } from './shapes.js';
export type * from '../layers/index.js';
export { createModel, Model, type CallInputs, type Gradients, type ModelOptions } from './model.js';
export type { LossName, Reduction } from './losses.js';
export type { InitKind, LayerParameters, LayerParametersLike } from './parameters.js';
export { widen, type PerLayer } from './width.js';
export { adam, momentum, nesterov, rmsprop, sgd, type Optimizer, type Schedule } from './optimizers.js';
export { train, type Evaluation, type TrainOptions, type TrainRecord } from './train.js';
export { Trainer, type Checkpoint, type StepResult, type TrainerOptions } from './trainer.js';
export { trainJob, type TrainJobParams, type TrainJobResult } from './job.js';
export {
  trainEnsemble,
  type TrainEnsembleMoments,
  type TrainEnsembleOptions,
  type TrainEnsembleResult,
} from './ensemble.js';
export { sharpness } from './sharpness.js';
