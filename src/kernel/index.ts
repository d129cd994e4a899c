export {
  kernel,
  kernelTiles,
  type KernelName,
  type KernelOptions,
  type KernelProgress,
  type KernelResult,
  type KernelTile,
  type KernelTilesOptions,
} from './kernel.js';
export { planKernel, type KernelPlan, type LayerPlan } from './plan.js';
export { kernelPerLayer, layerKernels, type LayerKernel } from './layers.js';
export { continueKernel, kernelState, type KernelState } from './compose.js';
export { dualSeries, type DualSeries } from './series.js';
export { kernelInputGradient, type KernelInputGradient } from './tangentCalls.js';
