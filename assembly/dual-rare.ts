// Rows of the rarer duals: one loop for all of them, in f64 for both dtypes, two entries at a time. See dual-rows.ts.
import { acosPoly, almostOne, PI } from './dual-parts';
import { exp_v, expm1_v } from './elementary';
import { madd, nmadd } from './simd';

// @ts-ignore: decorator
@inline function num(x: f64): v128 { return f64x2.splat(x); }
// @ts-ignore: decorator
@inline function par(p: usize, i: usize): v128 { return v128.load64_splat(p + i * 8); }

/** Two numbers of either dtype. */
// @ts-ignore: decorator
@inline function get(single: bool, p: usize): v128 { return single ? f64x2.promote_low_f32x4(v128.load64_zero(p)) : v128.load(p); }
// @ts-ignore: decorator
@inline function set(single: bool, p: usize, x: v128): void { if (single) v128.store64_lane(p, f32x4.demote_f64x2_zero(x), 0); else v128.store(p, x); }

/** Writes K <- y + beta and T <- D T + g y + d. */
function put(single: bool, k: usize, t: usize, y: v128, D: v128, p: usize): void {
  set(single, k, f64x2.add(y, par(p, 1)));
  set(single, t, madd<f64>(D, get(single, t), madd<f64>(par(p, 2), y, par(p, 3))));
}

/** phi(x) = a sin(b x + c). Table: b^2 k, S the sum of both sides. Parameters: a, b, cos 2c, 1 - cos 2c. */
function trig(single: bool, k: usize, t: usize, x: v128, S: v128, p: usize): void {
  const al = load<f64>(p), A = load<f64>(p, 32), B = load<f64>(p, 40), C = par(p, 6), C1 = par(p, 7), zero = num(0);
  const raw = f64x2.mul(num(B * B), x), negative = f64x2.lt(raw, zero);
  x = f64x2.abs(raw);
  // e^-(S/2 - |x|), the larger of the two exponentials, and their ratio minus one
  const E = exp_v<f64>(f64x2.neg(f64x2.pmax(zero, f64x2.sub(f64x2.mul(num(0.5), S), x))));
  const q = expm1_v<f64>(f64x2.mul(num(-2), x)), q1 = f64x2.add(num(1), q);
  const y = f64x2.mul(E, v128.bitselect(f64x2.add(C1, q), nmadd<f64>(C, q, C1), negative));
  const z = f64x2.mul(E, v128.bitselect(f64x2.add(q1, C), madd<f64>(C, q1, num(1)), negative));
  put(single, k, t, f64x2.mul(num(al * 0.5 * A * A), y), f64x2.mul(num(al * 0.5 * A * A * B * B), z), p);
}

/** phi(x) = a exp(b x). Table: b^2 k. Parameters: a, b. */
function exp(single: bool, k: usize, t: usize, x: v128, S: v128, p: usize): void {
  const A = load<f64>(p, 32), B = load<f64>(p, 40), b2 = num(B * B);
  const K = f64x2.mul(num(load<f64>(p) * A * A), exp_v<f64>(madd<f64>(b2, x, f64x2.mul(num(0.5), S))));
  put(single, k, t, K, f64x2.mul(b2, K), p);
}

/** (a - x)(a + x): the determinant of a covariance, a = s s'. */
// @ts-ignore: decorator
@inline function determinant(a: v128, x: v128): v128 { return f64x2.mul(f64x2.pmax(num(0), f64x2.sub(a, x)), f64x2.pmax(num(0), f64x2.add(a, x))); }

/** phi(x) = a exp(b x^2). Tables: k, s. Parameters: a, b. */
function gaussian(single: bool, k: usize, t: usize, x: v128, S: v128, a: v128, p: usize): void {
  const A = load<f64>(p, 32), B = load<f64>(p, 40), b4 = num(4 * B * B);
  const D1 = madd<f64>(b4, determinant(a, x), madd<f64>(num(-2 * B), S, num(1)));
  const K = f64x2.div(num(load<f64>(p) * A * A), f64x2.sqrt(D1));
  put(single, k, t, K, f64x2.mul(f64x2.mul(b4, f64x2.div(x, D1)), K), p);
}

/** sinh(x)/x as a polynomial of y = x^2, |x| <= 1/4. */
// @ts-ignore: decorator
@inline function sinhc(y: v128): v128 {
  let r = madd<f64>(num(1.0 / 39916800.0), y, num(1.0 / 362880.0));
  r = madd<f64>(r, y, num(1.0 / 5040.0)); r = madd<f64>(r, y, num(1.0 / 120.0));
  return madd<f64>(madd<f64>(r, y, num(1.0 / 6.0)), y, num(1.0));
}
/** cosh(x), the same range. */
// @ts-ignore: decorator
@inline function coshs(y: v128): v128 {
  let r = madd<f64>(num(1.0 / 3628800.0), y, num(1.0 / 40320.0));
  r = madd<f64>(r, y, num(1.0 / 720.0)); r = madd<f64>(r, y, num(1.0 / 24.0));
  return madd<f64>(madd<f64>(r, y, num(0.5)), y, num(1.0));
}

