// Elementary functions, two f64 or four f32 at a time. A scalar form is the vector form of a splat, and array maps use the
// vector form for their tails, so the bits of f(x) depend on x only. In `simd` they equal src/math/elementary.ts.
// f32: exp, expm1, log, log1p, sigmoid, tanh and erf have polynomials of their own; the others round the f64 value.
// Polynomials and rational functions interpolate at Chebyshev nodes (60 digits). Errors: docs/accuracy.md.
import { madd, nmadd } from './simd';

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
const ONE: i32 = 0, HALF: i32 = 1, TWO: i32 = 2, LOG2E: i32 = 3, ROUND: i32 = 4, LN2_HI: i32 = 5, LN2_LO: i32 = 6;
const EXP_MAX: i32 = 7, EXP_MIN: i32 = 8, ROUND_ONE: i32 = 9, EXPM1_FAR: i32 = 10, EXPM1_MIN: i32 = 11;
const NORMAL_MIN: i32 = 12, LIFT: i32 = 13, LIFT_BITS: i32 = 14, LOG_BIAS: i32 = 15, TANH_SPLIT: i32 = 16, ERF_SPLIT: i32 = 17;
const ERF_MAX: i32 = 18, ATAN_SPLIT: i32 = 19, PI_2: i32 = 20, PI_2_LO: i32 = 21, PI: i32 = 22, PI_LO: i32 = 23;
const PI_4: i32 = 24, HUGE: i32 = 25, QUARTER: i32 = 26, PI_4_LO: i32 = 27;
const I64: usize = memory.data<u64>([
  0x8000000000000000, 0x7ff0000000000000, 0x7ff8000000000000, 0x00195f6200000000, 0xfff0000000000000, 0x4000000000000000, 0x4330000000000000,
  0xfffffffff8000000, 1, 2,
], 16);
const I32: usize = memory.data<u32>([0x80000000, 0x7f800000, 0x7fc00000, 0x00cafb0d, 0xff800000, 0x40000000, 0x4b000000], 16);
const SIGN: i32 = 0, INF: i32 = 1, NOT_A_NUMBER: i32 = 2, LOG_OFFSET: i32 = 3, EXPONENT: i32 = 4, LOG_LIFT: i32 = 5, LOG_FLOAT: i32 = 6;
const UPPER_HALF: i32 = 7, BIT0: i32 = 8, BIT1: i32 = 9;

// @ts-ignore: decorator
@inline function k<T>(i: i32): v128 { return v128.load_splat<T>((sizeof<T>() == 8 ? F64 : F32) + <usize>i * sizeof<T>()); }
// @ts-ignore: decorator
@inline function bits<T>(i: i32): v128 { return sizeof<T>() == 8 ? v128.load64_splat(I64 + <usize>i * 8) : v128.load32_splat(I32 + <usize>i * 4); }
// @ts-ignore: decorator
@inline function shl<T>(x: v128): v128 { return sizeof<T>() == 8 ? i64x2.shl(x, 52) : i32x4.shl(x, 23); }
// @ts-ignore: decorator
@inline function shr<T>(x: v128, by64: i32, by32: i32): v128 { return sizeof<T>() == 8 ? i64x2.shr_u(x, by64) : i32x4.shr_u(x, by32); }
// @ts-ignore: decorator
@inline function iadd<T>(x: v128, y: v128): v128 { return sizeof<T>() == 8 ? i64x2.add(x, y) : i32x4.add(x, y); }
// @ts-ignore: decorator
@inline function isub<T>(x: v128, y: v128): v128 { return sizeof<T>() == 8 ? i64x2.sub(x, y) : i32x4.sub(x, y); }

// Horner: c[0] x^n + ... + c[n].
// @ts-ignore: decorator
@inline function c<T>(p: usize, i: i32): v128 { return v128.load_splat<T>(p + <usize>i * sizeof<T>()); }
// @ts-ignore: decorator
@inline function p2<T>(p: usize, x: v128): v128 { return madd<T>(madd<T>(c<T>(p, 0), x, c<T>(p, 1)), x, c<T>(p, 2)); }
// @ts-ignore: decorator
@inline function p3<T>(p: usize, x: v128): v128 { return madd<T>(p2<T>(p, x), x, c<T>(p, 3)); }
// @ts-ignore: decorator
@inline function p4<T>(p: usize, x: v128): v128 { return madd<T>(p3<T>(p, x), x, c<T>(p, 4)); }
// @ts-ignore: decorator
@inline function p5<T>(p: usize, x: v128): v128 { return madd<T>(p4<T>(p, x), x, c<T>(p, 5)); }
// @ts-ignore: decorator
@inline function p6<T>(p: usize, x: v128): v128 { return madd<T>(p5<T>(p, x), x, c<T>(p, 6)); }
// @ts-ignore: decorator
@inline function p9<T>(p: usize, x: v128): v128 { return madd<T>(madd<T>(madd<T>(p6<T>(p, x), x, c<T>(p, 7)), x, c<T>(p, 8)), x, c<T>(p, 9)); }
// @ts-ignore: decorator
@inline function p10<T>(p: usize, x: v128): v128 { return madd<T>(p9<T>(p, x), x, c<T>(p, 10)); }

