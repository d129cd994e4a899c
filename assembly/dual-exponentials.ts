// Rows of duals that are exponentials of covariances. See dual-rows.ts.
import { num, par, put } from './dual-parts';
import { exp_v, expm1_v } from './elementary';
import { madd, nmadd } from './simd';

/** phi(x) = a sin(b x + c). Table: b^2 k. Parameters: a, b, cos 2c, 1 - cos 2c. */
export function rowTrig<T>(n: i32, k: usize, t: usize, o: usize, inc: usize, w: usize, p: usize): void {
  const al = load<f64>(p), A = load<f64>(p, 32), B = load<f64>(p, 40), Cf = load<f64>(p, 48), Df = load<f64>(p, 56);
  const scale = num<T>(al * 0.5 * A * A), slope = num<T>(al * 0.5 * A * A * B * B), b2 = num<T>(B * B), C = num<T>(Cf), C1 = num<T>(Df);
  const beta = par<T>(p, 1), g = par<T>(p, 2), d = par<T>(p, 3), half = num<T>(0.5), one = num<T>(1), zero = num<T>(0);
  const end = k + <usize>n * sizeof<T>();
  do {
    const raw = v128.mul<T>(b2, v128.load(k)), x = v128.abs<T>(raw), negative = v128.lt<T>(raw, zero);
    // e^-(S/2 - |x|), the larger of the two exponentials, and their ratio minus one
    const E = exp_v<T>(v128.neg<T>(v128.pmax<T>(zero, v128.sub<T>(v128.mul<T>(half, v128.add<T>(v128.load(o), v128.load(w))), x))));
    const q = expm1_v<T>(v128.mul<T>(num<T>(-2), x));
    const y = v128.mul<T>(E, v128.bitselect(v128.add<T>(C1, q), nmadd<T>(C, q, C1), negative));
    const q1 = v128.add<T>(one, q);
    const z = v128.mul<T>(E, v128.bitselect(v128.add<T>(q1, C), madd<T>(C, q1, one), negative));
    const K = v128.mul<T>(scale, y), D = v128.mul<T>(slope, z);
    put<T>(k, t, K, D, beta, g, d);
    k += 16; t += 16; o += inc; w += 16;
  } while (k < end);
}

/** phi(x) = a exp(b x). Table: b^2 k. Parameters: a, b. */
export function rowExp<T>(n: i32, k: usize, t: usize, o: usize, inc: usize, w: usize, p: usize): void {
  const al = load<f64>(p), A = load<f64>(p, 32), B = load<f64>(p, 40);
  const scale = num<T>(al * A * A), b2 = num<T>(B * B), half = num<T>(0.5);
  const beta = par<T>(p, 1), g = par<T>(p, 2), d = par<T>(p, 3);
  const end = k + <usize>n * sizeof<T>();
  do {
    const x = madd<T>(b2, v128.load(k), v128.mul<T>(half, v128.add<T>(v128.load(o), v128.load(w))));
    const K = v128.mul<T>(scale, exp_v<T>(x)), D = v128.mul<T>(b2, K);
    put<T>(k, t, K, D, beta, g, d);
    k += 16; t += 16; o += inc; w += 16;
  } while (k < end);
}

/** phi(x) = a exp(b x^2). Tables: k, s. Parameters: a, b. */
export function rowGaussian<T>(n: i32, k: usize, t: usize, o: usize, os: usize, inc: usize, w: usize, ws: usize, p: usize): void {
  const al = load<f64>(p), A = load<f64>(p, 32), B = load<f64>(p, 40);
  const scale = num<T>(al * A * A), slope = num<T>(4 * B * B), b2 = num<T>(-2 * B), b4 = num<T>(4 * B * B);
  const beta = par<T>(p, 1), g = par<T>(p, 2), d = par<T>(p, 3), one = num<T>(1), zero = num<T>(0);
  const end = k + <usize>n * sizeof<T>();
  do {
    const x = v128.load(k), a = v128.mul<T>(v128.load(o + os), v128.load(w + ws));
    const m = v128.mul<T>(v128.pmax<T>(zero, v128.sub<T>(a, x)), v128.pmax<T>(zero, v128.add<T>(a, x)));
    const D1 = madd<T>(b4, m, madd<T>(b2, v128.add<T>(v128.load(o), v128.load(w)), one));
    const K = v128.div<T>(scale, v128.sqrt<T>(D1)), D = v128.mul<T>(v128.mul<T>(slope, v128.div<T>(x, D1)), K);
    put<T>(k, t, K, D, beta, g, d);
    k += 16; t += 16; o += inc; w += 16;
  } while (k < end);
}

