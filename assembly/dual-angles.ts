// Rows of duals that are functions of an angle: piecewise powers, sign, erf and gelu. See dual-rows.ts.
import { almostOne, at, num, par, PI, poly, put } from './dual-parts';
import { madd, nmadd } from './simd';

/** cos 0.3: beyond -NEAR the angle to -1 goes through `sinMinus`. */
const NEAR: f64 = 0.955336489125606;

/** sin e - e cos e for e < 0.3, without cancellation. */
// @ts-ignore: decorator
@inline function sinMinus<T>(e: v128): v128 {
  const x = v128.mul<T>(e, e);
  let r = num<T>(-12.0 / 6227020800.0);
  r = madd<T>(r, x, num<T>(1.0 / 3991680.0)); r = madd<T>(r, x, num<T>(-1.0 / 45360.0));
  r = madd<T>(r, x, num<T>(1.0 / 840.0)); r = madd<T>(r, x, num<T>(-1.0 / 30.0)); r = madd<T>(r, x, num<T>(1.0 / 3.0));
  return v128.mul<T>(v128.mul<T>(x, e), r);
}

/**
 * phi(x) = A min(x, 0) + B max(x, 0). Tables: 1/s, s (s = standard deviation). Parameters: A, B. A variable of variance 0 is 0,
 * where phi' = A, its left derivative: kappa' = A E[phi'(v)] = A (A + B)/2, and A^2 for two of them.
 */
export function rowAbRelu<T>(n: i32, k: usize, t: usize, o: usize, os: usize, inc: usize, w: usize, ws: usize, p: usize): void {
  const c0 = at<T>(0), c1 = at<T>(1), c2 = at<T>(2), c3 = at<T>(3), c4 = at<T>(4), c5 = at<T>(5);
  const c6 = at<T>(6), c7 = at<T>(7), c8 = at<T>(8), c9 = at<T>(9), c10 = at<T>(10);
  const al = load<f64>(p), A = load<f64>(p, 32), B = load<f64>(p, 40);
  const G = num<T>(al * (A - B) * (A - B) / (2 * PI)), E2 = num<T>(-al * A * B);
  // kappa' = E1 - G e for c >= 0, G e - E2 below, with e = acos |c|: middle + sign(c) (half - G e)
  const half = num<T>(0.25 * al * (A - B) * (A - B)), middle = num<T>(0.25 * al * (A + B) * (A + B));
  const beta = par<T>(p, 1), g = par<T>(p, 2), d = par<T>(p, 3), one = num<T>(1), minus = num<T>(-0.0), near = num<T>(-NEAR);
  const limit = num<T>(almostOne<T>()), zero = num<T>(0), left = num<T>(0.5 * al * A * (A + B)), left2 = num<T>(al * A * A);
  const end = k + <usize>n * sizeof<T>();
  do {
    let S = v128.load(k);
    const r1 = v128.load(o), r2 = v128.load(w), w1 = v128.load(w + ws), c = v128.mul<T>(v128.mul<T>(S, r1), r2);
    const size = v128.abs<T>(c), same = v128.ge<T>(size, limit), ca = v128.bitselect(one, size, same);
    if (v128.any_true(same)) S = v128.bitselect(v128.xor(v128.mul<T>(v128.load(o + os), w1), v128.and(c, minus)), S, same);
    const v = v128.sqrt<T>(v128.add<T>(one, ca)), u = v128.sqrt<T>(v128.sub<T>(one, ca));
    const e = v128.mul<T>(u, poly<T>(v, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10)), ge = v128.mul<T>(G, e);
    let D = v128.add<T>(middle, v128.xor(v128.sub<T>(half, ge), v128.and(c, minus)));
    let K = madd<T>(D, S, v128.mul<T>(v128.mul<T>(v128.mul<T>(v128.load(o + os), G), w1), v128.mul<T>(u, v)));
    const opposite = v128.lt<T>(c, near);
    if (v128.any_true(opposite)) { // both cancel near c = -1
      const a = v128.mul<T>(v128.load(o + os), w1);
      D = v128.bitselect(v128.sub<T>(ge, E2), D, opposite);
      K = v128.bitselect(v128.mul<T>(a, madd<T>(G, sinMinus<T>(e), v128.mul<T>(ca, E2))), K, opposite);
    }
    const still1 = v128.eq<T>(r1, zero), still2 = v128.eq<T>(r2, zero), still = v128.or(still1, still2);
    if (v128.any_true(still)) D = v128.bitselect(v128.bitselect(left2, left, v128.and(still1, still2)), D, still);
    put<T>(k, t, K, D, beta, g, d);
    k += 16; t += 16; o += inc; w += 16;
  } while (k < end);
}

/** phi = sign. kappa = 1 - 2 theta/pi, kappa' = 0. Tables: 1/s, s. */
export function rowSign<T>(n: i32, k: usize, t: usize, o: usize, inc: usize, w: usize, p: usize): void {
  const c0 = at<T>(0), c1 = at<T>(1), c2 = at<T>(2), c3 = at<T>(3), c4 = at<T>(4), c5 = at<T>(5);
  const c6 = at<T>(6), c7 = at<T>(7), c8 = at<T>(8), c9 = at<T>(9), c10 = at<T>(10);
  const al = par<T>(p, 0), beta = par<T>(p, 1), g = par<T>(p, 2), d = par<T>(p, 3), one = num<T>(1), zero = num<T>(0), two = num<T>(2 / PI), limit = num<T>(almostOne<T>());
  const end = k + <usize>n * sizeof<T>();
  do {
    const c = v128.mul<T>(v128.mul<T>(v128.load(k), v128.load(o)), v128.load(w));
    // asin(|c|) without cancellation near 0: |c| P(v)/v with cos = sqrt((1-c)(1+c))
    const size = v128.abs<T>(c), same = v128.ge<T>(size, limit), ca = v128.bitselect(one, size, same);
    const cos = v128.sqrt<T>(v128.mul<T>(v128.sub<T>(one, ca), v128.add<T>(one, ca)));
    const v = v128.sqrt<T>(v128.add<T>(one, cos));
    const asin = v128.div<T>(v128.mul<T>(ca, poly<T>(v, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10)), v);
    const x = v128.bitselect(one, v128.mul<T>(two, asin), same);
    put<T>(k, t, v128.mul<T>(al, v128.bitselect(v128.neg<T>(x), x, v128.lt<T>(c, zero))), zero, beta, g, d);
    k += 16; t += 16; o += inc; w += 16;
  } while (k < end);
}

/** phi(x) = a erf(b x) + c. Tables: 1/sqrt(1 + 2K), sqrt(K), K = b^2 k. Parameters: a, b, c. */
export function rowErf<T>(n: i32, k: usize, t: usize, o: usize, os: usize, inc: usize, w: usize, ws: usize, p: usize): void {
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
export function rowGelu<T>(n: i32, k: usize, t: usize, o: usize, os: usize, inc: usize, w: usize, ws: usize, p: usize): void {
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
