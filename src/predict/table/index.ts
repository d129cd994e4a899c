export {
  parseTable,
  type Cell as TableCell,
  type ParseTableOptions,
  type Table as DataTable,
  type TableLike,
} from './csv.js';
export { summarizeTable, type ReadTableOptions, type TableSummary } from './reading/table.js';
export type { ColumnKind, ColumnReading, ColumnType } from './reading/column.js';
export type { NumberFormat } from './reading/numerals.js';
export type { DateStyle } from './reading/dates.js';
export type { ColumnOptions } from './encoder.js';
export type { Candidate } from './model-file.js';
export { fit, type FitOptions } from './fit.js';
export {
  loadModel,
  type Interval,
  type TableModel,
  type TablePrediction,
  type TablePredictOptions,
} from './model.js';
export type { FitReport } from './ready.js';
export {
  crossValidate,
  measureTable,
  type CrossValidateOptions,
  type CrossValidation,
} from './cross-validate.js';
export {
  partialDependence,
  type PartialDependence,
  type PartialDependenceOptions,
} from './explain/dependence.js';
export { explainRow, type ExplainRowOptions, type RowExplanation } from './explain/row.js';
export type { ColumnImportance } from './explain/importance.js';
export type { FoldOptions } from './folds.js';
export { bestThreshold, type ClassQuality, type Threshold } from './metrics.js';
export type { ClassMetrics, Metrics, RegressionMetrics, ReliabilityBin } from './metrics.js';
export type { Task } from './target.js';