// @ts-ignore: decorator
@inline function p19<T>(p: usize, x: v128): v128 {
  const q = p + 10 * sizeof<T>();
  let y = madd<T>(p9<T>(p, x), x, c<T>(q, 0));
  y = madd<T>(madd<T>(madd<T>(y, x, c<T>(q, 1)), x, c<T>(q, 2)), x, c<T>(q, 3));
  y = madd<T>(madd<T>(madd<T>(y, x, c<T>(q, 4)), x, c<T>(q, 5)), x, c<T>(q, 6));
  return madd<T>(madd<T>(madd<T>(y, x, c<T>(q, 7)), x, c<T>(q, 8)), x, c<T>(q, 9));
}

/** y where the mask is set, else n. */
// @ts-ignore: decorator
@inline function pick(mask: v128, y: v128, n: v128): v128 { return v128.bitselect(y, n, mask); }
/** |y| with the sign of x. */
// @ts-ignore: decorator
@inline function signed<T>(y: v128, x: v128): v128 { return v128.or(y, v128.and(x, bits<T>(SIGN))); }

// ---- exp, expm1, sigmoid, tanh: x = n ln 2 + r, e^r = 1 + r + r^2 q(r)

const EXP64: usize = memory.data<f64>([
  2.5100375929185925e-08, 2.762007600563138e-07, 2.7557268480106926e-06, 2.480152132210459e-05, 0.00019841269863040675,
  0.001388888891719689, 0.008333333333330065, 0.041666666666624164, 0.16666666666666669, 0.5,
], 16);
const EXP32: usize = memory.data<f32>([0.0013926176194609642, 0.008363173134292821, 0.04166655466160214, 0.1666657702523905, 0.5], 16);

/** n = round(x / ln 2) as a number whose lowest exponent-wide bits hold n + twice the exponent bias. */
// @ts-ignore: decorator
@inline function turns<T>(x: v128): v128 { return madd<T>(x, k<T>(LOG2E), k<T>(ROUND)); }
// @ts-ignore: decorator
@inline function reduced<T>(x: v128, t: v128): v128 {
  const n = v128.sub<T>(t, k<T>(ROUND));
  return nmadd<T>(n, k<T>(LN2_LO), nmadd<T>(n, k<T>(LN2_HI), x));
}
/** e^r - 1 for |r| <= ln 2 / 2. */
// @ts-ignore: decorator
@inline function expm1Small<T>(r: v128): v128 {
  return madd<T>(v128.mul<T>(r, r), sizeof<T>() == 8 ? p9<T>(EXP64, r) : p4<T>(EXP32, r), r);
}
/** y 2^n, in two steps so that overflow and gradual underflow round once. */
// @ts-ignore: decorator
@inline function scaled<T>(y: v128, t: v128): v128 {
  const h = shr<T>(t, 1, 1);
  return v128.mul<T>(v128.mul<T>(y, shl<T>(h)), shl<T>(isub<T>(t, h)));
}
// pmin and pmax keep a NaN that comes first.
// @ts-ignore: decorator
@inline function clamp<T>(x: v128, low: v128, high: v128): v128 { return v128.pmin<T>(v128.pmax<T>(x, low), high); }

/** e^x. */
// @ts-ignore: decorator
@inline export function exp_v<T>(x: v128): v128 {
  x = clamp<T>(x, k<T>(EXP_MIN), k<T>(EXP_MAX));
  const t = turns<T>(x);
  return scaled<T>(v128.add<T>(expm1Small<T>(reduced<T>(x, t)), k<T>(ONE)), t);
}

/** As exp_v, not inlined: one copy for code with many uses. */
export function exponential<T>(x: v128): v128 { return exp_v<T>(x); }

/** e^x - 1. */
export function expm1_v<T>(x: v128): v128 {
  const y = clamp<T>(x, k<T>(EXPM1_MIN), k<T>(EXP_MAX)), t = turns<T>(y);
  const n = v128.pmin<T>(v128.sub<T>(t, k<T>(ROUND)), k<T>(EXPM1_FAR));
  const w = shl<T>(v128.sub<T>(k<T>(ROUND_ONE), n));   // 2^-n, as bits
  return signed<T>(scaled<T>(v128.add<T>(v128.sub<T>(k<T>(ONE), w), expm1Small<T>(reduced<T>(y, t))), t), x);
}

