// What a fit found, and whether a parsed JSON document has that form, so that what uses it need not ask again.
import { parseNet, type NetDocument } from '../../net/document.js';
import type { Encoder, EncodedColumn } from './encoder.js';
import { isReading, isSummary } from './reading/check.js';
import type { TableSummary } from './reading/table.js';
import type { TargetCode } from './target.js';
import { isScale, type Transform } from './transform.js';

/** One kernel, scale of the target and noise with what leaving one row out says of it. */
export interface Candidate {
  /** What kind of net: `ReLU, 2 hidden layers`, `linear`, ..., or `given`. */
  readonly net: string;
  readonly method: 'nngp' | 'ntk';
  /** Numbers: the scale of the target. */
  readonly scale: Transform['kind'];
  readonly diagReg: number;
  /** Mean log predictive density, nats. */
  readonly score: number;
  /** Numbers: mean square error over the variance of the target, 1 - R^2; 0 for classes. */
  readonly error: number;
}

/** Everything a model is: its training rows, encoded, and the choices made. */
export interface ModelFile {
  readonly format: 'infinite-width/table-model';
  readonly version: 2;
  /** What was understood of the training table. */
  readonly summary: TableSummary;
  readonly encoder: Encoder;
  readonly target: TargetCode;
  readonly net: NetDocument;
  readonly method: 'nngp' | 'ntk';
  readonly diagReg: number;
  /** Steps of gradient flow at learning rate 1; null: the limit. */
  readonly time: number | null;
  readonly rows: number;
  /** (rows, encoder.features) */
  readonly x: Float64Array;
  /** (rows, outputs) */
  readonly y: Float64Array;
  readonly labels: readonly number[] | null;
  readonly candidates: readonly Candidate[];
  /** The best linear candidate, to hold the chosen one against; null where none was compared. */
  readonly simplest: Candidate | null;
  /** Classification by a flow of the cross-entropy: its dual coefficients (rows, outputs), and what five folds said. */
  readonly flow?: { readonly weights: Float64Array; readonly foldAccuracy: number };
}

type Unknown<T> = { readonly [K in keyof T]?: unknown };

/** RangeError naming the part that is missing or wrong. Arrays of numbers are `x`, `y` and the weights of a flow. */
export function checkModelFile(file: ModelFile): void {
  const { encoder, target, method, diagReg, time, rows, labels, candidates } = file;
  const numbers = [file.x, file.y, file.flow?.weights ?? new Float64Array(0)];
  must('summary', isSummary(file.summary));
  must('encoder', isEncoder(encoder));
  must('target', isTarget(target));
  must('method', method === 'nngp' || method === 'ntk');
  must('diagReg', isNumber(diagReg) && diagReg >= 0);
  must('time', time === null || (isNumber(time) && time >= 0));
  must('rows', Number.isSafeInteger(rows) && rows >= 3);
  const classes = target.classes.length;
  must('labels', target.task === 'regression' ? labels === null : isLabels(labels, rows, classes));
  must(
    'candidates',
    isList(candidates, (item) => typeof item === 'object' && item !== null) && candidates.length > 0,
  );
  const sizes = [file.x.length - rows * encoder.features, file.y.length - rows * target.centre.length];
  must(
    'x and y',
    sizes.every((gap) => gap === 0),
  );
  must(
    'flow',
    !file.flow || (target.task === 'classification' && file.flow.weights.length === file.y.length),
  );
  must(
    'x, y or flow',
    numbers.every((list) => list.every(Number.isFinite)),
  );
  parseNet(file.net);
}

function must(part: string, holds: boolean): void {
  if (!holds)
    throw new RangeError(
      `loadModel: the file is damaged: '${part}' is missing or wrong. Save the model anew.`,
    );
}

const isNumber = (value: unknown): value is number => Number.isFinite(value);
const isText = (value: unknown): value is string => typeof value === 'string';

function isList<T>(value: unknown, holds: (item: T) => boolean): value is readonly T[] {
  return Array.isArray(value) && value.every((item: T) => holds(item));
}

function isLabels(value: unknown, rows: number, classes: number): boolean {
  const inRange = (label: unknown): boolean =>
    Number.isInteger(label) && (label as number) >= 0 && (label as number) < classes;
  return isList(value, inRange) && value.length === rows;
}

function isEncoder(value: Unknown<Encoder> | undefined): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { columns, features, notes, readings } = value;
  if (!isList(readings, isReading)) return false;
  if (!isList<EncodedColumn>(columns, isColumn) || !isList(notes, isText)) return false;
  const width = columns.reduce(
    (sum, column) =>
      sum +
      (column.kind === 'categorical'
        ? column.levels.length
        : 1 + +(column.knots !== null) + +column.hasMissing),
    0,
  );
  return columns.length > 0 && features === width;
}

function isColumn(column: Unknown<EncodedColumn> | null): boolean {
  if (typeof column !== 'object' || column === null) return false;
  const { name, kind, deviation } = column;
  if (!isText(name) || !isNumber(deviation) || !(deviation > 0)) return false;
  if (kind === 'categorical') {
    const { levels, shares } = column as Record<string, unknown>;
    return isList(levels, isText) && isList(shares, isNumber) && levels.length === shares.length;
  }
  const { scale, mean, knots, hasMissing } = column as Record<string, unknown>;
  const numbers = isNumber(scale) && scale > 0 && isNumber(mean) && typeof hasMissing === 'boolean';
  return kind === 'numeric' && numbers && (knots === null || (isList(knots, isNumber) && knots.length > 1));
}

function isTarget(value: Unknown<TargetCode> | undefined): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { column, task, classes, centre, scale } = value;
  if (!isText(column) || !isList(classes, isText) || !isList(centre, isNumber)) return false;
  const outputs = task === 'regression' ? 1 : task === 'classification' ? classes.length : 0;
  return (
    outputs > 0 && centre.length === outputs && (task === 'regression' ? isScale(scale) : scale === null)
  );
}
