// Derivatives of the duals. For (u, v) normal with variances k11, k22 and covariance k12, F = E[phi(u) phi(v)]:
//   dF/dk12 = E[phi' phi'], dF/dk11 = E[phi'' phi] / 2, and so on for kappa' = E[phi'(u) phi'(v)]          (Price 1958).
// Duals: Cho & Saul 2009 (arc-cosine), Williams 1997 (erf); those of homogeneous phi follow from Euler's identity
// 2 k11 F_11 + k12 F_12 = n F; series by Stein's identity, see `seriesRates`.
import { acos, asin, exp } from '../../math/elementary.js';
import { UnsupportedError } from '../../wasm/engine.js';
import type { Dual } from './dual.js';
import { hermiteSeries } from './hermite-tables.js';
import {
  add,
  affine,
  atanOf,
  coshOf,
  expOf,
  multiply,
  power,
  sinhOf,
  variable,
  type Jet,
} from './partials.js';
import { hermiteDual, polynomialDual, type PolynomialDual } from './polynomial.js';

/** kappa and kappa' (as the NTK uses it) of a pair, and their derivatives in (k12, k11, k22). */
export interface PairRates {
  kappa: number;
  byK: number;
  byQ1: number;
  byQ2: number;
  slope: number;
  slopeByK: number;
  slopeByQ1: number;
  slopeByQ2: number;
}

export const noRates = (): PairRates => ({
  kappa: 0,
  byK: 0,
  byQ1: 0,
  byQ2: 0,
  slope: 0,
  slopeByK: 0,
  slopeByQ1: 0,
  slopeByQ2: 0,
});

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

type Closed = (params: readonly number[], k: number, q1: number, q2: number, out: PairRates) => void;

/** Tables of one side, of variables with variances `q`. */
export function sideRates(dual: Dual, q: Float64Array<ArrayBuffer>, tolerance: number): SideRates {
  if (dual.form === 'function')
    throw new UnsupportedError(
      `differentiation of '${dual.name}', given by its kernelFunction alone`,
      'Give fn and derivative instead.',
    );
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
  if (dual.form !== 'closed')
    return { pair: (k, i, j, out) => seriesRates(one.series!, two.series!, k, i, j, out) };
  const rule = CLOSED[dual.kind]!;
  const { params } = dual;
  const [q1, q2] = [one.q, two.q];
  return { pair: (k, i, j, out) => rule(params, k, q1[i]!, q2[j]!, out) };
}

/** n where phi(s x) = s^n phi(x), whose kappa = const k^n; expNormalized has such a kernel with n = 1. */
function homogeneity(kind: number, params: readonly number[]): number | null {
  return kind === 1 || kind === 9 ? 1 : kind === 2 ? 0 : kind === 10 ? params[0]! : null;
}

function angle(k: number, q1: number, q2: number): { size: number; cosine: number; sine: number } {
  const size = Math.sqrt(q1) * Math.sqrt(q2);
  const cosine = size > 0 ? Math.max(-1, Math.min(1, k / size)) : 0;
  return { size, cosine, sine: Math.sqrt((1 - cosine) * (1 + cosine)) };
}

/** Fills the derivatives in the variances of a phi of degree n from kappa, slope and their derivatives in k. */
function byEuler(n: number, k: number, q1: number, q2: number, out: PairRates): void {
  const [a, b] = [n * out.kappa - k * out.byK, Math.max(0, n - 1) * out.slope - k * out.slopeByK];
  out.byQ1 = q1 > 0 ? a / (2 * q1) : 0;
  out.byQ2 = q2 > 0 ? a / (2 * q2) : 0;
  out.slopeByQ1 = q1 > 0 ? b / (2 * q1) : 0;
  out.slopeByQ2 = q2 > 0 ? b / (2 * q2) : 0;
}

/** At an angle of 0 (or pi) the kink of the dual counts with its mean slope, 0. */
const SMALLEST_SINE = 1e-9;

const bent: Closed = ([a, b], k, q1, q2, out) => {
  const { size, cosine, sine } = angle(k, q1, q2);
  const gap = (a! - b!) * (a! - b!);
  const share = (Math.PI - acos(cosine)) / (2 * Math.PI);
  out.kappa = gap * size * (sine / (2 * Math.PI) + cosine * share) + a! * b! * k;
  out.slope = out.byK = gap * share + a! * b!;
  const edge = (gap * size * sine) / (4 * Math.PI);
  out.byQ1 = q1 > 0 ? edge / q1 : 0;
  out.byQ2 = q2 > 0 ? edge / q2 : 0;
  const turn = sine > SMALLEST_SINE && size > 0 ? gap / (2 * Math.PI * sine) : 0;
  out.slopeByK = size > 0 ? turn / size : 0;
  out.slopeByQ1 = q1 > 0 ? (-turn * cosine) / (2 * q1) : 0;
  out.slopeByQ2 = q2 > 0 ? (-turn * cosine) / (2 * q2) : 0;
};

