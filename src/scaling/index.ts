export type { Exponent } from './rational.js';
export {
  golikov2020,
  scaling,
  scalings,
  type InitCorrection,
  type NamedScalings,
  type Scaling,
  type ScalingSpec,
} from './scalings.js';
export {
  cells,
  classify,
  type Cell,
  type CellId,
  type Classification,
  type Line,
  type Term,
} from './classify.js';
export { multipliers, type Multipliers, type OptimizerKind } from './multipliers.js';
export { explain, type Explanation, type ExplainOptions, type WidthRow } from './explain.js';
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
} from './abc.js';
export {
  trainOneHidden,
  type BinaryProblem,
  type LongCall,
  type TrainingOptions,
  type TrainOneHiddenOptions,
} from './onehidden.js';
export type { RunCheckpoint, RunTrace } from './run.js';
export type { KeptRun, RunJournal } from './journal.js';
export type { HiddenActivation } from './activation.js';
export { limitModel, type LimitOptions, type LimitResult } from './limit.js';
export {
  compareScalings,
  type ComparedCurve,
  type CompareOptions,
  type Comparison,
  type CurveQuantity,
  type Curves,
} from './compare.js';
export {
  discrepancies,
  klNoiseFloor,
  smoothLog,
  type Discrepancies,
  type SeedLogits,
} from './discrepancy.js';
export {
  measureExponents,
  type MeasuredName,
  type MeasuredSlope,
  type Measurement,
  type MeasureOptions,
} from './measure.js';
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
} from './checks.js';
export { expandTerms, preActivations, type OutputTerm } from './terms.js';
export { comparisonPanels, type FigurePanel, type FigureSeries, type PanelOptions } from './panels.js';
export { planeElements, type PlaneElement } from './plane.js';
export {
  golikovFigure,
  golikovWidths,
  type GolikovFigureOptions,
  type GolikovWidthsOptions,
} from './presets.js';
export { summariseWidths, widthPanels, type WidthPanels, type WidthSummary } from './width-panels.js';
export { golikovDeepWidths, type DeepWidths, type GolikovDeepWidthsOptions } from './deep-widths.js';
export { measurePlane, type MeasuredPlane, type MeasurePlaneOptions } from './plane-heat.js';
