// What trains a net step by step; public through `infinite-width/training`.
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
export type { LossName, Reduction } from './losses.js';
