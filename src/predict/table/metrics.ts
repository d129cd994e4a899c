// How good predictions are: accuracy, log loss, calibration; R^2, errors, coverage.
import { log } from '../../math/elementary.js';
import type { TablePrediction } from './model.js';

/** Rows of one range of confidence. */
export interface ReliabilityBin {
  /** Range of the predicted probability of the predicted class. */
  readonly low: number;
  readonly high: number;
  readonly count: number;
  readonly confidence: number;
  readonly accuracy: number;
}

/** How good class probabilities are. */
export interface ClassMetrics {
  readonly task: 'classification';
  readonly rows: number;
  readonly accuracy: number;
  /** Mean negative log probability of the true class, nats; classes never seen count as probability 1e-12. */
  readonly logLoss: number;
  /** Expected calibration error over 10 bins of confidence. */
  readonly calibrationError: number;
  readonly reliability: readonly ReliabilityBin[];
}

/** How good predicted numbers and intervals are. */
export interface RegressionMetrics {
  readonly task: 'regression';
  readonly rows: number;
  readonly r2: number;
  readonly rmse: number;
  readonly mae: number;
  readonly coverage: readonly { readonly level: number; readonly share: number }[];
}

/** One of the two, by `task`. */
export type Metrics = ClassMetrics | RegressionMetrics;

/** Metrics of class predictions against the true labels; null: not known, not counted. */
export function classMetrics(prediction: TablePrediction, truth: readonly (string | null)[]): ClassMetrics {
  const { classes, probabilities, labels } = prediction as Required<TablePrediction>;
  const bins = Array.from({ length: 10 }, () => ({ count: 0, confidence: 0, hits: 0 }));
  let [hits, loss] = [0, 0];
  const rows = truth.filter((label) => label !== null).length;
  truth.forEach((label, i) => {
    if (label === null) return;
    const row = probabilities.subarray(i * classes.length, (i + 1) * classes.length);
    const confidence = row.reduce((most, value) => Math.max(most, value), 0);
    const hit = +(labels[i] === label);
    const bin = bins[Math.min(9, Math.floor(confidence * 10))]!;
    bin.count++;
    bin.confidence += confidence;
    bin.hits += hit;
    hits += hit;
    loss -= log(Math.max(row[classes.indexOf(label)] ?? 0, 1e-12));
  });
  const reliability = bins.map(({ count, confidence, hits: right }, i) => ({
    low: i / 10,
    high: (i + 1) / 10,
    count,
    confidence: count ? confidence / count : 0,
    accuracy: count ? right / count : 0,
  }));
  const calibrationError = reliability.reduce(
    (sum, bin) => sum + (bin.count / rows) * Math.abs(bin.confidence - bin.accuracy),
    0,
  );
  return {
    task: 'classification',
    rows,
    accuracy: hits / rows,
    logLoss: loss / rows,
    calibrationError,
    reliability,
  };
}

/** Metrics of numeric predictions against the true values; null: not known, not counted. Any scale of numbers. */
export function regressionMetrics(
  prediction: TablePrediction,
  truth: readonly (number | null)[],
): RegressionMetrics {
  const { mean, intervals } = prediction as Required<TablePrediction>;
  const known = truth.flatMap((value, i) => (value === null ? [] : [{ value, i }]));
  const n = known.length;
  const unit =
    known.reduce((most, { value, i }) => Math.max(most, Math.abs(value), Math.abs(mean[i]!)), 0) || 1;
  const average = known.reduce((sum, { value }) => sum + value / unit / n, 0);
  let [square, absolute, total] = [0, 0, 0];
  for (const { value, i } of known) {
    const error = value / unit - mean[i]! / unit;
    square += error ** 2;
    absolute += Math.abs(error);
    total += (value / unit - average) ** 2;
  }
  const coverage = intervals.map(({ level, low, high }) => ({
    level,
    share: known.filter(({ value, i }) => value >= low[i]! && value <= high[i]!).length / n,
  }));
  return {
    task: 'regression',
    rows: n,
    r2: total > 0 ? 1 - square / total : 0,
    rmse: unit * Math.sqrt(square / n),
    mae: unit * (absolute / n),
    coverage,
  };
}
