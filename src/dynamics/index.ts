export {
  catapult,
  catapultPhase,
  type CatapultOptions,
  type CatapultPhase,
  type CatapultTrace,
} from './catapult.js';
export { doubleDescent, type DoubleDescentOptions, type DoubleDescentPoint } from './doubleDescent.js';
export { spectrum, type Spectrum } from './spectrum.js';
export type { HierarchyOrder, HierarchyResult } from './hierarchy.js';
export type { ScanPoint } from './learningRateScan.js';
export { hierarchy, scanLearningRates, type DynamicsData } from './model.js';
export { orderChaos, phaseDiagram, type OrderChaos, type OrderChaosOptions } from './orderChaos.js';
