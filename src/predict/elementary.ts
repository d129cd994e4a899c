// Scalar functions in plain arithmetic: equal bits in every engine, errors of a few units in the last place.
// Polynomials: fdlibm (Sun Microsystems, 1993; freely usable with this notice). The logarithm is math/elementary.ts.
import { log } from '../math/elementary.js';

export { log };

const LN2_HI = 6.9314718036912381649e-1;
const LN2_LO = 1.90821492927058770002e-10;
const bits = new Float64Array(1);
const words = new Uint32Array(bits.buffer);

/** 2^k for -1022 <= k <= 1023. */
function powerOfTwo(k: number): number {
  words[0] = 0;
  words[1] = (k + 1023) << 20;
  return bits[0]!;
}

/** e^x: 0 below -745.2, infinite above 709.79. */
export function exp(x: number): number {
  if (!(x < 709.782712893384)) return Number.isNaN(x) ? NaN : Infinity;
  if (x < -745.2) return 0;
  const k = Math.round(x * 1.4426950408889634);
  const high = x - k * LN2_HI;
  const low = k * LN2_LO;
  const r = high - low;
  const z = r * r;
  const c =
    r -
    z *
      (1.66666666666666019037e-1 +
        z *
          (-2.77777777770155933842e-3 +
            z *
              (6.61375632143793436117e-5 + z * (-1.6533902205465251539e-6 + z * 4.13813679705723846039e-8))));
  const y = 1 - (low - (r * c) / (2 - c) - high);
  if (k >= 1024) return y * 2 * powerOfTwo(1023);
  if (k < -1021) return y * powerOfTwo(k + 1000) * powerOfTwo(-1000);
  return y * powerOfTwo(k);
}

/** e^x - 1, without cancellation near 0. */
export function expm1(x: number): number {
  if (!(Math.abs(x) < 0.34)) return exp(x) - 1;
  const half = 0.5 * x;
  const h = x * half;
  const r =
    1 +
    h *
      (-3.33333333333331316428e-2 +
        h *
          (1.58730158725481460165e-3 +
            h *
              (-7.93650757867487942473e-5 +
                h * (4.00821782732936239552e-6 - h * 2.01099218183624371326e-7))));
  const t = 3 - r * half;
  const e = h * ((r - t) / (6 - x * t));
  return x - (x * e - h);
}

/** log(1 + x), without cancellation near 0 (Kahan's correction). */
export function log1p(x: number): number {
  const u = 1 + x;
  return u === 1 ? x : log(u) * (x / (u - 1));
}

const HALF_PI = [1.57079632673412561417, 6.0771005063039659766e-11, 2.02226624879595063154e-21] as const;

/** x minus the nearest multiple of pi/2, and that multiple; good to |x| ~ 1e6. */
function reduce(x: number): [rest: number, quadrant: number] {
  const k = Math.round(x * 0.6366197723675814);
  return [x - k * HALF_PI[0] - k * HALF_PI[1] - k * HALF_PI[2], k - 4 * Math.floor(k / 4)];
}

function kernelSin(x: number): number {
  const z = x * x;
  const r =
    8.33333333332248946124e-3 +
    z *
      (-1.98412698298579493134e-4 +
        z * (2.75573137070700676789e-6 + z * (-2.50507602534068634195e-8 + z * 1.58969099521155010221e-10)));
  return x + z * x * (-1.66666666666666324348e-1 + z * r);
}

function kernelCos(x: number): number {
  const z = x * x;
  const r =
    4.16666666666666019037e-2 +
    z *
      (-1.38888888888741095749e-3 +
        z *
          (2.48015872894767294178e-5 +
            z *
              (-2.75573143513906633035e-7 +
                z * (2.0875723212981748279e-9 - z * 1.13596475577881948265e-11))));
  return 1 - (0.5 * z - z * z * r);
}

export function sin(x: number): number {
  const [rest, quadrant] = reduce(x);
  const value = quadrant % 2 === 0 ? kernelSin(rest) : kernelCos(rest);
  return quadrant < 2 ? value : -value;
}

export function cos(x: number): number {
  const [rest, quadrant] = reduce(x);
  const value = quadrant % 2 === 0 ? kernelCos(rest) : kernelSin(rest);
  return quadrant === 0 || quadrant === 3 ? value : -value;
}
