// Straight lines through log-log points: how a measured quantity scales with width.
import { log } from '../../math/elementary.js';
import { mean, slopeFit, standardDeviation } from '../../math/statistics.js';

/** A fitted exponent. */
export interface Slope {
  readonly slope: number;
  /** Standard error: scatter of the single seeds' slopes over sqrt(seeds); null with one seed. */
  readonly standardError: number | null;
}

/**
 * The slope of log value over log width, averaged over seeds: `values[seed][width]`. Seeds with a value that is not
 * positive and finite are left out; null when none remains.
 */
export function widthSlope(widths: readonly number[], values: readonly (readonly number[])[]): Slope | null {
  const x = widths.map(log);
  const usable = values.filter((row) => row.every((value) => value > 0 && value < Infinity));
  if (usable.length === 0 || widths.length < 2) return null;
  const slopes = usable.map((row) => slopeFit(x, row.map(log)).slope);
  const n = slopes.length;
  return { slope: mean(slopes), standardError: n > 1 ? standardDeviation(slopes) / Math.sqrt(n) : null };
}
