// The target column: numbers to predict, or classes.
import { columnOf, numberOf, type Cell, type Table } from './csv.js';
import type { ColumnReading } from './reading/column.js';
import { scaled, scaleOf, type Scale } from './transform.js';

/** Numbers or classes. */
export type Task = 'regression' | 'classification';

/** Regression: transformed and standardised. Classification: centred one-hot columns. */
export interface TargetCode {
  readonly column: string;
  readonly task: Task;
  readonly classes: readonly string[];
  /** Regression: the mean of the transformed target; classification: the class shares. */
  readonly centre: readonly number[];
  /** Regression: the scale on which the target is learned; null for classes. */
  readonly scale: Scale | null;
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
    return { column, task: 'classification', classes, centre, scale: null };
  }
  return onScale(column, scaleOf({ kind: 'none' }, cells as readonly number[]));
}

/** The code of a target of numbers on a scale. */
export function onScale(column: string, scale: Scale): TargetCode {
  return { column, task: 'regression', classes: [], centre: [scale.centre], scale };
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
    if (code.scale) out[i] = scaled(code.scale, cell as number);
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