/** 1 / (1 + e^-x): y = n/s with s = 1 + e, then y -= y (what s lost)/s, where 1/s is y or 1 - y. */
export function sigmoid_v<T>(x: v128): v128 {
  const e = exp_v<T>(v128.neg<T>(v128.abs<T>(x))), one = k<T>(ONE), left = v128.lt<T>(x, v128.splat<T>(<T>0)), s = v128.add<T>(one, e);
  const y = v128.div<T>(pick(left, e, one), s), lost = v128.sub<T>(e, v128.sub<T>(s, one));
  return nmadd<T>(y, v128.mul<T>(lost, pick(left, v128.sub<T>(one, y), y)), y);
}

const TANH64_P: usize = memory.data<f64>([-0.000199177446743119, -0.020498786236636767, -0.3333333333333333], 16);
const TANH64_Q: usize = memory.data<f64>([0.00020653309825468497, 0.023291313919535702, 0.4614963587099068, 1], 16);
const TANH32: usize = memory.data<f32>([-0.006094641315356439, 0.02099575389029558, -0.05385060910837768, 0.1333276776029121, -0.33333328924525096], 16);

/** tanh x: x + x^3 R(x^2) up to .625, else 1 - 2 / (e^2x + 1). */
export function tanh_v<T>(x: v128): v128 {
  const a = v128.abs<T>(x), z = v128.mul<T>(a, a), one = k<T>(ONE);
  const far = v128.sub<T>(one, v128.div<T>(k<T>(TWO), v128.add<T>(exp_v<T>(v128.add<T>(a, a)), one)));
  let r: v128;
  if (sizeof<T>() == 8) r = v128.div<T>(p2<T>(TANH64_P, z), p3<T>(TANH64_Q, z)); else r = p4<T>(TANH32, z);
  const near = madd<T>(v128.mul<T>(a, z), r, a);
  return signed<T>(pick(v128.lt<T>(a, k<T>(TANH_SPLIT)), near, far), x);
}

// ---- log, log1p: u = 2^e (1 + f), s = f / (2 + f), log(1 + f) = f - (f^2/2 - s (f^2/2 + R(s^2)))

const LOG64: usize = memory.data<f64>([
  0.14616449685043406, 0.15331721600556042, 0.18182889125261723, 0.2222221113479508, 0.28571428625975487, 0.39999999999899505, 0.666666666666667,
], 16);
const LOG32: usize = memory.data<f32>([0.23330467216303835, 0.28550820815960665, 0.40000121839806124, 0.6666666655449709], 16);

/** log(u) + low for finite u > 0 and a correction `low` far below u. */
// @ts-ignore: decorator
@inline function logCorrected<T>(u: v128, low: v128): v128 {
  const tiny = v128.lt<T>(u, k<T>(NORMAL_MIN));
  u = pick(tiny, v128.mul<T>(u, k<T>(LIFT)), u);
  const t = iadd<T>(u, bits<T>(LOG_OFFSET));
  let e = v128.sub<T>(v128.or(shr<T>(t, 52, 23), bits<T>(LOG_FLOAT)), k<T>(LOG_BIAS));
  e = v128.sub<T>(e, v128.and(tiny, k<T>(LIFT_BITS)));
  const m = iadd<T>(isub<T>(u, v128.and(t, bits<T>(EXPONENT))), bits<T>(LOG_LIFT));
  const f = v128.sub<T>(m, k<T>(ONE)), s = v128.div<T>(f, v128.add<T>(k<T>(TWO), f)), z = v128.mul<T>(s, s);
  const h = v128.mul<T>(v128.mul<T>(k<T>(HALF), f), f);
  const r = madd<T>(z, sizeof<T>() == 8 ? p6<T>(LOG64, z) : p3<T>(LOG32, z), h);
  const q = v128.sub<T>(h, madd<T>(s, r, madd<T>(e, k<T>(LN2_LO), low)));
  return madd<T>(e, k<T>(LN2_HI), v128.sub<T>(f, q));
}

/** r where u is positive and finite, else what log gives there: -inf at 0, inf at inf, NaN below 0 and for NaN. */
// @ts-ignore: decorator
@inline function logSpecial<T>(u: v128, r: v128): v128 {
  const zero = v128.splat<T>(<T>0), positive = v128.gt<T>(u, zero), fine = v128.and(positive, v128.lt<T>(u, bits<T>(INF)));
  const other = pick(positive, u, pick(v128.eq<T>(u, zero), v128.neg<T>(bits<T>(INF)), bits<T>(NOT_A_NUMBER)));
  return pick(fine, r, other);
}

/** The natural logarithm. */
export function log_v<T>(x: v128): v128 { return logSpecial<T>(x, logCorrected<T>(x, v128.splat<T>(<T>0))); }