const sign: Closed = (_params, k, q1, q2, out) => {
  const { size, cosine, sine } = angle(k, q1, q2);
  out.kappa = size > 0 ? 1 - (2 / Math.PI) * acos(cosine) : 0;
  out.byK = sine > SMALLEST_SINE && size > 0 ? 2 / (Math.PI * size * sine) : 0;
  out.slope = out.slopeByK = 0;
  byEuler(0, k, q1, q2, out);
};

const erfRates: Closed = ([a, b, c], k, q1, q2, out) => {
  const bb = b! * b!;
  const u = 2 * bb * k;
  const [one, two] = [1 + 2 * bb * q1, 1 + 2 * bb * q2];
  const square = one * two - u * u;
  const root = Math.sqrt(square);
  const factor = (2 / Math.PI) * a! * a!;
  out.kappa = factor * asin(Math.max(-1, Math.min(1, u / Math.sqrt(one * two)))) + c! * c!;
  out.slope = out.byK = (2 * factor * bb) / root;
  out.byQ1 = (-factor * u * bb) / (one * root);
  out.byQ2 = (-factor * u * bb) / (two * root);
  out.slopeByK = (out.slope * u * 2 * bb) / square;
  out.slopeByQ1 = (-out.slope * bb * two) / square;
  out.slopeByQ2 = (-out.slope * bb * one) / square;
};

/** kappa = a^2/2 (e- - cos(2c) e+), e-+ = exp(-b^2 ((k11 + k22)/2 -+ k12)). */
const wave: Closed = ([a, b, cos2c], k, q1, q2, out) => {
  const bb = b! * b!;
  const near = 0.5 * a! * a! * exp(-bb * ((q1 + q2) / 2 - k));
  const far = 0.5 * a! * a! * exp(-bb * ((q1 + q2) / 2 + k)) * cos2c!;
  out.kappa = near - far;
  out.slope = out.byK = bb * (near + far);
  out.byQ1 = out.byQ2 = -0.5 * bb * out.kappa;
  out.slopeByK = bb * bb * out.kappa;
  out.slopeByQ1 = out.slopeByQ2 = -0.5 * bb * out.slope;
};

const exponential: Closed = ([a, b], k, q1, q2, out) => {
  const bb = b! * b!;
  out.kappa = a! * a! * exp(bb * ((q1 + q2) / 2 + k));
  out.slope = out.byK = bb * out.kappa;
  out.byQ1 = out.byQ2 = 0.5 * out.byK;
  out.slopeByK = bb * out.byK;
  out.slopeByQ1 = out.slopeByQ2 = 0.5 * out.slopeByK;
};

const gaussianRates: Closed = ([a, b], k, q1, q2, out) => {
  const [one, two] = [1 - 2 * b! * q1, 1 - 2 * b! * q2];
  const square = one * two - 4 * b! * b! * k * k;
  const root = Math.sqrt(square);
  const factor = (4 * a! * a! * b! * b!) / (square * root);
  out.kappa = (a! * a!) / root;
  out.slope = out.byK = factor * k;
  out.byQ1 = (out.kappa * b! * two) / square;
  out.byQ2 = (out.kappa * b! * one) / square;
  out.slopeByK = factor + (12 * b! * b! * k * out.slope) / square;
  out.slopeByQ1 = (3 * out.slope * b! * two) / square;
  out.slopeByQ2 = (3 * out.slope * b! * one) / square;
};

/** kappa = sqrt(k11 k22) exp(gamma (c + shift)). */
const normalized: Closed = ([gamma, shift], k, q1, q2, out) => {
  const { size, cosine } = angle(k, q1, q2);
  const e = exp(gamma! * (cosine + shift!));
  out.kappa = size * e;
  out.slope = out.byK = gamma! * e;
  out.slopeByK = size > 0 ? (gamma! * gamma! * e) / size : 0;
  byEuler(1, k, q1, q2, out);
};

