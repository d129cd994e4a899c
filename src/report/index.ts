/**
 * Results, figures (Vega-Lite), tables and report pages.
 * @module
 */
export { asResult, createResult, RESULT_SCHEMA, type Provenance, type Result } from './result.js';
export {
  lineFigure,
  type Axis,
  type Figure,
  type LineFigure,
  type Panel,
  type Rule,
  type Series,
  type VegaLiteSpec,
} from './figure.js';
export { heatMap, type HeatMap, type HeatMapAxis } from './heat-map.js';
export {
  calibrationFigure,
  intervalCoverage,
  type CalibrationCurve,
  type CalibrationFigure,
} from './calibration.js';
export { phasePlane, type PhasePlane, type PlaneShape } from './phase-plane.js';
export { formatNumber, formatTable, type Table } from './table.js';
export { reportPage, type ReportPage } from './page.js';
