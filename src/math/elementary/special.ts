// Error functions, the normal distribution, the logarithm of the gamma function and its derivative.
import { expNegative, log } from './exponential.js';
import { horner } from './horner.js';
import { sin, cos } from './trigonometric.js';

const f64 = new Float64Array(1);
const u32 = new Uint32Array(f64.buffer);

const ERF = [
  1.0726157378271507e-8, -1.571432054759021e-7, 1.6401609579465493e-6, -1.4922119982996698e-5,
  0.00012055199865431933, -0.0008548323788932836, 0.005223977576338078, -0.026866170640775802,
  0.1128379167093529, -0.376126389031834, 0.12837916709551256,
] as const;
/** (1 + 2 a) e^(a^2) erfc(a) in (a - 3.5) / (a + 3.5), after Shepherd & Laframboise (1981). */
const ERFC = [
  -6.207616572407395e-8, -6.049377276221435e-9, 5.610219149083258e-7, -4.683271119589943e-8,
  -3.786981876079869e-6, 2.330274500952197e-6, 2.424933732054911e-5, -4.278312551922248e-5,
  -0.00012150938455576288, 0.0005643846686917666, -0.0003022683618454206, -0.004215019950583205,
  0.019099330986837512, -0.048823325823720544, 0.08798315382279195, -0.1150895981603988, 0.09751909515329628,
  -0.010555596332214335, -0.14000918013761954, 1.2423492448711544,
] as const;

const erfNear = (a: number): number => a * horner(ERF, a * a) + a;
/** erfcx(a) for a >= .46. */
const erfcScaled = (a: number): number => horner(ERFC, (a - 3.5) / (a + 3.5)) / (a + a + 1);
/** The upper 26 bits of a, whose square is exact. */
function upperBits(a: number): number {
  f64[0] = a;
  u32[0] = u32[0]! & 0xf8000000;
  return f64[0];
}
/** erfc(a) for a >= .46; a^2 = h^2 + (a - h)(a + h). */
function erfcFar(a: number): number {
  if (a > 28) a = 28;
  const h = upperBits(a);
  return expNegative(h * h, (a - h) * (a + h), erfcScaled(a));
}

/** The error function. */
export function erf(x: number): number {
  if (x === 0 || Number.isNaN(x)) return x;
  const a = Math.abs(x);
  const value = a < 0.84375 ? erfNear(a) : 1 - erfcFar(a);
  return x < 0 ? -value : value;
}

/** 1 - erf(x), with full relative accuracy in the right tail. */
export function erfc(x: number): number {
  if (Number.isNaN(x)) return x;
  const a = Math.abs(x);
  if (a < 0.5) return 1 - (x < 0 ? -erfNear(a) : erfNear(a));
  return x < 0 ? 2 - erfcFar(a) : erfcFar(a);
}

/** P(Z <= x) of the standard normal, with full relative accuracy in the left tail. */
export function normalCdf(x: number): number {
  if (Number.isNaN(x)) return x;
  const a = Math.min(Math.abs(x), 39);
  if (a < 0.7) return 0.5 * (1 + erf(x * Math.SQRT1_2));
  const h = upperBits(a);
  const tail = expNegative(0.5 * h * h, 0.5 * (a - h) * (a + h), 0.5 * erfcScaled(a * Math.SQRT1_2));
  return x < 0 ? tail : 1 - tail;
}

// Wichura (1988), AS 241 (PPND16).
const MIDDLE_P = [
  2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
  13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608,
] as const;
const MIDDLE_Q = [
  5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
  5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1,
] as const;
const NEAR_P = [
  7.7454501427834140764e-4, 2.27238449892691845833e-2, 2.4178072517745061177e-1, 1.27045825245236838258,
  3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734,
] as const;
const NEAR_Q = [
  1.05075007164441684324e-9, 5.475938084995344946e-4, 1.51986665636164571966e-2, 1.4810397642748007459e-1,
  6.8976733498510000455e-1, 1.6763848301838038494, 2.05319162663775882187, 1,
] as const;
const FAR_P = [
  2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.2426609473880784386e-3, 2.6532189526576123093e-2,
  2.9656057182850489123e-1, 1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772,
] as const;
const FAR_Q = [
  2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4,
  1.48753612908506148525e-2, 1.3692988092273580531e-1, 5.9983220655588793769e-1, 1,
] as const;

/** The positive x with P(Z > x) = p, for p below .075. */
function upperQuantile(p: number): number {
  const r = Math.sqrt(-log(p));
  return r <= 5
    ? horner(NEAR_P, r - 1.6) / horner(NEAR_Q, r - 1.6)
    : horner(FAR_P, r - 5) / horner(FAR_Q, r - 5);
}

const middle = (q: number, r: number): number => (q * horner(MIDDLE_P, r)) / horner(MIDDLE_Q, r);