/** log(1 + x). */
export function log1p_v<T>(x: v128): v128 {
  const u = v128.add<T>(x, k<T>(ONE)), d = v128.sub<T>(x, v128.sub<T>(u, k<T>(ONE)));
  return signed<T>(logSpecial<T>(u, logCorrected<T>(u, v128.div<T>(d, u))), x);
}

// ---- erf, erfc: x + x S(x^2) near 0, else e^(-x^2) g(|x|), g after Shepherd & Laframboise (1981) in f64, rational in f32

const ERF64: usize = memory.data<f64>([
  1.0726157378271507e-08, -1.571432054759021e-07, 1.6401609579465493e-06, -1.4922119982996698e-05, 0.00012055199865431933,
  -0.0008548323788932836, 0.005223977576338078, -0.026866170640775802, 0.1128379167093529, -0.376126389031834, 0.12837916709551256,
], 16);
const ERF32: usize = memory.data<f32>([
  -0.0006352836302606716, 0.005057407315816835, -0.02680623129925711, 0.11282804771201267, -0.37612579063925444, 0.12837916118551917,
], 16);
/** (1 + 2 a) e^(a^2) erfc(a) in (a - 3.5) / (a + 3.5). */
const ERFC64: usize = memory.data<f64>([
  -6.207616572407395e-08, -6.049377276221435e-09, 5.610219149083258e-07, -4.683271119589943e-08, -3.786981876079869e-06,
  2.330274500952197e-06, 2.424933732054911e-05, -4.278312551922248e-05, -0.00012150938455576288, 0.0005643846686917666,
  -0.0003022683618454206, -0.004215019950583205, 0.019099330986837512, -0.048823325823720544, 0.08798315382279195,
  -0.1150895981603988, 0.09751909515329628, -0.010555596332214335, -0.14000918013761954, 1.2423492448711544,
], 16);
const ERFC_CENTRE: usize = memory.data<f64>([3.5], 16);
const ERFC32_N: usize = memory.data<f32>([0.5640835114411341, 2.659602650335252, 5.599452262390402, 5.405408454232014], 16);
const ERFC32_D: usize = memory.data<f32>([1, 4.70989206733962, 10.465673151275562, 11.69510691343679, 5.40597290403957], 16);

/** erf(a) for 0 <= a < .84375. */
// @ts-ignore: decorator
@inline function erfNear<T>(a: v128): v128 {
  const z = v128.mul<T>(a, a);
  return madd<T>(a, sizeof<T>() == 8 ? p10<T>(ERF64, z) : p5<T>(ERF32, z), a);
}
/** e^(a^2) erfc(a) for a >= 0, f64 lanes. */
export function erfcx_v(a: v128): v128 {
  const x = v128.div<f64>(v128.sub<f64>(a, c<f64>(ERFC_CENTRE, 0)), v128.add<f64>(a, c<f64>(ERFC_CENTRE, 0)));
  return v128.div<f64>(p19<f64>(ERFC64, x), v128.add<f64>(v128.add<f64>(a, a), k<f64>(ONE)));
}
/** erfc(a) for a >= .46 (f64) or .8 (f32, absolute accuracy only). a^2 = h^2 + (a - h)(a + h) with h^2 exact keeps the tail. */
function erfcFar<T>(a: v128): v128 {
  a = v128.pmin<T>(a, k<T>(ERF_MAX));
  let x: v128, r: v128, t: v128, g: v128;
  if (sizeof<T>() == 8) {
    const h = v128.and(a, bits<T>(UPPER_HALF));
    x = v128.neg<T>(v128.mul<T>(h, h)); t = turns<T>(x);
    r = v128.sub<T>(reduced<T>(x, t), v128.mul<T>(v128.sub<T>(a, h), v128.add<T>(a, h)));
    g = erfcx_v(a);
  } else {
    x = v128.neg<T>(v128.mul<T>(a, a)); t = turns<T>(x);
    r = reduced<T>(x, t);
    g = v128.div<T>(p3<T>(ERFC32_N, a), p4<T>(ERFC32_D, a));
  }
  return scaled<T>(v128.mul<T>(v128.add<T>(expm1Small<T>(r), k<T>(ONE)), g), t);
}

/** The error function. */
export function erf_v<T>(x: v128): v128 {
  const a = v128.abs<T>(x), far = v128.sub<T>(k<T>(ONE), erfcFar<T>(a));
  return signed<T>(pick(v128.lt<T>(a, k<T>(ERF_SPLIT)), erfNear<T>(a), far), x);
}

