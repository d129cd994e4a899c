// Columns to numbers, fitted on the training part only. A numeric column becomes its z-score and, when it has more
// than ten distinct values, its normal score (the Gaussian quantile of its rank), which is blind to skew and outliers.
// A categorical column becomes one centred indicator per level, scaled to total variance 1.
import { normalQuantile } from '../../math/elementary.js';
import { columnOf, isMissing, labelOf, numberOf, type Cell, type Table } from './csv.js';

/** How columns are read. */
export interface ColumnOptions {
  /** Columns to leave out. */
  readonly ignore?: readonly string[];
  /** Columns of numbers that are names. */
  readonly categorical?: readonly string[];
  /** Missing cells: `impute` (mean, or a level of its own, with an indicator; default), `drop` training rows, or `error`. */
  readonly missing?: 'impute' | 'drop' | 'error';
}

interface NumericColumn {
  readonly name: string;
  readonly kind: 'numeric';
  readonly scale: number;
  readonly mean: number;
  readonly deviation: number;
  /** At most 256 ascending quantiles of the training values, for normal scores; null without. */
  readonly knots: readonly number[] | null;
  readonly hasMissing: boolean;
}
interface CategoricalColumn {
  readonly name: string;
  readonly kind: 'categorical';
  readonly levels: readonly string[];
  readonly shares: readonly number[];
  readonly deviation: number;
}
export type EncodedColumn = NumericColumn | CategoricalColumn;

/** Plain JSON: part of a saved model. */
export interface Encoder {
  readonly columns: readonly EncodedColumn[];
  readonly features: number;
  readonly missing: 'impute' | 'drop' | 'error';
  /** What was left out or decided, for people. */
  readonly notes: readonly string[];
}

const OTHER = '\u0000other';
const MAX_LEVELS = 40;
const CLIP = 1000; // standard deviations; beyond, a cell is surely a mistake and must not overflow a kernel

/** Fits the encoding of all columns but `target`. RangeError when no column carries information. */
export function fitEncoder(table: Table, target: string | null, options: ColumnOptions = {}): Encoder {
  const { ignore = [], categorical = [], missing = 'impute' } = options;
  for (const column of [...ignore, ...categorical]) columnOf(table, column, 'fit');
  const columns: EncodedColumn[] = [];
  const notes: string[] = [];
  for (const name of table.columns) {
    if (name === target || ignore.includes(name)) continue;
    const cells = columnOf(table, name);
    const known = cells.filter((cell) => !isMissing(cell));
    if (missing === 'error' && known.length < cells.length) {
      const row = cells.findIndex(isMissing);
      throw new RangeError(
        `fit: column '${name}' has a missing value in row ${row + 1}. Use missing: 'impute'.`,
      );
    }
    const numeric = !categorical.includes(name) && known.every((cell) => !Number.isNaN(numberOf(cell)));
    const column =
      known.length === 0
        ? null
        : numeric
          ? fitNumeric(name, known.map(numberOf), known.length < cells.length)
          : fitCategorical(name, cells);
    if (column) columns.push(column);
    else notes.push(`column '${name}' is left out: ${reason(known, numeric)}`);
  }
  if (columns.length === 0) throw new RangeError(`fit: no column carries information. ${notes.join('; ')}`);
  const features = columns.reduce((sum, column) => sum + width(column), 0);
  return { columns, features, missing, notes };
}

function reason(known: readonly Cell[], numeric: boolean): string {
  if (known.length === 0) return 'all values are missing';
  return numeric || new Set(known.map(labelOf)).size === 1
    ? 'it is constant'
    : 'every value is different, like a name';
}

function fitNumeric(name: string, values: readonly number[], hasMissing: boolean): NumericColumn | null {
  let scale = 0;
  for (const value of values) scale = Math.max(scale, Math.abs(value));
  if (scale === 0)
    return hasMissing
      ? { name, kind: 'numeric', scale: 1, mean: 0, deviation: 1, knots: null, hasMissing }
      : null;
  const units = values.map((value) => value / scale);
  const mean = units.reduce((sum, value) => sum + value, 0) / units.length;
  const deviation = Math.sqrt(units.reduce((sum, value) => sum + (value - mean) ** 2, 0) / units.length);
  if (!(deviation > 1e-12)) {
    if (!hasMissing) return null;
    return { name, kind: 'numeric', scale, mean, deviation: 1, knots: null, hasMissing };
  }
  const sorted = [...units].sort((a, b) => a - b);
  const distinct = new Set(sorted).size;
  return {
    name,
    kind: 'numeric',
    scale,
    mean,
    deviation,
    knots: distinct > 10 ? thin(sorted) : null,
    hasMissing,
  };
}

