/**
 * Exact predictions of infinitely wide nets: closed forms, flows of any loss, Gaussian inference, large train sets and tables.
 * @module
 */
export type { Times } from './layout.js';
export type { DynamicsOptions } from './sweep.js';
export {
  gradientDescentMse,
  type GradientDescentMseOptions,
  type MseCall,
  type MsePredictor,
  type MseResult,
} from './mse.js';
export {
  gpInference,
  type GpCall,
  type GpMethod,
  type GpOptions,
  type GpPredictor,
  type GpResult,
} from './gp.js';
export {
  gradientDescentMseEnsemble,
  type EnsembleCall,
  type EnsembleOptions,
  type EnsemblePredictor,
  type EnsembleResult,
} from './ensemble.js';
export {
  gradientFlow,
  type FlowCall,
  type FlowResult,
  type FlowState,
  type GradientFlow,
  type GradientFlowOptions,
} from './flow.js';
export type { CustomLoss, FlowLossName } from './losses.js';
export type { IntegrateReport } from './integrate.js';
export { maxLearningRate, type MaxLearningRateOptions } from './stability.js';
export type { Diagnostics, Regularisation } from './system.js';
export * from './table/index.js';
export { createPredictor, predict, type PredictCall, type Predictor, type TrainSet } from './predict.js';
export type { Solver } from './large/predictor.js';
export type { LargeProgress } from './large/regressor.js';
export * from './hyper/index.js';
export type { CgCheckpoint, CgState } from './large/conjugate-gradients.js';
