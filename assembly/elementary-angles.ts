// Circular functions, their inverses and hyperbolic sines, as in elementary.ts. f32 rounds the f64 value.
import { expm1Small, reduced, scaled, turns } from './elementary';
import { ATAN_SPLIT, BIT0, BIT1, bits, c, EXP_MAX, HALF, highHalf, HUGE, INF, k, lane, LIFT, lowHalf, narrow, NORMAL_MIN, ONE, p4, p5, p6, PI, PI_2, PI_2_LO, PI_4, PI_4_LO, PI_LO, pick, QUARTER, shl, SIGN, signed, UPPER_HALF } from './elementary-parts';
import { madd, nmadd } from './simd';

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
@inline export function sin_s<T>(x: T): T { return lane<T>(sin_v<T>(v128.splat<T>(x))); }
// @ts-ignore: decorator
@inline export function cos_s<T>(x: T): T { return lane<T>(cos_v<T>(v128.splat<T>(x))); }
// @ts-ignore: decorator
@inline export function asin_s<T>(x: T): T { return lane<T>(asin_v<T>(v128.splat<T>(x))); }
// @ts-ignore: decorator
@inline export function acos_s<T>(x: T): T { return lane<T>(acos_v<T>(v128.splat<T>(x))); }
// @ts-ignore: decorator
@inline export function atan2_s<T>(y: T, x: T): T { return lane<T>(atan2_v<T>(v128.splat<T>(y), v128.splat<T>(x))); }
