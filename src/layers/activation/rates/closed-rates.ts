// Derivatives of the duals in closed form: Cho & Saul 2009 (arc-cosine), Williams 1997 (erf); those of homogeneous phi follow
// from Euler's identity 2 k11 F_11 + k12 F_12 = n F.
import { acos, asin, exp } from '../../../math/elementary.js';
import type { PairRates } from './pair-rates.js';
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

type Closed = (params: readonly number[], k: number, q1: number, q2: number, out: PairRates) => void;

/** n where phi(s x) = s^n phi(x), whose kappa = const k^n; expNormalized has such a kernel with n = 1. */
export function homogeneity(kind: number, params: readonly number[]): number | null {
  return kind === 1 || kind === 9 ? 1 : kind === 2 ? 0 : kind === 10 ? params[0]! : null;
}

/** As in assembly/dual-parts.ts: from here on |c| is 1. */
const ALMOST_ONE = 1 - 2 ** -49;

function angle(k: number, q1: number, q2: number): { size: number; cosine: number; sine: number } {
  const size = Math.sqrt(q1) * Math.sqrt(q2);
  const ratio = size > 0 ? k / size : 0;
  const cosine = Math.abs(ratio) >= ALMOST_ONE ? Math.sign(ratio) : ratio;
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
  // A variable of variance 0 is at the kink, where the left derivative counts.
  if (size === 0) out.slope = out.byK = q1 === 0 && q2 === 0 ? a! * a! : (a! * (a! + b!)) / 2;
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
  out.kappa = size > 0 ? kappas[n]! : 0;
  out.slope = n > 0 && size > 0 ? n * n * kappas[n - 1]! : 0;
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
export const CLOSED: Readonly<Record<number, Closed>> = {
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
