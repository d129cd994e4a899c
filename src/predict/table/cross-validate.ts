// k-fold cross-validation: every choice, encoding included, is made anew on each training part.
import { knownFields, type Engine, type Fields } from '../../wasm/engine.js';
import {
  asTable,
  columnOf,
  isMissing,
  labelOf,
  ownField,
  takeRows,
  type Table,
  type TableLike,
} from './csv.js';
import { FIT_OPTIONS, learn, type FitOptions } from './fit.js';
import { classMetrics, regressionMetrics, type Metrics } from './metrics.js';
import type { TablePrediction } from './model.js';
import { shuffledLosses, type ColumnImportance } from './explain/importance.js';
import { makeFolds, type FoldOptions } from './folds.js';
import { readColumn } from './reading/column.js';
import { understand } from './reading/table.js';
import { derivedNames, typedCell } from './reading/typed.js';
import { fitTarget, labelledRows, type Task } from './target.js';

/** Those of `fit`, and the folds. */
export interface CrossValidateOptions extends FitOptions, FoldOptions {
  /** Also say which columns matter to predictions of left-out rows; default false. */
  readonly importance?: boolean;
}

/** What left-out rows say. */
export interface CrossValidation {
  readonly task: Task;
  /** Of all left-out predictions together; `r2` and `accuracy` also as the mean over folds. */
  readonly metrics: Metrics;
  readonly folds: readonly Metrics[];
  readonly meanScore: number;
  /** Of every row with a target (its place in the table) the prediction by the model that did not see it, and the truth. */
  readonly rows: readonly number[];
  readonly prediction: TablePrediction;
  readonly truth: readonly string[];
  /** What shuffling each column among left-out rows costs, mean over folds, the most costly first; null if not asked for. */
  readonly importance: readonly ColumnImportance[] | null;
}

const CV_OPTIONS: Fields<CrossValidateOptions> = {
  folds: true,
  foldOf: true,
  groupBy: true,
  timeBy: true,
  importance: true,
  ...FIT_OPTIONS,
};

/** Refits on all but one fold and predicts it, for every fold. RangeError for tables and options that do not fit. */
export async function crossValidate(
  engine: Engine,
  table: TableLike,
  options: CrossValidateOptions,
): Promise<CrossValidation> {
  knownFields('crossValidate', options, CV_OPTIONS);
  const raw = asTable(table, 'crossValidate');
  const { groupBy, timeBy, importance = false, drop = [], ...choices } = options;
  // A group or a place in time says which rows belong together; it is no column to learn from.
  const aside = [...drop, ...(groupBy === undefined ? [] : [groupBy])];
  // What a cell means is read once, from the whole table; everything that is fitted is fitted without the left-out rows.
  const read = understand(raw, { ...options, drop: aside }, 'crossValidate');
  const labelled = labelledRows(read.table, options.target);
  const known = takeRows(read.table, labelled);
  const code = fitTarget(
    known,
    read.readings.find(({ use }) => use === 'target')!,
  );
  const { folds: _, foldOf: __, ...fitting } = choices;
  const fixed = { ...fitting, types: typesOf(known), task: code.task };
  const folds = makeFolds(
    engine,
    {
      table: known,
      target: options.target,
      task: code.task,
      seed: options.seed ?? 0,
      groups: groupBy === undefined ? null : groupsOf(raw, groupBy, labelled),
      times: timeBy === undefined ? null : timesOf(raw, timeBy, labelled, options.types),
    },
    options,
  );
  const groups = read.readings.flatMap((reading) =>
    reading.use === 'feature' ? [{ column: reading.name, parts: derivedNames(reading) }] : [],
  );
  const variance = code.scale ? code.scale.deviation ** 2 : 1;
  const losses = groups.map(() => 0);
  const metrics: Metrics[] = [];
  const parts: { rows: readonly number[]; prediction: TablePrediction }[] = [];
  for (const [index, { test: rows, train }] of folds.entries()) {
    const left = takeRows(known, train);
    if (code.task === 'classification' && new Set(columnOf(left, options.target)).size < 2)
      throw new RangeError(
        `crossValidate: without fold ${index + 1} one class is left. Give more rows, or do without (--folds 0).`,
      );
    const model = await learn(engine, left, {
      ...fixed,
      onProgress: ({ done, total }) =>
        options.onProgress?.({ done: index + (0.99 * done) / total, total: folds.length }),
    });
    const test = takeRows(known, rows);
    const { signal, target, seed = 0 } = options;
    const prediction = await model.predict(test, { signal });
    metrics.push(measureTable(prediction, test, target));
    parts.push({ rows, prediction });
    if (importance) {
      const unseen = { table: test, target, groups, variance, seed };
      const found = await shuffledLosses(engine, model, unseen, signal);
      found.forEach((loss, k) => (losses[k]! += loss / folds.length));
    }
    options.onProgress?.({ done: index + 1, total: folds.length });
  }
  const rows = parts.flatMap((part) => part.rows);
  const prediction = joined(
    parts.map((part) => part.prediction),
    code.classes,
  );
  const truth = columnOf(takeRows(known, rows), options.target).map(labelOf);
  const score = (m: Metrics): number => (m.task === 'classification' ? m.accuracy : m.r2);
  return {
    task: code.task,
    metrics: measureTable(prediction, takeRows(known, rows), options.target),
    folds: metrics,
    meanScore: metrics.reduce((sum, m) => sum + score(m) / metrics.length, 0),
    rows: rows.map((row) => labelled[row]!),
    prediction,
    truth,
    importance: importance
      ? groups.map(({ column }, k) => ({ column, loss: losses[k]! })).sort((a, b) => b.loss - a.loss)
      : null,
  };
}