/** The complementary error function. */
export function erfc_v<T>(x: v128): v128 {
  if (sizeof<T>() == 4) return narrow(erfc_v<f64>(lowHalf(x)), erfc_v<f64>(highHalf(x)));
  const a = v128.abs<T>(x), far = erfcFar<T>(a);
  const near = v128.sub<T>(k<T>(ONE), signed<T>(erfNear<T>(a), x));
  const y = pick(v128.lt<T>(x, v128.splat<T>(<T>0)), v128.sub<T>(k<T>(TWO), far), far);
  return pick(v128.lt<T>(a, k<T>(HALF)), near, y);
}

// ---- f32 through f64

// @ts-ignore: decorator
@inline export function lowHalf(x: v128): v128 { return f64x2.promote_low_f32x4(x); }
// @ts-ignore: decorator
@inline export function highHalf(x: v128): v128 { return f64x2.promote_low_f32x4(i32x4.shuffle(x, x, 2, 3, 2, 3)); }
// @ts-ignore: decorator
@inline export function narrow(low: v128, high: v128): v128 {
  return i32x4.shuffle(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 1, 4, 5);
}

// ---- sin, cos: x = n pi/2 + y + tail, pi/2 in three parts of 33 bits and a rest

const TRIG: usize = memory.data<f64>([
  0.6366197723675814, 6755399441055744 /* 1.5 2^52 */, 1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.4784276603689e-32,
  1647099 /* 2^20 pi/2 */,
], 16);
const SIN64: usize = memory.data<f64>([
  1.5918115263265974e-10, -2.505113165023518e-08, 2.7557316101617874e-06, -0.00019841269836756774, 0.008333333333330948, -0.16666666666666666,
], 16);
const COS64: usize = memory.data<f64>([
  -1.1382623647474603e-11, 2.087614614655861e-09, -2.7557317271145144e-07, 2.480158729876456e-05, -0.0013888888888887398, 0.041666666666666664,
], 16);
/** The binary digits of 2/pi after 64 zeros. */
const TWO_OVER_PI: usize = memory.data<u64>([
  0, 0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041, 0xfe5163abdebbc561, 0xb7246e3a424dd2e0, 0x06492eea09d1921c,
  0xfe1deb1cb129a73e, 0xe88235f52ebb4484, 0xe99c7026b45f7e41, 0x3991d639835339f4, 0x9c845f8bbdf9283b, 0x1ff897ffde05980f,
  0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7, 0x4f463f669e5fea2d, 0x7527bac7ebe5f17b, 0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab,
], 16);

function mulHigh(a: u64, b: u64): u64 {
  const a0 = a & 0xffffffff, a1 = a >> 32, b0 = b & 0xffffffff, b1 = b >> 32;
  const m = a1 * b0 + ((a0 * b0) >> 32), l = a0 * b1 + (m & 0xffffffff);
  return a1 * b1 + (m >> 32) + (l >> 32);
}

/** 64 digits of 2/pi from bit i of the table on. */
// @ts-ignore: decorator
@inline function digits(i: i32): u64 {
  const p = TWO_OVER_PI + (<usize>(i >> 6) << 3), by = <u64>(i & 63);
  return by == 0 ? load<u64>(p) : (load<u64>(p) << by) | (load<u64>(p, 8) >> (64 - by));
}

/** Payne & Hanek (1983) for |x| >= 2^20: `want` 0: the quadrant, 1: y, 2: its tail. NaN for infinities and NaN. */
function reduceFar(x: f64, want: i32): f64 {
  const word = reinterpret<u64>(x), biased = <i32>((word >> 52) & 0x7ff);
  if (biased == 0x7ff) return want == 0 ? 0 : NaN;
  const m = (word & 0xfffffffffffff) | 0x10000000000000;
  const i = biased - 1075 + 62;                     // from the digit that weighs 2 on, three words, times m, modulo 4
  const w1 = digits(i + 64), w2 = digits(i + 128);
  const low = mulHigh(m, w2), mid = m * w1;
  const a0 = mid + low, a1 = m * digits(i) + mulHigh(m, w1) + (a0 < mid ? 1 : 0);
  const high = <i64>((a1 << 2) | (a0 >> 62)), rest = a0 << 2;   // the fraction of x 2/pi, in 2^-128, as a signed number
  let n = <f64>(((a1 >> 62) + ((a1 >> 61) & 1)) & 3);
  const f = <f64>high, g = (<f64>(high - <i64>f) + <f64>(rest >> 11) * 1.1102230246251565e-16) * 5.421010862427522e-20;
  let h = f * 5.421010862427522e-20;                // 2^-64
  const negative = x < 0;
  if (want == 0) return negative ? <f64>((4 - <i32>n) & 3) : n;
  // (h + g) pi/2, Dekker's product
  const ha = reinterpret<f64>(reinterpret<u64>(h) & 0xfffffffff8000000), hb = h - ha;
  const pa = 1.5707963109016418, pb = 1.5893254773528197e-8;
  const p = h * 1.5707963267948966;
  const e = ((ha * pa - p) + ha * pb + hb * pa) + hb * pb;
  const t = e + (h * 6.123233995736766e-17 + g * 1.5707963267948966), y = p + t;
  if (want == 1) return negative ? -y : y;
  return negative ? -((p - y) + t) : (p - y) + t;
}

