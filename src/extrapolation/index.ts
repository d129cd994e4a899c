/**
 * Limits of trained deep nets, extrapolated from finite widths.
 * @module
 */
export { extrapolate, type Extrapolation, type ExtrapolateOptions } from './extrapolate.js';
export { extrapolateTraining, type ExtrapolateTrainingOptions, type TrainingLimit } from './training.js';
export type { FinishedRuns } from './runs.js';