/** The group of every row with a target. RangeError where one is missing. */
function groupsOf(raw: Table, column: string, rows: readonly number[]): string[] {
  const cells = columnOf(raw, column, 'crossValidate');
  return rows.map((row) => {
    if (isMissing(cells[row]))
      throw new RangeError(`crossValidate: row ${row + 1} has no group in column '${column}'`);
    return labelOf(cells[row]);
  });
}

/** The time of every row with a target, whether or not the column is learned from. RangeError where there is none. */
function timesOf(raw: Table, column: string, rows: readonly number[], types: FitOptions['types']): number[] {
  const cells = columnOf(raw, column, 'crossValidate');
  const type = ownField(types ?? {}, column) ?? null;
  const reading = readColumn(column, cells, { role: 'target', type, comma: false, call: 'crossValidate' });
  if (!reading.number && !reading.date)
    throw new RangeError(
      `crossValidate: timeBy '${column}' must be a column of numbers or dates, got '${reading.example}'`,
    );
  return rows.map((row) => {
    const time = typedCell(reading, cells[row]);
    if (typeof time !== 'number' || Number.isNaN(time))
      throw new RangeError(`crossValidate: row ${row + 1} has no time in column '${column}'`);
    return time;
  });
}

/**
 * Metrics of predictions for the rows of a table whose target is known. RangeError when none is, for text where numbers are
 * predicted, and for another number of rows.
 */
export function measureTable(
  prediction: TablePrediction,
  value: TableLike,
  target: string,
  { types = {} }: Pick<FitOptions, 'types'> = {},
): Metrics {
  const name = 'measureTable';
  const table = asTable(value, name);
  const raw = columnOf(table, target, name);
  if (raw.length !== prediction.rows)
    throw new RangeError(`${name}: the table has ${raw.length} rows, ${prediction.rows} were predicted`);
  if (raw.every(isMissing)) throw new RangeError(`${name}: every value of the target '${target}' is missing`);
  const only = { columns: [target], rows: raw.map((cell) => [cell]) };
  const cells = columnOf(understand(only, { target, task: prediction.task, types }, name).table, target);
  if (prediction.task === 'classification') return classMetrics(prediction, cells as (string | null)[]);
  const bad = cells.findIndex((cell, i) => cell === null && !isMissing(raw[i]));
  if (bad >= 0)
    throw new RangeError(
      `${name}: row ${bad + 1}: the target '${target}' must be a number, got '${String(raw[bad])}'`,
    );
  return regressionMetrics(prediction, cells as (number | null)[]);
}

/** The types of typed columns: what the whole table says holds for every part of it. */
function typesOf({ columns, rows }: Table): Record<string, 'number' | 'category'> {
  const kinds = columns.map((name, k) => {
    const text = rows.some((row) => typeof row[k] === 'string');
    return [name, text ? 'category' : 'number'] as const;
  });
  return Object.fromEntries(kinds.filter(([,], k) => rows.some((row) => row[k] !== null)));
}

function joined(parts: readonly TablePrediction[], classes: readonly string[]): TablePrediction {
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const cat = (pick: (part: TablePrediction) => Float64Array): Float64Array =>
    Float64Array.from(parts.flatMap((part) => [...pick(part)]));
  const common = {
    rows,
    novelty: cat((part) => part.novelty),
    novel: parts.flatMap((part) => part.novel),
  };
  if (parts[0]!.task === 'regression') {
    const intervals = parts[0]!.intervals!.map(({ level }, k) => ({
      level,
      low: cat((part) => part.intervals![k]!.low),
      high: cat((part) => part.intervals![k]!.high),
    }));
    return {
      ...common,
      task: 'regression',
      mean: cat((p) => p.mean!),
      deviation: cat((p) => p.deviation!),
      intervals,
    };
  }
  // A training part may miss a rare class: its probability there is 0.
  const probabilities = cat((part) =>
    Float64Array.from(
      Array.from({ length: part.rows }, (_, i) =>
        classes.map((label) => {
          const k = part.classes!.indexOf(label);
          return k < 0 ? 0 : part.probabilities![i * part.classes!.length + k]!;
        }),
      ).flat(),
    ),
  );
  return {
    ...common,
    task: 'classification',
    classes,
    probabilities,
    labels: parts.flatMap((part) => part.labels!),
  };
}