// @ts-ignore: decorator
@inline function reduceLane(v: v128, x: v128, far: v128, want: i32): v128 {
  if (i64x2.extract_lane(far, 0)) v = f64x2.replace_lane(v, 0, reduceFar(f64x2.extract_lane(x, 0), want));
  if (i64x2.extract_lane(far, 1)) v = f64x2.replace_lane(v, 1, reduceFar(f64x2.extract_lane(x, 1), want));
  return v;
}

/** sin(x + shift pi/2), two lanes. */
function sine(x: v128, shift: v128): v128 {
  const t = madd<f64>(x, c<f64>(TRIG, 0), c<f64>(TRIG, 1)), n = f64x2.sub(t, c<f64>(TRIG, 1));
  const r0 = nmadd<f64>(n, c<f64>(TRIG, 2), x), w1 = f64x2.mul(n, c<f64>(TRIG, 3)), w2 = f64x2.mul(n, c<f64>(TRIG, 4));
  const r1 = f64x2.sub(r0, w1), b1 = f64x2.sub(r1, r0), e1 = f64x2.sub(f64x2.sub(r0, f64x2.sub(r1, b1)), f64x2.add(w1, b1));
  const r2 = f64x2.sub(r1, w2), b2 = f64x2.sub(r2, r1), e2 = f64x2.sub(f64x2.sub(r1, f64x2.sub(r2, b2)), f64x2.add(w2, b2));
  const low = f64x2.sub(f64x2.add(e1, e2), f64x2.mul(n, c<f64>(TRIG, 5)));
  let y = f64x2.add(r2, low), tail = f64x2.add(f64x2.sub(r2, y), low), quadrant = t;
  const far = f64x2.gt(f64x2.abs(x), c<f64>(TRIG, 6)), odd = v128.or(far, f64x2.ne(x, x));
  if (v128.any_true(odd)) {
    quadrant = f64x2.add(reduceLane(n, x, odd, 0), c<f64>(TRIG, 1));
    y = reduceLane(y, x, odd, 1); tail = reduceLane(tail, x, odd, 2);
  }
  quadrant = i64x2.add(quadrant, shift);
  const z = f64x2.mul(y, y), half = k<f64>(HALF), one = k<f64>(ONE), hz = f64x2.mul(half, z);
  const s = f64x2.add(y, madd<f64>(f64x2.mul(z, y), p5<f64>(SIN64, z), f64x2.mul(tail, f64x2.sub(one, hz))));
  const w = f64x2.sub(one, hz);
  const o = f64x2.add(w, f64x2.add(f64x2.sub(f64x2.sub(one, w), hz), nmadd<f64>(y, tail, f64x2.mul(f64x2.mul(z, z), p5<f64>(COS64, z)))));
  const value = pick(i64x2.eq(v128.and(quadrant, bits<f64>(BIT0)), bits<f64>(BIT0)), o, s);
  return v128.xor(value, i64x2.shl(v128.and(quadrant, bits<f64>(BIT1)), 62));
}

/** sin x, any finite x. */
export function sin_v<T>(x: v128): v128 {
  const shift = i64x2.splat(0);
  if (sizeof<T>() == 4) return narrow(sin_v<f64>(lowHalf(x)), sin_v<f64>(highHalf(x)));
  return pick(f64x2.eq(x, f64x2.splat(0)), x, sine(x, shift));
}
/** cos x, any finite x. */
export function cos_v<T>(x: v128): v128 {
  if (sizeof<T>() == 4) return narrow(cos_v<f64>(lowHalf(x)), cos_v<f64>(highHalf(x)));
  return sine(x, bits<f64>(BIT0));
}

// ---- atan2, asin, acos

const ATAN64_P: usize = memory.data<f64>([-0.004880052338466366, -0.08740132919525456, -0.3968926070282097, -0.6396399356535178, -0.3333333333333333], 16);
const ATAN64_Q: usize = memory.data<f64>([0.005590632385742025, 0.13525869584278902, 0.8800752267416498, 2.2734582766912936, 2.5189198069605347, 1], 16);

