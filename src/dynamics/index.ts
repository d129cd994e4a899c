export {
  catapult,
  catapultPhase,
  type CatapultOptions,
  type CatapultPhase,
  type CatapultTrace,
} from './catapult.js';
export { doubleDescent, type DoubleDescentOptions, type DoubleDescentPoint } from './doubleDescent.js';
export { spectrum, type Spectrum } from './spectrum.js';
