import { invertSeries, multiplySeries, sqrtSeries, type Series } from '../series.js';

/** (x - mean)/sqrt(eps + variance) of one row of series. */
export function normaliseSeries(row: readonly Series[], eps: number): Series[] {
  const length = row[0]!.length;
  const mean = new Float64Array(length);
  for (const x of row) for (let m = 0; m < length; m++) mean[m]! += x[m]! / row.length;
  const centred = row.map((x) => x.map((value, m) => value - mean[m]!));
  const variance = new Float64Array(length);
  for (const x of centred) multiplySeries(x, x).forEach((value, m) => (variance[m]! += value / row.length));
  variance[0]! += eps;
  const inverse = invertSeries(sqrtSeries(variance));
  return centred.map((x) => multiplySeries(x, inverse));
}