/** The angle of (x, y) in [-pi, pi], with the zeros and infinities of C's atan2. */
export function atan2_v<T>(y: v128, x: v128): v128 {
  if (sizeof<T>() == 4) return narrow(atan2_v<f64>(lowHalf(y), lowHalf(x)), atan2_v<f64>(highHalf(y), highHalf(x)));
  const ay = v128.abs<T>(y), ax = v128.abs<T>(x), one = k<T>(ONE), zero = v128.splat<T>(<T>0);
  const steep = v128.gt<T>(ay, ax);
  let small = v128.pmin<T>(ay, ax), large = v128.pmax<T>(ay, ax);
  const extreme = v128.gt<T>(large, k<T>(HUGE)), tiny = v128.lt<T>(large, k<T>(NORMAL_MIN));
  if (v128.any_true(v128.or(extreme, tiny))) {
    small = pick(tiny, v128.mul<T>(small, k<T>(LIFT)), small); large = pick(tiny, v128.mul<T>(large, k<T>(LIFT)), large);
    const infinite = v128.eq<T>(large, bits<T>(INF));
    small = pick(infinite, v128.and(one, v128.eq<T>(small, bits<T>(INF))), pick(extreme, v128.mul<T>(small, k<T>(QUARTER)), small));
    large = pick(infinite, one, pick(extreme, v128.mul<T>(large, k<T>(QUARTER)), large));
  }
  large = pick(v128.eq<T>(large, zero), one, large);
  // small / large = tan(pi/4 + atan(t)) above .6, so |t| <= .6 always
  const upper = v128.gt<T>(small, v128.mul<T>(large, k<T>(ATAN_SPLIT)));
  const t = v128.div<T>(pick(upper, v128.sub<T>(small, large), small), pick(upper, v128.add<T>(small, large), large));
  const z = v128.mul<T>(t, t);
  const r = v128.div<T>(p4<T>(ATAN64_P, z), p5<T>(ATAN64_Q, z));
  let angle = madd<T>(v128.mul<T>(t, z), r, t);
  angle = pick(upper, v128.add<T>(k<T>(PI_4), v128.add<T>(angle, k<T>(PI_4_LO))), angle);
  angle = pick(steep, v128.sub<T>(k<T>(PI_2), v128.sub<T>(angle, k<T>(PI_2_LO))), angle);
  const left = v128.gt<T>(v128.xor(v128.and(x, bits<T>(SIGN)), one), zero);   // the sign bit is clear
  angle = pick(left, angle, v128.sub<T>(k<T>(PI), v128.sub<T>(angle, k<T>(PI_LO))));
  return v128.or(signed<T>(angle, y), v128.or(v128.ne<T>(x, x), v128.ne<T>(y, y)));
}

const ASIN_P: usize = memory.data<f64>([
  3.420376962659236e-05, 0.0007825092917394842, -0.039807549535436366, 0.20050926838844818, -0.3250686905230018, 0.16666666666666666,
], 16);
const ASIN_Q: usize = memory.data<f64>([0.07649373815374916, -0.6850921949173578, 2.0153839318862565, -2.4004121431380154, 1], 16);

/** asin (sine = true) or acos of two f64: x + x R(x^2) up to 1/2; beyond, 2 asin sqrt((1 - |x|)/2) with the root in two parts. */
function arc(x: v128, sine: bool): v128 {
  const a = f64x2.abs(x), half = k<f64>(HALF), wide = f64x2.gt(a, half);
  const z = pick(wide, f64x2.mul(f64x2.sub(k<f64>(ONE), a), half), f64x2.mul(a, a));
  const r = f64x2.mul(z, f64x2.div(p5<f64>(ASIN_P, z), p4<f64>(ASIN_Q, z)));
  const s = f64x2.sqrt(z), high = v128.and(s, bits<f64>(UPPER_HALF));
  const rest = f64x2.div(f64x2.sub(z, f64x2.mul(high, high)), f64x2.add(f64x2.add(s, high), k<f64>(NORMAL_MIN)));
  const w = madd<f64>(r, s, rest), pi2 = k<f64>(PI_2), pi2lo = k<f64>(PI_2_LO);   // asin(sqrt z) = high + w
  const high2 = f64x2.add(high, high), w2 = f64x2.add(w, w);
  if (sine) {
    // pi/2 - 2 (high + w) = pi/4 - ((2 w - lo) - (pi/4 - 2 high))
    const pi4 = k<f64>(PI_4);
    const far = f64x2.sub(pi4, f64x2.sub(f64x2.sub(w2, pi2lo), f64x2.sub(pi4, high2)));
    return signed<f64>(pick(wide, far, madd<f64>(a, r, a)), x);
  }
  const near = f64x2.sub(pi2, f64x2.sub(x, nmadd<f64>(x, r, pi2lo)));
  const right = f64x2.add(high2, w2), left = f64x2.sub(f64x2.add(pi2, pi2), f64x2.sub(right, f64x2.add(pi2lo, pi2lo)));
  return pick(wide, pick(f64x2.lt(x, f64x2.splat(0)), left, right), near);
}

