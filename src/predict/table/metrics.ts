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
  readonly classes: readonly string[];
  /** Rows by true class (first index) and predicted class, in the order of `classes`; classes never seen are not in it. */
  readonly confusion: readonly (readonly number[])[];
  /** Per class: share of its predictions that are right, share of its rows that are found, their harmonic mean, and AUC. */
  readonly perClass: readonly ClassQuality[];
  /** Means over classes. */
  readonly f1: number;
  readonly auc: number;
}

/** How well one class is told from the others. */
export interface ClassQuality {
  readonly name: string;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Probability that a row of the class gets a larger probability of it than another row; 1/2 where one side is empty. */
  readonly auc: number;
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
    classes,
    ...qualityOf(prediction, truth),
  };
}

function qualityOf(
  prediction: TablePrediction,
  truth: readonly (string | null)[],
): Pick<ClassMetrics, 'confusion' | 'perClass' | 'f1' | 'auc'> {
  const { classes, probabilities, labels } = prediction as Required<TablePrediction>;
  const confusion = classes.map(() => classes.map(() => 0));
  truth.forEach((label, i) => {
    const row = label === null ? -1 : classes.indexOf(label);
    if (row >= 0) confusion[row]![classes.indexOf(labels[i]!)]!++;
  });
  const perClass = classes.map((name, k) => {
    const right = confusion[k]![k]!;
    const found = confusion[k]!.reduce((a, b) => a + b, 0);
    const said = confusion.reduce((sum, row) => sum + row[k]!, 0);
    const [precision, recall] = [right / (said || 1), right / (found || 1)];
    const scores = truth.flatMap((label, i) =>
      label === null ? [] : [{ p: probabilities[i * classes.length + k]!, hit: label === name }],
    );
    return { name, precision, recall, f1: (2 * right) / (said + found || 1), auc: areaOf(scores) };
  });
  const mean = (pick: (quality: ClassQuality) => number): number =>
    perClass.reduce((sum, quality) => sum + pick(quality) / classes.length, 0);
  return { confusion, perClass, f1: mean(({ f1 }) => f1), auc: mean(({ auc }) => auc) };
}

/** Area under the receiver operating characteristic, by ranks (ties count half). */
function areaOf(scores: readonly { readonly p: number; readonly hit: boolean }[]): number {
  const sorted = [...scores].sort((a, b) => a.p - b.p);
  const hits = sorted.filter(({ hit }) => hit).length;
  if (hits === 0 || hits === sorted.length) return 0.5;
  let ranks = 0;
  for (let from = 0; from < sorted.length;) {
    let to = from;
    while (to < sorted.length && sorted[to]!.p === sorted[from]!.p) to++;
    const middle = (from + to + 1) / 2;
    for (let i = from; i < to; i++) if (sorted[i]!.hit) ranks += middle;
    from = to;
  }
  return (ranks - (hits * (hits + 1)) / 2) / (hits * (sorted.length - hits));
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
  const constant = known.every(({ value }) => value === known[0]!.value); // its rounded mean may differ from it
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
    r2: total > 0 && !constant ? 1 - square / total : 0,
    rmse: unit * Math.sqrt(square / n),
    mae: unit * (absolute / n),
    coverage,
  };
}

/** A threshold on the probability of one class, and what it costs. */
export interface Threshold {
  /** Rows with at least this probability are taken as the class. */
  readonly threshold: number;
  /** Mean cost per row. */
  readonly cost: number;
}

/**
 * The threshold of least cost on rows with known classes, where a false alarm and a missed row of the class cost
 * differently. RangeError for a class that is not predicted and for costs that are no numbers >= 0.
 *
 * @example
 * const { threshold } = bestThreshold(validation.prediction, validation.truth, { class: 'ill', alarm: 1, miss: 20 });
 */
export function bestThreshold(
  prediction: TablePrediction,
  truth: readonly string[],
  costs: { readonly class: string; readonly alarm: number; readonly miss: number },
): Threshold {
  const { classes = [], probabilities, rows } = prediction;
  const k = classes.indexOf(costs.class);
  if (k < 0)
    throw new RangeError(`bestThreshold: there is no class '${costs.class}'. Classes: ${classes.join(', ')}`);
  for (const [name, cost] of Object.entries({ alarm: costs.alarm, miss: costs.miss }))
    if (!(cost >= 0 && Number.isFinite(cost)))
      throw new RangeError(`bestThreshold: ${name} must be a finite number >= 0, got ${String(cost)}`);
  if (truth.length !== rows)
    throw new RangeError(`bestThreshold: ${truth.length} true classes for ${rows} predicted rows`);
  const scores = truth.map((label, i) => ({
    p: probabilities![i * classes.length + k]!,
    hit: label === costs.class,
  }));
  scores.sort((a, b) => b.p - a.p);
  let cost = scores.filter(({ hit }) => hit).length * costs.miss; // nothing is taken as the class
  let best = { threshold: 1, cost };
  scores.forEach(({ p, hit }, i) => {
    cost += hit ? -costs.miss : costs.alarm;
    const next = scores[i + 1]?.p ?? 0;
    if (next < p && cost < best.cost) best = { threshold: (p + next) / 2, cost };
  });
  return { threshold: best.threshold, cost: best.cost / (rows || 1) };
}
