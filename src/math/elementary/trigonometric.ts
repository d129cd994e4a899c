// sin, cos and their inverses. The steps and constants of assembly/elementary.ts, f64, in the same order.
import { horner } from './horner.js';

const f64 = new Float64Array(1);
const u64 = new BigUint64Array(f64.buffer);
const u32 = new Uint32Array(f64.buffer);

const PI_2 = 1.5707963267948966;
const PI_2_LO = 6.123233995736766e-17;
const ROUND = 6755399441055744; // 1.5 * 2^52
/** pi/2 in three parts of 33 bits and a rest. */
const PARTS = [
  1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.4784276603689e-32,
] as const;
const FAR = 1647099; // 2^20 pi/2
const SIN = [
  1.5918115263265974e-10, -2.505113165023518e-8, 2.7557316101617874e-6, -0.00019841269836756774,
  0.008333333333330948, -0.16666666666666666,
] as const;
const COS = [
  -1.1382623647474603e-11, 2.087614614655861e-9, -2.7557317271145144e-7, 2.480158729876456e-5,
  -0.0013888888888887398, 0.041666666666666664,
] as const;
/** The binary digits of 2/pi after 64 zeros. */
const TWO_OVER_PI = BigInt(
  '0xa2f9836e4e441529fc2757d1f534ddc0db6295993c439041fe5163abdebbc561b7246e3a424dd2e006492eea09d1921cfe1deb1cb129a73ee88235f52ebb4484e99c7026b45f7e413991d639835339f49c845f8bbdf9283b1ff897ffde05980fef2f118b5a0a6d1f6d367ecf27cb09b74f463f669e5fea2d7527bac7ebe5f17b3d0739f78a5292ea6bfb5fb11f8d5d0856033046fc7b6bab',
);
const DIGITS = 1280;

interface Reduced {
  readonly quadrant: number;
  readonly y: number;
  readonly tail: number;
}

/** x = n pi/2 + y + tail, after Cody & Waite. */
function reduce(x: number): Reduced {
  if (!(Math.abs(x) <= FAR)) return reduceFar(x);
  const n = x * 0.6366197723675814 + ROUND - ROUND;
  const r0 = x - n * PARTS[0];
  const w1 = n * PARTS[1];
  const w2 = n * PARTS[2];
  const r1 = r0 - w1;
  const b1 = r1 - r0;
  const e1 = r0 - (r1 - b1) - (w1 + b1);
  const r2 = r1 - w2;
  const b2 = r2 - r1;
  const e2 = r1 - (r2 - b2) - (w2 + b2);
  const low = e1 + e2 - n * PARTS[3];
  const y = r2 + low;
  return { quadrant: n & 3, y, tail: r2 - y + low };
}

/** Payne & Hanek (1983) with 192 digits of 2/pi. */
function reduceFar(x: number): Reduced {
  if (!Number.isFinite(x)) return { quadrant: 0, y: NaN, tail: NaN };
  f64[0] = Math.abs(x);
  const start = ((u32[1]! >>> 20) & 0x7ff) - 1075 + 62;
  const m = (u64[0]! & 0xfffffffffffffn) | 0x10000000000000n;
  const window = BigInt.asUintN(192, TWO_OVER_PI >> BigInt(DIGITS - start - 192));
  const low = BigInt.asUintN(64, window);
  const a = BigInt.asUintN(128, m * (window >> 64n) + ((m * low) >> 64n));
  const fraction = BigInt.asIntN(128, a << 2n);
  const quadrant = Number((a >> 126n) + ((a >> 125n) & 1n)) & 3;
  const high = fraction >> 64n;
  const rest = BigInt.asUintN(64, fraction);
  const f = Number(high);
  const g = (Number(high - BigInt(f)) + Number(rest >> 11n) * 2 ** -53) * 2 ** -64;
  const h = f * 2 ** -64;
  f64[0] = h;
  u64[0] = u64[0]! & 0xfffffffff8000000n;
  const ha = f64[0];
  const hb = h - ha;
  const p = h * PI_2;
  const e =
    ha * 1.5707963109016418 -
    p +
    ha * 1.5893254773528197e-8 +
    hb * 1.5707963109016418 +
    hb * 1.5893254773528197e-8;
  const t = e + (h * PI_2_LO + g * PI_2);
  const y = p + t;
  const tail = p - y + t;
  return x < 0 ? { quadrant: (4 - quadrant) & 3, y: -y, tail: -tail } : { quadrant, y, tail };
}

