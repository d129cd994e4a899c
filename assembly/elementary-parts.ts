// What elementary functions are made of: constants and polynomials for vectors of either dtype, and f32 through f64.
import { madd } from './simd';

// Constants live in memory: engines rebuild a splat constant at every use, a splat load is one instruction.
const F64: usize = memory.data<f64>([
  1, 0.5, 2, 1.4426950408889634, 6755399441057790 /* 1.5 2^52 + 2046 */, 6.93147180369123816490e-1, 1.90821492927058770002e-10,
  710, -746, 6755399441056767 /* 1.5 2^52 + 1023 */, 60, -40, 2.2250738585072014e-308, 18014398509481984, 54, 4503599627371520 /* 2^52 + 1024 */,
  0.625, 0.84375, 28, 0.6, 1.5707963267948966, 6.123233995736766e-17, 3.141592653589793, 1.2246467991473532e-16,
  0.7853981633974483, 1e308, 0.25, 3.061616997868383e-17,
], 16);
const F32: usize = memory.data<f32>([
  1, 0.5, 2, 1.4426950408889634, 12583166 /* 1.5 2^23 + 254 */, 0.693359375, -2.12194440e-4,
  89, -104, 12583039 /* 1.5 2^23 + 127 */, 30, -20, 1.1754943508222875e-38, 33554432, 25, 8388736 /* 2^23 + 128 */,
  0.625, 0.84375, 4, 0.6, 1.5707963705062866, -4.3711390001862426e-08, 3.1415927410125732, -8.742278000372485e-08,
  0.7853981852531433, 1e38, 0.25, -2.1855695000931213e-08,
], 16);
export const ONE: i32 = 0, HALF: i32 = 1, TWO: i32 = 2, LOG2E: i32 = 3, ROUND: i32 = 4, LN2_HI: i32 = 5, LN2_LO: i32 = 6;
export const EXP_MAX: i32 = 7, EXP_MIN: i32 = 8, ROUND_ONE: i32 = 9, EXPM1_FAR: i32 = 10, EXPM1_MIN: i32 = 11;
export const NORMAL_MIN: i32 = 12, LIFT: i32 = 13, LIFT_BITS: i32 = 14, LOG_BIAS: i32 = 15, TANH_SPLIT: i32 = 16, ERF_SPLIT: i32 = 17;
export const ERF_MAX: i32 = 18, ATAN_SPLIT: i32 = 19, PI_2: i32 = 20, PI_2_LO: i32 = 21, PI: i32 = 22, PI_LO: i32 = 23;
export const PI_4: i32 = 24, HUGE: i32 = 25, QUARTER: i32 = 26, PI_4_LO: i32 = 27;
const I64: usize = memory.data<u64>([
  0x8000000000000000, 0x7ff0000000000000, 0x7ff8000000000000, 0x00195f6200000000, 0xfff0000000000000, 0x4000000000000000, 0x4330000000000000,
  0xfffffffff8000000, 1, 2,
], 16);
const I32: usize = memory.data<u32>([0x80000000, 0x7f800000, 0x7fc00000, 0x00cafb0d, 0xff800000, 0x40000000, 0x4b000000], 16);
export const SIGN: i32 = 0, INF: i32 = 1, NOT_A_NUMBER: i32 = 2, LOG_OFFSET: i32 = 3, EXPONENT: i32 = 4, LOG_LIFT: i32 = 5, LOG_FLOAT: i32 = 6;
export const UPPER_HALF: i32 = 7, BIT0: i32 = 8, BIT1: i32 = 9;