/** phi(x) = exp(-x^2) sin x. Tables: k, s. */
function gabor(single: bool, k: usize, t: usize, x: v128, S: v128, a: v128, p: usize): void {
  const one = num(1), two = num(2), four = num(4), m = f64x2.mul(four, determinant(a, x));
  const r = madd<f64>(two, S, one), q = f64x2.add(r, m), z = f64x2.div(x, q), z2 = f64x2.mul(z, z); // |z| < 1/4
  const e = f64x2.mul(par(p, 0), f64x2.div(exp_v<f64>(f64x2.div(f64x2.mul(num(-0.5), f64x2.add(S, m)), q)), f64x2.sqrt(q)));
  const sh = f64x2.mul(z, sinhc(z2));
  const A = f64x2.div(madd<f64>(four, madd<f64>(x, x, f64x2.mul(a, a)), r), q);
  const B = f64x2.mul(f64x2.mul(four, z), f64x2.add(madd<f64>(num(3), S, m), two));
  put(single, k, t, f64x2.mul(e, sh), f64x2.mul(f64x2.div(e, q), madd<f64>(A, coshs(z2), f64x2.mul(B, sh))), p);
}

/** kappa = a exp(gamma (c + shift)). Tables: 1/s, s. Parameters: gamma, shift, clip. Of two variables of variance 0 c is 1. */
function expNormalized(single: bool, k: usize, t: usize, x: v128, r: v128, s: v128, a: v128, p: usize): void {
  const still = v128.and(f64x2.eq(r, num(0)), f64x2.eq(s, num(0)));
  let c = v128.bitselect(num(1), f64x2.mul(f64x2.mul(x, r), s), still);
  if (load<f64>(p, 48) != 0) c = f64x2.pmax(f64x2.pmin(c, num(1)), num(-1));
  const e = f64x2.mul(par(p, 0), exp_v<f64>(f64x2.mul(par(p, 4), f64x2.add(c, par(p, 5)))));
  put(single, k, t, f64x2.mul(a, e), f64x2.mul(par(p, 4), e), p);
}

/**
 * phi(x) = [x > 0] x^n: kappa = a^n J_n/(2 pi), kappa' = n^2 a^(n-1) J_(n-1)/(2 pi), J_0 = pi - theta,
 * J_1 = sin + (pi - theta) cos, J_(j+1) = (2j+1) cos J_j + j^2 sin^2 J_(j-1). Tables: 1/s, s. Parameter: n.
 * A variable of variance 0 is 0, where phi and its left derivative vanish.
 */
function rectifiedMonomial(single: bool, k: usize, t: usize, x: v128, r: v128, s: v128, a: v128, p: usize): void {
  const degree = <i32>load<f64>(p, 32), q = num(load<f64>(p) / (2 * PI)), one = num(1);
  const c = f64x2.mul(f64x2.mul(x, r), s), size = f64x2.abs(c), limit = num(single ? almostOne<f32>() : almostOne<f64>());
  const ca = v128.bitselect(one, size, f64x2.ge(size, limit)), moves = f64x2.gt(f64x2.mul(r, s), num(0)), negative = f64x2.lt(c, num(0));
  const v = f64x2.sqrt(f64x2.add(one, ca)), u = f64x2.sqrt(f64x2.sub(one, ca)), e = f64x2.mul(u, acosPoly<f64>(v));
  const sin = f64x2.mul(u, v), sin2 = f64x2.mul(sin, sin), cos = v128.bitselect(f64x2.neg(ca), ca, negative);
  let low = v128.bitselect(e, f64x2.sub(num(PI), e), negative); // J_0 = pi - theta
  let high = madd<f64>(low, cos, sin), before = num(0), power = one; // J_1; J_(n-1) and a^(n-1)
  for (let j = 1; j <= degree; j++) {
    const next = madd<f64>(num(<f64>(j * j)), f64x2.mul(sin2, low), f64x2.mul(num(<f64>(2 * j + 1)), f64x2.mul(cos, high)));
    before = low; low = high; high = next;
    if (j > 1) power = f64x2.mul(power, a);
  }
  const n2 = num(<f64>degree * <f64>degree), full = degree > 0 ? f64x2.mul(power, a) : one;
  const K = f64x2.mul(q, f64x2.mul(full, low)), D = f64x2.mul(f64x2.mul(q, n2), f64x2.mul(power, before));
  put(single, k, t, v128.and(K, moves), v128.and(D, moves), p);
}

/** Kinds 5 to 10 of dual.ts on a row of n entries, a multiple of 16 bytes. */
export function rowRare(single: bool, kind: i32, n: i32, k: usize, t: usize, o: usize, os: usize, inc: usize, w: usize, ws: usize, p: usize): void {
  const step: usize = single ? 8 : 16;
  if (single) inc >>= 1;
  for (const end = k + ((<usize>n << 2) << <usize>(!single)); k < end; k += step, t += step, o += inc, w += step) {
    const x = get(single, k), r = get(single, o), s = get(single, w), S = f64x2.add(r, s);
    if (kind == 5) { trig(single, k, t, x, S, p); continue; }
    if (kind == 6) { exp(single, k, t, x, S, p); continue; }
    const a = f64x2.mul(get(single, o + os), get(single, w + ws));
    if (kind == 7) gaussian(single, k, t, x, S, a, p);
    else if (kind == 8) gabor(single, k, t, x, S, a, p);
    else if (kind == 9) expNormalized(single, k, t, x, r, s, a, p);
    else rectifiedMonomial(single, k, t, x, r, s, a, p);
  }
}
