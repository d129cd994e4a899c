import { join } from 'node:path';
import type { Command } from 'commander';
import Papa from 'papaparse';
import { parseNet, type NetDocument } from '../../net/document.js';
import {
  crossValidate,
  fit,
  loadModel,
  measureTable,
  parseTable,
  type CrossValidation,
  type DataTable,
  type FitOptions,
  type FitReport,
  type Metrics,
  type TableModel,
  type TablePrediction,
} from '../../predict/index.js';
import { isMissing } from '../../predict/table/csv.js';
import { createResult, formatNumber, type Table } from '../../report/index.js';
import type { Engine } from '../../wasm/engine.js';
import { UsageError } from '../errors.js';
import { outputFolder, readJson, readText, writeFileAtomic } from '../files.js';
import { tableFigures } from '../predictFigures.js';
import { writeReport } from '../report.js';
import {
  listOf,
  oneOf,
  perform,
  realNumber,
  verb,
  wholeNumber,
  type Context,
  type Outcome,
} from '../verb.js';

interface PredictOptions {
  readonly train?: string;
  readonly target?: string;
  readonly test?: string;
  readonly model?: string;
  readonly net?: string;
  readonly method?: 'ntk' | 'nngp' | 'ntkgp';
  readonly time?: number;
  readonly diagReg?: number;
  readonly task: 'auto' | 'regression' | 'classification';
  readonly probabilities: 'gaussian' | 'cross-entropy';
  readonly missing: 'impute' | 'drop' | 'error';
  readonly ignore?: string[];
  readonly categorical?: string[];
  readonly folds?: number;
  readonly maxRows?: number;
  readonly seed: number;
  readonly out: string;
}

const text = (value: string): string => value;

/** `infinite-width predict`: a table in, answers out. */
export function registerPredict(program: Command): void {
  verb(program, 'predict', 'a table in, calibrated answers out: nothing to tune', [
    'infinite-width predict --train iris.csv --target class --out iris',
    'infinite-width predict --train a.csv --target price --test b.csv --out run',
    'infinite-width predict --model run/model.json --test c.csv --out more',
  ])
    .option('--train <file>', 'CSV or TSV with a header line')
    .option('--target <column>', 'the column to predict: numbers or class names')
    .option('--test <file>', 'rows to predict; without it the train rows are cross-validated')
    .option('--model <file>', 'a model.json written before, instead of --train')
    .option('--net <file>', 'Net document; default: ReLU nets of depth 1, 2, 3 and 5 are compared')
    .option(
      '--method <name>',
      'ntk (ntkgp is the same here) or nngp; default: compared',
      oneOf('ntk', 'nngp', 'ntkgp'),
    )
    .option('--time <t>', 'steps of gradient descent at rate 1, or inf (default)', realNumber(0))
    .option('--diag-reg <r>', 'noise over the mean diagonal of the kernel; default: compared', realNumber(0))
    .option(
      '--task <name>',
      'auto, regression or classification',
      oneOf('auto', 'regression', 'classification'),
      'auto',
    )
    .option(
      '--probabilities <name>',
      'of classes: gaussian (posterior of one-hot regression, calibrated) or cross-entropy (its flow, stopped early)',
      oneOf('gaussian', 'cross-entropy'),
      'gaussian',
    )
    .option(
      '--missing <policy>',
      'impute, drop (train rows) or error',
      oneOf('impute', 'drop', 'error'),
      'impute',
    )
    .option('--ignore <columns>', 'comma-separated columns to leave out', listOf(text))
    .option('--categorical <columns>', 'columns of numbers that are names', listOf(text))
    .option(
      '--folds <k>',
      'cross-validation folds, 0: none; default 5 without --test, else 0',
      wholeNumber(0, 1000),
    )
    .option('--max-rows <n>', 'fit on a random subset of at most n rows', wholeNumber(3))
    .option('--seed <n>', 'of random subsets and folds', wholeNumber(), 0)
    .requiredOption('--out <dir>', 'folder for predictions.csv, result.json, model.json and figures')
    .action(perform<PredictOptions>(run));
}

async function run(options: PredictOptions, context: Context): Promise<Outcome> {
  if (options.model ? options.train : !options.train)
    throw new UsageError(
      'predict: expected --train FILE with --target COLUMN, or --model FILE with --test FILE.',
    );
  if (options.model && !options.test)
    throw new UsageError('predict: --model needs --test FILE, the rows to predict.');
  if (options.train && options.target === undefined)
    throw new UsageError('predict: expected --target COLUMN, the column of --train to predict.');
  const test = options.test ? parseTable(await readText(options.test), { name: options.test }) : null;
  const train = options.train ? parseTable(await readText(options.train), { name: options.train }) : null;
  const fitOptions = train ? await fitOptionsOf(options, context) : null;
  await outputFolder(options.out);
  const engine = await context.engine();
  const model = fitOptions
    ? await fitted(engine, train!, fitOptions, context)
    : loadModel(engine, await readText(options.model!));
  const folds = options.folds ?? (test ? 0 : undefined);
  const validation =
    fitOptions && folds !== 0 ? await validated(engine, train!, fitOptions, folds, context) : null;
  const prediction = test ? await predicted(model, test, context) : (validation?.prediction ?? null);
  const truth = test ? (knowsTarget(test, model.target) ? test : null) : train;
  const metrics =
    test && truth ? measureTable(prediction!, truth, model.target) : (validation?.metrics ?? null);
  const report = await model.prepare({ signal: context.signal });
  const rows = test ? null : (validation?.rows ?? null);
  const files = await write(options, model, { report, prediction, metrics, validation, truth, rows, engine });
  const summary = {
    target: model.target,
    report,
    metrics,
    meanFoldScore: validation?.meanScore ?? null,
    files,
  };
  return { json: summary, text: describe(report, metrics, validation, files) };
}