/** At most 256 of the sorted values, evenly by rank, ends included. */
function thin(sorted: readonly number[]): number[] {
  const count = Math.min(sorted.length, 256);
  return Array.from(
    { length: count },
    (_, i) => sorted[Math.round((i * (sorted.length - 1)) / (count - 1))]!,
  );
}

function fitCategorical(name: string, cells: readonly Cell[]): CategoricalColumn | null {
  const counts = new Map<string, number>();
  for (const cell of cells) {
    const level = isMissing(cell) ? '' : labelOf(cell);
    counts.set(level, (counts.get(level) ?? 0) + 1);
  }
  if (counts.size < 2) return null;
  const frequent = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, MAX_LEVELS);
  if (frequent.length > 10 && frequent[0]![1] === 1) return null; // every value different
  const rest = cells.length - frequent.reduce((sum, [, count]) => sum + count, 0);
  if (rest > 0) frequent.push([OTHER, rest]);
  const shares = frequent.map(([, count]) => count / cells.length);
  const variance = shares.reduce((sum, share) => sum + share * (1 - share), 0);
  return {
    name,
    kind: 'categorical',
    levels: frequent.map(([level]) => level),
    shares,
    deviation: Math.sqrt(variance),
  };
}

function width(column: EncodedColumn): number {
  if (column.kind === 'categorical') return column.levels.length;
  return 1 + +(column.knots !== null) + +column.hasMissing;
}

/** The features (rows, encoder.features) of a table that has the encoder's columns. Unseen levels count as `other`. */
export function encode(encoder: Encoder, table: Table, name = 'predict'): Float64Array {
  const count = table.rows.length;
  const out = new Float64Array(count * encoder.features);
  let offset = 0;
  for (const column of encoder.columns) {
    const cells = columnOf(table, column.name, name);
    for (let i = 0; i < count; i++) {
      const at = i * encoder.features + offset;
      if (column.kind === 'numeric') writeNumeric(out, at, column, cells[i], name, i);
      else writeLevels(out, at, column, cells[i]);
    }
    offset += width(column);
  }
  return out;
}

function writeNumeric(
  out: Float64Array,
  at: number,
  column: NumericColumn,
  cell: Cell,
  name: string,
  row: number,
): void {
  const missing = isMissing(cell);
  const value = numberOf(cell) / column.scale;
  if (!missing && Number.isNaN(value))
    throw new RangeError(
      `${name}: row ${row + 1}, column '${column.name}': a number is expected, got '${String(cell)}'`,
    );
  const score = missing ? 0 : (value - column.mean) / column.deviation;
  out[at++] = Math.max(-CLIP, Math.min(CLIP, score));
  if (column.knots) out[at++] = missing ? 0 : normalScore(column.knots, value);
  if (column.hasMissing) out[at] = +missing;
}

function writeLevels(out: Float64Array, at: number, column: CategoricalColumn, cell: Cell): void {
  const level = isMissing(cell) ? '' : labelOf(cell);
  let index = column.levels.indexOf(level);
  if (index < 0) index = column.levels.indexOf(OTHER);
  column.shares.forEach((share, k) => (out[at + k] = (+(k === index) - share) / column.deviation));
}

/** The Gaussian quantile of a value's rank among the knots (ties: the middle), between the ranks of the ends. */
function normalScore(knots: readonly number[], value: number): number {
  const n = knots.length;
  const [below, upTo] = [firstAtLeast(knots, value), firstAbove(knots, value)];
  let rank = (below + upTo) / 2;
  if (below === upTo && below > 0 && below < n) {
    const [left, right] = [knots[below - 1]!, knots[below]!];
    rank = below - 0.5 + (value - left) / (right - left);
  }
  return normalQuantile(Math.max(0.5, Math.min(n - 0.5, rank)) / n);
}

function firstAtLeast(sorted: readonly number[], value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function firstAbove(sorted: readonly number[], value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Rows without a missing cell in an encoded column. */
export function completeRows(encoder: Encoder, table: Table): number[] {
  const indices = encoder.columns.map((column) => table.columns.indexOf(column.name));
  return table.rows.flatMap((row, i) => (indices.some((index) => isMissing(row[index])) ? [] : [i]));
}
