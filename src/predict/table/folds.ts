// Which rows are left out together: at random, by group, or what comes later.
import { permutation, randomKey } from '../../math/random.js';
import type { Engine } from '../../wasm/engine.js';
import { columnOf, labelOf, type Table } from './csv.js';
import type { Task } from './target.js';

/** One fold: the rows that are predicted, and those that are learned for it. */
export interface Fold {
  readonly test: readonly number[];
  readonly train: readonly number[];
}

/** How rows are left out. */
export interface FoldOptions {
  /** Default 5, or the number of rows when that is smaller. */
  readonly folds?: number;
  /** The fold of every row with a target, instead of random (for classes: stratified) folds. */
  readonly foldOf?: readonly number[];
  /** A column of the raw table: rows with the same value (a person, a site) are left out together. */
  readonly groupBy?: string;
  /** A column of numbers or dates: rows are predicted from earlier ones only; the earliest part is never predicted. */
  readonly timeBy?: string;
}

const LEAST = 3; // rows that `fit` wants

/** What folds are made of: the rows with a target, raw (`groups`) or as numbers (`times`). */
export interface FoldSource {
  readonly table: Table;
  readonly target: string;
  readonly task: Task;
  readonly seed: number;
  readonly groups: readonly string[] | null;
  readonly times: readonly number[] | null;
}

/** The folds. RangeError where so many rows do not allow them. */
export function makeFolds(engine: Engine, source: FoldSource, options: FoldOptions): Fold[] {
  const { foldOf, groupBy, timeBy } = options;
  if ([foldOf, groupBy, timeBy].filter((choice) => choice !== undefined).length > 1)
    throw new RangeError('crossValidate: give one of foldOf, groupBy and timeBy, not several.');
  const n = source.table.rows.length;
  if (foldOf) {
    if (foldOf.length !== n)
      throw new RangeError(`crossValidate: foldOf has ${foldOf.length} entries for ${n} rows`);
    return splitBy(foldOf);
  }
  const groups = source.groups ? new Set(source.groups).size : n;
  const most = source.groups ? groups : n;
  const folds = options.folds ?? Math.min(5, most);
  const least = source.times ? 1 : 2;
  if (!Number.isInteger(folds) || folds < least || folds > most)
    throw new RangeError(
      `crossValidate: folds must be from ${least} to the ${most} ${source.groups ? 'groups' : 'rows'}, got ${folds}`,
    );
  if (source.times) return forward(source.times, folds);
  if (source.groups) return splitBy(groupFolds(engine, source.groups, folds, source.seed));
  if (n - Math.ceil(n / folds) < LEAST)
    throw new RangeError(
      `crossValidate: ${folds} folds of ${n} rows leave fewer than ${LEAST} to fit. Use more folds or rows, or none (--folds 0).`,
    );
  return splitBy(randomFolds(engine, source, folds));
}

function splitBy(foldOf: readonly number[]): Fold[] {
  const names = [...new Set(foldOf)].sort((a, b) => a - b);
  return names.map((name) => ({
    test: foldOf.flatMap((other, i) => (other === name ? [i] : [])),
    train: foldOf.flatMap((other, i) => (other === name ? [] : [i])),
  }));
}

function randomFolds(engine: Engine, { table, target, task, seed }: FoldSource, folds: number): number[] {
  const n = table.rows.length;
  const order = [...permutation(engine, randomKey(seed), n)];
  if (task === 'classification') {
    const labels = columnOf(table, target).map(labelOf);
    order.sort((a, b) => (labels[a]! < labels[b]! ? -1 : labels[a]! > labels[b]! ? 1 : 0)); // stable
  }
  const foldOf = new Array<number>(n);
  order.forEach((row, i) => (foldOf[row] = i % folds));
  return foldOf;
}

/** Groups in random order, each to the fold that has fewest rows. */
function groupFolds(engine: Engine, groups: readonly string[], folds: number, seed: number): number[] {
  const sizes = new Map<string, number>();
  for (const group of groups) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  const names = [...sizes.keys()];
  const order = [...permutation(engine, randomKey(seed), names.length)].map((k) => names[k]!);
  order.sort((a, b) => sizes.get(b)! - sizes.get(a)!); // stable: large groups first
  const filled = new Array<number>(folds).fill(0);
  const foldOf = new Map<string, number>();
  for (const name of order) {
    const fold = filled.indexOf(filled.reduce((least, count) => Math.min(least, count)));
    foldOf.set(name, fold);
    filled[fold]! += sizes.get(name)!;
  }
  return groups.map((group) => foldOf.get(group)!);
}

/** Each part of the rows in order of time is predicted from all rows before it. Equal times stay together. */
function forward(times: readonly number[], folds: number): Fold[] {
  const order = [...times.keys()].sort((a, b) => times[a]! - times[b]! || a - b);
  const found: Fold[] = [];
  for (let k = 1; k <= folds; k++) {
    const from = Math.floor((k * order.length) / (folds + 1));
    const to = Math.floor(((k + 1) * order.length) / (folds + 1));
    const start = times[order[from]!]!;
    const end = to < order.length ? times[order[to]!]! : Infinity;
    const test = order.filter((row) => times[row]! >= start && times[row]! < end);
    const train = order.filter((row) => times[row]! < start);
    if (test.length > 0 && train.length >= LEAST) found.push({ test, train });
  }
  if (found.length === 0)
    throw new RangeError(
      `crossValidate: no part of the rows has ${LEAST} earlier ones. Use fewer folds, or a time that differs between rows.`,
    );
  return found;
}