/** The standard normal quantile at 1/2 + q, |q| < 1/2. */
export function normalQuantileCentred(q: number): number {
  const r = 0.180625 - q * q;
  if (r >= 0) return middle(q, r);
  const x = upperQuantile(0.5 - Math.abs(q));
  return q < 0 ? -x : x;
}

/** The x with P(Z <= x) = p; -Infinity at 0, Infinity at 1, NaN outside [0, 1]. */
export function normalQuantile(p: number): number {
  if (!(p >= 0 && p <= 1)) return NaN;
  if (p === 0 || p === 1) return p === 0 ? -Infinity : Infinity;
  const q = p - 0.5;
  const r = 0.180625 - q * q;
  if (r >= 0) return middle(q, r);
  return q < 0 ? -upperQuantile(p) : upperQuantile(1 - p);
}

/** lgamma(1.5 + t) / ((t + .5) (t - .5)) for |t| <= .51. */
const LGAMMA_P = [
  7.046695624640923e-7, 0.0002607414166140744, 0.007757411398976566, 0.07969017771880368, 0.37753606878346113,
  0.9022721557096155, 1.0574682685042514, 0.4831289505409809,
] as const;
const LGAMMA_Q = [
  6.955307543196574e-5, 0.0033479026294952977, 0.05084171941156498, 0.35230160743141514, 1.2741128984778942,
  2.4898796506731626, 2.4909046809780815, 1,
] as const;
/** B_2k / (2k (2k - 1)), k = 8 ... 1. */
const STIRLING = [
  -0.029550653594771242, 0.00641025641025641, -0.0019175269175269176, 0.0008417508417508417,
  -0.0005952380952380953, 0.0007936507936507937, -0.002777777777777778, 0.08333333333333333,
] as const;
/** B_2k / 2k, k = 8 ... 1. */
const DIGAMMA_FAR = [
  -0.4432598039215686, 0.08333333333333333, -0.021092796092796094, 0.007575757575757576,
  -0.004166666666666667, 0.003968253968253968, -0.008333333333333333, 0.08333333333333333,
] as const;

/** log |Gamma(x)|; Infinity at 0, -1, -2, ... Errors: docs/accuracy.md; absolute 1e-15 near zeros at negative x. */
export function lgamma(x: number): number {
  if (Number.isNaN(x)) return x;
  if (Math.abs(x) === Infinity) return Infinity;
  if (x <= 0) {
    if (x === Math.floor(x)) return Infinity;
    return log(Math.PI / Math.abs(sinPi(x))) - lgamma(1 - x);
  }
  if (x < 1) return lgammaMiddle(x) - log(x);
  if (x >= 10) {
    const z = 1 / (x * x);
    return (x - 0.5) * (log(x) - 1) + (0.41893853320467274 + horner(STIRLING, z) / x);
  }
  let factor = 1;
  while (x > 2.01) factor *= --x;
  return lgammaMiddle(x - 1) + log(factor);
}
/** lgamma(1 + f), 0 <= f <= 1.01. */
function lgammaMiddle(f: number): number {
  const t = f - 0.5;
  return f * (f - 1) * (horner(LGAMMA_P, t) / horner(LGAMMA_Q, t));
}

/** sin(pi x), exact at multiples of 1/2. */
function sinPi(x: number): number {
  const r = x - 2 * Math.round(x / 2);
  const a = Math.abs(r);
  const value = a <= 0.25 ? sin(Math.PI * a) : a <= 0.75 ? cos(Math.PI * (0.5 - a)) : sin(Math.PI * (1 - a));
  return r < 0 ? -value : value;
}

/** digamma(x0 + t) / t around its zero x0 = 1.4616..., for 1 <= x <= 2. */
const DIGAMMA_P = [
  7.149408550070668e-6, 0.000627689518802546, 0.014562110278191646, 0.13849388776913338, 0.6169860718243925,
  1.2713942014670527, 0.9676722454476212,
] as const;
const DIGAMMA_Q = [
  1.1820852223462995e-6, 0.00015592204986670057, 0.004890536745298149, 0.06198458605400644,
  0.37969586843106845, 1.180986026397086, 1.7714235150536102, 1,
] as const;

/** The derivative of lgamma; NaN at 0, -1, -2, ... Absolute error about 1e-15 (1 + |digamma|). */
export function digamma(x: number): number {
  if (Number.isNaN(x) || x === -Infinity) return NaN;
  if (x <= 0) {
    if (x === Math.floor(x)) return NaN;
    return digamma(1 - x) - (Math.PI * sinPi(x + 0.5)) / sinPi(x);
  }
  let shift = 0;
  if (x >= 10) {
    const z = 1 / (x * x);
    return log(x) - (0.5 / x + z * horner(DIGAMMA_FAR, z));
  }
  for (; x > 2; shift += 1 / x) x -= 1;
  for (; x < 1; x += 1) shift -= 1 / x;
  const t = x - 1.4616321449683622 - 9.549995429965697e-17;
  return t * (horner(DIGAMMA_P, t) / horner(DIGAMMA_Q, t)) + shift;
}
