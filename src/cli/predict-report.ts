// What the verb `predict` writes and says.
import { join } from 'node:path';
import { writeCsv } from '../data/index.js';
import type {
  CrossValidation,
  DataTable,
  FitReport,
  Metrics,
  TableModel,
  PartialDependence,
  TablePrediction,
} from '../predict/index.js';
import { createResult, formatNumber, formatTable, type Table } from '../report/index.js';
import type { Engine } from '../wasm/engine.js';
import { writeFileAtomic } from './files.js';
import { dependenceFigures, tableFigures } from './predict-figures.js';
import { writeReport } from './report.js';
import { summaryTable } from './table-summary.js';

/** What a call of the verb found. */
export interface Found {
  readonly report: FitReport;
  readonly prediction: TablePrediction | null;
  readonly metrics: Metrics | null;
  readonly validation: CrossValidation | null;
  readonly truth: DataTable | null;
  /** The rows that were predicted, before any reordering; null: no prediction. */
  readonly table: DataTable | null;
  /** The train row of each prediction, when they are cross-validated. */
  readonly rows: readonly number[] | null;
  /** What the columns that matter most do, on the train rows. */
  readonly dependence: readonly PartialDependence[];
  /** Which rows the metrics are of: `on rows it did not see`, for instance. */
  readonly where: string;
}

/** Writes predictions.csv, model.json, result.json, figures and the page; the files' names. */
export async function writePrediction(
  options: { readonly out: string; readonly model?: string; readonly seed: number },
  model: TableModel,
  engine: Engine,
  found: Found,
): Promise<readonly string[]> {
  const { report, prediction, metrics, validation, truth, rows, table, dependence } = found;
  const files: string[] = [];
  const save = async (name: string, content: string): Promise<void> => {
    await writeFileAtomic(join(options.out, name), content);
    files.push(join(options.out, name));
  };
  const values = truth && columnValues(truth, model.target, rows);
  if (prediction)
    await save('predictions.csv', predictionsCsv(prediction, values, rows, idsOf(report, table, rows)));
  if (!options.model) await save('model.json', model.save());
  const settings = { ...options, out: undefined };
  const importance = validation?.importance ?? null;
  const folds = validation?.folds ?? null;
  const data = {
    target: model.target,
    fit: report,
    metrics,
    folds,
    importance,
    dependence,
    ...shownOf(prediction),
  };
  const written = await writeReport(options.out, {
    title: `Prediction of ${model.target}`,
    lead: lead(found),
    result: createResult('predict', data, { variant: engine.variant, seed: options.seed, settings }),
    figures: [
      ...dependenceFigures(dependence, model.target),
      ...(prediction && metrics ? tableFigures(prediction, metrics, values!) : []),
    ],
    tables: [...answerTables(found), summaryTable(report.summary), candidateTable(report)],
  });
  return [...files, ...written.files];
}

/** Predictions that result.json and report.html hold; predictions.csv holds all. */
const SHOWN = 10_000;

/** The first predictions, and how many there are. @internal */
export function shownOf(prediction: TablePrediction | null): {
  readonly prediction: TablePrediction | null;
  readonly predictedRows: number;
} {
  const predictedRows = prediction?.rows ?? 0;
  if (!prediction || predictedRows <= SHOWN) return { prediction, predictedRows };
  const cut = (value: unknown): unknown => {
    if (value instanceof Float64Array) return value.subarray(0, (value.length / predictedRows) * SHOWN);
    return Array.isArray(value) && value.length === predictedRows ? value.slice(0, SHOWN) : value;
  };
  const shown = Object.entries(prediction).map(([key, value]) => [key, cut(value)] as const);
  const intervals = prediction.intervals?.map(({ level, low, high }) => ({
    level,
    low: low.subarray(0, SHOWN),
    high: high.subarray(0, SHOWN),
  }));
  return {
    prediction: {
      ...(Object.fromEntries(shown) as unknown as TablePrediction),
      rows: SHOWN,
      ...(intervals ? { intervals } : {}),
    },
    predictedRows,
  };
}

/** Columns that name the rows: left out of the fit, kept beside the predictions. */
function idsOf(
  { summary }: FitReport,
  table: DataTable | null,
  rows: readonly number[] | null,
): { readonly name: string; readonly cells: readonly string[] }[] {
  if (!table) return [];
  return summary.columns.flatMap(({ name, kind }) =>
    kind === 'names' && table.columns.includes(name)
      ? [{ name, cells: columnValues(table, name, rows) }]
      : [],
  );
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
  ids: readonly { readonly name: string; readonly cells: readonly string[] }[],
): string {
  const { classes = [], probabilities, intervals = [] } = prediction;
  const columns = [
    ...['row', ...ids.map(({ name }) => name), ...(truth ? ['target'] : []), 'prediction'],
    ...(prediction.task === 'classification' ? classes.map((name) => `p_${name}`) : ['deviation']),
    ...intervals.flatMap(({ level }) => ['low', 'high'].map((end) => `${end}_${Math.round(100 * level)}`)),
    'novelty',
  ];
  const records = Array.from({ length: prediction.rows }, (_, i) => [
    (rows ? rows[i]! : i) + 1,
    ...ids.map(({ cells }) => cells[i]!),
    ...(truth ? [truth[i]!] : []),
    ...(prediction.task === 'classification'
      ? [prediction.labels![i]!, ...classes.map((_name, k) => probabilities![i * classes.length + k]!)]
      : [prediction.mean![i]!, prediction.deviation![i]!]),
    ...intervals.flatMap(({ low, high }) => [low[i]!, high[i]!]),
    prediction.novelty[i]!,
  ]);
  if (rows) records.sort((a, b) => Number(a[0]) - Number(b[0]));
  return writeCsv(columns, records);
}

