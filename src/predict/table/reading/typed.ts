// Raw cells to typed ones, by the reading of their column: numbers, levels, dates in parts; null where a value is missing.
import { cos, sin } from '../../../math/elementary.js';
import { columnOf, isMissing, labelOf, type Cell, type Table } from '../csv.js';
import type { ColumnReading } from './column.js';
import { calendar, readDate, type CalendarPart } from './dates.js';
import { readNumeral } from './numerals.js';

/** A cell that has been read: a number, a level, or null: missing. NaN: it cannot be read. */
export type TypedCell = number | string | null;

/** A cell under the reading of its column; NaN for text where a number or a date is expected. */
export function typedCell({ kind, number, date, absent }: ColumnReading, cell: Cell): TypedCell {
  if (isMissing(cell)) return null;
  if (number && (typeof cell === 'number' || typeof cell === 'boolean'))
    return Number.isFinite(+cell) ? +cell : NaN;
  const text = labelOf(cell);
  if (kind !== 'category' && absent.includes(text.toLowerCase())) return null;
  if (number) return readNumeral(text, number);
  if (date) return readDate(text, date);
  return text;
}

/** One column of the typed table, made of a column of the raw one. */
interface Derived {
  readonly name: string;
  readonly of: (value: number) => TypedCell;
}

const WEEKDAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
const around = (name: string, place: (value: number) => number): Derived[] => [
  { name: `${name} (cos)`, of: (value) => cos(2 * Math.PI * place(value)) },
  { name: `${name} (sin)`, of: (value) => sin(2 * Math.PI * place(value)) },
];

const PARTS: Readonly<Record<CalendarPart, (name: string) => readonly Derived[]>> = {
  season: (name) => around(`${name}: season`, (value) => calendar(value).year),
  weekday: (name) => [{ name: `${name}: weekday`, of: (value) => WEEKDAYS[calendar(value).weekday]! }],
  hour: (name) => around(`${name}: hour`, (value) => calendar(value).day),
};

/** A date as its place in time, and the parts of it that repeat; a time of day as its place in the day. */
function partsOf({ name, date, calendar: parts }: ColumnReading): readonly Derived[] {
  if (date === 'time') return around(`${name}: hour`, (hours) => hours / 24);
  return [{ name, of: (value) => value }, ...parts.flatMap((part) => PARTS[part](name))];
}

/** The names of the columns that a reading gives, e.g. `when`, `when: weekday`. */
export function derivedNames(reading: ColumnReading): string[] {
  return reading.date && reading.use === 'feature'
    ? partsOf(reading).map(({ name }) => name)
    : [reading.name];
}

/**
 * The typed columns of a table. `bad` says what becomes of a cell that cannot be read: `missing` (the reading counted
 * it), or `error`: RangeError that names row and column.
 */
export function typedTable(
  readings: readonly ColumnReading[],
  table: Table,
  bad: 'missing' | 'error',
  name: string,
): Table {
  const columns: string[] = [];
  const lists: TypedCell[][] = [];
  for (const reading of readings) {
    const cells = columnOf(table, reading.name, name).map((cell, row) => {
      const value = typedCell(reading, cell);
      if (!Number.isNaN(value)) return value;
      if (bad === 'missing') return null;
      throw new RangeError(
        `${name}: row ${row + 1}, column '${reading.name}': a ${reading.date ? 'date' : 'number'} is expected, got '${labelOf(cell).slice(0, 40)}'. Mend the cell, or leave it empty.`,
      );
    });
    const parts =
      reading.date && reading.use === 'feature' ? partsOf(reading) : [{ name: reading.name, of: null }];
    for (const part of parts) {
      columns.push(part.name);
      const { of } = part;
      lists.push(of ? cells.map((value) => (value === null ? null : of(value as number))) : cells);
    }
  }
  return { columns, rows: table.rows.map((_, i) => lists.map((list) => list[i]!)) };
}
