// Tables of text: CSV or TSV in, columns of strings out. What the text means is decided in reading/.
import Papa from '../../vendor/papaparse.js';
import { kindOf, knownFields, type Fields } from '../../wasm/engine.js';

/** Rows of raw cells under named columns; null or missing cells are missing values. */
export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}
/** A raw cell: text, a number, or a missing value. */
export type Cell = string | number | boolean | null | undefined;
/** What functions that want a table accept: a table, or records by column name. */
export type TableLike = Table | readonly Readonly<Record<string, Cell>>[];

/** How text is split. */
export interface ParseTableOptions {
  /** What errors call the file. */
  readonly name?: string;
  /** Default: the one of comma, tab, semicolon and bar that the header has most of. */
  readonly delimiter?: string;
}

const PARSE_OPTIONS: Fields<ParseTableOptions> = { name: true, delimiter: true };

/** A row of a file, and the line on which it begins (from 1). */
export interface FileRow {
  readonly cells: readonly string[];
  readonly line: number;
}

const DELIMITERS = [',', '\t', ';', '|'];

/**
 * The rows of CSV or TSV text: quotes, CRLF, byte-order mark; blank lines are left out. Without `delimiter` it is the one
 * that the first row has most of. RangeError naming the line for open quotes and empty files.
 */
export function parseRows(text: string, name: string, delimiter = ''): FileRow[] {
  if (typeof text !== 'string')
    throw new TypeError(`${name}: expected the text of a table, got ${kindOf(text)}.`);
  if (typeof delimiter !== 'string')
    throw new TypeError(`${name}: the delimiter must be text, got ${kindOf(delimiter)}.`);
  const body = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  if (body.trim() === '')
    throw new RangeError(`${name}: the file is empty. A header line and rows are expected.`);
  const { data, errors } = Papa.parse<string[]>(body, { delimiter: delimiter || guess(body) });
  let line = 1;
  const rows = data.map((cells) => {
    const row = { cells, line };
    line += cells.reduce((sum, cell) => sum + (cell.match(/\r\n|\n|\r/g)?.length ?? 0), 1);
    return row;
  });
  const bad = errors.find((error) => error.type === 'Quotes');
  if (bad)
    throw new RangeError(
      `${name}: line ${rows[bad.row ?? 0]?.line ?? 1}: ${bad.message}. Repair the quotes of this row.`,
    );
  for (const { cells } of rows)
    for (let i = 0; i < cells.length; i++)
      if (cells[i]!.charCodeAt(0) === APOSTROPHE) cells[i] = cells[i]!.replace(FORMULA, '$1');
  const kept = rows.filter(({ cells }) => cells.length > 1 || cells[0]!.trim() !== '');
  if (kept.length === 0) throw new RangeError(`${name}: the file is empty but for quotes.`);
  return kept;
}

const APOSTROPHE = 39;
/** An apostrophe in front of what a spreadsheet would run as a formula. */
const FORMULA = /^'('*\s*[=+@-]|'*[\t\r])/;

/** Text as a cell that no spreadsheet runs; `parseRows` gives the text back. */
export function withoutFormula(text: string): string {
  return FORMULA.test(`'${text}`) && Number.isNaN(numberOf(text)) ? `'${text}` : text;
}

/** The separator with the most occurrences outside quotes in the first line that is not blank. */
function guess(body: string): string {
  const first = /[^\r\n]*\S[^\r\n]*/.exec(body)![0].replace(/"[^"]*"/g, '');
  const count = (separator: string): number => first.split(separator).length;
  return DELIMITERS.reduce((best, next) => (count(next) > count(best) ? next : best));
}

/**
 * CSV or TSV text with a header line: quotes, CRLF, byte-order mark and blank lines are handled. RangeError naming the
 * line for rows of the wrong length, open quotes, repeated column names, and files without rows. A first column without a
 * name is called `row names`, another one `column` and its place.
 */
export function parseTable(text: string, options: ParseTableOptions = {}): Table {
  knownFields('parseTable', options, PARSE_OPTIONS);
  const { name = 'table', delimiter } = options;
  const [header, ...rows] = parseRows(text, name, delimiter);
  const columns = columnNames(header!.cells, rows);
  checkColumns(name, columns);
  if (rows.length === 0) throw new RangeError(`${name}: there is a header but no row of data.`);
  for (const { cells, line } of rows)
    if (cells.length !== columns.length)
      throw new RangeError(
        `${name}: line ${line} has ${cells.length} cells, the header ${columns.length}. Quote cells that contain the separator.`,
      );
  return { columns, rows: rows.map(({ cells }) => cells) };
}

