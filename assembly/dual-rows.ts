// Duals of activations with a closed form, one row of entries at a time: kappa = E[phi(u) phi(v)] and its derivative
// kappa' = E[phi'(u) phi'(v)] for (u, v) ~ N(0, [[k11, k12], [k12, k22]]), fused with the affine layer that follows:
//   K <- alpha kappa + beta,   T <- alpha kappa' T + g alpha kappa + d.
// Every angle comes from one polynomial P: acos(c) = sqrt(1-c) P(sqrt(1+c)) on c in [0, 1] (nearest singularity at
// -sqrt 2, so degree 10 reaches f64 and degree 4 reaches f32) and asin(c) = c P(v)/v, v = sqrt(1 + cos). Two square roots replace atan2.
import { exp_v, expm1_v } from './elementary';
import { madd, nmadd } from './simd';

const ACOS_F64: usize = memory.data<f64>([
  2.221315381628138, -0.9987500953317526, 0.5496351500678471, -0.3172207256071032, 0.17694904482708637, -0.08841021561401255,
  0.03676525351015133, -0.01183984465034926, 0.002717209337712355, -0.0003912280922095196, 0.00002639671938810399,
], 16);
const ACOS_F32: usize = memory.data<f32>([
  2.2032341132456597, -0.9107672670414393, 0.3666602413119045, -0.10157476114104075, 0.013243943384732197,
], 16);
const PI: f64 = 3.14159265358979323846;

// @ts-ignore: decorator
@inline function at<T>(i: i32): v128 {
  if (sizeof<T>() == 4) return i < 5 ? v128.load_splat<T>(ACOS_F32 + <usize>i * 4) : v128.splat<T>(<T>0);
  return v128.load_splat<T>(ACOS_F64 + <usize>i * 8);
}
// @ts-ignore: decorator
@inline function par<T>(p: usize, i: i32): v128 { return v128.splat<T>(<T>load<f64>(p + <usize>i * 8)); }
// @ts-ignore: decorator
@inline function num<T>(x: f64): v128 { return v128.splat<T>(<T>x); }

/** P(v), v in [1, sqrt 2]. */
// @ts-ignore: decorator
@inline function poly<T>(v: v128, c0: v128, c1: v128, c2: v128, c3: v128, c4: v128, c5: v128, c6: v128, c7: v128, c8: v128, c9: v128, c10: v128): v128 {
  let r = c4;
  if (sizeof<T>() == 8) {
    r = madd<T>(c10, v, c9); r = madd<T>(r, v, c8); r = madd<T>(r, v, c7); r = madd<T>(r, v, c6); r = madd<T>(r, v, c5); r = madd<T>(r, v, c4);
  }
  r = madd<T>(r, v, c3); r = madd<T>(r, v, c2); r = madd<T>(r, v, c1);
  return madd<T>(r, v, c0);
}

/** Writes K <- y + beta and T <- D T + g y + d. */
// @ts-ignore: decorator
@inline function put<T>(k: usize, t: usize, y: v128, D: v128, beta: v128, g: v128, d: v128): void {
  v128.store(k, v128.add<T>(y, beta)); v128.store(t, madd<T>(D, v128.load(t), madd<T>(g, y, d)));
}

/** sin e - e cos e for e < 0.3, without cancellation. */
// @ts-ignore: decorator
@inline function sinMinus<T>(e: v128): v128 {
  const x = v128.mul<T>(e, e);
  let r = num<T>(-12.0 / 6227020800.0);
  r = madd<T>(r, x, num<T>(1.0 / 3991680.0)); r = madd<T>(r, x, num<T>(-1.0 / 45360.0));
  r = madd<T>(r, x, num<T>(1.0 / 840.0)); r = madd<T>(r, x, num<T>(-1.0 / 30.0)); r = madd<T>(r, x, num<T>(1.0 / 3.0));
  return v128.mul<T>(v128.mul<T>(x, e), r);
}

