// Derivatives of the duals. For (u, v) normal with variances k11, k22 and covariance k12, F = E[phi(u) phi(v)]:
//   dF/dk12 = E[phi' phi'], dF/dk11 = E[phi'' phi] / 2, and so on for kappa' = E[phi'(u) phi'(v)]          (Price 1958).
import { CLOSED, homogeneity } from './closed-rates.js';
import type { Dual } from '../dual/dual.js';
import { functionRates, functionSideRates } from './function-rates.js';
import { hermiteSeries } from '../dual/hermite-tables.js';
import { noRates, type PairRates } from './pair-rates.js';
import { polynomialSeries, seriesOf, seriesRates, type Series } from './series-rates.js';

/** The derivatives of an activation between variables of two sides. */
export interface DualRates {
  /** Of variables i and j with covariance k, written into `out`. */
  pair(k: number, i: number, j: number, out: PairRates): void;
}

/** What an activation needs to know of the variables of one side. */
export interface SideRates {
  /** Variances. */
  readonly q: Float64Array;
  /** E[phi'(u)^2], and d/dk of E[phi(u)^2] and of E[phi'(u)^2]. */
  readonly slope: Float64Array;
  readonly kappaRate: Float64Array;
  readonly slopeRate: Float64Array;
  readonly series: Series | null;
}

/** Tables of one side, of variables with variances `q`. */
export function sideRates(dual: Dual, q: Float64Array<ArrayBuffer>, tolerance: number): SideRates {
  if (dual.form === 'function') return { q, ...functionSideRates(dual, q), series: null };
  if (dual.form === 'series') {
    const { lengths, a0, b, slope, kappaRate, slopeRate } = hermiteSeries(dual.fn, q, tolerance);
    const r = q.map((value) => (value > 0 ? 1 / Math.sqrt(value) : 0));
    return { q, slope, kappaRate, slopeRate, series: seriesOf(a0, b, r, lengths, true) };
  }
  const series = dual.form === 'closed' ? null : polynomialSeries(dual, q);
  const out = noRates();
  const [slope, kappaRate, slopeRate] = [q.slice(), q.slice(), q.slice()];
  const side: SideRates = { q, slope: slope.fill(0), kappaRate, slopeRate, series };
  const { pair } = pairRates(dual, side, side);
  const degree = dual.form === 'closed' ? homogeneity(dual.kind, dual.params) : null;
  for (let i = 0; i < q.length; i++) {
    pair(q[i]!, i, i, out);
    slope[i] = out.slope;
    kappaRate[i] = out.byK + out.byQ1 + out.byQ2;
    slopeRate[i] = out.slopeByK + out.slopeByQ1 + out.slopeByQ2;
    if (degree === null) continue;
    kappaRate[i] = q[i]! > 0 ? (degree * out.kappa) / q[i]! : 0;
    slopeRate[i] = q[i]! > 0 ? (Math.max(0, degree - 1) * out.slope) / q[i]! : 0;
  }
  return side;
}

export function pairRates(dual: Dual, one: SideRates, two: SideRates): DualRates {
  if (dual.form === 'function')
    return { pair: (k, i, j, out) => functionRates(dual, [one.q[i]!, k, two.q[j]!], out) };
  if (dual.form !== 'closed')
    return { pair: (k, i, j, out) => seriesRates(one.series!, two.series!, k, [i, j], out) };
  const rule = CLOSED[dual.kind]!;
  const { params } = dual;
  const [q1, q2] = [one.q, two.q];
  return { pair: (k, i, j, out) => rule(params, k, q1[i]!, q2[j]!, out) };
}
