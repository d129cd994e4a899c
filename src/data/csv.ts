import { kindOf, knownFields, type Fields } from '../wasm/engine.js';
import { tensor, type Tensor } from '../math/tensor.js';
import { numberOf, parseRows, withoutFormula } from '../predict/table/csv.js';

export interface CsvOptions {
  /** What errors call the file. */
  readonly name?: string;
  /** Whether the first line names the columns; default: when it is not all numbers. */
  readonly header?: boolean;
  /** Default: comma, tab, semicolon or bar, whichever the first line has most of. */
  readonly separator?: string;
  /** Columns of text (class names): stored as the index into `categories[column]`, in order of first appearance. */
  readonly categorical?: readonly string[];
}

export interface Csv {
  /** Names from the header, or '0', '1', ... */
  readonly columns: readonly string[];
  /** `(rows, columns)`. */
  readonly data: Tensor<Float64Array>;
  readonly categories: Readonly<Record<string, readonly string[]>>;
}

const CSV_OPTIONS: Fields<CsvOptions> = { name: true, header: true, separator: true, categorical: true };

/** Numbers from CSV text. RangeError naming line and column of the first field that is no finite number. */
export function readCsv(text: string, options: CsvOptions = {}): Csv {
  knownFields('readCsv', options, CSV_OPTIONS);
  const { name = 'csv', categorical = [] } = options;
  const lines = parseRows(text, name, options.separator);
  const head = lines[0]!.cells.map((cell) => cell.trim());
  const header = options.header ?? head.some((field) => Number.isNaN(numberOf(field)));
  const columns = header ? head : head.map((_, i) => String(i));
  const known = new Set<string>();
  const repeated = columns.find((column) => known.size === known.add(column).size);
  if (repeated !== undefined) {
    throw new RangeError(`${name}: column '${repeated}' appears twice. Rename one, or pass header: false.`);
  }
  if (!Array.isArray(categorical))
    throw new TypeError(`${name}: categorical must be a list of column names, got ${kindOf(categorical)}.`);
  const missing = categorical.find((column) => !known.has(column));
  if (missing !== undefined) {
    throw new RangeError(`${name}: no column '${missing}'. Columns: ${columns.join(', ')}.`);
  }

  const codes = columns.map((column) => (categorical.includes(column) ? new Map<string, number>() : null));
  const values: number[] = [];
  for (const { cells, line } of header ? lines.slice(1) : lines) {
    const fields = cells.map((cell) => cell.trim());
    if (fields.length !== columns.length) {
      throw new RangeError(
        `${name}: line ${line} has ${fields.length} fields, expected ${columns.length}. Pass the separator, or quote fields that contain it.`,
      );
    }
    for (const [i, field] of fields.entries()) {
      values.push(
        codes[i]
          ? codeOf(codes[i], field)
          : numberAt(field, `${name}: line ${line}, column '${columns[i]!}'`),
      );
    }
  }
  if (values.length === 0)
    throw new RangeError(`${name}: expected rows of numbers after the header, got none.`);
  return {
    columns,
    data: tensor(Float64Array.from(values), [values.length / columns.length, columns.length]),
    categories: Object.fromEntries(
      columns.flatMap((column, i) => (codes[i] ? [[column, [...codes[i].keys()]]] : [])),
    ),
  };
}

function codeOf(codes: Map<string, number>, field: string): number {
  const known = codes.get(field);
  if (known !== undefined) return known;
  codes.set(field, codes.size);
  return codes.size - 1;
}

function numberAt(field: string, where: string): number {
  const value = numberOf(field);
  if (!Number.isNaN(value)) return value;
  throw new RangeError(
    field.trim() === ''
      ? `${where} is empty. Remove the row or fill in a value.`
      : `${where}: expected a finite number, got '${field.slice(0, 40)}'. List text columns as categorical, remove or impute the rest.`,
  );
}

/**
 * Rows as CSV text with a header; numbers in their shortest exact form. Text that a spreadsheet would run as a formula
 * (it begins with =, +, -, @ or a control character, and is no number) gets an apostrophe in front; readers of this
 * package take it away again.
 */
export function writeCsv(
  columns: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const quote = (field: string | number): string => {
    const text = typeof field === 'string' ? withoutFormula(field) : String(field);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [columns, ...rows].map((row) => `${row.map(quote).join(',')}\n`).join('');
}