/** phi(x) = A min(x, 0) + B max(x, 0). Tables: 1/s, s (s = standard deviation). Parameters: A, B. */
function rowAbRelu<T>(n: i32, k: usize, t: usize, o: usize, os: usize, inc: usize, w: usize, ws: usize, p: usize): void {
  const c0 = at<T>(0), c1 = at<T>(1), c2 = at<T>(2), c3 = at<T>(3), c4 = at<T>(4), c5 = at<T>(5);
  const c6 = at<T>(6), c7 = at<T>(7), c8 = at<T>(8), c9 = at<T>(9), c10 = at<T>(10);
  const al = load<f64>(p), A = load<f64>(p, 32), B = load<f64>(p, 40);
  const G = num<T>(al * (A - B) * (A - B) / (2 * PI)), E1 = num<T>(al * 0.5 * (A * A + B * B)), E2 = num<T>(-al * A * B);
  const beta = par<T>(p, 1), g = par<T>(p, 2), d = par<T>(p, 3), one = num<T>(1), zero = num<T>(0), near = num<T>(0.3);
  const end = k + <usize>n * sizeof<T>();
  do {
    const S = v128.load(k);
    const a = v128.mul<T>(v128.load(o + os), v128.load(w + ws));
    const c = v128.mul<T>(v128.mul<T>(S, v128.load(o)), v128.load(w));
    let K: v128, D: v128;
    const negative = v128.lt<T>(c, zero);
    if (v128.any_true(negative)) {
      const ca = v128.pmin<T>(v128.abs<T>(c), one);
      const v = v128.sqrt<T>(v128.add<T>(one, ca)), u = v128.sqrt<T>(v128.sub<T>(one, ca));
      const e = v128.mul<T>(u, poly<T>(v, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10));
      let h = nmadd<T>(e, ca, v128.mul<T>(u, v));
      const small = v128.lt<T>(e, near);
      if (v128.any_true(small)) h = v128.bitselect(sinMinus<T>(e), h, small);
      const ge = v128.mul<T>(G, e), plus = nmadd<T>(G, e, E1);
      // Lanes with c >= 0 as below, so that the bits of an entry do not depend on its neighbours.
      const low = v128.mul<T>(a, madd<T>(G, h, v128.mul<T>(ca, E2)));
      const high = madd<T>(plus, S, v128.mul<T>(v128.mul<T>(a, G), v128.mul<T>(u, v)));
      K = v128.bitselect(low, high, negative);
      D = v128.bitselect(v128.sub<T>(ge, E2), plus, negative);
    } else {
      const ca = v128.pmin<T>(c, one);
      const v = v128.sqrt<T>(v128.add<T>(one, ca)), u = v128.sqrt<T>(v128.sub<T>(one, ca));
      const e = v128.mul<T>(u, poly<T>(v, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10));
      D = nmadd<T>(G, e, E1);
      K = madd<T>(D, S, v128.mul<T>(v128.mul<T>(a, G), v128.mul<T>(u, v)));
    }
    put<T>(k, t, K, D, beta, g, d);
    k += 16; t += 16; o += inc; w += 16;
  } while (k < end);
}

