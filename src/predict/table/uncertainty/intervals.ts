// Intervals from leave-one-out errors. An interval at a row rests on the errors of the training rows with the nearest
// predictions, so that it covers what it says among small predictions as well as among large ones. The order statistic
// is that of conformal prediction, ceil(level (n + 1)) of n errors, which covers the level on average for any law of
// the errors (Vovk, Gammerman and Shafer 2005; leave-one-out errors as in Barber et al. 2021, "jackknife+").

/** The errors of the training rows, in the order of their leave-one-out predictions. */
export interface ErrorRecord {
  /** Leave-one-out predictions, ascending. */
  readonly predictions: Float64Array;
  /** Errors over their predicted deviations, target minus prediction. */
  readonly errors: Float64Array;
  /** Root mean square of the errors: what one predicted deviation really is. */
  readonly unit: number;
}

/** Multiples of the predicted deviation, below and above the mean. */
export interface Reach {
  readonly below: number;
  readonly above: number;
}

const SIDES = 100; // errors from which both ends get quantiles of their own
const SHARE = 3; // a window holds a third of the errors

/** The record of errors (in predicted deviations) and of the predictions they belong to. */
export function errorRecord(predictions: Float64Array, errors: Float64Array): ErrorRecord {
  const order = [...predictions.keys()].sort((a, b) => predictions[a]! - predictions[b]! || a - b);
  const square = errors.reduce((sum, value) => sum + value * value, 0);
  return {
    predictions: Float64Array.from(order, (i) => predictions[i]!),
    errors: Float64Array.from(order, (i) => errors[i]!),
    unit: Math.sqrt(square / errors.length) || 1,
  };
}

/** Rows that a level needs, for its order statistic to exist. */
export const rowsForLevel = (level: number): number => Math.ceil(level / (1 - level) - 1e-9);

/** For each level and prediction the multiples of its deviation that its interval reaches down and up. */
export class Intervals {
  readonly #record: ErrorRecord;
  readonly #sorted = new Map<number, { signed: Float64Array; size: Float64Array }>();

  constructor(record: ErrorRecord) {
    this.#record = record;
  }

  reach(prediction: number, level: number): Reach {
    const { signed, size } = this.#window(prediction);
    const n = signed.length;
    const tail = Math.floor(((1 - level) / 2) * (n + 1) + 1e-9);
    if (n >= SIDES && tail >= 1) return { below: -signed[tail - 1]!, above: signed[n - tail]! };
    const half = size[Math.min(n, Math.ceil(level * (n + 1) - 1e-9)) - 1]!;
    return { below: half, above: half };
  }

  /** Quantiles of the errors of the rows with the nearest predictions. */
  errors(prediction: number, count: number): Float64Array {
    return quantilesOf(this.#window(prediction).signed, count);
  }

  /** The errors of the rows with the nearest predictions: all of them where there are few. */
  #window(prediction: number): { signed: Float64Array; size: Float64Array } {
    const { predictions, errors } = this.#record;
    const n = errors.length;
    const width = Math.min(n, Math.max(2 * SIDES, Math.ceil(n / SHARE)));
    const from = Math.max(0, Math.min(n - width, countBelow(predictions, prediction) - (width >> 1)));
    let found = this.#sorted.get(from);
    if (!found) {
      const part = errors.slice(from, from + width);
      found = { signed: part.toSorted(), size: part.map(Math.abs).sort() };
      this.#sorted.set(from, found);
    }
    return found;
  }
}

/** How many of the ascending numbers are smaller. */
export function countBelow(sorted: Float64Array, value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Evenly spaced quantiles of a list, the middles of `count` equal shares. */
export function quantilesOf(values: Float64Array, count: number): Float64Array {
  const sorted = values.toSorted();
  return Float64Array.from(
    { length: count },
    (_, k) => sorted[Math.min(sorted.length - 1, Math.floor(((k + 0.5) / count) * sorted.length))]!,
  );
}
