// Normalisation of one row, and its Jacobian times a vector, as power series.
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
  return divided(
    row.map((x) => x.map((value, m) => value - mean[m]!)),
    eps,
  );
}

function divided(row: readonly Series[], eps: number): { y: Series[]; inverse: Series } {
  const square = meanOf(row.map((x) => multiplySeries(x, x)));
  square[0]! += eps;
  const inverse = invertSeries(sqrtSeries(square));
  return { y: row.map((x) => multiplySeries(x, inverse)), inverse };
}

/** y = x/sqrt(eps + mean(x^2)) of one row. */
export const rmsSeries = (row: readonly Series[], eps: number): Series[] => divided(row, eps).y;

/** J v = (v - y mean(v y))/sqrt(eps + mean(x^2)). */
export function projectRmsSeries(row: readonly Series[], v: readonly Series[], eps: number): Series[] {
  const { y, inverse } = divided(row, eps);
  const along = meanOf(y.map((entry, i) => multiplySeries(entry, v[i]!)));
  return y.map((entry, i) => {
    const bent = multiplySeries(entry, along);
    return multiplySeries(
      inverse,
      v[i]!.map((value, m) => value - bent[m]!),
    );
  });
}

function meanOf(row: readonly Series[]): Series {
  const mean = new Float64Array(row[0]!.length);
  for (const x of row) for (let m = 0; m < mean.length; m++) mean[m]! += x[m]! / row.length;
  return mean;
}