/** phi = sign. kappa = 1 - 2 theta/pi, kappa' = 0. Tables: 1/s, s. */
function rowSign<T>(n: i32, k: usize, t: usize, o: usize, inc: usize, w: usize, p: usize): void {
  const c0 = at<T>(0), c1 = at<T>(1), c2 = at<T>(2), c3 = at<T>(3), c4 = at<T>(4), c5 = at<T>(5);
  const c6 = at<T>(6), c7 = at<T>(7), c8 = at<T>(8), c9 = at<T>(9), c10 = at<T>(10);
  const al = par<T>(p, 0), beta = par<T>(p, 1), g = par<T>(p, 2), d = par<T>(p, 3), one = num<T>(1), zero = num<T>(0), two = num<T>(2 / PI);
  const end = k + <usize>n * sizeof<T>();
  do {
    const c = v128.mul<T>(v128.mul<T>(v128.load(k), v128.load(o)), v128.load(w));
    // asin(|c|) without cancellation near 0: |c| P(v)/v with cos = sqrt((1-c)(1+c))
    const ca = v128.pmin<T>(v128.abs<T>(c), one);
    const cos = v128.sqrt<T>(v128.mul<T>(v128.sub<T>(one, ca), v128.add<T>(one, ca)));
    const v = v128.sqrt<T>(v128.add<T>(one, cos));
    const asin = v128.div<T>(v128.mul<T>(ca, poly<T>(v, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10)), v);
    const x = v128.mul<T>(two, asin);
    put<T>(k, t, v128.mul<T>(al, v128.bitselect(v128.neg<T>(x), x, v128.lt<T>(c, zero))), zero, beta, g, d);
    k += 16; t += 16; o += inc; w += 16;
  } while (k < end);
}

/** phi(x) = a erf(b x) + c. Tables: 1/sqrt(1 + 2K), sqrt(K), K = b^2 k. Parameters: a, b, c. */
function rowErf<T>(n: i32, k: usize, t: usize, o: usize, os: usize, inc: usize, w: usize, ws: usize, p: usize): void {
  const c0 = at<T>(0), c1 = at<T>(1), c2 = at<T>(2), c3 = at<T>(3), c4 = at<T>(4), c5 = at<T>(5);
  const c6 = at<T>(6), c7 = at<T>(7), c8 = at<T>(8), c9 = at<T>(9), c10 = at<T>(10);
  const al = load<f64>(p), A = load<f64>(p, 32), B = load<f64>(p, 40), C = load<f64>(p, 48);
  const scale = num<T>(al * 2 * A * A / PI), slope = num<T>(al * 4 * A * A * B * B / PI), b2 = num<T>(B * B);
  const mean = num<T>(al * C * C), beta = par<T>(p, 1), g = par<T>(p, 2), d = par<T>(p, 3), one = num<T>(1), zero = num<T>(0), two = num<T>(2);
  const end = k + <usize>n * sizeof<T>();
  do {
    const s1 = v128.load(o + os), s2 = v128.load(w + ws), x = v128.mul<T>(b2, v128.load(k));
    const rr = v128.mul<T>(v128.load(o), v128.load(w)), a = v128.mul<T>(s1, s2);
    // cos^2 = (1 + 2(K11 + K22) + 4(K11 K22 - K12^2)) / ((1 + 2 K11)(1 + 2 K22)), the last difference as a product
    const m = v128.mul<T>(v128.mul<T>(v128.pmax<T>(zero, v128.sub<T>(a, x)), rr), v128.mul<T>(v128.pmax<T>(zero, v128.add<T>(a, x)), rr));
    const sum = v128.mul<T>(madd<T>(two, madd<T>(s1, s1, v128.mul<T>(s2, s2)), one), rr);
    const cos = v128.sqrt<T>(madd<T>(v128.mul<T>(two, two), m, v128.mul<T>(sum, rr)));
    const v = v128.sqrt<T>(v128.add<T>(one, cos));
    const P = poly<T>(v, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10);
    const i = v128.div<T>(one, v128.mul<T>(cos, v));
    const asin = v128.mul<T>(v128.mul<T>(v128.mul<T>(two, x), rr), v128.mul<T>(v128.mul<T>(P, cos), i));
    const K = madd<T>(scale, asin, mean);
    const D = v128.mul<T>(v128.mul<T>(slope, rr), v128.mul<T>(v, i));
    put<T>(k, t, K, D, beta, g, d);
    k += 16; t += 16; o += inc; w += 16;
  } while (k < end);
}

