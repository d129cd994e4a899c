/**
 * What happens as a network gets wide: the nouns and the main verbs. Everything else is in the rooms: `infinite-width/layers`
 * writes nets, `infinite-width/linalg` is linear algebra, and so on (docs/architecture.md lists them).
 * @module
 */
export { version } from './version.js';
export { createEngine, supportedVariants, NumericalError, UnsupportedError } from './wasm/engine.js';
export type { Engine, EngineOptions, JobPool, Variant } from './wasm/engine.js';
export { tensor, type NestedArray, type Tensor, type TensorLike } from './math/tensor.js';
export { parseNet, toJson, type LayerDocument, type Net, type NetDocument } from './net/document.js';
export { createModel, Model, type CallInputs, type Gradients, type ModelOptions } from './net/model.js';
export type { InitKind, LayerParameters, LayerParametersLike } from './net/parameters.js';
export {
  kernel,
  kernelTiles,
  planKernel,
  type KernelGet,
  type KernelName,
  type KernelOptions,
  type KernelPlan,
  type KernelProgress,
  type KernelResult,
  type KernelTile,
  type KernelTilesOptions,
} from './kernel/index.js';
export {
  createPredictor,
  fit,
  loadModel,
  predict,
  type FitOptions,
  type PredictCall,
  type Predictor,
  type TableModel,
} from './predict/index.js';
export {
  empiricalNtk,
  linearize,
  monteCarloKernel,
  type EmpiricalNtkOptions,
  type MonteCarloOptions,
  type MonteCarloResult,
  type TaylorModel,
} from './empirical/index.js';
export {
  train,
  trainEnsemble,
  type Evaluation,
  type TrainEnsembleOptions,
  type TrainEnsembleResult,
  type TrainOptions,
  type TrainRecord,
} from './training/index.js';
export {
  classify,
  compareScalings,
  limitModel,
  scaling,
  scalings,
  type Classification,
  type CompareOptions,
  type Comparison,
  type LimitOptions,
  type LimitResult,
  type Scaling,
  type ScalingSpec,
} from './scaling/index.js';
