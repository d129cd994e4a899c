export type { Exponent } from './theory/rational.js';
export {
  golikov2020,
  scaling,
  scalings,
  type InitCorrection,
  type NamedScalings,
  type Scaling,
  type ScalingSpec,
} from './theory/scalings.js';
export {
  cells,
  classify,
  type Cell,
  type CellId,
  type Classification,
  type Line,
  type Term,
} from './theory/classify.js';
export { multipliers, type Multipliers, type OptimizerKind } from './theory/multipliers.js';
export { explain, type Explanation, type ExplainOptions, type WidthRow } from './theory/explain.js';
export {
  abcOf,
  abcProperties,
  fromAbc,
  muPMultipliers,
  toAbc,
  type AbcParametrization,
  type AbcProperties,
  type MuPMultipliers,
  type MuPParameter,
} from './theory/abc.js';
export {
  trainOneHidden,
  type BinaryProblem,
  type LongCall,
  type TrainingOptions,
  type TrainOneHiddenOptions,
} from './one-hidden/train-one-hidden.js';
export type { RunCheckpoint, RunTrace } from './one-hidden/run.js';
export type { KeptRun, RunJournal } from './one-hidden/journal.js';
export type { HiddenActivation } from './one-hidden/activation.js';
export { limitModel, type LimitOptions, type LimitResult } from './one-hidden/limit.js';
export {
  compareScalings,
  type ComparedCurve,
  type CompareOptions,
  type Comparison,
  type CurveQuantity,
  type Curves,
} from './experiments/compare.js';
export {
  discrepancies,
  klNoiseFloor,
  smoothLog,
  type Discrepancies,
  type SeedLogits,
} from './experiments/discrepancy.js';
export {
  measureExponents,
  type MeasuredName,
  type MeasuredSlope,
  type Measurement,
  type MeasureOptions,
} from './experiments/measure.js';
export {
  coordinateCheck,
  learningRateTransfer,
  measureDeepTerms,
  measureTerms,
  type CoordinateCheck,
  type CoordinateSlope,
  type DeepTerm,
  type RateTransfer,
  type TermMeasurement,
} from './experiments/checks.js';
export { expandTerms, preActivations, type OutputTerm } from './experiments/terms.js';
export { planeElements, type PlaneElement } from './theory/phase-plane.js';
export { measurePlane, type MeasuredPlane, type MeasurePlaneOptions } from './experiments/plane-heat.js';
