// exp, log and what follows from them. The steps and constants of assembly/elementary.ts, f64, in the same order.
import { horner } from './horner.js';

const f64 = new Float64Array(1);
const u32 = new Uint32Array(f64.buffer); // every engine this runs on is little-endian

const LN2_HI = 6.9314718036912381649e-1; // 32 bits, so that multiples up to 2^20 are exact
const LN2_LO = 1.90821492927058770002e-10;
const LOG2E = 1.4426950408889634;
const ROUND = 6755399441057790; // 1.5 * 2^52 + 2046: adding it rounds to whole numbers
const SQRT_HALF = 0x3fe6a09e; // its upper 32 bits

const EXP = [
  2.5100375929185925e-8, 2.762007600563138e-7, 2.7557268480106926e-6, 2.480152132210459e-5,
  0.00019841269863040675, 0.001388888891719689, 0.008333333333330065, 0.041666666666624164,
  0.16666666666666669, 0.5,
] as const;
const LOG = [
  0.14616449685043406, 0.15331721600556042, 0.18182889125261723, 0.2222221113479508, 0.28571428625975487,
  0.39999999999899505, 0.666666666666667,
] as const;
const TANH_P = [-0.000199177446743119, -0.020498786236636767, -0.3333333333333333] as const;
const TANH_Q = [0.00020653309825468497, 0.023291313919535702, 0.4614963587099068, 1] as const;
const SINH = [
  7.746178593018827e-13, 1.6057679623801638e-10, 2.5052117695907823e-8, 2.7557319191381816e-6,
  0.00019841269841324198, 0.008333333333333299, 0.16666666666666666,
] as const;

/** n = round(x / ln 2). */
const turns = (x: number): number => x * LOG2E + ROUND - ROUND;
const reduced = (x: number, n: number): number => x - n * LN2_HI - n * LN2_LO;
/** e^r - 1 for |r| <= ln 2 / 2. */
const expm1Small = (r: number): number => r * r * horner(EXP, r) + r;

/** 2^n for -1022 <= n <= 1023. */
function power2(n: number): number {
  u32[0] = 0;
  u32[1] = (n + 1023) << 20;
  return f64[0]!;
}
/** y 2^n in two steps, so that overflow and gradual underflow round once. */
function scaled(y: number, n: number): number {
  const half = n >> 1;
  return y * power2(half) * power2(n - half);
}
// Written so that NaN passes through.
const clamp = (x: number, low: number, high: number): number => (x < low ? low : x > high ? high : x);
const signed = (y: number, x: number): number => (x < 0 || Object.is(x, -0) ? -y : y);

/** e^x. */
export function exp(x: number): number {
  if (Number.isNaN(x)) return x;
  x = clamp(x, -746, 710);
  const n = turns(x);
  return scaled(expm1Small(reduced(x, n)) + 1, n);
}

/** e^(-h - l) g for h >= 0 and a small l: the tail of erfc. */
export function expNegative(h: number, l: number, g: number): number {
  const n = turns(-h);
  return scaled((expm1Small(reduced(-h, n) - l) + 1) * g, n);
}

/** e^x - 1, accurate near 0. */
export function expm1(x: number): number {
  if (Number.isNaN(x)) return x;
  const y = clamp(x, -40, 710);
  const n = turns(y);
  const value = scaled(1 - power2(-Math.min(n, 60)) + expm1Small(reduced(y, n)), n);
  return signed(Math.abs(value), x);
}

/** 1 / (1 + e^-x). */
export function sigmoid(x: number): number {
  const e = exp(-Math.abs(x));
  const s = 1 + e;
  const y = (x < 0 ? e : 1) / s;
  return y - y * ((e - (s - 1)) * (x < 0 ? 1 - y : y));
}

/** The hyperbolic tangent. */
export function tanh(x: number): number {
  const a = Math.abs(x);
  const z = a * a;
  const value = a < 0.625 ? a * z * (horner(TANH_P, z) / horner(TANH_Q, z)) + a : 1 - 2 / (exp(a + a) + 1);
  return signed(value, x);
}

/** e^a / 2, finite up to where sinh is. */
function halfExp(a: number): number {
  if (Number.isNaN(a)) return a;
  a = Math.min(a, 711);
  const n = turns(a);
  return scaled(expm1Small(reduced(a, n)) + 1, n - 1);
}
/** The hyperbolic sine. */
export function sinh(x: number): number {
  const a = Math.abs(x);
  const z = a * a;
  if (a < 1) return signed(a * z * horner(SINH, z) + a, x);
  const e = halfExp(a);
  return signed(e - 0.25 / e, x);
}
/** The hyperbolic cosine. */
export function cosh(x: number): number {
  const e = halfExp(Math.abs(x));
  return e + 0.25 / e;
}

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
  return e * LN2_HI + (f - (h - (s * (z * horner(LOG, z) + h) + (e * LN2_LO + low))));
}
const logOutside = (u: number): number => (u === 0 ? -Infinity : u > 0 ? u : NaN);

