/**
 * NNGP and NTK of infinitely wide nets: whole, by tiles, by layers, in parts, and their derivatives.
 * @module
 */
export type { KernelName } from './tiles/checks.js';
export {
  kernel,
  kernelTiles,
  type KernelGet,
  type KernelOptions,
  type KernelProgress,
  type KernelResult,
  type KernelTile,
  type KernelTilesOptions,
} from './kernel.js';
export { planKernel, type KernelPlan, type LayerPlan } from './plan.js';
export { kernelPerLayer, layerKernels, type LayerKernel } from './layers.js';
export { continueKernel, kernelState } from './compose.js';
export type { KernelState } from './tiles/state-jobs.js';
export { dualSeries, type DualSeries } from './dual-series.js';
export { kernelInputGradient, type KernelInputGradient } from './derivatives/calls.js';
