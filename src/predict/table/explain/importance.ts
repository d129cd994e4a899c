// Which columns matter: how much worse predictions of unseen rows get when one column is shuffled among them
// (Breiman 2001; on rows the model did not see, so that memory counts for nothing).
import { log } from '../../../math/elementary.js';
import { permutation, randomKey } from '../../../math/random.js';
import type { Engine } from '../../../wasm/engine.js';
import { takeRows, type Table } from '../csv.js';
import type { TableModel, TablePrediction } from '../model.js';

/** What shuffling one column costs. */
export interface ColumnImportance {
  readonly column: string;
  /** Numbers: growth of the mean square error over the variance of the target (loss of R^2). Classes: of the log loss, nats. */
  readonly loss: number;
}

/** A column of the table as people know it, and the columns of the typed table that it became. */
export interface ColumnGroup {
  readonly column: string;
  readonly parts: readonly string[];
}

/** Unseen rows with their target, as the model reads them. */
export interface Unseen {
  readonly table: Table;
  readonly target: string;
  readonly groups: readonly ColumnGroup[];
  /** Variance of the target over the whole table; 1 for classes. */
  readonly variance: number;
  readonly seed: number;
}

const ROWS = 100; // rows that are shuffled: enough to rank columns

/** Growth of the loss per column, in the order of the groups. */
export async function shuffledLosses(
  engine: Engine,
  model: TableModel,
  { table: whole, target, groups, variance, seed }: Unseen,
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const table = takeRows(
    whole,
    whole.rows.flatMap((_, i) => (i < ROWS ? [i] : [])),
  );
  const count = table.rows.length;
  const order = [...permutation(engine, randomKey(seed), count)];
  const shuffled = groups.flatMap(({ parts }) => {
    const places = parts.map((part) => table.columns.indexOf(part));
    return table.rows.map((row, i) =>
      row.map((cell, k) => (places.includes(k) ? table.rows[order[i]!]![k] : cell)),
    );
  });
  const rows = [...table.rows, ...shuffled];
  const prediction = await model.predict({ columns: table.columns, rows }, { signal });
  const truth = table.rows.map((row) => row[table.columns.indexOf(target)]);
  const losses = Array.from({ length: groups.length + 1 }, (_, g) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += lossOf(prediction, g * count + i, truth[i]) / count;
    return sum / variance;
  });
  return losses.slice(1).map((loss) => loss - losses[0]!);
}

function lossOf({ mean, classes, probabilities }: TablePrediction, row: number, truth: unknown): number {
  if (mean) return (mean[row]! - (truth as number)) ** 2;
  const k = classes!.indexOf(String(truth));
  return -log(Math.max(k < 0 ? 0 : probabilities![row * classes!.length + k]!, 1e-12));
}
