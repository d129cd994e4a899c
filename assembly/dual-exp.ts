// exp and exp - 1 by Taylor series after reduction by ln 2.
import { madd, nmadd } from './simd';

// @ts-ignore: decorator
@inline function num<T>(x: f64): v128 { return v128.splat<T>(<T>x); }

/** (exp(r) - 1)/r for |r| <= 0.35. */
// @ts-ignore: decorator
@inline function series<T>(r: v128): v128 {
  let y: v128;
  if (sizeof<T>() == 8) {
    y = num<T>(1.0 / 87178291200.0);
    y = madd<T>(y, r, num<T>(1.0 / 6227020800.0)); y = madd<T>(y, r, num<T>(1.0 / 479001600.0)); y = madd<T>(y, r, num<T>(1.0 / 39916800.0));
    y = madd<T>(y, r, num<T>(1.0 / 3628800.0)); y = madd<T>(y, r, num<T>(1.0 / 362880.0)); y = madd<T>(y, r, num<T>(1.0 / 40320.0));
    y = madd<T>(y, r, num<T>(1.0 / 5040.0));
  } else y = num<T>(1.0 / 5040.0);
  y = madd<T>(y, r, num<T>(1.0 / 720.0)); y = madd<T>(y, r, num<T>(1.0 / 120.0)); y = madd<T>(y, r, num<T>(1.0 / 24.0));
  y = madd<T>(y, r, num<T>(1.0 / 6.0)); y = madd<T>(y, r, num<T>(0.5));
  return madd<T>(y, r, num<T>(1));
}

/** exp(x); 0 below and infinity above the range. */
export function exp_v<T>(x: v128): v128 {
  const magic = sizeof<T>() == 8 ? num<T>(6755399441055744.0) : num<T>(12582912.0);
  x = v128.pmax<T>(num<T>(sizeof<T>() == 8 ? -746.0 : -104.0), v128.pmin<T>(num<T>(sizeof<T>() == 8 ? 710.0 : 89.0), x));
  const shifted = madd<T>(x, num<T>(1.4426950408889634), magic), n = v128.sub<T>(shifted, magic);
  let r: v128;
  if (sizeof<T>() == 8) r = nmadd<T>(n, num<T>(1.9082149292705877e-10), nmadd<T>(n, num<T>(0.6931471803691238), x));
  else r = nmadd<T>(n, num<T>(-2.12194440e-4), nmadd<T>(n, num<T>(0.693359375), x));
  const y = madd<T>(series<T>(r), r, num<T>(1));
  if (sizeof<T>() == 8) {
    const i = i64x2.sub(shifted, magic), h = i64x2.shr_s(i, 1), bias = i64x2.splat(1023);
    return v128.mul<T>(v128.mul<T>(y, i64x2.shl(i64x2.add(h, bias), 52)), i64x2.shl(i64x2.add(i64x2.sub(i, h), bias), 52));
  }
  const i = i32x4.sub(shifted, magic), h = i32x4.shr_s(i, 1), bias = i32x4.splat(127);
  return v128.mul<T>(v128.mul<T>(y, i32x4.shl(i32x4.add(h, bias), 23)), i32x4.shl(i32x4.add(i32x4.sub(i, h), bias), 23));
}

/** exp(x) - 1, accurate near 0. */
export function expm1_v<T>(x: v128): v128 {
  const near = v128.lt<T>(v128.abs<T>(x), num<T>(0.35));
  return v128.bitselect(v128.mul<T>(series<T>(x), x), v128.sub<T>(exp_v<T>(x), num<T>(1)), near);
}
