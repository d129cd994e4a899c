/**
 * Net documents: functions that write them, one per layer, and what reads, checks and widens them.
 * @module
 */
export * from './builders.js';
export { parseNet, toJson, type LayerDocument, type Net, type NetDocument } from './document.js';
export { inferShapes } from './shapes.js';
export { widen, type PerLayer, type TensorNumbers } from './width.js';
export type * from '../layers/index.js';
