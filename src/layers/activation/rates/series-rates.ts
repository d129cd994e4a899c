// Derivatives of duals that are series, by Stein's identity.
import type { Dual } from '../dual/dual.js';
import type { PairRates } from './pair-rates.js';
import { hermiteDual, polynomialDual, type PolynomialDual } from '../dual/polynomial.js';

/**
 * kappa = a0 a0 + k12 P, P = sum_l B_l B_l c^l, c = r1 r2 k12, r = k^(-1/2) for Hermite series and 1 for polynomials.
 * Stein's identity turns derivatives in a variance into shifts of the index: da0/dk = B_1 w / sqrt(2), and what c does
 * not already hold of dB_l/dk is E_l = sqrt((l+2)(l+3)) B_(l+2) / 2 w^2, w = r.
 */
export interface Series {
  readonly lengths: Int32Array;
  /** c is a cosine. */
  readonly bounded: boolean;
  readonly a0: Float64Array;
  readonly a0Rate: Float64Array;
  readonly r: Float64Array;
  readonly b: readonly Float64Array[];
  readonly e: readonly Float64Array[];
}

export function seriesOf(
  a0: Float64Array,
  b: readonly Float64Array[],
  r: Float64Array,
  lengths: Int32Array,
  bounded: boolean,
): Series {
  const w = bounded ? r : r.map(() => 1);
  const zero = new Float64Array(r.length);
  const e = b.map((_, l) =>
    (b[l + 2] ?? zero).map((value, i) => 0.5 * Math.sqrt((l + 2) * (l + 3)) * value * w[i]! * w[i]!),
  );
  const a0Rate = (b[1] ?? zero).map((value, i) => value * Math.SQRT1_2 * w[i]!);
  return { lengths, bounded, a0, a0Rate, r, b, e };
}

export function polynomialSeries(
  dual: Extract<Dual, { form: 'polynomial' | 'hermite' }>,
  q: Float64Array<ArrayBuffer>,
): Series {
  const poly: PolynomialDual =
    dual.form === 'hermite' ? hermiteDual(dual.degree) : polynomialDual(dual.coefficients);
  const rows = Array.from({ length: poly.degree + 1 }, (_, l) => q.map((value) => poly.value(l, value)));
  return seriesOf(
    rows[0]!,
    rows.slice(1),
    q.map(() => 1),
    new Int32Array(q.length).fill(poly.degree),
    false,
  );
}

export function seriesRates(
  one: Series,
  two: Series,
  k: number,
  [i, j]: readonly [number, number],
  out: PairRates,
): void {
  const r = one.r[i]! * two.r[j]!;
  const c = one.bounded ? Math.max(-1, Math.min(1, r * k)) : r * k;
  let [p, slope, slopeByC, first, second, slopeFirst, slopeSecond] = [0, 0, 0, 0, 0, 0, 0];
  for (let l = Math.min(one.lengths[i]!, two.lengths[j]!) - 1; l >= 0; l--) {
    const [b1, b2] = [one.b[l]![i]!, two.b[l]![j]!];
    const [d1, d2] = [one.e[l]![i]! * b2, b1 * two.e[l]![j]!];
    const m = l + 1;
    slopeByC = slopeByC * c + slope;
    slope = slope * c + m * b1 * b2;
    p = p * c + b1 * b2;
    first = first * c + d1;
    second = second * c + d2;
    slopeFirst = slopeFirst * c + m * d1;
    slopeSecond = slopeSecond * c + m * d2;
  }
  out.kappa = one.a0[i]! * two.a0[j]! + k * p;
  out.slope = out.byK = slope;
  out.slopeByK = r * slopeByC;
  out.byQ1 = one.a0Rate[i]! * two.a0[j]! + k * first;
  out.byQ2 = one.a0[i]! * two.a0Rate[j]! + k * second;
  out.slopeByQ1 = slopeFirst;
  out.slopeByQ2 = slopeSecond;
}
