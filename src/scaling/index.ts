/**
 * How initial sizes and learning rates grow with width: classification, limits, training under scalings and measurements.
 * @module
 */
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
export type { DeepAbc, DeepClass, DeepClassification, DeepInvariants } from './rules/deep.js';
export {
  classifyDepth,
  type DepthClass,
  type DepthClassification,
  type DepthScaling,
} from './rules/depth.js';
export { RULES, type NamedRule, type RuleName } from './rules/gallery.js';
export { TENSOR_KINDS, type ReadoutStyle, type TensorKind } from './rules/layer-rules.js';
export { RULE_OPTIMIZERS, type RuleOptimizer, type UpdateFamily } from './rules/optimizers.js';
export { scaledNet, type ScaledNet, type ScaledNetOptions } from './rules/net-parameters.js';
export { tableFactors, type TableFactors } from './rules/apply.js';
export {
  checkTable,
  type CheckedParameter,
  type CheckedValues,
  type TableCheck,
  type TableCheckOptions,
  type TableFinding,
} from './rules/check-table.js';
export {
  checkRule,
  ruleTransfer,
  type RuleCheck,
  type RuleCheckOptions,
  type RuleSlope,
  type RuleTransfer,
  type RuleTransferOptions,
} from './rules/check-rule.js';
export { ruleVerdict, type RuleChoice, type RuleVerdict } from './rules/rule.js';
export {
  scalingTable,
  type BaseValues,
  type RuleParameter,
  type ScalingRow,
  type ScalingTable,
  type ScalingTableOptions,
} from './rules/table.js';
export type { Violation } from './rules/words.js';
export {
  multipliers,
  type LayerFactors,
  type Multipliers,
  type OptimizerKind,
} from './theory/multipliers.js';
export { explain, type Explanation, type ExplainOptions, type WidthRow } from './theory/explain.js';
export {
  abcOf,
  fromAbc,
  muPMultipliers,
  toAbc,
  type AbcParametrization,
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
export type { OptimumShift } from './experiments/optimum.js';
export { expandTerms, preActivations, type OutputTerm } from './experiments/terms.js';
export { planeElements, type PlaneElement } from './theory/phase-plane.js';
export { measurePlane, type MeasuredPlane, type MeasurePlaneOptions } from './experiments/plane-heat.js';
