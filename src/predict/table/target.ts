// The target column: numbers to predict, or classes.
import { columnOf, isMissing, labelOf, numberOf, type Table } from './csv.js';

/** Numbers or classes. */
export type Task = 'regression' | 'classification';

/** Regression: standardised by mean and deviation. Classification: centred one-hot columns. */
export interface TargetCode {
  readonly column: string;
  readonly task: Task;
  readonly classes: readonly string[];
  /** Regression: [mean]; classification: the class shares. */
  readonly centre: readonly number[];
  readonly deviation: number;
}

/** Rows whose target is known. */
export function labelledRows(table: Table, column: string): number[] {
  const cells = columnOf(table, column, 'fit');
  const rows = cells.flatMap((cell, i) => (isMissing(cell) ? [] : [i]));
  if (rows.length === 0) throw new RangeError(`fit: every value of the target '${column}' is missing`);
  return rows;
}

/** Numbers mean regression, anything else classes, unless `task` says so. */
export function fitTarget(table: Table, column: string, task: Task | 'auto' = 'auto'): TargetCode {
  const cells = columnOf(table, column, 'fit');
  const numeric = cells.every((cell) => !Number.isNaN(numberOf(cell)));
  const chosen = task === 'auto' ? (numeric ? 'regression' : 'classification') : task;
  if (chosen !== 'regression' && chosen !== 'classification')
    throw new RangeError(`fit: task must be 'auto', 'regression' or 'classification', got ${String(task)}`);
  if (chosen === 'classification') {
    const labels = cells.map(labelOf);
    const classes = [...new Set(labels)].sort(numeric ? (a, b) => Number(a) - Number(b) : undefined);
    if (classes.length < 2)
      throw new RangeError(`fit: the target '${column}' has one class only: ${classes[0]}`);
    if (classes.length > 200)
      throw new RangeError(
        `fit: the target '${column}' has ${classes.length} classes. Is it a number with text in it? Use task: 'regression'.`,
      );
    const centre = classes.map((label) => labels.filter((other) => other === label).length / labels.length);
    return { column, task: 'classification', classes, centre, deviation: 1 };
  }
  const values = cells.map((cell, i) => {
    const value = numberOf(cell);
    if (Number.isNaN(value))
      throw new RangeError(
        `fit: row ${i + 1}: the target '${column}' must be a number, got '${String(cell)}'`,
      );
    return value;
  });
  let scale = 0;
  for (const value of values) scale = Math.max(scale, Math.abs(value));
  const mean = scale * values.reduce((sum, value) => sum + value / (scale || 1) / values.length, 0);
  const spread = Math.sqrt(
    values.reduce((sum, value) => sum + ((value - mean) / (scale || 1)) ** 2, 0) / values.length,
  );
  const deviation = spread > 1e-12 ? scale * spread : 1;
  return { column, task: 'regression', classes: [], centre: [mean], deviation };
}

/** What to say about a target that is taken as classes although most of its cells are numbers; null: nothing. */
export function targetNote(table: Table, { column, task }: TargetCode): string | null {
  const cells = columnOf(table, column);
  const text = cells.filter((cell) => Number.isNaN(numberOf(cell)));
  if (task === 'regression' || text.length === 0 || 2 * text.length >= cells.length) return null;
  return `the target '${column}' has text ('${String(text[0]).slice(0, 40)}') among its numbers, so they are taken as classes. Mend it for numbers`;
}

/** Number of output columns. */
export function outputsOf(code: TargetCode): number {
  return code.centre.length;
}

/** The targets (rows, outputs) that the kernel regression fits. RangeError for unseen classes. */
export function encodeTarget(code: TargetCode, table: Table): Float64Array {
  const cells = columnOf(table, code.column);
  const outputs = outputsOf(code);
  const out = new Float64Array(cells.length * outputs);
  cells.forEach((cell, i) => {
    if (code.task === 'regression') out[i] = (numberOf(cell) - code.centre[0]!) / code.deviation;
    else {
      const index = classIndex(code, cell);
      code.centre.forEach((share, k) => (out[i * outputs + k] = +(k === index) - share));
    }
  });
  return out;
}

/** The index of a cell's class; -1 for a class that was not in the training part. */
export function classIndex(code: TargetCode, cell: Parameters<typeof labelOf>[0]): number {
  return code.classes.indexOf(labelOf(cell));
}
