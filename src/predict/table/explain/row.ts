// Why a row got its answer: Shapley values of its columns against rows of a table, by sampling orders
// (Strumbelj and Kononenko 2014). They add up to the answer minus the mean answer of the rows compared with.
import { permutation, randomKey } from '../../../math/random.js';
import { knownFields, type Engine, type Fields } from '../../../wasm/engine.js';
import { asTable, type Cell, type TableLike } from '../csv.js';
import type { TableModel } from '../model.js';
import { answersOf } from './answer.js';

/** What may be chosen. */
export interface ExplainRowOptions {
  /** Random orders of the columns, each against one row of the table; default 32. */
  readonly orders?: number;
  /** The class whose probability is explained; default the last one. */
  readonly class?: string;
  /** Of the orders and rows; default 0. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/** What the columns of one row did to its answer. */
export interface RowExplanation {
  /** The answer for the row, and the mean over the rows it is compared with. */
  readonly answer: number;
  readonly base: number;
  /** By size. `change` adds up to answer - base; `error` is its standard error over the orders. */
  readonly columns: readonly {
    readonly column: string;
    readonly cell: Cell;
    readonly change: number;
    readonly error: number;
  }[];
}

const OPTIONS: Fields<ExplainRowOptions> = { orders: true, class: true, seed: true, signal: true };

/**
 * Explains the answer for one row by the columns that differ from typical rows of `table`. It explains the model, not the
 * world. RangeError for a row that is not in the table and for classes that the model does not know.
 *
 * @example
 * const { columns } = await explainRow(engine, model, table, 0);
 * columns[0]; // { column: 'age', cell: '71', change: 0.21, error: 0.02 }
 */
export async function explainRow(
  engine: Engine,
  model: TableModel,
  table: TableLike,
  row: number,
  options: ExplainRowOptions = {},
): Promise<RowExplanation> {
  const call = 'explainRow';
  knownFields(call, options, OPTIONS);
  const { orders = 32, seed = 0, signal } = options;
  if (!(Number.isInteger(orders) && orders >= 2 && orders <= 10_000))
    throw new RangeError(`${call}: orders must be a whole number from 2 to 10000, got ${orders}`);
  const whole = asTable(table, call);
  const cells = whole.rows[row];
  if (!cells)
    throw new RangeError(`${call}: row must be from 0 to ${whole.rows.length - 1}, got ${String(row)}`);
  const { summary } = await model.prepare({ signal });
  const used = summary.columns.flatMap(({ name, use }) => (use === 'feature' ? [name] : []));
  const places = used.map((name) => whole.columns.indexOf(name));
  const missing = places.indexOf(-1);
  if (missing >= 0) throw new RangeError(`${call}: the table has no column '${used[missing]}'`);
  const count = places.length;
  const walks = Array.from({ length: orders }, (_, k) => {
    const key = randomKey(seed + k);
    const order = [...permutation(engine, key, count)];
    const other = permutation(engine, key, whole.rows.length)[0]!;
    return { order, other };
  });
  const steps = walks.flatMap(({ order, other }) => {
    const rows = [whole.rows[other]!];
    for (const k of order) rows.push(rows[rows.length - 1]!.with(places[k]!, cells[places[k]!]));
    return rows;
  });
  const prediction = await model.predict({ columns: whole.columns, rows: steps }, { signal });
  const answers = answersOf(prediction, options.class, call);
  const changes = used.map(() => new Float64Array(orders));
  let base = 0;
  walks.forEach(({ order }, walk) => {
    const from = walk * (count + 1);
    base += answers[from]! / orders;
    order.forEach((k, i) => (changes[k]![walk] = answers[from + i + 1]! - answers[from + i]!));
  });
  const columns = used.map((column, k) => {
    const change = changes[k]!.reduce((sum, value) => sum + value / orders, 0);
    const square = changes[k]!.reduce((sum, value) => sum + (value - change) ** 2, 0);
    return { column, cell: cells[places[k]!], change, error: Math.sqrt(square / (orders - 1) / orders) };
  });
  columns.sort((a, b) => Math.abs(b.change) - Math.abs(a.change));
  return { answer: answers[count]!, base, columns };
}
