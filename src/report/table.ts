export interface Table {
  /** File-safe name. */
  readonly name: string;
  readonly title: string;
  readonly columns: readonly string[];
  /** Numbers are shown with four significant digits, text as it is. */
  readonly rows: readonly (readonly (string | number)[])[];
  readonly note?: string;
}

/** A number for people: four significant digits, powers of ten only where they help. */
export function formatNumber(value: number, digits = 4): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? '-' : value > 0 ? '∞' : '-∞';
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e7) return String(value);
  if (size < 1e-3 || size >= 1e6) return value.toExponential(digits - 2);
  const text = value.toPrecision(digits);
  return text.includes('e') ? String(Number(text)) : text;
}

/** A table for a terminal: title, aligned columns, numbers to the right. */
export function formatTable({ title, columns, rows, note }: Table): string {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? formatNumber(cell) : cell)));
  const right = columns.map((_, i) => rows.length > 0 && rows.every((row) => typeof row[i] === 'number'));
  const widths = columns.map((column, i) =>
    Math.max(...[column, ...cells.map((row) => row[i] ?? '')].map((cell) => [...cell].length)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => {
        const gap = ' '.repeat(Math.max(0, widths[i]! - [...cell].length));
        return right[i] ? gap + cell : cell + gap;
      })
      .join('  ')
      .trimEnd();
  return [
    title,
    line(columns),
    widths.map((width) => '─'.repeat(width)).join('  '),
    ...cells.map(line),
    ...(note ? [note] : []),
  ].join('\n');
}
