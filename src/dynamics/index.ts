/**
 * Training beyond a fixed kernel: catapult, hierarchy, order and chaos, spectra, lazy and rich, double descent.
 * @module
 */
export {
  catapult,
  catapultPhase,
  type CatapultOptions,
  type CatapultPhase,
  type CatapultTrace,
} from './catapult.js';
export { doubleDescent, type DoubleDescentOptions, type DoubleDescentPoint } from './double-descent.js';
export { spectrum, type Spectrum } from './spectrum.js';
export { hierarchy, type HierarchyOptions, type HierarchyOrder, type HierarchyResult } from './hierarchy.js';
export { kernelOrders, kernelVelocity, type KernelOrders } from './kernel-orders.js';
export { scanLearningRates, type ScanOptions, type ScanPoint } from './learning-rate-scan.js';
export type { DynamicsData } from './data.js';
export { largestRates, type LargestRateOptions, type LargestRates } from './largest-rate.js';
export { trainedParameters, type TrainedParametersOptions } from './trained-parameters.js';
export { orderChaos, phaseDiagram, type OrderChaos, type OrderChaosOptions } from './order-chaos.js';
export { lazyDial, type LazyDialOptions, type LazyDialPoint } from './lazy-dial.js';
export { meanFieldEnergy, type MeanFieldEnergy, type MeanFieldEnergyOptions } from './mean-field-energy.js';
export {
  measureWidthLaws,
  type WidthLawOptions,
  type WidthLawQuantities,
  type WidthLaws,
} from './width-laws.js';
export { taylorErrors, type TaylorErrorOptions, type TaylorErrors } from './taylor-errors.js';
