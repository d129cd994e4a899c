export * from './layers.js';
export { createModel, Model, type CallInputs, type Gradients, type ModelOptions } from './model.js';
export type { InitKind, LayerParameters, LayerParametersLike } from './parameters.js';
export * from './optimization.js';
