// Summaries of small samples: summed in order, so that they are the same everywhere.

export function mean(values: ArrayLike<number>): number {
  if (values.length === 0) throw new RangeError('mean: expected at least one value, got none');
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/** Sample standard deviation with `ddof` degrees of freedom taken off (default 1); 0 for a single value. */
export function standardDeviation(values: ArrayLike<number>, ddof = 1): number {
  if (values.length <= ddof) return 0;
  const centre = mean(values);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i]! - centre) ** 2;
  return Math.sqrt(sum / (values.length - ddof));
}

export function rootMeanSquare(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * values[i]!;
  return Math.sqrt(sum / values.length);
}

/** The q-quantile, 0 <= q <= 1, interpolating linearly between order statistics. */
export function quantile(values: ArrayLike<number>, q: number): number {
  if (values.length === 0) throw new RangeError('quantile: expected at least one value, got none');
  if (!(q >= 0 && q <= 1)) throw new RangeError(`quantile: q must be between 0 and 1, got ${q}`);
  const sorted = Float64Array.from(values).sort();
  const at = q * (sorted.length - 1);
  const below = sorted[Math.floor(at)]!;
  return below + (at - Math.floor(at)) * (sorted[Math.ceil(at)]! - below);
}

export interface SlopeFit {
  readonly slope: number;
  readonly intercept: number;
  /** Standard error of the slope from the residuals; NaN-free: 0 for two points, which any line fits. */
  readonly standardError: number;
}

/** Least-squares line through (x, y); for power laws give logarithms. RangeError below two distinct x. */
export function slopeFit(x: ArrayLike<number>, y: ArrayLike<number>): SlopeFit {
  const n = x.length;
  if (y.length !== n)
    throw new RangeError(`slopeFit: x and y must be equally long, got ${n} and ${y.length}`);
  const [mx, my] = [n > 0 ? mean(x) : 0, n > 0 ? mean(y) : 0];
  let sxx = 0;
  let sxy = 0;
  for (let i = 0; i < n; i++) {
    sxx += (x[i]! - mx) ** 2;
    sxy += (x[i]! - mx) * (y[i]! - my);
  }
  if (!(sxx > 0)) throw new RangeError(`slopeFit: expected at least two different finite x, got ${n} values`);
  const slope = sxy / sxx;
  const intercept = my - slope * mx;
  let residual = 0;
  for (let i = 0; i < n; i++) residual += (y[i]! - intercept - slope * x[i]!) ** 2;
  return { slope, intercept, standardError: n > 2 ? Math.sqrt(residual / (n - 2) / sxx) : 0 };
}
