// Elementary functions, two f64 or four f32 at a time. A scalar form is the vector form of a splat, and array maps use the
// vector form for their tails, so the bits of f(x) depend on x only. In `simd` they equal src/math/elementary.ts.
// f32: exp, expm1, log, log1p, sigmoid, tanh and erf have polynomials of their own; the others round the f64 value.
// Polynomials and rational functions interpolate at Chebyshev nodes (60 digits). Errors: docs/accuracy.md.
import { bits, c, ERF_MAX, ERF_SPLIT, EXP_MAX, EXP_MIN, EXPM1_FAR, EXPM1_MIN, EXPONENT, HALF, highHalf, iadd, INF, isub, k, lane, LIFT, LIFT_BITS, LN2_HI, LN2_LO, LOG2E, LOG_BIAS, LOG_FLOAT, LOG_LIFT, LOG_OFFSET, lowHalf, narrow, NORMAL_MIN, NOT_A_NUMBER, ONE, p10, p19, p2, p3, p4, p5, p6, p9, pick, ROUND, ROUND_ONE, shl, shr, signed, TANH_SPLIT, TWO, UPPER_HALF } from './elementary-parts';
import { madd, nmadd } from './simd';

// ---- exp, expm1, sigmoid, tanh: x = n ln 2 + r, e^r = 1 + r + r^2 q(r)

const EXP64: usize = memory.data<f64>([
  2.5100375929185925e-08, 2.762007600563138e-07, 2.7557268480106926e-06, 2.480152132210459e-05, 0.00019841269863040675,
  0.001388888891719689, 0.008333333333330065, 0.041666666666624164, 0.16666666666666669, 0.5,
], 16);
const EXP32: usize = memory.data<f32>([0.0013926176194609642, 0.008363173134292821, 0.04166655466160214, 0.1666657702523905, 0.5], 16);

/** n = round(x / ln 2) as a number whose lowest exponent-wide bits hold n + twice the exponent bias. */
// @ts-ignore: decorator
@inline export function turns<T>(x: v128): v128 { return madd<T>(x, k<T>(LOG2E), k<T>(ROUND)); }
// @ts-ignore: decorator
@inline export function reduced<T>(x: v128, t: v128): v128 {
  const n = v128.sub<T>(t, k<T>(ROUND));
  return nmadd<T>(n, k<T>(LN2_LO), nmadd<T>(n, k<T>(LN2_HI), x));
}
/** e^r - 1 for |r| <= ln 2 / 2. */
// @ts-ignore: decorator
@inline export function expm1Small<T>(r: v128): v128 {
  return madd<T>(v128.mul<T>(r, r), sizeof<T>() == 8 ? p9<T>(EXP64, r) : p4<T>(EXP32, r), r);
}
/** y 2^n, in two steps so that overflow and gradual underflow round once. */
// @ts-ignore: decorator
@inline export function scaled<T>(y: v128, t: v128): v128 {
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

// ---- scalar forms

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