// @ts-ignore: decorator
@inline export function k<T>(i: i32): v128 { return v128.load_splat<T>((sizeof<T>() == 8 ? F64 : F32) + <usize>i * sizeof<T>()); }
// @ts-ignore: decorator
@inline export function bits<T>(i: i32): v128 { return sizeof<T>() == 8 ? v128.load64_splat(I64 + <usize>i * 8) : v128.load32_splat(I32 + <usize>i * 4); }
// @ts-ignore: decorator
@inline export function shl<T>(x: v128): v128 { return sizeof<T>() == 8 ? i64x2.shl(x, 52) : i32x4.shl(x, 23); }
// @ts-ignore: decorator
@inline export function shr<T>(x: v128, by64: i32, by32: i32): v128 { return sizeof<T>() == 8 ? i64x2.shr_u(x, by64) : i32x4.shr_u(x, by32); }
// @ts-ignore: decorator
@inline export function iadd<T>(x: v128, y: v128): v128 { return sizeof<T>() == 8 ? i64x2.add(x, y) : i32x4.add(x, y); }
// @ts-ignore: decorator
@inline export function isub<T>(x: v128, y: v128): v128 { return sizeof<T>() == 8 ? i64x2.sub(x, y) : i32x4.sub(x, y); }

// Horner: c[0] x^n + ... + c[n].
// @ts-ignore: decorator
@inline export function c<T>(p: usize, i: i32): v128 { return v128.load_splat<T>(p + <usize>i * sizeof<T>()); }
// @ts-ignore: decorator
@inline export function p2<T>(p: usize, x: v128): v128 { return madd<T>(madd<T>(c<T>(p, 0), x, c<T>(p, 1)), x, c<T>(p, 2)); }
// @ts-ignore: decorator
@inline export function p3<T>(p: usize, x: v128): v128 { return madd<T>(p2<T>(p, x), x, c<T>(p, 3)); }
// @ts-ignore: decorator
@inline export function p4<T>(p: usize, x: v128): v128 { return madd<T>(p3<T>(p, x), x, c<T>(p, 4)); }
// @ts-ignore: decorator
@inline export function p5<T>(p: usize, x: v128): v128 { return madd<T>(p4<T>(p, x), x, c<T>(p, 5)); }
// @ts-ignore: decorator
@inline export function p6<T>(p: usize, x: v128): v128 { return madd<T>(p5<T>(p, x), x, c<T>(p, 6)); }
// @ts-ignore: decorator
@inline export function p9<T>(p: usize, x: v128): v128 { return madd<T>(madd<T>(madd<T>(p6<T>(p, x), x, c<T>(p, 7)), x, c<T>(p, 8)), x, c<T>(p, 9)); }
// @ts-ignore: decorator
@inline export function p10<T>(p: usize, x: v128): v128 { return madd<T>(p9<T>(p, x), x, c<T>(p, 10)); }

// @ts-ignore: decorator
@inline export function p19<T>(p: usize, x: v128): v128 {
  const q = p + 10 * sizeof<T>();
  let y = madd<T>(p9<T>(p, x), x, c<T>(q, 0));
  y = madd<T>(madd<T>(madd<T>(y, x, c<T>(q, 1)), x, c<T>(q, 2)), x, c<T>(q, 3));
  y = madd<T>(madd<T>(madd<T>(y, x, c<T>(q, 4)), x, c<T>(q, 5)), x, c<T>(q, 6));
  return madd<T>(madd<T>(madd<T>(y, x, c<T>(q, 7)), x, c<T>(q, 8)), x, c<T>(q, 9));
}

/** y where the mask is set, else n. */
// @ts-ignore: decorator
@inline export function pick(mask: v128, y: v128, n: v128): v128 { return v128.bitselect(y, n, mask); }
/** |y| with the sign of x. */
// @ts-ignore: decorator
@inline export function signed<T>(y: v128, x: v128): v128 { return v128.or(y, v128.and(x, bits<T>(SIGN))); }

/** The lower two lanes, and the upper two, of four f32 as f64, and back. */
// @ts-ignore: decorator
@inline export function lowHalf(x: v128): v128 { return f64x2.promote_low_f32x4(x); }
// @ts-ignore: decorator
@inline export function highHalf(x: v128): v128 { return f64x2.promote_low_f32x4(i32x4.shuffle(x, x, 2, 3, 2, 3)); }
// @ts-ignore: decorator
@inline export function narrow(low: v128, high: v128): v128 {
  return i32x4.shuffle(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 1, 4, 5);
}

// @ts-ignore: decorator
@inline export function lane<T>(v: v128): T { return v128.extract_lane<T>(v, 0); }
