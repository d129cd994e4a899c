export * from './builders.js';
export { parseNet, toJson, type LayerDocument, type Net, type NetDocument } from './document.js';
export { inferShapes } from './shapes.js';
export type * from '../layers/index.js';
export { createModel, Model, type CallInputs, type Gradients, type ModelOptions } from './model.js';
export type { LossName, Reduction } from './losses.js';
export type { InitKind, LayerParameters, LayerParametersLike } from './parameters.js';
export { widen, type PerLayer } from './width.js';