/** The angle in [-pi/2, pi/2] whose sine is x; NaN outside [-1, 1]. */
export function asin_v<T>(x: v128): v128 {
  if (sizeof<T>() == 4) return narrow(arc(lowHalf(x), true), arc(highHalf(x), true));
  return arc(x, true);
}
/** The angle in [0, pi] whose cosine is x; NaN outside [-1, 1]. */
export function acos_v<T>(x: v128): v128 {
  if (sizeof<T>() == 4) return narrow(arc(lowHalf(x), false), arc(highHalf(x), false));
  return arc(x, false);
}

// ---- sinh, cosh

const SINH64: usize = memory.data<f64>([
  7.746178593018827e-13, 1.6057679623801638e-10, 2.5052117695907823e-08, 2.7557319191381816e-06, 0.00019841269841324198, 0.008333333333333299, 0.16666666666666666,
], 16);

/** e^a / 2 for a >= 0, finite up to where sinh is. */
// @ts-ignore: decorator
@inline function halfExp(a: v128): v128 {
  a = f64x2.pmin(a, f64x2.add(k<f64>(EXP_MAX), k<f64>(ONE)));
  const t = turns<f64>(a);
  return scaled<f64>(f64x2.add(expm1Small<f64>(reduced<f64>(a, t)), k<f64>(ONE)), f64x2.sub(t, k<f64>(ONE)));
}
/** sinh x: x + x^3 P(x^2) below 1. */
export function sinh_v<T>(x: v128): v128 {
  if (sizeof<T>() == 4) return narrow(sinh_v<f64>(lowHalf(x)), sinh_v<f64>(highHalf(x)));
  const a = f64x2.abs(x), z = f64x2.mul(a, a), e = halfExp(a);
  const far = f64x2.sub(e, f64x2.div(k<f64>(QUARTER), e)), near = madd<f64>(f64x2.mul(a, z), p6<f64>(SINH64, z), a);
  return signed<f64>(pick(f64x2.lt(a, k<f64>(ONE)), near, far), x);
}
/** cosh x. */
export function cosh_v<T>(x: v128): v128 {
  if (sizeof<T>() == 4) return narrow(cosh_v<f64>(lowHalf(x)), cosh_v<f64>(highHalf(x)));
  const e = halfExp(f64x2.abs(x));
  return f64x2.add(e, f64x2.div(k<f64>(QUARTER), e));
}

// ---- scalar forms

// @ts-ignore: decorator
@inline function lane<T>(v: v128): T { return v128.extract_lane<T>(v, 0); }
// @ts-ignore: decorator
@inline export function exp_s<T>(x: T): T { return lane<T>(exp_v<T>(v128.splat<T>(x))); }
// @ts-ignore: decorator
@inline export function exponential_s(x: f64): f64 { return f64x2.extract_lane(exponential<f64>(f64x2.splat(x)), 0); }
// @ts-ignore: decorator
@inline export function expm1_s<T>(x: T): T { return lane<T>(expm1_v<T>(v128.splat<T>(x))); }
// @ts-ignore: decorator
@inline export function log_s<T>(x: T): T { return lane<T>(log_v<T>(v128.splat<T>(x))); }
// @ts-ignore: decorator
@inline export function log1p_s<T>(x: T): T { return lane<T>(log1p_v<T>(v128.splat<T>(x))); }
// @ts-ignore: decorator
@inline export function erf_s<T>(x: T): T { return lane<T>(erf_v<T>(v128.splat<T>(x))); }
// @ts-ignore: decorator
@inline export function erfc_s<T>(x: T): T { return lane<T>(erfc_v<T>(v128.splat<T>(x))); }
// @ts-ignore: decorator
@inline export function tanh_s<T>(x: T): T { return lane<T>(tanh_v<T>(v128.splat<T>(x))); }
// @ts-ignore: decorator
@inline export function sigmoid_s<T>(x: T): T { return lane<T>(sigmoid_v<T>(v128.splat<T>(x))); }
// @ts-ignore: decorator
@inline export function sin_s<T>(x: T): T { return lane<T>(sin_v<T>(v128.splat<T>(x))); }
// @ts-ignore: decorator
@inline export function cos_s<T>(x: T): T { return lane<T>(cos_v<T>(v128.splat<T>(x))); }
// @ts-ignore: decorator
@inline export function asin_s<T>(x: T): T { return lane<T>(asin_v<T>(v128.splat<T>(x))); }
// @ts-ignore: decorator
@inline export function acos_s<T>(x: T): T { return lane<T>(acos_v<T>(v128.splat<T>(x))); }
// @ts-ignore: decorator
@inline export function atan2_s<T>(y: T, x: T): T { return lane<T>(atan2_v<T>(v128.splat<T>(y), v128.splat<T>(x))); }
