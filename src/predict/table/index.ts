export {
  parseTable,
  type Cell as TableCell,
  type ParseTableOptions,
  type Table as DataTable,
  type TableLike,
} from './csv.js';
export type { ColumnOptions } from './encoder.js';
export { fit, type Candidate, type FitOptions } from './fit.js';
export {
  loadModel,
  type FitReport,
  type Interval,
  type TableModel,
  type TablePrediction,
  type TablePredictOptions,
} from './model.js';
export {
  crossValidate,
  measureTable,
  type CrossValidateOptions,
  type CrossValidation,
} from './crossValidate.js';
export type { ClassMetrics, Metrics, RegressionMetrics, ReliabilityBin } from './metrics.js';
export type { Task } from './target.js';