/** kappa_n = size^n J_n / (2 pi), J_0 = pi - angle, J_1 = sine + cosine J_0, J_(j+1) = (2j+1) cosine J_j + j^2 sine^2 J_(j-1). */
const rectified: Closed = ([degree], k, q1, q2, out) => {
  const n = degree!;
  const { size, cosine, sine } = angle(k, q1, q2);
  const moments = [Math.PI - acos(cosine), 0];
  moments[1] = sine + cosine * moments[0]!;
  for (let j = 1; j < n; j++)
    moments.push((2 * j + 1) * cosine * moments[j]! + j * j * sine * sine * moments[j - 1]!);
  let scale = 1 / (2 * Math.PI);
  const kappas = moments.map((moment) => {
    const value = scale * moment;
    scale *= size;
    return value;
  });
  const density = sine > SMALLEST_SINE && size > 0 ? 1 / (2 * Math.PI * size * sine) : 0;
  out.kappa = size > 0 || n === 0 ? kappas[n]! : 0;
  out.slope = n > 0 ? n * n * kappas[n - 1]! : 0;
  out.byK = n > 0 ? out.slope : density;
  out.slopeByK = n > 1 ? n * n * (n - 1) ** 2 * kappas[n - 2]! : n * density;
  byEuler(n, k, q1, q2, out);
};

const fromJets =
  (rule: (k: Jet, q1: Jet, q2: Jet) => readonly [kappa: Jet, slope: Jet]): Closed =>
  (_params, k, q1, q2, out) => {
    const [kappa, slope] = rule(variable(k, 1), variable(q1, 2), variable(q2, 3));
    [out.kappa, out.byK, out.byQ1, out.byQ2] = kappa;
    [out.slope, out.slopeByK, out.slopeByQ1, out.slopeByQ2] = slope;
  };

const gelu = fromJets((k, q1, q2) => {
  const both = multiply(q1, q2);
  const grown = multiply(affine(q1, 1, 1), affine(q2, 1, 1));
  const kk = multiply(k, k);
  const gap = add(grown, affine(kk, -1));
  const ratio = multiply(k, power(gap, -0.5));
  const turn = atanOf(ratio);
  const first = multiply(add(kk, multiply(both, gap)), multiply(power(grown, -1), power(gap, -0.5)));
  const kappa = add(affine(add(first, multiply(k, turn)), 0.5 / Math.PI), affine(k, 0.25));
  const weight = add(power(gap, -1), multiply(affine(both, -1, 1), power(grown, -1)));
  const slope = affine(add(multiply(affine(weight, 1, 1), ratio), turn), 0.5 / Math.PI, 0.25);
  return [kappa, slope];
});

const gabor = fromJets((k, q1, q2) => {
  const sum = add(q1, q2);
  const both = multiply(q1, q2);
  const kk = multiply(k, k);
  const d = affine(add(both, affine(kk, -1)), 4);
  const q = add(affine(sum, 2, 1), d);
  const inverse = power(q, -1);
  const decay = expOf(multiply(affine(add(sum, d), -0.5), inverse));
  const ratio = multiply(k, inverse);
  const kappa = multiply(multiply(decay, sinhOf(ratio)), power(q, -0.5));
  const a = add(affine(sum, 2, 1), affine(add(kk, both), 4));
  const b = multiply(affine(k, 4), add(d, affine(sum, 3, 2)));
  const slope = multiply(
    multiply(decay, add(multiply(a, coshOf(ratio)), multiply(b, sinhOf(ratio)))),
    power(q, -2.5),
  );
  return [kappa, slope];
});

/** By the numbers of the kinds in assembly/dual.ts. */
const CLOSED: Readonly<Record<number, Closed>> = {
  1: bent,
  2: sign,
  3: erfRates,
  4: gelu,
  5: wave,
  6: exponential,
  7: gaussianRates,
  8: gabor,
  9: normalized,
  10: rectified,
};

/**
 * kappa = a0 a0 + k12 P, P = sum_l B_l B_l c^l, c = r1 r2 k12, r = k^(-1/2) for Hermite series and 1 for polynomials.
 * Stein's identity turns derivatives in a variance into shifts of the index: da0/dk = B_1 w / sqrt(2), and what c does
 * not already hold of dB_l/dk is E_l = sqrt((l+2)(l+3)) B_(l+2) / 2 w^2, w = r.
 */
interface Series {
  readonly lengths: Int32Array;
  /** c is a cosine. */
  readonly bounded: boolean;
  readonly a0: Float64Array;
  readonly a0Rate: Float64Array;
  readonly r: Float64Array;
  readonly b: readonly Float64Array[];
  readonly e: readonly Float64Array[];
}

function seriesOf(
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

function polynomialSeries(
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

function seriesRates(one: Series, two: Series, k: number, i: number, j: number, out: PairRates): void {
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
