/**
 * Corrections to the limit for nets of finite width, and how wide is wide enough.
 * @module
 */
export {
  finiteWidthCorrections,
  planFiniteWidth,
  type FiniteWidthKernels,
  type FiniteWidthOptions,
  type FiniteWidthPlan,
} from './corrections.js';
export {
  finiteWidthPredict,
  type FiniteWidthPredictions,
  type FiniteWidthPredictOptions,
  type OrderOnePrediction,
} from './predictions.js';
export {
  proportionalPosterior,
  type ProportionalOptions,
  type ProportionalPosterior,
} from './proportional.js';
export {
  ntkMomentRatio,
  sufficientWidth,
  type MomentRatio,
  type MomentRatioOptions,
  type SufficientWidth,
  type WidthOptions,
} from './widths.js';