/** phi(x) = x Phi(x). Tables: 1/sqrt(1 + k), s. */
function rowGelu<T>(n: i32, k: usize, t: usize, o: usize, os: usize, inc: usize, w: usize, ws: usize, p: usize): void {
  const c0 = at<T>(0), c1 = at<T>(1), c2 = at<T>(2), c3 = at<T>(3), c4 = at<T>(4), c5 = at<T>(5);
  const c6 = at<T>(6), c7 = at<T>(7), c8 = at<T>(8), c9 = at<T>(9), c10 = at<T>(10);
  const al = load<f64>(p), q = num<T>(al / (2 * PI)), quarter = num<T>(0.25 * al);
  const beta = par<T>(p, 1), g = par<T>(p, 2), d = par<T>(p, 3), one = num<T>(1), zero = num<T>(0);
  const end = k + <usize>n * sizeof<T>();
  do {
    const r1 = v128.load(o), r2 = v128.load(w), s1 = v128.load(o + os), s2 = v128.load(w + ws), x = v128.load(k);
    const rr = v128.mul<T>(r1, r2), a = v128.mul<T>(s1, s2), c = v128.mul<T>(v128.mul<T>(x, r1), r2);
    const m = v128.mul<T>(v128.mul<T>(v128.pmax<T>(zero, v128.sub<T>(a, x)), rr), v128.mul<T>(v128.pmax<T>(zero, v128.add<T>(a, x)), rr));
    const sum = v128.mul<T>(v128.add<T>(one, madd<T>(s1, s1, v128.mul<T>(s2, s2))), rr);
    const cos = v128.sqrt<T>(madd<T>(sum, rr, m)), v = v128.sqrt<T>(v128.add<T>(one, cos));
    const asin = v128.div<T>(v128.mul<T>(c, poly<T>(v, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10)), v);
    const u = v128.div<T>(rr, cos); // 1/sqrt(D2): the determinant of 1 + covariance
    const rho = v128.mul<T>(v128.mul<T>(s1, r1), v128.mul<T>(s2, r2));
    // (k12^2 + P D2)/(P1 De) = c^2/De + rho^2 De, and (1/D2 + r1^2 + r2^2) k12/De
    let y = madd<T>(v128.mul<T>(c, c), u, v128.div<T>(v128.mul<T>(rho, rho), u));
    y = madd<T>(x, asin, y);
    const K = madd<T>(q, y, v128.mul<T>(quarter, x));
    const z = v128.mul<T>(madd<T>(u, u, madd<T>(r1, r1, v128.mul<T>(r2, r2))), v128.mul<T>(x, u));
    const D = madd<T>(q, v128.add<T>(z, asin), quarter);
    put<T>(k, t, K, D, beta, g, d);
    k += 16; t += 16; o += inc; w += 16;
  } while (k < end);
}

