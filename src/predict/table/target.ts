// The target column: numbers to predict, or classes.
import { columnOf, numberOf, type Cell, type Table } from './csv.js';
import type { ColumnReading } from './reading/column.js';

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

/** Rows of a typed table whose target is known. */
export function labelledRows(table: Table, column: string): number[] {
  const cells = columnOf(table, column, 'fit');
  const rows = cells.flatMap((cell, i) => (cell === null ? [] : [i]));
  if (rows.length === 0) throw new RangeError(`fit: every value of the target '${column}' is missing`);
  return rows;
}

/** The code of the target of a typed table: numbers are regression, levels are classes. */
export function fitTarget(table: Table, { name: column, kind }: ColumnReading): TargetCode {
  const cells = columnOf(table, column, 'fit');
  if (kind === 'category') {
    const labels = cells.map(String);
    const numeric = labels.every((label) => !Number.isNaN(numberOf(label)));
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
  const values = cells as readonly number[];
  let scale = 0;
  for (const value of values) scale = Math.max(scale, Math.abs(value));
  const mean = scale * values.reduce((sum, value) => sum + value / (scale || 1) / values.length, 0);
  const spread = Math.sqrt(
    values.reduce((sum, value) => sum + ((value - mean) / (scale || 1)) ** 2, 0) / values.length,
  );
  const deviation = spread > 1e-12 ? scale * spread : 1;
  return { column, task: 'regression', classes: [], centre: [mean], deviation };
}

/** Number of output columns. */
export function outputsOf(code: TargetCode): number {
  return code.centre.length;
}

/** The targets (rows, outputs) of a typed table that the kernel regression fits. */
export function encodeTarget(code: TargetCode, table: Table): Float64Array {
  const cells = columnOf(table, code.column);
  const outputs = outputsOf(code);
  const out = new Float64Array(cells.length * outputs);
  cells.forEach((cell, i) => {
    if (code.task === 'regression') out[i] = ((cell as number) - code.centre[0]!) / code.deviation;
    else {
      const index = classIndex(code, cell);
      code.centre.forEach((share, k) => (out[i * outputs + k] = +(k === index) - share));
    }
  });
  return out;
}

/** The index of a cell's class; -1 for a class that was not in the training part. */
export function classIndex(code: TargetCode, cell: Cell): number {
  return code.classes.indexOf(String(cell));
}
