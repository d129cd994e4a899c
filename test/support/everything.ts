// What tests mean by `infinite-width`: the root and every subpath of the package, so that a test needs one import.
// `test/package/surface.node.test.ts` says which name is where.
export * from '#build/index.js';
export * from '#build/data/index.js';
export * from '#build/dynamics/index.js';
export * from '#build/empirical/index.js';
export * from '#build/extrapolation/index.js';
export * from '#build/finite-width/index.js';
export * from '#build/kernel/index.js';
export * from '#build/net/layers.js';
export * from '#build/learning-curve/index.js';
export * from '#build/math/index.js';
export * from '#build/papers/index.js';
export * from '#build/predict/index.js';
export * from '#build/math/streams.js';
export * from '#build/report/index.js';
export * from '#build/scaling/index.js';
export * from '#build/training/index.js';