/** sinh(x)/x as a polynomial of y = x^2, |x| <= 1/4. */
// @ts-ignore: decorator
@inline function sinhc<T>(y: v128): v128 {
  let r = num<T>(1.0 / 39916800.0);
  r = madd<T>(r, y, num<T>(1.0 / 362880.0)); r = madd<T>(r, y, num<T>(1.0 / 5040.0)); r = madd<T>(r, y, num<T>(1.0 / 120.0));
  return madd<T>(madd<T>(r, y, num<T>(1.0 / 6.0)), y, num<T>(1.0));
}
/** cosh(x), the same range. */
// @ts-ignore: decorator
@inline function coshs<T>(y: v128): v128 {
  let r = num<T>(1.0 / 3628800.0);
  r = madd<T>(r, y, num<T>(1.0 / 40320.0)); r = madd<T>(r, y, num<T>(1.0 / 720.0)); r = madd<T>(r, y, num<T>(1.0 / 24.0));
  return madd<T>(madd<T>(r, y, num<T>(0.5)), y, num<T>(1.0));
}

/** phi(x) = exp(-x^2) sin x. Tables: k, s. */
export function rowGabor<T>(n: i32, k: usize, t: usize, o: usize, os: usize, inc: usize, w: usize, ws: usize, p: usize): void {
  const al = par<T>(p, 0), beta = par<T>(p, 1), g = par<T>(p, 2), d = par<T>(p, 3);
  const one = num<T>(1), two = num<T>(2), three = num<T>(3), four = num<T>(4), zero = num<T>(0);
  const end = k + <usize>n * sizeof<T>();
  do {
    const x = v128.load(k), a = v128.mul<T>(v128.load(o + os), v128.load(w + ws)), S = v128.add<T>(v128.load(o), v128.load(w));
    const m = v128.mul<T>(four, v128.mul<T>(v128.pmax<T>(zero, v128.sub<T>(a, x)), v128.pmax<T>(zero, v128.add<T>(a, x))));
    const q = v128.add<T>(madd<T>(two, S, one), m), z = v128.div<T>(x, q), z2 = v128.mul<T>(z, z); // |z| < 1/4
    const e = v128.mul<T>(al, v128.div<T>(exp_v<T>(v128.div<T>(v128.mul<T>(num<T>(-0.5), v128.add<T>(S, m)), q)), v128.sqrt<T>(q)));
    const sh = v128.mul<T>(z, sinhc<T>(z2)), K = v128.mul<T>(e, sh);
    const A = v128.div<T>(madd<T>(four, madd<T>(x, x, v128.mul<T>(a, a)), madd<T>(two, S, one)), q);
    const B = v128.mul<T>(v128.mul<T>(four, z), v128.add<T>(madd<T>(three, S, m), two));
    const D = v128.mul<T>(v128.div<T>(e, q), madd<T>(A, coshs<T>(z2), v128.mul<T>(B, sh)));
    put<T>(k, t, K, D, beta, g, d);
    k += 16; t += 16; o += inc; w += 16;
  } while (k < end);
}

/** kappa = a exp(gamma (c + shift)), a floored at 1e-15. Tables: 1/s, s. Parameters: gamma, shift, clip. */
export function rowExpNormalized<T>(n: i32, k: usize, t: usize, o: usize, os: usize, inc: usize, w: usize, ws: usize, p: usize): void {
  const al = par<T>(p, 0), beta = par<T>(p, 1), g = par<T>(p, 2), d = par<T>(p, 3);
  const gamma = par<T>(p, 4), shift = par<T>(p, 5), clip = load<f64>(p, 48) != 0, floor = num<T>(1e-15), one = num<T>(1);
  const end = k + <usize>n * sizeof<T>();
  do {
    const a = v128.pmax<T>(floor, v128.mul<T>(v128.load(o + os), v128.load(w + ws)));
    let c = v128.div<T>(v128.load(k), a);
    if (clip) c = v128.pmax<T>(v128.pmin<T>(c, one), v128.neg<T>(one));
    const e = v128.mul<T>(al, exp_v<T>(v128.mul<T>(gamma, v128.add<T>(c, shift))));
    const K = v128.mul<T>(a, e), D = v128.mul<T>(gamma, e);
    put<T>(k, t, K, D, beta, g, d);
    k += 16; t += 16; o += inc; w += 16;
  } while (k < end);
}
