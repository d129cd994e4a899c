/**
 * Learning curves predicted from a kernel.
 * @module
 */
export { eigenlearning, type Eigenlearning, type EigenlearningOptions } from './eigenlearning.js';
export {
  learningCurve,
  type LearningCurve,
  type LearningCurveOptions,
  type LearningCurvePoint,
} from './learning-curve.js';
export { poolError, type PoolError, type PoolOptions } from './pool.js';
