// k-fold cross-validation: every choice, encoding included, is made anew on each training part.
import { permutation, randomKey } from '../../math/random.js';
import { knownFields, type Engine, type Fields } from '../../wasm/engine.js';
import { asTable, columnOf, isMissing, labelOf, takeRows, type Table, type TableLike } from './csv.js';
import { FIT_OPTIONS, learn, type FitOptions } from './fit.js';
import { classMetrics, regressionMetrics, type Metrics } from './metrics.js';
import type { TablePrediction } from './model.js';
import { understand } from './reading/table.js';
import { fitTarget, labelledRows, type Task } from './target.js';

/** Those of `fit`, and the folds. */
export interface CrossValidateOptions extends FitOptions {
  /** Default 5, or the number of rows when that is smaller. */
  readonly folds?: number;
  /** The fold of every row with a target, instead of random (for classes: stratified) folds. */
  readonly foldOf?: readonly number[];
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
}

const CV_OPTIONS: Fields<CrossValidateOptions> = { folds: true, foldOf: true, ...FIT_OPTIONS };

/** Refits on all but one fold and predicts it, for every fold. RangeError for tables and options that do not fit. */
export async function crossValidate(
  engine: Engine,
  table: TableLike,
  options: CrossValidateOptions,
): Promise<CrossValidation> {
  knownFields('crossValidate', options, CV_OPTIONS);
  // What a cell means is read once, from the whole table; everything that is fitted is fitted without the left-out rows.
  const read = understand(asTable(table, 'crossValidate'), options, 'crossValidate');
  const labelled = labelledRows(read.table, options.target);
  const known = takeRows(read.table, labelled);
  const code = fitTarget(
    known,
    read.readings.find(({ use }) => use === 'target')!,
  );
  const { drop: _, ...choices } = options;
  const fixed = { ...choices, types: typesOf(known), task: code.task };
  const foldOf = options.foldOf ?? randomFolds(engine, known, code.task, options);
  if (foldOf.length !== known.rows.length)
    throw new RangeError(`crossValidate: foldOf has ${foldOf.length} entries for ${known.rows.length} rows`);
  const names = [...new Set(foldOf)].sort((a, b) => a - b);
  const metrics: Metrics[] = [];
  const parts: { rows: number[]; prediction: TablePrediction }[] = [];
  for (const [index, fold] of names.entries()) {
    const rows = foldOf.flatMap((other, i) => (other === fold ? [i] : []));
    const rest = foldOf.flatMap((other, i) => (other === fold ? [] : [i]));
    const left = takeRows(known, rest);
    if (code.task === 'classification' && new Set(columnOf(left, options.target)).size < 2)
      throw new RangeError(
        `crossValidate: without fold ${index + 1} one class is left. Give more rows, or do without (--folds 0).`,
      );
    const model = await learn(engine, left, {
      ...fixed,
      onProgress: ({ done, total }) =>
        options.onProgress?.({ done: index + (0.99 * done) / total, total: names.length }),
    });
    const test = takeRows(known, rows);
    const prediction = await model.predict(test, { signal: options.signal });
    metrics.push(measureTable(prediction, test, options.target));
    parts.push({ rows, prediction });
    options.onProgress?.({ done: index + 1, total: names.length });
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
  };
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

const LEAST = 3; // rows that `fit` wants

function randomFolds(
  engine: Engine,
  table: Table,
  task: Task,
  { seed = 0, target, ...options }: CrossValidateOptions,
): number[] {
  const n = table.rows.length;
  const folds = options.folds ?? Math.min(5, n);
  if (!Number.isInteger(folds) || folds < 2 || folds > n)
    throw new RangeError(`crossValidate: folds must be from 2 to the ${n} rows, got ${folds}`);
  if (n - Math.ceil(n / folds) < LEAST)
    throw new RangeError(
      `crossValidate: ${folds} folds of ${n} rows leave fewer than ${LEAST} to fit. Use more folds or rows, or none (--folds 0).`,
    );
  const order = [...permutation(engine, randomKey(seed), n)];
  if (task === 'classification') {
    const labels = columnOf(table, target).map(labelOf);
    order.sort((a, b) => (labels[a]! < labels[b]! ? -1 : labels[a]! > labels[b]! ? 1 : 0)); // stable
  }
  const foldOf = new Array<number>(n);
  order.forEach((row, i) => (foldOf[row] = i % folds));
  return foldOf;
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
