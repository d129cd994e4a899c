/**
 * What happens as a network gets wide: scaling limits, infinite-width kernels, exact predictions, and finite nets.
 * @module
 */
export { version } from './version.js';
export { createEngine, supportedVariants, NumericalError, UnsupportedError } from './wasm/engine.js';
export type { Engine, EngineOptions, JobPool, Variant } from './wasm/engine.js';
export * from './math/index.js';
export * from './net/index.js';
export * from './kernel/index.js';
export * from './predict/index.js';
export * from './empirical/index.js';
export * from './training/index.js';
export * from './scaling/index.js';
export * from './papers/index.js';
export * from './dynamics/index.js';
export * from './extrapolation/index.js';
export * from './finite-width/index.js';
export * from './learning-curve/index.js';
export * from './data/index.js';
export * from './report/index.js';
