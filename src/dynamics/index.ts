export {
  catapult,
  catapultPhase,
  type CatapultOptions,
  type CatapultPhase,
  type CatapultTrace,
} from './catapult.js';
export { doubleDescent, type DoubleDescentOptions, type DoubleDescentPoint } from './doubleDescent.js';
export { spectrum, type Spectrum } from './spectrum.js';
export { hierarchy, type HierarchyOptions, type HierarchyOrder, type HierarchyResult } from './hierarchy.js';
export { kernelOrders, kernelVelocity, type KernelOrders } from './kernelOrders.js';
export { scanLearningRates, type ScanOptions, type ScanPoint } from './learningRateScan.js';
export type { DynamicsData } from './data.js';
export { orderChaos, phaseDiagram, type OrderChaos, type OrderChaosOptions } from './orderChaos.js';
export { lazyDial, type LazyDialOptions, type LazyDialPoint } from './lazyDial.js';
export { meanFieldEnergy, type MeanFieldEnergy, type MeanFieldEnergyOptions } from './meanFieldEnergy.js';
export {
  measureWidthLaws,
  type WidthLawOptions,
  type WidthLawQuantities,
  type WidthLaws,
} from './widthLaws.js';
export { taylorErrors, type TaylorErrorOptions, type TaylorErrors } from './taylorErrors.js';