function sine({ quadrant, y, tail }: Reduced, shift: number): number {
  const turn = quadrant + shift;
  const z = y * y;
  const hz = 0.5 * z;
  const w = 1 - hz;
  const value =
    turn & 1
      ? w + (1 - w - hz + (z * z * horner(COS, z) - y * tail))
      : y + (z * y * horner(SIN, z) + tail * w);
  return turn & 2 ? -value : value;
}

/** sin x, any finite x; NaN for infinities. */
export const sin = (x: number): number => (x === 0 ? x : sine(reduce(x), 0));
/** cos x, any finite x; NaN for infinities. */
export const cos = (x: number): number => sine(reduce(x), 1);

const ATAN_P = [
  -0.004880052338466366, -0.08740132919525456, -0.3968926070282097, -0.6396399356535178, -0.3333333333333333,
] as const;
const ATAN_Q = [
  0.005590632385742025, 0.13525869584278902, 0.8800752267416498, 2.2734582766912936, 2.5189198069605347, 1,
] as const;

/** The angle of (x, y) in [-pi, pi], with the zeros and infinities of Math.atan2. */
export function atan2(y: number, x: number): number {
  if (Number.isNaN(x) || Number.isNaN(y)) return NaN;
  const [ay, ax] = [Math.abs(y), Math.abs(x)];
  let small = Math.min(ay, ax);
  let large = Math.max(ay, ax);
  if (large === Infinity) {
    small = small === Infinity ? 1 : 0;
    large = 1;
  } else if (large > 1e308) {
    small *= 0.25;
    large *= 0.25;
  } else if (large < 2 ** -1022) {
    small *= 2 ** 54;
    large = large === 0 ? 1 : large * 2 ** 54;
  }
  const upper = small > large * 0.6;
  const t = upper ? (small - large) / (small + large) : small / large;
  const z = t * t;
  let angle = t * z * (horner(ATAN_P, z) / horner(ATAN_Q, z)) + t;
  if (upper) angle = 0.7853981633974483 + (angle + 3.061616997868383e-17);
  if (ay > ax) angle = PI_2 - (angle - PI_2_LO);
  if (x < 0 || Object.is(x, -0)) angle = Math.PI - (angle - 1.2246467991473532e-16);
  return y < 0 || Object.is(y, -0) ? -angle : angle;
}
/** The angle in (-pi/2, pi/2) whose tangent is x. */
export const atan = (x: number): number => atan2(x, 1);

const ASIN_P = [
  3.420376962659236e-5, 0.0007825092917394842, -0.039807549535436366, 0.20050926838844818,
  -0.3250686905230018, 0.16666666666666666,
] as const;
const ASIN_Q = [
  0.07649373815374916, -0.6850921949173578, 2.0153839318862565, -2.4004121431380154, 1,
] as const;

const ratio = (z: number): number => z * (horner(ASIN_P, z) / horner(ASIN_Q, z));
/** asin(sqrt z) for z = (1 - |x|) / 2, as a part with 26 bits and a rest. */
function halfAngle(a: number): [number, number] {
  const z = (1 - a) * 0.5;
  const s = Math.sqrt(z);
  f64[0] = s;
  u64[0] = u64[0]! & 0xfffffffff8000000n;
  const high = f64[0];
  return [high, ratio(z) * s + (z - high * high) / (s + high + 2 ** -1022)];
}

/** The angle in [-pi/2, pi/2] whose sine is x; NaN outside [-1, 1]. */
export function asin(x: number): number {
  const a = Math.abs(x);
  if (!(a <= 1)) return NaN;
  if (a <= 0.5) return x === 0 ? x : ratio(x * x) * x + x;
  const [high, w] = halfAngle(a);
  const quarter = 0.7853981633974483;
  const angle = quarter - (w + w - PI_2_LO - (quarter - (high + high)));
  return x < 0 ? -angle : angle;
}
/** The angle in [0, pi] whose cosine is x; NaN outside [-1, 1]. */
export function acos(x: number): number {
  const a = Math.abs(x);
  if (!(a <= 1)) return NaN;
  if (a <= 0.5) return PI_2 - (x - (PI_2_LO - x * ratio(x * x)));
  const [high, w] = halfAngle(a);
  const angle = high + high + (w + w);
  return x < 0 ? PI_2 + PI_2 - (angle - (PI_2_LO + PI_2_LO)) : angle;
}