/**
 * Names for all columns. R and pandas write the names of rows under an empty name, or under none at all: then the header
 * is one cell shorter than every row.
 */
function columnNames(header: readonly string[], rows: readonly FileRow[]): string[] {
  const short =
    rows.length >= 3 &&
    rows.every(({ cells }) => cells.length === header.length + 1) &&
    new Set(rows.map(({ cells }) => cells[0])).size === rows.length;
  const cells = short ? ['', ...header] : header;
  return cells.map((cell, i) => cell.trim() || (i === 0 ? 'row names' : `column ${i + 1}`));
}

function checkColumns(name: string, columns: readonly string[]): void {
  const seen = new Set<string>();
  for (const column of columns) {
    if (column === '')
      throw new RangeError(`${name}: a column of the header has no name: ${columns.join(', ')}`);
    if (seen.has(column)) throw new RangeError(`${name}: the column '${column}' appears twice. Rename one.`);
    seen.add(column);
  }
}

/** A field by the name of a column, which may be `constructor`: what a prototype holds is not meant. */
export function ownField<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/** A table from a table or records; RangeError when it has no rows or rows of the wrong length. */
export function asTable(value: TableLike, name = 'table'): Table {
  if (Array.isArray(value)) {
    const records = value as readonly Readonly<Record<string, Cell>>[];
    const columns = [...new Set(records.flatMap((record) => Object.keys(record)))];
    return { columns, rows: records.map((record) => columns.map((column) => ownField(record, column))) };
  }
  const table = value as Table;
  if (!Array.isArray(table?.columns) || !Array.isArray(table.rows))
    throw new TypeError(`${name}: expected { columns, rows } or a list of records`);
  checkColumns(name, table.columns);
  table.rows.forEach((row, i) => {
    if (row.length !== table.columns.length)
      throw new RangeError(
        `${name}: row ${i} has ${row.length} cells, there are ${table.columns.length} columns`,
      );
  });
  return table;
}

/** Places by name, kept by list of names: wide tables ask for every column in turn. */
const places = new WeakMap<readonly string[], ReadonlyMap<string, number>>();

/** The place of a column; -1 where there is none of that name. */
export function columnIndex(columns: readonly string[], name: string): number {
  let found = places.get(columns);
  if (!found) {
    found = new Map(columns.map((column, i) => [column, i]));
    places.set(columns, found);
  }
  return found.get(name) ?? -1;
}

/** The cells of one column. */
export function columnOf(table: Table, column: string, name = 'table'): readonly Cell[] {
  const index = columnIndex(table.columns, column);
  if (index < 0)
    throw new RangeError(
      `${name}: there is no column '${column}'. Columns: ${table.columns.slice(0, 40).join(', ')}`,
    );
  return table.rows.map((row) => row[index]);
}

/** Some rows of a table. */
export function takeRows(table: Table, rows: readonly number[]): Table {
  return { columns: table.columns, rows: rows.map((i) => table.rows[i]!) };
}

// Words that mean a missing value in every column; what a dash or `None` means depends on the column (reading/column.ts).
const MISSING = new Set(['', 'na', 'n/a', 'nan', 'null', '?', '#n/a']);

export function isMissing(cell: Cell): boolean {
  if (cell === null || cell === undefined) return true;
  if (typeof cell === 'number') return Number.isNaN(cell);
  return typeof cell === 'string' && MISSING.has(cell.trim().toLowerCase());
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** The number a cell holds; NaN when it is missing or no finite number. */
export function numberOf(cell: Cell): number {
  if (typeof cell === 'number') return Number.isFinite(cell) ? cell : NaN;
  if (typeof cell === 'boolean') return +cell;
  if (typeof cell !== 'string') return NaN;
  const text = cell.trim();
  const value = NUMBER.test(text) ? Number(text) : NaN;
  return Number.isFinite(value) ? value : NaN;
}

export function labelOf(cell: Cell): string {
  return String(cell).trim();
}