/** Whether any row of the table has the target. */
function knowsTarget(table: DataTable, target: string): boolean {
  const index = table.columns.indexOf(target);
  return index >= 0 && table.rows.some((row) => !isMissing(row[index]));
}

async function fitOptionsOf(options: PredictOptions, context: Context): Promise<FitOptions> {
  const { ignore, categorical, diagReg, maxRows, time, seed, task, missing, probabilities } = options;
  return {
    target: options.target!,
    task,
    missing,
    probabilities,
    seed,
    signal: context.signal,
    ...(ignore ? { ignore } : {}),
    ...(categorical ? { categorical } : {}),
    ...(diagReg === undefined ? {} : { diagReg }),
    ...(maxRows === undefined ? {} : { maxRows }),
    ...(time === undefined ? {} : { time }),
    ...(options.method ? { method: options.method === 'nngp' ? ('nngp' as const) : ('ntk' as const) } : {}),
    ...(options.net ? { net: parseNet((await readJson(options.net)) as NetDocument) } : {}),
  };
}

/** A callback that moves the bar, and says once what the kernel in tiles holds. */
function follow({ progress }: Context): NonNullable<FitOptions['onProgress']> {
  let said = false;
  return ({ done, total, bytes }) => {
    if (bytes !== undefined && !said)
      progress.log(`the kernel goes in tiles: ${formatNumber(bytes / 2 ** 30)} GiB`);
    said ||= bytes !== undefined;
    progress.update(done / total);
  };
}

async function fitted(
  engine: Engine,
  table: DataTable,
  options: FitOptions,
  context: Context,
): Promise<TableModel> {
  context.progress.start('fit', 1);
  const model = await fit(engine, table, { ...options, onProgress: follow(context) });
  context.progress.finish();
  return model;
}

/** Predictions for `rows`; a model from a file is factorised first. */
async function predicted(model: TableModel, rows: DataTable, context: Context): Promise<TablePrediction> {
  const { signal, progress } = context;
  progress.start('predict', 1);
  const onProgress = follow(context);
  await model.prepare({ signal, onProgress: ({ bytes }) => onProgress({ done: 0, total: 1, bytes }) });
  const prediction = await model.predict(rows, { signal, onProgress });
  progress.finish();
  return prediction;
}

async function validated(
  engine: Engine,
  table: DataTable,
  options: FitOptions,
  folds: number | undefined,
  { progress }: Context,
): Promise<CrossValidation> {
  progress.start('cross-validation', 1);
  const onProgress = ({ done, total }: { done: number; total: number }): void =>
    progress.update(done / total);
  const result = await crossValidate(engine, table, {
    ...options,
    ...(folds === undefined ? {} : { folds }),
    onProgress,
  });
  progress.finish();
  return result;
}

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

async function write(options: PredictOptions, model: TableModel, found: Written): Promise<readonly string[]> {
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
    tables: [candidateTable(report)],
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
  const records = Array.from({ length: prediction.rows }, (_, i) => {
    const record: Record<string, string | number> = { row: (rows ? rows[i]! : i) + 1 };
    if (truth) record['target'] = truth[i]!;
    if (prediction.task === 'classification') {
      record['prediction'] = prediction.labels![i]!;
      prediction.classes!.forEach((name, k) => {
        record[`p_${name}`] = prediction.probabilities![i * prediction.classes!.length + k]!;
      });
    } else {
      record['prediction'] = prediction.mean![i]!;
      record['deviation'] = prediction.deviation![i]!;
      for (const { level, low, high } of prediction.intervals!) {
        record[`low_${Math.round(100 * level)}`] = low[i]!;
        record[`high_${Math.round(100 * level)}`] = high[i]!;
      }
    }
    return record;
  });
  if (rows) records.sort((a, b) => Number(a['row']) - Number(b['row']));
  return `${Papa.unparse(records, { newline: '\n' })}\n`;
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

function describe(
  report: FitReport,
  metrics: Metrics | null,
  validation: CrossValidation | null,
  files: readonly string[],
): string {
  const best = report.candidates[0]!;
  const depth =
    best.depth === null ? 'the given net' : `${best.depth} hidden layer${best.depth > 1 ? 's' : ''}`;
  return [
    lead(report, metrics),
    report.probabilities === 'cross-entropy'
      ? `chosen: ${report.method.toUpperCase()} of ${depth}, flow of the cross-entropy for ${formatNumber(report.time!)} steps`
      : `chosen: ${report.method.toUpperCase()} of ${depth}, noise ${formatNumber(report.diagnostics.diagReg)} of the mean diagonal (added ${formatNumber(report.diagnostics.added)}, jitter ${formatNumber(report.diagnostics.jitter)})`,
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
    columns: ['kernel', 'depth', 'noise', 'log density (nats per row)'],
    rows: report.candidates.map(({ method, depth, diagReg, score }) => [
      method,
      depth ?? 'given',
      formatNumber(diagReg),
      formatNumber(score),
    ]),
  };
}
