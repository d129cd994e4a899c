// Columns to numbers, fitted on the training part only. A numeric column becomes its z-score and, when it has more
// than ten distinct values, its normal score (the Gaussian quantile of its rank), which is blind to skew and outliers.
// A categorical column becomes one centred indicator per level, scaled to total variance 1.
import { normalQuantile } from '../../math/elementary.js';
import { columnIndex, columnOf, type Table } from './csv.js';
import type { ColumnReading, ColumnType } from './reading/column.js';
import { derivedNames, typedTable, type TypedCell } from './reading/typed.js';

/** How columns are read. */
export interface ColumnOptions {
  /** Columns to leave out. */
  readonly drop?: readonly string[];
  /** What columns hold, by name, where the cells leave it open or mislead. */
  readonly types?: Readonly<Record<string, ColumnType>>;
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
  /** How the columns of a raw table are read, before they are encoded. */
  readonly readings: readonly ColumnReading[];
  readonly columns: readonly EncodedColumn[];
  readonly features: number;
  readonly missing: 'impute' | 'drop' | 'error';
  /** What was left out or decided, for people. */
  readonly notes: readonly string[];
}

const OTHER = '\u0000other';
const MAX_LEVELS = 40;
const CLIP = 1000; // standard deviations; beyond, a cell is surely a mistake and must not overflow a kernel

/** Fits the encoding of the typed columns. RangeError when no column carries information. */
export function fitEncoder(
  { table, readings }: { readonly table: Table; readonly readings: readonly ColumnReading[] },
  missing: 'impute' | 'drop' | 'error' = 'impute',
): Encoder {
  const features = readings.filter(({ use }) => use === 'feature');
  const columns: EncodedColumn[] = [];
  const notes: string[] = [];
  for (const reading of features)
    for (const name of derivedNames(reading)) {
      const cells = columnOf(table, name) as readonly TypedCell[];
      const known = cells.filter((cell) => cell !== null);
      if (missing === 'error' && known.length < cells.length) throw refusal(name, cells, reading);
      const column = known.every((cell): cell is number => typeof cell === 'number')
        ? fitNumeric(name, known, known.length < cells.length)
        : fitCategorical(name, cells);
      if (column) columns.push(column);
      else if (name === reading.name)
        notes.push(
          `column '${name}' is left out: ${known.length ? 'it is constant' : 'all values are missing'}`,
        );
    }
  if (columns.length === 0) throw new RangeError(`fit: no column carries information. ${notes.join('; ')}`);
  const width = columns.reduce((sum, column) => sum + widthOf(column), 0);
  const used = new Set(columns.map(({ name }) => name));
  const needed = features.filter((reading) => derivedNames(reading).some((name) => used.has(name)));
  return { readings: needed, columns, features: width, missing, notes };
}

function refusal(name: string, cells: readonly TypedCell[], { warnings }: ColumnReading): RangeError {
  const why = warnings.find((warning) => warning.endsWith('taken as missing.'));
  return new RangeError(
    `fit: column '${name}' has a missing value in row ${cells.indexOf(null) + 1}${why ? ` (${why})` : ''}. Use missing: 'impute'.`,
  );
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

function fitCategorical(name: string, cells: readonly TypedCell[]): CategoricalColumn | null {
  const counts = new Map<string, number>();
  for (const cell of cells) {
    const level = cell === null ? '' : String(cell);
    counts.set(level, (counts.get(level) ?? 0) + 1);
  }
  if (counts.size < 2) return null;
  const frequent = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, MAX_LEVELS);
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

function widthOf(column: EncodedColumn): number {
  if (column.kind === 'categorical') return column.levels.length;
  return 1 + +(column.knots !== null) + +column.hasMissing;
}

/**
 * The features (rows, encoder.features) of a raw table that has the encoder's columns. Unseen levels count as `other`.
 * RangeError for a missing column and for text where a number is expected, naming the row.
 */
export function encode(encoder: Encoder, table: Table, name = 'predict'): Float64Array {
  return encodeTyped(encoder, typedTable(encoder.readings, table, 'error', name));
}

/** The same for a table that has been read. */
export function encodeTyped(encoder: Encoder, table: Table): Float64Array {
  const count = table.rows.length;
  const out = new Float64Array(count * encoder.features);
  let offset = 0;
  for (const column of encoder.columns) {
    const cells = columnOf(table, column.name) as readonly TypedCell[];
    for (let i = 0; i < count; i++) {
      const at = i * encoder.features + offset;
      if (column.kind === 'numeric') writeNumeric(out, at, column, cells[i] as number | null);
      else writeLevels(out, at, column, cells[i]!);
    }
    offset += widthOf(column);
  }
  return out;
}

function writeNumeric(out: Float64Array, at: number, column: NumericColumn, cell: number | null): void {
  const value = (cell ?? 0) / column.scale;
  const score = cell === null ? 0 : (value - column.mean) / column.deviation;
  out[at++] = Math.max(-CLIP, Math.min(CLIP, score));
  if (column.knots) out[at++] = cell === null ? 0 : normalScore(column.knots, value);
  if (column.hasMissing) out[at] = +(cell === null);
}

function writeLevels(out: Float64Array, at: number, column: CategoricalColumn, cell: TypedCell): void {
  const level = cell === null ? '' : String(cell);
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

/** Rows of a typed table without a missing cell in an encoded column. */
export function completeRows(encoder: Encoder, table: Table): number[] {
  const indices = encoder.columns.map((column) => columnIndex(table.columns, column.name));
  return table.rows.flatMap((row, i) => (indices.some((index) => row[index] === null) ? [] : [i]));
}
