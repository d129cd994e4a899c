export * from './builders.js';
export { parseNet, toJson, type LayerDocument, type Net, type NetDocument } from './document.js';
export { inferShapes } from './shapes.js';
export type * from '../layers/index.js';
export { createModel, Model, type CallInputs, type Gradients, type ModelOptions } from './model.js';
export type { LossName, Reduction } from './losses.js';
export type { InitKind, LayerParameters, LayerParametersLike } from './parameters.js';
export { widen, type PerLayer, type TensorNumbers } from './width.js';
export { muonFactor, type MuonFactor } from './muon.js';
export {
  adam,
  adamw,
  lion,
  momentum,
  muon,
  nesterov,
  rmsprop,
  sgd,
  type AdamOptimizer,
  type Decay,
  type DecayForm,
  type EntrywiseOptimizer,
  type LionOptimizer,
  type MomentumOptimizer,
  type MuonOptimizer,
  type Optimizer,
  type RmspropOptimizer,
  type Schedule,
  type SgdOptimizer,
} from './optimizers.js';
export { Trainer, type Checkpoint, type StepResult, type TrainerOptions } from './trainer.js';
export { sharpness } from './sharpness.js';
