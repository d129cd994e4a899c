// A quantity of trained nets over the plane of scaling exponents, beside that of the reference net.
import { log } from '../../math/elementary.js';
import { mean } from '../../math/statistics.js';
import { knownFields, type Engine, type Fields } from '../../wasm/engine.js';
import { classify } from '../theory/classify.js';
import { curvesOf, type CurveQuantity } from './compare.js';
import { TRAINING_OPTIONS, runAll, runsOf, type TrainingOptions } from '../one-hidden/train-one-hidden.js';
import { rational, toNumber } from '../theory/rational.js';
import { scalings } from '../theory/scalings.js';

export interface MeasurePlaneOptions extends Omit<TrainingOptions, 'evaluateAt' | 'keep'> {
  readonly quantity: CurveQuantity;
  /** Default 8 base widths. */
  readonly width?: number;
  /** Points of the grid, as multiples of `step`; default the plane of figure 1 left in steps of 1/10. */
  readonly qSigma?: readonly [number, number];
  readonly qTilde?: readonly [number, number];
  readonly step?: readonly [num: number, den: number];
}

/** `values[j][i]` belongs to `(qSigma[i], qTilde[j])`; null where the net overflowed. */
export interface MeasuredPlane {
  readonly quantity: CurveQuantity;
  readonly label: string;
  readonly width: number;
  readonly qSigma: readonly number[];
  readonly qTilde: readonly number[];
  readonly values: readonly (readonly (number | null)[])[];
  readonly reference: number;
  /** The largest size of a value at a stable point: unstable ones are many orders of magnitude off. */
  readonly reach: number;
}

const { evaluateAt: _evaluateAt, keep: _keep, ...TRAINING } = TRAINING_OPTIONS;
const PLANE_OPTIONS: Fields<MeasurePlaneOptions> = {
  quantity: true,
  width: true,
  qSigma: true,
  qTilde: true,
  step: true,
  ...TRAINING,
};

/**
 * Trains a net of one width at every point of a grid of exponents and compares a quantity after the last epoch with
 * the reference net's: log10 of their ratio (accuracies: their difference), means over seeds. Zero is "like the
 * reference". RangeError for shapes, sizes or options that do not fit.
 */
export async function measurePlane(engine: Engine, options: MeasurePlaneOptions): Promise<MeasuredPlane> {
  knownFields('measurePlane', options, PLANE_OPTIONS);
  const {
    quantity,
    qSigma: xs = [-1.6, 0.4],
    qTilde: ys = [-1, 1.8],
    step = [1, 10],
    width: wish,
    ...rest
  } = options;
  const [num, den] = step;
  if (!Number.isInteger(num) || !Number.isInteger(den) || num < 1 || den < 1)
    throw new RangeError(`measurePlane: step must be two whole numbers >= 1, got [${step.join(', ')}]`);
  const grid = ([low, high]: readonly [number, number]): number[] => {
    const [from, to] = [Math.ceil((low * den) / num - 1e-9), Math.floor((high * den) / num + 1e-9)];
    if (!(to >= from) || to - from > 1000)
      throw new RangeError(
        `measurePlane: expected 1 to 1000 points from ${low} to ${high}, got step ${num}/${den}`,
      );
    return Array.from({ length: to - from + 1 }, (_, k) => (from + k) * num);
  };
  const [columns, rows] = [grid(xs), grid(ys)];
  const baseWidth = options.baseWidth ?? 128;
  const width = wish ?? 8 * baseWidth;
  const shared = { ...rest, baseWidth, evaluateAt: [0, options.epochs] };
  const at = (k: number): { num: number; den: number } => ({ num: k, den });
  const runs = [
    ...runsOf({ ...shared, scaling: scalings.default, width: baseWidth }),
    ...rows.flatMap((qTilde) =>
      columns.flatMap((qSigma) =>
        runsOf({ ...shared, scaling: { qSigma: at(qSigma), qTilde: at(qTilde) }, width }),
      ),
    ),
  ];
  const seeds = options.seeds?.length ?? 1;
  const traces = await runAll(engine, runs, options);
  const valueOf = (group: number): number | null => {
    const own = traces.slice(group * seeds, (group + 1) * seeds);
    if (own.some(({ overflow }) => overflow)) return null;
    return mean(own.map((trace) => curvesOf([trace])[quantity].mean.at(-1)!));
  };
  const reference = valueOf(0);
  if (reference === null)
    throw new RangeError(
      'measurePlane: the reference net itself overflows. Use a smaller rate or fewer epochs.',
    );
  const accuracy = quantity.endsWith('Accuracy');
  const compare = (value: number | null): number | null => {
    if (value === null) return null;
    if (accuracy) return value - reference;
    const ratio = value / reference;
    return ratio > 0 && ratio < Infinity ? log(ratio) / Math.LN10 : null;
  };
  const values = rows.map((_, j) => columns.map((__, i) => compare(valueOf(1 + j * columns.length + i))));
  let reach = 0;
  rows.forEach((qTilde, j) =>
    columns.forEach((qSigma, i) => {
      if (classify({ qSigma: at(qSigma), qTilde: at(qTilde) }).stable)
        reach = Math.max(reach, Math.abs(values[j]![i] ?? 0));
    }),
  );
  return {
    quantity,
    label: accuracy ? `${quantity} - reference` : `log10(${quantity} / reference)`,
    width,
    qSigma: columns.map((k) => toNumber(rational(BigInt(k), BigInt(den)))),
    qTilde: rows.map((k) => toNumber(rational(BigInt(k), BigInt(den)))),
    values,
    reach,
    reference,
  };
}
