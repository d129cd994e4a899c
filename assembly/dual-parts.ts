// What the rows of duals share: constants as vectors, the polynomial behind every angle, and the affine layer that follows.
// One polynomial P: acos(c) = sqrt(1-c) P(sqrt(1+c)) on c in [0, 1] (nearest singularity at -sqrt 2, so degree 10 reaches
// f64 and degree 4 reaches f32) and asin(c) = c P(v)/v, v = sqrt(1 + cos). Two square roots replace atan2.
import { madd } from './simd';

const ACOS_F64: usize = memory.data<f64>([
  2.221315381628138, -0.9987500953317526, 0.5496351500678471, -0.3172207256071032, 0.17694904482708637, -0.08841021561401255,
  0.03676525351015133, -0.01183984465034926, 0.002717209337712355, -0.0003912280922095196, 0.00002639671938810399,
], 16);
const ACOS_F32: usize = memory.data<f32>([
  2.2032341132456597, -0.9107672670414393, 0.3666602413119045, -0.10157476114104075, 0.013243943384732197,
], 16);
export const PI: f64 = 3.14159265358979323846;

// @ts-ignore: decorator
@inline export function at<T>(i: i32): v128 {
  if (sizeof<T>() == 4) return i < 5 ? v128.load_splat<T>(ACOS_F32 + <usize>i * 4) : v128.splat<T>(<T>0);
  return v128.load_splat<T>(ACOS_F64 + <usize>i * 8);
}
// @ts-ignore: decorator
@inline export function par<T>(p: usize, i: i32): v128 { return v128.splat<T>(<T>load<f64>(p + <usize>i * 8)); }
// @ts-ignore: decorator
@inline export function num<T>(x: f64): v128 { return v128.splat<T>(<T>x); }

/**
 * |c| from here on is 1: rounding in a covariance and two variances moves it by so much, and where a dual has a square root at
 * |c| = 1 every layer would turn a difference d into sqrt d. Identical and opposite inputs stay so through any depth.
 */
// @ts-ignore: decorator
@inline export function almostOne<T>(): f64 { return sizeof<T>() == 4 ? 1 - 1.0 / 1048576 : 1 - 1.0 / 562949953421312; }

/** P(v), v in [1, sqrt 2]. */
// @ts-ignore: decorator
@inline export function poly<T>(v: v128, c0: v128, c1: v128, c2: v128, c3: v128, c4: v128, c5: v128, c6: v128, c7: v128, c8: v128, c9: v128, c10: v128): v128 {
  let r = c4;
  if (sizeof<T>() == 8) {
    r = madd<T>(c10, v, c9); r = madd<T>(r, v, c8); r = madd<T>(r, v, c7); r = madd<T>(r, v, c6); r = madd<T>(r, v, c5); r = madd<T>(r, v, c4);
  }
  r = madd<T>(r, v, c3); r = madd<T>(r, v, c2); r = madd<T>(r, v, c1);
  return madd<T>(r, v, c0);
}

/** Writes K <- y + beta and T <- D T + g y + d. */
// @ts-ignore: decorator
@inline export function put<T>(k: usize, t: usize, y: v128, D: v128, beta: v128, g: v128, d: v128): void {
  v128.store(k, v128.add<T>(y, beta)); v128.store(t, madd<T>(D, v128.load(t), madd<T>(g, y, d)));
}

/** P(v) alone, constants from memory: acos(c) = sqrt(1-c) P(sqrt(1+c)). */
export function acosPoly<T>(v: v128): v128 {
  return poly<T>(v, at<T>(0), at<T>(1), at<T>(2), at<T>(3), at<T>(4), at<T>(5), at<T>(6), at<T>(7), at<T>(8), at<T>(9), at<T>(10));
}
