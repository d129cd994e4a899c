/**
 * Dense linear algebra on WebAssembly SIMD kernels: products, factors, eigenvalues, and matrices larger than one memory.
 * @module
 */
export { createEngine, type Engine, type EngineOptions } from '../wasm/engine.js';
export { tensor, type NestedArray, type Tensor, type TensorLike } from './tensor.js';
export { matmul, type MatmulOptions } from './matmul.js';
export { eigh, eigenvalues, type Eigenpairs } from './eigh.js';
export { cholesky, solve, type CholeskyResult, type JitterOptions, type SolveResult } from './positive.js';
export { tiledAddDiagonal, tiledEntry, tiledGram, type TiledMatrix, type TiledOptions } from './tiled.js';
export { tiledCholesky, tiledSolve } from './tiled-cholesky.js';
export { extremeEigenvalues, type LanczosOptions } from './lanczos.js';
