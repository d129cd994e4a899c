// Layer norm of one row, and its Jacobian times a vector, as power series.
import { invertSeries, multiplySeries, sqrtSeries, type Series } from '../power-series.js';

/** y = (x - mean)/sqrt(eps + variance) of one row. */
export const normaliseSeries = (row: readonly Series[], eps: number): Series[] => normalised(row, eps).y;

/** J v = (v - mean v - y mean(v y))/sqrt(eps + variance). */
export function projectSeries(row: readonly Series[], v: readonly Series[], eps: number): Series[] {
  const { y, inverse } = normalised(row, eps);
  const mean = meanOf(v);
  const along = meanOf(y.map((entry, i) => multiplySeries(entry, v[i]!)));
  return y.map((entry, i) => {
    const bent = multiplySeries(entry, along);
    return multiplySeries(
      inverse,
      v[i]!.map((value, m) => value - mean[m]! - bent[m]!),
    );
  });
}

function normalised(row: readonly Series[], eps: number): { y: Series[]; inverse: Series } {
  const mean = meanOf(row);
  const centred = row.map((x) => x.map((value, m) => value - mean[m]!));
  const variance = meanOf(centred.map((x) => multiplySeries(x, x)));
  variance[0]! += eps;
  const inverse = invertSeries(sqrtSeries(variance));
  return { y: centred.map((x) => multiplySeries(x, inverse)), inverse };
}

function meanOf(row: readonly Series[]): Series {
  const mean = new Float64Array(row[0]!.length);
  for (const x of row) for (let m = 0; m < mean.length; m++) mean[m]! += x[m]! / row.length;
  return mean;
}
