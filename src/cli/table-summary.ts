// The summary of a table for people: what each column was taken as, and what looks wrong.
import type { TableSummary } from '../predict/index.js';
import { formatTable, type Table } from '../report/index.js';

const MOST = 60; // columns that are shown one by one

/** One row per column. */
export function summaryTable({ rows, columns, warnings }: TableSummary): Table {
  const shown = columns.slice(0, MOST);
  const rest = columns.length - shown.length;
  return {
    name: 'columns',
    title: `What was understood: ${rows} rows, ${columns.length} columns`,
    columns: ['column', 'missing', 'values', 'example', 'what is done with it'],
    rows: shown.map(({ name, missing, distinct, example, done }) => [name, missing, distinct, example, done]),
    ...(rest > 0 || warnings.length > 0
      ? { note: [...(rest > 0 ? [`and ${rest} more columns`] : []), ...warnings].join(' ') }
      : {}),
  };
}

/** The same for a terminal, with what looks wrong under it. */
export function describeSummary(summary: TableSummary): string {
  const looks = [...summary.columns.flatMap(({ warnings }) => warnings), ...summary.warnings];
  const { note: _, ...table } = summaryTable(summary);
  const rest = summary.columns.length > MOST ? [`and ${summary.columns.length - MOST} more columns`] : [];
  return [formatTable(table), ...rest, ...looks.map((warning) => `look: ${warning}`)].join('\n');
}
