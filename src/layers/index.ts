export type * from './vocabulary.js';
export type { Shape, Shaped } from './shapes.js';
export type { ActivationDefinition, DualFunction, DualValue } from './activation/functions.js';
