import { InvalidArgumentError, type Command } from 'commander';
import { parseNet, type NetDocument } from '../../net/document.js';
import {
  crossValidate,
  fit,
  loadModel,
  measureTable,
  parseTable,
  partialDependence,
  summarizeTable,
  type ColumnType,
  type CrossValidateOptions,
  type CrossValidation,
  type DataTable,
  type FitOptions,
  type PartialDependence,
  type ReadTableOptions,
  type TableModel,
  type TablePrediction,
} from '../../predict/index.js';
import { isMissing, ownField } from '../../predict/table/csv.js';
import { COLUMN_TYPES } from '../../predict/table/reading/column.js';
import { formatNumber } from '../../report/index.js';
import type { Engine } from '../../wasm/engine.js';
import { UsageError } from '../errors.js';
import { outputFolder, readJson, readText } from '../files.js';
import { describePrediction, writePrediction, type Found } from '../predict-report.js';
import { describeSummary } from '../table-summary.js';
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
  readonly drop?: string[];
  readonly types?: Readonly<Record<string, ColumnType>>;
  readonly folds?: number;
  readonly groupBy?: string;
  readonly timeBy?: string;
  readonly maxRows?: number;
  readonly seed: number;
  readonly out: string;
}

const text = (value: string): string => value;

/** `zip=category,price=decimal comma` as an object; the library names unknown columns. */
function typesOf(list: string): Readonly<Record<string, ColumnType>> {
  const type = oneOf(...COLUMN_TYPES);
  const pairs = list.split(',').map((pair) => {
    const at = pair.lastIndexOf('=');
    if (at < 1) throw new InvalidArgumentError('Expected column=type, separated by commas.');
    return [pair.slice(0, at).trim(), type(pair.slice(at + 1).trim())] as const;
  });
  return Object.fromEntries(pairs);
}

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
    .option('--drop <columns>', 'comma-separated columns to leave out', listOf(text))
    .option(
      '--types <list>',
      `what columns hold, e.g. zip=category,price=decimal comma: ${COLUMN_TYPES.join(', ')}`,
      typesOf,
    )
    .option(
      '--folds <k>',
      'cross-validation folds, 0: none; default 5 without --test, else 0',
      wholeNumber(0, 1000),
    )
    .option(
      '--group-by <column>',
      'rows with the same value here are left out together, and it is not learned from',
    )
    .option(
      '--time-by <column>',
      'rows are predicted from earlier ones only, by this column of numbers or dates',
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
  if (fitOptions) {
    const { target, task, types, drop } = fitOptions;
    const asked = { target, task, ...(types ? { types } : {}), ...(drop ? { drop } : {}) } as const;
    context.progress.log(describeSummary(summarizeTable(train!, asked as ReadTableOptions)));
  }
  await outputFolder(options.out);
  const engine = await context.engine();
  const model = fitOptions
    ? await fitted(engine, train!, fitOptions, context)
    : loadModel(engine, await readText(options.model!));
  const folds = options.folds ?? (test ? 0 : undefined);
  const validation =
    fitOptions && folds !== 0
      ? await validated(engine, train!, { ...fitOptions, ...foldOptions(options, folds) }, context)
      : null;
  const prediction = test ? await predicted(model, test, context) : (validation?.prediction ?? null);
  const truth = test ? (knowsTarget(test, model.target) ? test : null) : train;
  const metrics =
    test && truth
      ? measureTable(
          prediction!,
          truth,
          model.target,
          options.types ? { types: ofTarget(options.types, model.target) } : {},
        )
      : (validation?.metrics ?? null);
  const report = await model.prepare({ signal: context.signal });
  const found: Found = {
    report,
    prediction,
    metrics,
    validation,
    truth,
    table: test ?? train,
    rows: test ? null : (validation?.rows ?? null),
    dependence: validation ? await dependenceOf(model, train!, validation, context) : [],
    where: !test
      ? 'on rows it did not see'
      : options.model
        ? `on the rows of ${options.test} (whether the model has seen them is not known)`
        : `on the rows of ${options.test}`,
  };
  const files = await writePrediction(options, model, engine, found);
  const summary = {
    target: model.target,
    report,
    metrics,
    importance: validation?.importance ?? null,
    meanFoldScore: validation?.meanScore ?? null,
    novel: prediction?.novel.filter(Boolean).length ?? 0,
    files,
  };
  return { json: summary, text: describePrediction(found, files) };
}

const SHOWN = 4; // columns whose curves are drawn

/** Curves of the columns that matter most. */
async function dependenceOf(
  model: TableModel,
  train: DataTable,
  { importance }: CrossValidation,
  { signal }: Context,
): Promise<PartialDependence[]> {
  const { summary } = await model.prepare({ signal });
  const used = new Set(summary.columns.flatMap(({ name, use }) => (use === 'feature' ? [name] : [])));
  const shown = (importance ?? []).filter(({ column, loss }) => loss > 0 && used.has(column));
  const curves: PartialDependence[] = [];
  for (const { column } of shown.slice(0, SHOWN))
    curves.push(
      await partialDependence(model, train, column, { signal, rows: train.rows.length > 1000 ? 40 : 100 }),
    );
  return curves;
}

/** The type of the target alone: the other columns are not read where predictions are measured. */
function ofTarget(types: Readonly<Record<string, ColumnType>>, target: string): Record<string, ColumnType> {
  const type = ownField(types, target);
  return type ? { [target]: type } : {};
}

/** Whether any row of the table has the target. */
function knowsTarget(table: DataTable, target: string): boolean {
  const index = table.columns.indexOf(target);
  return index >= 0 && table.rows.some((row) => !isMissing(row[index]));
}

async function fitOptionsOf(options: PredictOptions, context: Context): Promise<FitOptions> {
  const { drop, types, diagReg, maxRows, time, seed, task, missing, probabilities } = options;
  const aside = [...(drop ?? []), ...(options.groupBy === undefined ? [] : [options.groupBy])];
  return {
    target: options.target!,
    task,
    missing,
    probabilities,
    seed,
    signal: context.signal,
    ...(aside.length > 0 ? { drop: aside } : {}),
    ...(types ? { types } : {}),
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
  options: CrossValidateOptions,
  { progress }: Context,
): Promise<CrossValidation> {
  progress.start('cross-validation', 1);
  const onProgress = ({ done, total }: { done: number; total: number }): void =>
    progress.update(done / total);
  const result = await crossValidate(engine, table, { ...options, onProgress });
  progress.finish();
  return result;
}

function foldOptions(
  { groupBy, timeBy }: PredictOptions,
  folds: number | undefined,
): Partial<CrossValidateOptions> {
  return {
    importance: true,
    ...(folds === undefined ? {} : { folds }),
    ...(groupBy === undefined ? {} : { groupBy }),
    ...(timeBy === undefined ? {} : { timeBy }),
  };
}
