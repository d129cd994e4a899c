// What a column does to predictions: the mean prediction when all rows have the same value in it (Friedman 2001).
import { knownFields, type Fields } from '../../../wasm/engine.js';
import { asTable, columnOf, type Cell, type TableLike } from '../csv.js';
import type { TableModel } from '../model.js';
import { typedCell } from '../reading/typed.js';
import { answersOf } from './answer.js';

/** What may be chosen. */
export interface PartialDependenceOptions {
  /** Values of the column that are tried; default 20: quantiles of numbers and dates, the most frequent levels. */
  readonly points?: number;
  /** Rows over which predictions are averaged; default 100, evenly through the table. */
  readonly rows?: number;
  /** The class whose probability is shown; default the last one. */
  readonly class?: string;
  readonly signal?: AbortSignal;
}

/** The curve of one column. */
export interface PartialDependence {
  readonly column: string;
  /** The values that were tried, as they stand in the table. */
  readonly cells: readonly Cell[];
  /** The same as numbers; null for levels. */
  readonly values: readonly number[] | null;
  /** Mean prediction with that value in every row, and the tenth and ninetieth per cent of the rows. */
  readonly mean: Float64Array;
  readonly low: Float64Array;
  readonly high: Float64Array;
}

const OPTIONS: Fields<PartialDependenceOptions> = { points: true, rows: true, class: true, signal: true };

/**
 * Partial dependence of predictions on one column. It shows the model's answers, not causes; where columns move together,
 * some of the rows it averages over exist nowhere. RangeError for columns and classes that the model does not know.
 *
 * @example
 * const { values, mean } = await partialDependence(model, table, 'age');
 */
export async function partialDependence(
  model: TableModel,
  table: TableLike,
  column: string,
  options: PartialDependenceOptions = {},
): Promise<PartialDependence> {
  const call = 'partialDependence';
  knownFields(call, options, OPTIONS);
  const { points = 20, rows = 100, signal } = options;
  for (const [name, value] of [
    ['points', points],
    ['rows', rows],
  ] as const)
    if (!(Number.isInteger(value) && value >= 1 && value <= 10_000))
      throw new RangeError(`${call}: ${name} must be a whole number from 1 to 10000, got ${value}`);
  const whole = asTable(table, call);
  const { summary } = await model.prepare({ signal });
  const reading = summary.columns.find(({ name }) => name === column);
  if (reading?.use !== 'feature')
    throw new RangeError(
      `${call}: the model does not use the column '${column}'. Columns: ${summary.columns.flatMap(({ name, use }) => (use === 'feature' ? [name] : [])).join(', ')}`,
    );
  const cells = columnOf(whole, column, call);
  const typed = cells.map((cell) => typedCell(reading, cell));
  const places = reading.kind === 'category' ? frequent(typed, points) : quantiles(typed, points);
  if (places.length === 0)
    throw new RangeError(`${call}: every value of column '${column}' is missing in this table`);
  const step = Math.max(1, Math.floor(whole.rows.length / rows));
  const some = whole.rows.filter((_, i) => i % step === 0).slice(0, rows);
  const at = whole.columns.indexOf(column);
  const tried = places.flatMap((place) => some.map((row) => row.with(at, cells[place])));
  const prediction = await model.predict({ columns: whole.columns, rows: tried }, { signal });
  const answers = answersOf(prediction, options.class, call);
  const parts = places.map((_, k) => answers.slice(k * some.length, (k + 1) * some.length).sort());
  const share = (part: Float64Array, level: number): number => part[Math.round(level * (part.length - 1))]!;
  return {
    column,
    cells: places.map((place) => cells[place]),
    values: reading.kind === 'category' ? null : places.map((place) => typed[place] as number),
    mean: Float64Array.from(parts, (part) => part.reduce((sum, value) => sum + value / part.length, 0)),
    low: Float64Array.from(parts, (part) => share(part, 0.1)),
    high: Float64Array.from(parts, (part) => share(part, 0.9)),
  };
}

/** Places of cells at evenly spaced ranks, each value once. */
function quantiles(typed: readonly unknown[], points: number): number[] {
  const order = [...typed.keys()]
    .filter((i) => typeof typed[i] === 'number' && Number.isFinite(typed[i]))
    .sort((a, b) => (typed[a] as number) - (typed[b] as number));
  const picked = Array.from(
    { length: Math.min(points, order.length) },
    (_, k, n = Math.min(points, order.length)) =>
      order[n === 1 ? order.length >> 1 : Math.round((k * (order.length - 1)) / (n - 1))]!,
  );
  return picked.filter((place, k) => k === 0 || typed[place] !== typed[picked[k - 1]!]);
}

/** Places of the first cell of each of the most frequent levels. */
function frequent(typed: readonly unknown[], points: number): number[] {
  const counts = new Map<unknown, { place: number; count: number }>();
  typed.forEach((level, place) => {
    if (level === null) return;
    const entry = counts.get(level);
    if (entry) entry.count++;
    else counts.set(level, { place, count: 1 });
  });
  return [...counts.values()]
    .sort((a, b) => b.count - a.count || a.place - b.place)
    .slice(0, points)
    .map(({ place }) => place);
}
