// Whether a parsed JSON document has the form of a reading, so that what uses it need not ask again.
import type { ColumnReading } from './column.js';
import { DATE_STYLES } from './dates.js';
import type { TableSummary } from './table.js';

const KINDS = ['number', 'category', 'date', 'names', 'text', 'empty'];
const isTexts = (value: unknown): boolean =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

function isFormat(value: unknown): boolean {
  if (value === null) return true;
  if (typeof value !== 'object') return false;
  const { decimal, group, unit } = value as Record<string, unknown>;
  return (
    ['.', ','].includes(decimal as string) &&
    ['', ',', '.', ' ', "'"].includes(group as string) &&
    typeof unit === 'string'
  );
}

/** Whether a value is a `ColumnReading`. */
export function isReading(value: unknown): value is ColumnReading {
  if (typeof value !== 'object' || value === null) return false;
  const { name, kind, use, missing, distinct, example, absent, number, date, calendar, done, warnings } =
    value as Record<string, unknown>;
  return (
    [name, example, done].every((item) => typeof item === 'string') &&
    KINDS.includes(kind as string) &&
    ['feature', 'target', 'left out'].includes(use as string) &&
    [missing, distinct].every(isCount) &&
    [absent, warnings, calendar].every(isTexts) &&
    (calendar as string[]).every((part) => ['season', 'weekday', 'hour'].includes(part)) &&
    isFormat(number) &&
    (date === null || (DATE_STYLES as readonly unknown[]).includes(date))
  );
}

/** Whether a value is a `TableSummary`. */
export function isSummary(value: unknown): value is TableSummary {
  if (typeof value !== 'object' || value === null) return false;
  const { rows, columns, warnings } = value as Record<string, unknown>;
  return isCount(rows) && Array.isArray(columns) && columns.every(isReading) && isTexts(warnings);
}
