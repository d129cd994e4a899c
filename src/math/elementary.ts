// Elementary functions of one number in plain f64 arithmetic: equal bits in every engine (Math.exp and its kin differ),
// and the bits of the f64 kernels of assembly/elementary.ts in the `simd` variant. Errors: docs/accuracy.md.
const f64 = new Float64Array(1);
const u32 = new Uint32Array(f64.buffer); // every engine this runs on is little-endian

const LN2_HI = 6.9314718036912381649e-1; // 32 bits, so that multiples up to 2^20 are exact
const LN2_LO = 1.90821492927058770002e-10;
const SQRT_HALF = 0x3fe6a09e; // its upper 32 bits

/** c[0] x^n + ... + c[n]. */
function horner(c: readonly number[], x: number): number {
  let y = c[0]!;
  for (let i = 1; i < c.length; i++) y = y * x + c[i]!;
  return y;
}

const LOG = [
  0.14616449685043406, 0.15331721600556042, 0.18182889125261723, 0.2222221113479508, 0.28571428625975487,
  0.39999999999899505, 0.666666666666667,
] as const;

/** log(u) + low for finite u > 0 and a correction `low` far below u: u = 2^e (1 + f), s = f / (2 + f). */
function logCorrected(u: number, low: number): number {
  let e = 0;
  if (u < 2 ** -1022) {
    u *= 2 ** 54;
    e = -54;
  }
  f64[0] = u;
  const shift = (u32[1]! - SQRT_HALF) >> 20;
  u32[1] = u32[1]! - (shift << 20);
  e += shift;
  const f = f64[0] - 1;
  const s = f / (2 + f);
  const z = s * s;
  const h = 0.5 * f * f;
  return e * LN2_HI + (f - (h - (s * (h + z * horner(LOG, z)) + (e * LN2_LO + low))));
}

/** The natural logarithm; -Infinity at 0, NaN below. */
export function log(x: number): number {
  if (x > 0 && x < Infinity) return logCorrected(x, 0);
  return x === 0 ? -Infinity : x > 0 ? x : NaN;
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
