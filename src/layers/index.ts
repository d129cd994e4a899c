export type * from './vocabulary.js';
export type { Shape, Shaped } from './shapes.js';
