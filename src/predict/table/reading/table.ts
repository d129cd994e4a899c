// A table understood: what every column is, what is done with it, and what looks wrong, before anything is fitted.
import { asTable, columnOf, isMissing, labelOf, ownField, type Table, type TableLike } from '../csv.js';
import { COLUMN_TYPES, readColumn, type ColumnReading, type ColumnType } from './column.js';
import { numeralEvidence } from './numerals.js';
import { typedTable } from './typed.js';

/** What may be said of a table instead of being found in it. */
export interface ReadTableOptions {
  /** The column to predict. */
  readonly target?: string;
  /** Default `auto`: numbers are regression, two values or words are classes. */
  readonly task?: 'auto' | 'regression' | 'classification';
  /** What columns hold, by name. */
  readonly types?: Readonly<Record<string, ColumnType>>;
  /** Columns to leave out. */
  readonly drop?: readonly string[];
}

/** What was understood: one entry per column in the table's order, and what concerns several columns. */
export interface TableSummary {
  readonly rows: number;
  readonly columns: readonly ColumnReading[];
  /** Whole sentences about rows and pairs of columns: duplicates, copies of the target. */
  readonly warnings: readonly string[];
}

/** The summary, and the columns in use as numbers, levels and nulls. */
export interface TypedTable {
  readonly summary: TableSummary;
  readonly table: Table;
  /** Of the columns in use. */
  readonly readings: readonly ColumnReading[];
}

/** Reads all columns. RangeError for types and columns that do not exist, and for a target that cannot be read. */
export function understand(table: Table, options: ReadTableOptions, name: string): TypedTable {
  const { target, types = {}, drop = [] } = options;
  for (const [column, type] of Object.entries(types)) {
    columnOf(table, column, name);
    if (!COLUMN_TYPES.includes(type))
      throw new RangeError(
        `${name}: the type of column '${column}' must be one of ${COLUMN_TYPES.join(', ')}, got '${String(type)}'`,
      );
  }
  for (const column of [...drop, ...(target === undefined ? [] : [target])]) columnOf(table, column, name);
  if (target !== undefined && drop.includes(target))
    throw new RangeError(`${name}: the target '${target}' cannot be dropped`);
  const comma = hasDecimalCommas(table);
  const columns = table.columns.map((column) => {
    const role = drop.includes(column) ? 'dropped' : column === target ? 'target' : 'feature';
    const cells = columnOf(table, column);
    const type = ownField(types, column) ?? null;
    const as = (asked: ColumnType | null): ColumnReading =>
      readColumn(column, cells, { role, type: asked, comma, call: name });
    const reading = as(type);
    return role === 'target' ? asTarget(reading, options.task ?? 'auto', as) : reading;
  });
  const readings = columns.filter(({ use }) => use !== 'left out');
  const typed = typedTable(readings, table, 'missing', name);
  return {
    summary: { rows: table.rows.length, columns, warnings: acrossColumns(typed, target) },
    table: typed,
    readings,
  };
}

/**
 * What was understood of a table, before anything is fitted: what each column is, what would be done with it, and what
 * looks wrong. RangeError for columns and types that do not exist.
 *
 * @example
 * const { columns } = summarizeTable(parseTable('age;income\n31;1.200,50\n45;2.300,00\n'), { target: 'income' });
 * columns[1].done; // "predicted as a number (decimal comma, groups of three digits set off by '.')"
 */
export function summarizeTable(table: TableLike, options: ReadTableOptions = {}): TableSummary {
  return understand(asTable(table, 'summarizeTable'), options, 'summarizeTable').summary;
}

/** The reading of the target under the task: what is asked, or classes where it holds two values only. */
function asTarget(
  reading: ColumnReading,
  task: 'auto' | 'regression' | 'classification',
  as: (type: ColumnType) => ColumnReading,
): ColumnReading {
  if (reading.kind === 'empty') return { ...reading, use: 'target' };
  if (task === 'classification') return reading.kind === 'category' ? reading : as('category');
  if (task === 'regression') return reading.kind === 'category' ? as('number') : reading;
  if (reading.kind !== 'number') return reading;
  const { distinct, name, example } = reading;
  if (distinct === 2 && reading.number!.unit === '' && /^-?\d+$/.test(example)) {
    const found = as('category');
    return {
      ...found,
      warnings: [
        ...found.warnings,
        `the target '${name}' has two values only, so they are taken as classes; task 'regression' takes them as numbers.`,
      ],
    };
  }
  if (distinct > 2 && distinct <= 10 && /^-?\d+$/.test(example))
    return {
      ...reading,
      warnings: [
        ...reading.warnings,
        `the target '${name}' has ${distinct} values only; task 'classification' takes them as classes.`,
      ],
    };
  return reading;
}

/** Whether more columns surely have a decimal comma than surely have a decimal point. */
function hasDecimalCommas(table: Table): boolean {
  let balance = 0;
  for (const column of table.columns) {
    const texts = columnOf(table, column).flatMap((cell) =>
      typeof cell === 'string' && !isMissing(cell) ? [labelOf(cell)] : [],
    );
    if (!texts.some((text) => /\d[.,]\d/.test(text))) continue;
    const evidence = numeralEvidence(texts);
    if (!evidence || evidence.alternative || 2 * evidence.bad.length > texts.length) continue;
    balance += evidence.format.decimal === ',' ? 1 : texts.some((text) => text.includes('.')) ? -1 : 0;
  }
  return balance > 0;
}

/** Rows that appear twice, rows that differ in the target alone, and columns that repeat another. */
function acrossColumns({ columns, rows }: Table, target: string | undefined): string[] {
  const at = target === undefined ? -1 : columns.indexOf(target);
  const seen = new Map<string, { label: unknown; all: number; other: boolean }>();
  for (const row of rows) {
    const key = JSON.stringify(row.filter((_, k) => k !== at));
    const label = at < 0 ? null : row[at];
    const entry = seen.get(key);
    if (!entry) seen.set(key, { label, all: 1, other: false });
    else {
      entry.all++;
      entry.other ||= entry.label !== label;
    }
  }
  const twice = [...seen.values()].reduce((sum, { all }) => sum + all - 1, 0);
  const apart = [...seen.values()].filter(({ other }) => other).length;
  const contents = new Map<string, number>(); // by what a column holds, its first place: linear in wide tables
  const copies = columns.flatMap((name, k) => {
    const content = JSON.stringify(rows.map((row) => row[k]));
    const first = contents.get(content) ?? -1;
    if (first < 0) contents.set(content, k);
    return first < 0 || rows.length < 3 || constant(rows, k) ? [] : [{ name, first }];
  });
  return [
    ...(twice > 0
      ? [
          `${twice} of ${rows.length} rows repeat another row${at < 0 ? '' : apart > 0 ? `; ${apart} groups of equal rows differ in the target` : ' but for the target at most'}.`,
        ]
      : []),
    ...copies.map(({ name, first }) =>
      first === at || columns.indexOf(name) === at
        ? `column ${name === target ? columns[first] : name} equals the target in every row: does it come from it?`
        : `columns ${columns[first]} and ${name} are equal in every row.`,
    ),
  ];
}

const constant = (rows: Table['rows'], k: number): boolean => rows.every((row) => row[k] === rows[0]![k]);
