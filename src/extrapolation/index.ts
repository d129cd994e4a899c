export { extrapolate, type Extrapolation, type ExtrapolateOptions } from './extrapolate.js';
export {
  extrapolateTraining,
  type ExtrapolateTrainingOptions,
  type FinishedRuns,
  type TrainingLimit,
} from './training.js';