/** The answer first: how wrong predictions are, and on which rows that was measured. */
function lead({ report, metrics, where }: Found): string {
  const how = report.time === null ? 'leaving one row out' : 'five folds';
  const size = `${report.rows} rows learned`;
  if (!metrics)
    return report.task === 'classification'
      ? `${size}; accuracy by ${how}: ${formatNumber(report.looAccuracy!)}.`
      : `${size}; R² by ${how}: ${formatNumber(report.looR2!)}.`;
  if (metrics.task === 'classification')
    return `${where}: accuracy ${formatNumber(metrics.accuracy)}, AUC ${formatNumber(metrics.auc)}, F1 ${formatNumber(metrics.f1)}, log loss ${formatNumber(metrics.logLoss)}, calibration error ${formatNumber(metrics.calibrationError)} (${size}).`;
  const coverage = metrics.coverage.map(
    ({ level, share }) => `${Math.round(100 * level)} %: ${(100 * share).toFixed(1)} %`,
  );
  return `${where}: R² ${formatNumber(metrics.r2)}, typical error (RMSE) ${formatNumber(metrics.rmse)}, coverage ${coverage.join(', ')} (${size}).`;
}

/** What the verb prints: the answer, what it rests on, then how it was found. */
export function describePrediction(found: Found, files: readonly string[]): string {
  const { report, validation, prediction } = found;
  const best = report.candidates[0]!;
  const kernel = `${report.method.toUpperCase()} of ${best.net === 'given' ? 'the given net' : best.net}`;
  const scale = best.scale === 'none' ? '' : `, target on the scale '${best.scale}'`;
  const strange = prediction?.novel.filter(Boolean).length ?? 0;
  return [
    lead(found),
    ...(strange > 0
      ? [
          `${strange} of ${prediction!.rows} predicted rows are unlike the training rows: their answers are guesses.`,
        ]
      : []),
    ...answerTables(found).map((table) => `\n${formatTable(table)}\n`),
    report.probabilities === 'cross-entropy'
      ? `chosen: ${kernel}, flow of the cross-entropy for ${formatNumber(report.time!)} steps`
      : `chosen: ${kernel}${scale}, noise ${formatNumber(report.diagnostics.diagReg)} of the mean diagonal (added ${formatNumber(report.diagnostics.added)}, jitter ${formatNumber(report.diagnostics.jitter)})`,
    ...simplest(report),
    ...(validation
      ? [
          `mean over ${validation.folds.length} folds: ${formatNumber(validation.meanScore)} ${report.task === 'classification' ? 'accuracy' : 'R²'}`,
        ]
      : []),
    ...report.notes.map((note) => `note: ${note}`),
    `written: ${files.join(', ')}`,
  ].join('\n');
}

/** The best linear candidate beside the chosen one, and a word where it is as good. */
function simplest({ candidates, simplest: linear }: FitReport): string[] {
  const best = candidates[0]!;
  if (!linear || best.net === 'linear') return [];
  const gain = best.score - linear.score;
  const r2 =
    best.error > 0 ? `; R² ${formatNumber(1 - best.error)} against ${formatNumber(1 - linear.error)}` : '';
  const word = gain < 0.01 && !(linear.error > best.error + 0.01) ? ' A linear model would do as well.' : '';
  return [
    `beside it: a linear model is ${formatNumber(gain)} nats per row less likely (left-out rows${r2}).${word}`,
  ];
}

const COLUMNS = 12; // columns shown of those that matter

/** Confusion of classes, and columns that matter. */
function answerTables({ metrics, validation }: Found): Table[] {
  const confusion: Table[] =
    metrics?.task === 'classification' && metrics.classes.length <= 12
      ? [
          {
            name: 'confusion',
            title: 'True class (down) and predicted class (across)',
            columns: ['true class', ...metrics.classes, 'found', 'right'],
            rows: metrics.classes.map((name, k) => [
              name,
              ...metrics.confusion[k]!,
              `${Math.round(100 * metrics.perClass[k]!.recall)} %`,
              `${Math.round(100 * metrics.perClass[k]!.precision)} %`,
            ]),
          },
        ]
      : [];
  const importance = validation?.importance ?? [];
  const unit = metrics?.task === 'classification' ? 'log loss (nats)' : 'R²';
  return [
    ...confusion,
    ...(importance.length > 0
      ? [
          {
            name: 'importance',
            title: `Columns that matter: loss of ${unit} on unseen rows when one column is shuffled`,
            columns: ['column', 'loss'],
            rows: importance.slice(0, COLUMNS).map(({ column, loss }) => [column, formatNumber(loss, 3)]),
          },
        ]
      : []),
  ];
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
