// Straight lines through log-log points: how a measured quantity scales with width.
import { log } from '../math/elementary.js';

/** A fitted exponent. */
export interface Slope {
  readonly slope: number;
  /** Standard error: scatter of the single seeds' slopes over sqrt(seeds); null with one seed. */
  readonly standardError: number | null;
}

/** Least-squares slope of y over x. */
export function slopeOfLine(x: readonly number[], y: readonly number[]): number {
  const mean = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0) / list.length;
  const [mx, my] = [mean(x), mean(y)];
  let [top, bottom] = [0, 0];
  x.forEach((value, i) => {
    top += (value - mx) * (y[i]! - my);
    bottom += (value - mx) * (value - mx);
  });
  return top / bottom;
}

/**
 * The slope of log value over log width, averaged over seeds: `values[seed][width]`. Seeds with a value that is not
 * positive and finite are left out; null when none remains.
 */
export function widthSlope(widths: readonly number[], values: readonly (readonly number[])[]): Slope | null {
  const x = widths.map(log);
  const usable = values.filter((row) => row.every((value) => value > 0 && value < Infinity));
  if (usable.length === 0 || widths.length < 2) return null;
  const slopes = usable.map((row) => slopeOfLine(x, row.map(log)));
  const n = slopes.length;
  const slope = slopes.reduce((sum, value) => sum + value, 0) / n;
  const spread = slopes.reduce((sum, value) => sum + (value - slope) * (value - slope), 0);
  return { slope, standardError: n > 1 ? Math.sqrt(spread / (n - 1) / n) : null };
}
