export * from './builders.js';
export { parseNet, toJson, type LayerDocument, type Net, type NetDocument } from './document.js';
export { inferShapes } from './shapes.js';
export type * from '../layers/index.js';