/** phi(x) = a sin(b x + c). Table: b^2 k. Parameters: a, b, cos 2c, 1 - cos 2c. */
function rowTrig<T>(n: i32, k: usize, t: usize, o: usize, inc: usize, w: usize, p: usize): void {
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
function rowExp<T>(n: i32, k: usize, t: usize, o: usize, inc: usize, w: usize, p: usize): void {
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
function rowGaussian<T>(n: i32, k: usize, t: usize, o: usize, os: usize, inc: usize, w: usize, ws: usize, p: usize): void {
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
function rowGabor<T>(n: i32, k: usize, t: usize, o: usize, os: usize, inc: usize, w: usize, ws: usize, p: usize): void {
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
function rowExpNormalized<T>(n: i32, k: usize, t: usize, o: usize, os: usize, inc: usize, w: usize, ws: usize, p: usize): void {
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

/**
 * phi(x) = [x >= 0] x^n: kappa = a^n J_n/(2 pi), kappa' = n^2 a^(n-1) J_(n-1)/(2 pi), J_0 = pi - theta,
 * J_1 = sin + (pi - theta) cos, J_(j+1) = (2j+1) cos J_j + j^2 sin^2 J_(j-1). Tables: 1/s, s. Parameter: n.
 */
function rowRectifiedMonomial<T>(n: i32, k: usize, t: usize, o: usize, os: usize, inc: usize, w: usize, ws: usize, p: usize): void {
  const c0 = at<T>(0), c1 = at<T>(1), c2 = at<T>(2), c3 = at<T>(3), c4 = at<T>(4), c5 = at<T>(5);
  const c6 = at<T>(6), c7 = at<T>(7), c8 = at<T>(8), c9 = at<T>(9), c10 = at<T>(10);
  const al = load<f64>(p), degree = <i32>load<f64>(p, 32), q = num<T>(al / (2 * PI)), n2 = num<T>(<f64>degree * <f64>degree);
  const beta = par<T>(p, 1), g = par<T>(p, 2), d = par<T>(p, 3), one = num<T>(1), zero = num<T>(0), pi = num<T>(PI);
  const end = k + <usize>n * sizeof<T>();
  do {
    const a = v128.mul<T>(v128.load(o + os), v128.load(w + ws));
    const c = v128.mul<T>(v128.mul<T>(v128.load(k), v128.load(o)), v128.load(w));
    const ca = v128.pmin<T>(v128.abs<T>(c), one), negative = v128.lt<T>(c, zero);
    const v = v128.sqrt<T>(v128.add<T>(one, ca)), u = v128.sqrt<T>(v128.sub<T>(one, ca));
    const e = v128.mul<T>(u, poly<T>(v, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10));
    const sin = v128.mul<T>(u, v), sin2 = v128.mul<T>(sin, sin), cos = v128.bitselect(v128.neg<T>(ca), ca, negative);
    let low = v128.bitselect(e, v128.sub<T>(pi, e), negative); // J_0 = pi - theta
    let high = madd<T>(low, cos, sin), before = zero, power = one; // J_1; J_(n-1) and a^(n-1)
    for (let j = 1; j <= degree; j++) {
      const next = madd<T>(num<T>(<f64>(j * j)), v128.mul<T>(sin2, low), v128.mul<T>(num<T>(<f64>(2 * j + 1)), v128.mul<T>(cos, high)));
      before = low; low = high; high = next;
      if (j > 1) power = v128.mul<T>(power, a);
    }
    const full = degree > 0 ? v128.mul<T>(power, a) : one;
    const K = v128.mul<T>(q, v128.mul<T>(full, low)), D = v128.mul<T>(v128.mul<T>(q, n2), v128.mul<T>(power, before));
    put<T>(k, t, K, D, beta, g, d);
    k += 16; t += 16; o += inc; w += 16;
  } while (k < end);
}

// Up to |c| = 0.1, 0.2, .. 0.9 a series needs ln tol / ln |c| powers of c: the rest is below tol, as the sum of (l+1) B_l^2 is
// E[phi'^2]. Here 1 / ln |c|.
const LEVELS: usize = memory.data<f64>([
  -0.43429448190325187, -0.6213349345596119, -0.8305835450825374, -1.0913566679372915, -1.4426950408889634,
  -1.9576151889712183, -2.8036732520571297, -4.481420117724551, -9.491221581029905,
], 16);

/**
 * kappa = f f + k12 P(c), kappa' = P(c) + c P'(c), P(c) = B_0 B_0 + c^p Q(c^s), Q(y) = sum_m q_m q_m y^m, c = k12 r r: Hermite
 * series and polynomials. Tables: r, f = E phi, B_0, q_0 .. q_(M-1). Parameters: M, p, s, ln tol (0: always all terms). An
 * entry takes as many terms as its own |c| asks for: lanes that need fewer join later, so bits do not depend on neighbours.
 */
function rowSeries<T>(n: i32, k: usize, t: usize, o: usize, os: usize, inc: usize, w: usize, ws: usize, p: usize): void {
  const all = <i32>load<f64>(p, 32), power = load<f64>(p, 40), step = load<f64>(p, 48), logTol = load<f64>(p, 56);
  const al = par<T>(p, 0), beta = par<T>(p, 1), g = par<T>(p, 2), d = par<T>(p, 3), zero = num<T>(0);
  const first = num<T>(1 + power), each = num<T>(step), square = step == 2, even = power == 2;
  const end = k + <usize>n * sizeof<T>();
  do {
    const S = v128.load(k), c = v128.mul<T>(v128.mul<T>(S, v128.load(o)), v128.load(w)), size = v128.abs<T>(c);
    const y = square ? v128.mul<T>(c, c) : c;
    let Q = zero, dQ = zero, level = 9, m = all;
    if (logTol != 0) {
      level = 0;
      while (level < 9 && v128.any_true(v128.gt<T>(size, num<T>(0.1 * <f64>(level + 1))))) level++;
      m = terms(level, all, logTol, power, step);
    }
    let po = o + os * <usize>(m + 2), pw = w + ws * <usize>(m + 2);
    while (true) {
      const stop = logTol != 0 && level > 0 ? terms(level - 1, all, logTol, power, step) : 0;
      for (; m > stop; m--) {
        dQ = madd<T>(dQ, y, Q);
        Q = madd<T>(Q, y, v128.mul<T>(v128.load(po), v128.load(pw)));
        po -= os; pw -= ws;
      }
      if (m == 0) break;
      level--;
      const going = v128.gt<T>(size, num<T>(0.1 * <f64>(level + 1)));
      Q = v128.and(Q, going); dQ = v128.and(dQ, going);
    }
    const f = even ? y : c, b = v128.mul<T>(v128.load(po), v128.load(pw)), P = madd<T>(f, Q, b);
    const K = v128.mul<T>(al, madd<T>(S, P, v128.mul<T>(v128.load(po - os), v128.load(pw - ws))));
    const D = v128.mul<T>(al, madd<T>(f, madd<T>(v128.mul<T>(each, y), dQ, v128.mul<T>(first, Q)), b));
    put<T>(k, t, K, D, beta, g, d);
    k += 16; t += 16; o += inc; w += 16;
  } while (k < end);
}
/** Terms of Q that level `level` needs; level 9: all. */
// @ts-ignore: decorator
@inline function terms(level: i32, all: i32, logTol: f64, power: f64, step: f64): i32 {
  return level > 8 ? all : min(all, max(1, <i32>((logTol * load<f64>(LEVELS + <usize>level * 8) - power) / step) + 1));
}

/** One row of n entries (a multiple of 16 bytes) through activation `kind` and the affine layer after it. */
export function mapRow<T>(kind: i32, n: i32, k: usize, t: usize, o: usize, os: usize, inc: usize, w: usize, ws: usize, p: usize): void {
  switch (kind) {
    case 1: return rowAbRelu<T>(n, k, t, o, os, inc, w, ws, p);
    case 2: return rowSign<T>(n, k, t, o, inc, w, p);
    case 3: return rowErf<T>(n, k, t, o, os, inc, w, ws, p);
    case 4: return rowGelu<T>(n, k, t, o, os, inc, w, ws, p);
    case 5: return rowTrig<T>(n, k, t, o, inc, w, p);
    case 6: return rowExp<T>(n, k, t, o, inc, w, p);
    case 7: return rowGaussian<T>(n, k, t, o, os, inc, w, ws, p);
    case 8: return rowGabor<T>(n, k, t, o, os, inc, w, ws, p);
    case 9: return rowExpNormalized<T>(n, k, t, o, os, inc, w, ws, p);
    case 10: return rowRectifiedMonomial<T>(n, k, t, o, os, inc, w, ws, p);
    default: return rowSeries<T>(n, k, t, o, os, inc, w, ws, p);
  }
}

/** P(v) alone, constants from memory: acos(c) = sqrt(1-c) P(sqrt(1+c)). */
// @ts-ignore: decorator
@inline export function acosPoly<T>(v: v128): v128 {
  return poly<T>(v, at<T>(0), at<T>(1), at<T>(2), at<T>(3), at<T>(4), at<T>(5), at<T>(6), at<T>(7), at<T>(8), at<T>(9), at<T>(10));
}