/** The natural logarithm; -Infinity at 0, NaN below. */
export function log(x: number): number {
  return x > 0 && x < Infinity ? logCorrected(x, 0) : logOutside(x);
}

/** log(1 + x), accurate near 0. */
export function log1p(x: number): number {
  const u = x + 1;
  if (!(u > 0 && u < Infinity)) return logOutside(u);
  return x === 0 ? x : logCorrected(u, (x - (u - 1)) / u);
}

/** log(1 + e^x), without overflow. */
export const softplus = (x: number): number => Math.max(x, 0) + log1p(exp(-Math.abs(x)));

/** x^y with the special cases of Math.pow; within 2 ulp. The logarithm is carried to about 70 bits. */
export function pow(x: number, y: number): number {
  if (y === 0) return 1;
  if (Number.isNaN(x) || Number.isNaN(y)) return NaN;
  const odd = Number.isInteger(y) && Math.abs(y) < 2 ** 53 && y % 2 !== 0;
  const a = Math.abs(x);
  const negative = (x < 0 || Object.is(x, -0)) && odd;
  if (a === 1) return Math.abs(y) === Infinity || (x < 0 && !Number.isInteger(y)) ? NaN : negative ? -1 : 1;
  if (Math.abs(y) === Infinity) return a > 1 === y > 0 ? Infinity : 0;
  if (a === 0 || a === Infinity) return signed(a > 1 === y > 0 ? Infinity : 0, negative ? -1 : 1);
  if (x < 0 && !Number.isInteger(y)) return NaN;
  if (Math.abs(y) > 2 ** 64) return signed(a > 1 === y > 0 ? Infinity : 0, negative ? -1 : 1);
  return negative ? -powPositive(a, y) : powPositive(a, y);
}

/** [high, low] of a * b (Dekker). */
function product(a: number, b: number): [number, number] {
  const [p, q] = [a * 134217729, b * 134217729];
  const [ah, bh] = [p - (p - a), q - (q - b)];
  const [al, bl] = [a - ah, b - bh];
  const high = a * b;
  return [high, ah * bh - high + ah * bl + al * bh + al * bl];
}
/** [high, low] of a + b (Knuth). */
function sum(a: number, b: number): [number, number] {
  const high = a + b;
  const t = high - a;
  return [high, a - (high - t) + (b - t)];
}

/** log((1 + s) / (1 - s)) = 2 s + s z (2/3 + z R(z)), z = s^2; here R. */
const ATANH = [
  0.11723178623876518, 0.11706236339491206, 0.1333480469384731, 0.1538459496251843, 0.18181818335392802,
  0.22222222221655885, 0.28571428571429364, 0.4,
] as const;

function powPositive(a: number, y: number): number {
  let e = 0;
  if (a < 2 ** -1022) {
    a *= 2 ** 54;
    e = -54;
  }
  f64[0] = a;
  const shift = (u32[1]! - SQRT_HALF) >> 20;
  u32[1] = u32[1]! - (shift << 20);
  e += shift;
  const m = f64[0];
  const f = m - 1;
  // s = f / (2 + f) in two parts: the remainder of the division is exact to first order
  const [d, dLow] = sum(m, 1);
  const s = f / d;
  const [p, pLow] = product(s, d);
  const sLow = (f - p - pLow - s * dLow) / d;
  const [z, zLow] = product(s, s);
  // s z 2/3 in two parts, the rest in one
  const [c, cLow] = product(z, 0.6666666666666666);
  const third = cLow + z * 3.700743415417188e-17 + (zLow + 2 * s * sLow) * 0.6666666666666666;
  const [g, gLow] = product(s, c);
  const [h, hLow] = sum(2 * s, g);
  const tail = hLow + (2 * sLow + gLow + s * third + sLow * c + s * (z * z * horner(ATANH, z)));
  const [l, lLow] = sum(e * LN2_HI, h);
  const low = lLow + (tail + e * LN2_LO);
  const [high, rest] = sum(l, low);
  // y (high + rest)
  const [t, tLow] = product(y, high);
  if (!(Math.abs(t) < 800)) return t > 0 ? Infinity : 0;
  const n = turns(t);
  return scaled(expm1Small(reduced(t, n) + (tLow + y * rest)) + 1, n);
}
