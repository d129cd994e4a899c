// Every public name in one module: the root and every subpath of the package. Tests, benches and scripts that run in this
// repository import it; the package itself shows its root (`root.ts`) and its subpaths.
export * from './root.js';
export * from './data/index.js';
export * from './dynamics/index.js';
export * from './empirical/index.js';
export * from './extrapolation/index.js';
export * from './finite-width/index.js';
export * from './kernel/index.js';
export * from './net/layers.js';
export * from './learning-curve/index.js';
export * from './math/index.js';
export * from './papers/index.js';
export * from './predict/index.js';
export * from './math/streams.js';
export * from './report/index.js';
export * from './scaling/index.js';
export * from './training/index.js';
