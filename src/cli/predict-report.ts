// What the verb `predict` writes and says.
import { join } from 'node:path';
import { writeCsv } from '../data/index.js';
import type {
  CrossValidation,
  DataTable,
  FitReport,
  Metrics,
  TableModel,
  TablePrediction,
} from '../predict/index.js';
import { createResult, formatNumber, type Table } from '../report/index.js';
import type { Engine } from '../wasm/engine.js';
import { writeFileAtomic } from './files.js';
import { tableFigures } from './predict-figures.js';
import { writeReport } from './report.js';
import { summaryTable } from './table-summary.js';

/** What a call of the verb found. */
interface Written {
  readonly report: FitReport;
  readonly prediction: TablePrediction | null;
  readonly metrics: Metrics | null;
  readonly validation: CrossValidation | null;
  readonly truth: DataTable | null;
  /** The train row of each prediction, when they are cross-validated. */
  readonly rows: readonly number[] | null;
  readonly engine: Engine;
}

/** Writes predictions.csv, model.json, result.json, figures and the page; the files' names. */
export async function writePrediction(
  options: { readonly out: string; readonly model?: string; readonly seed: number },
  model: TableModel,
  found: Written,
): Promise<readonly string[]> {
  const { report, prediction, metrics, validation, truth, rows, engine } = found;
  const files: string[] = [];
  const save = async (name: string, content: string): Promise<void> => {
    await writeFileAtomic(join(options.out, name), content);
    files.push(join(options.out, name));
  };
  const values = truth && columnValues(truth, model.target, rows);
  if (prediction) await save('predictions.csv', predictionsCsv(prediction, values, rows));
  if (!options.model) await save('model.json', model.save());
  const settings = { ...options, out: undefined };
  const data = { target: model.target, fit: report, metrics, folds: validation?.folds ?? null, prediction };
  const written = await writeReport(options.out, {
    title: `Prediction of ${model.target}`,
    lead: lead(report, metrics),
    result: createResult('predict', data, { variant: engine.variant, seed: options.seed, settings }),
    figures: prediction && metrics ? tableFigures(prediction, metrics, values!) : [],
    tables: [summaryTable(report.summary), candidateTable(report)],
  });
  return [...files, ...written.files];
}

function columnValues(table: DataTable, column: string, rows: readonly number[] | null): string[] {
  const index = table.columns.indexOf(column);
  const list = rows ? rows.map((row) => table.rows[row]!) : table.rows;
  return list.map((row) => String(row[index] ?? ''));
}

function predictionsCsv(
  prediction: TablePrediction,
  truth: readonly string[] | null,
  rows: readonly number[] | null,
): string {
  const { classes = [], probabilities, intervals = [] } = prediction;
  const columns = [
    ...['row', ...(truth ? ['target'] : []), 'prediction'],
    ...(prediction.task === 'classification' ? classes.map((name) => `p_${name}`) : ['deviation']),
    ...intervals.flatMap(({ level }) => ['low', 'high'].map((end) => `${end}_${Math.round(100 * level)}`)),
  ];
  const records = Array.from({ length: prediction.rows }, (_, i) => [
    (rows ? rows[i]! : i) + 1,
    ...(truth ? [truth[i]!] : []),
    ...(prediction.task === 'classification'
      ? [prediction.labels![i]!, ...classes.map((_name, k) => probabilities![i * classes.length + k]!)]
      : [prediction.mean![i]!, prediction.deviation![i]!]),
    ...intervals.flatMap(({ low, high }) => [low[i]!, high[i]!]),
  ]);
  if (rows) records.sort((a, b) => Number(a[0]) - Number(b[0]));
  return writeCsv(columns, records);
}

function lead(report: FitReport, metrics: Metrics | null): string {
  const how = report.time === null ? 'leave-one-out' : 'five-fold';
  const loo =
    report.task === 'classification'
      ? `${how} accuracy ${formatNumber(report.looAccuracy!)}`
      : `${how} R² ${formatNumber(report.looR2!)}`;
  const held = !metrics
    ? ''
    : metrics.task === 'classification'
      ? `; on rows it did not see: accuracy ${formatNumber(metrics.accuracy)}, log loss ${formatNumber(metrics.logLoss)}, calibration error ${formatNumber(metrics.calibrationError)}`
      : `; on rows it did not see: R² ${formatNumber(metrics.r2)}, RMSE ${formatNumber(metrics.rmse)}, coverage ${metrics.coverage.map(({ level, share }) => `${Math.round(100 * level)} %: ${(100 * share).toFixed(1)} %`).join(', ')}`;
  return `${report.rows} rows, ${report.features} features, ${report.method.toUpperCase()}: ${loo}${held}.`;
}

/** What the verb prints. */
export function describePrediction(
  report: FitReport,
  metrics: Metrics | null,
  validation: CrossValidation | null,
  files: readonly string[],
): string {
  const best = report.candidates[0]!;
  const kernel = `${report.method.toUpperCase()} of ${best.net === 'given' ? 'the given net' : best.net}`;
  const scale = best.scale === 'none' ? '' : `, target on the scale '${best.scale}'`;
  return [
    lead(report, metrics),
    report.probabilities === 'cross-entropy'
      ? `chosen: ${kernel}, flow of the cross-entropy for ${formatNumber(report.time!)} steps`
      : `chosen: ${kernel}${scale}, noise ${formatNumber(report.diagnostics.diagReg)} of the mean diagonal (added ${formatNumber(report.diagnostics.added)}, jitter ${formatNumber(report.diagnostics.jitter)})`,
    ...(validation
      ? [
          `mean over ${validation.folds.length} folds: ${formatNumber(validation.meanScore)} ${report.task === 'classification' ? 'accuracy' : 'R²'}`,
        ]
      : []),
    ...report.notes.map((note) => `note: ${note}`),
    `written: ${files.join(', ')}`,
  ].join('\n');
}

function candidateTable(report: FitReport): Table {
  return {
    name: 'candidates',
    title: 'Best candidates by leave-one-out log density',
    columns: ['kernel', 'net', 'scale of the target', 'noise', 'log density (nats per row)'],
    rows: report.candidates.map(({ method, net, scale, diagReg, score }) => [
      method,
      net,
      scale,
      formatNumber(diagReg),
      formatNumber(score),
    ]),
  };
}
