// Array forms of elementary.ts: y[i] = f(x[i]) for i < n. x and y: n numbers, any alignment, y may be x. The last, partial
// vector is padded with zeros, so nothing outside the n numbers is read or written and bits do not depend on position.
import { loadPart, storePart } from './part';
import { lanes } from './simd';
import { erf_v, erfc_v, exp_v, expm1_v, exponential, log_v, log1p_v, sigmoid_v, tanh_v } from './elementary';
import { acos_v, asin_v, atan2_v, cos_v, cosh_v, sin_v, sinh_v } from './elementary-angles';
import { highHalf, lowHalf, narrow } from './elementary-parts';

// @ts-ignore: decorator
@inline function exp_map<T>(n: i32, x: usize, y: usize): void {
  for (; n >= lanes<T>(); n -= lanes<T>(), x += 16, y += 16) v128.store(y, exp_v<T>(v128.load(x)));
  if (n > 0) storePart<T>(y, exponential<T>(loadPart<T>(x, n)), n);
}
export function exp_f32(n: i32, x: usize, y: usize): void { exp_map<f32>(n, x, y); }
export function exp_f64(n: i32, x: usize, y: usize): void { exp_map<f64>(n, x, y); }

export function expm1_f32(n: i32, x: usize, y: usize): void { for (; n > 0; n -= lanes<f32>(), x += 16, y += 16) storePart<f32>(y, expm1_v<f32>(loadPart<f32>(x, n)), n); }
export function expm1_f64(n: i32, x: usize, y: usize): void { wideMap(false, EXPM1, n, x, y); }

export function log_f32(n: i32, x: usize, y: usize): void { for (; n > 0; n -= lanes<f32>(), x += 16, y += 16) storePart<f32>(y, log_v<f32>(loadPart<f32>(x, n)), n); }
export function log_f64(n: i32, x: usize, y: usize): void { for (; n > 0; n -= lanes<f64>(), x += 16, y += 16) storePart<f64>(y, log_v<f64>(loadPart<f64>(x, n)), n); }

export function log1p_f32(n: i32, x: usize, y: usize): void { for (; n > 0; n -= lanes<f32>(), x += 16, y += 16) storePart<f32>(y, log1p_v<f32>(loadPart<f32>(x, n)), n); }
export function log1p_f64(n: i32, x: usize, y: usize): void { wideMap(false, LOG1P, n, x, y); }

// @ts-ignore: decorator
@inline function sigmoid_map<T>(n: i32, x: usize, y: usize): void { for (; n > 0; n -= lanes<T>(), x += 16, y += 16) storePart<T>(y, sigmoid_v<T>(loadPart<T>(x, n)), n); }
export function sigmoid_f32(n: i32, x: usize, y: usize): void { sigmoid_map<f32>(n, x, y); }
export function sigmoid_f64(n: i32, x: usize, y: usize): void { sigmoid_map<f64>(n, x, y); }

// @ts-ignore: decorator
@inline function tanh_map<T>(n: i32, x: usize, y: usize): void { for (; n > 0; n -= lanes<T>(), x += 16, y += 16) storePart<T>(y, tanh_v<T>(loadPart<T>(x, n)), n); }
export function tanh_f32(n: i32, x: usize, y: usize): void { tanh_map<f32>(n, x, y); }
export function tanh_f64(n: i32, x: usize, y: usize): void { tanh_map<f64>(n, x, y); }

export function erf_f32(n: i32, x: usize, y: usize): void { for (; n > 0; n -= lanes<f32>(), x += 16, y += 16) storePart<f32>(y, erf_v<f32>(loadPart<f32>(x, n)), n); }
export function erf_f64(n: i32, x: usize, y: usize): void { wideMap(false, ERF, n, x, y); }

// Most of these compute in f64 for both dtypes: one loop, which chooses inside.
const ERFC: i32 = 0, SIN: i32 = 1, COS: i32 = 2, ASIN: i32 = 3, ACOS: i32 = 4, SINH: i32 = 5, COSH: i32 = 6, LOG1P: i32 = 7, EXPM1: i32 = 8, ERF: i32 = 9;
function wide(kind: i32, x: v128): v128 {
  switch (kind) {
    case ERFC: return erfc_v<f64>(x);
    case SIN: return sin_v<f64>(x);
    case COS: return cos_v<f64>(x);
    case ASIN: return asin_v<f64>(x);
    case ACOS: return acos_v<f64>(x);
    case SINH: return sinh_v<f64>(x);
    case LOG1P: return log1p_v<f64>(x);
    case EXPM1: return expm1_v<f64>(x);
    case ERF: return erf_v<f64>(x);
    default: return cosh_v<f64>(x);
  }
}
function wideMap(single: bool, kind: i32, n: i32, x: usize, y: usize): void {
  if (single) for (; n > 0; n -= 4, x += 16, y += 16) {
    const v = loadPart<f32>(x, n);
    storePart<f32>(y, narrow(wide(kind, lowHalf(v)), wide(kind, highHalf(v))), n);
  } else for (; n > 0; n -= 2, x += 16, y += 16) storePart<f64>(y, wide(kind, loadPart<f64>(x, n)), n);
}
export function erfc_f32(n: i32, x: usize, y: usize): void { wideMap(true, ERFC, n, x, y); }
export function erfc_f64(n: i32, x: usize, y: usize): void { wideMap(false, ERFC, n, x, y); }
export function sin_f32(n: i32, x: usize, y: usize): void { wideMap(true, SIN, n, x, y); }
export function sin_f64(n: i32, x: usize, y: usize): void { wideMap(false, SIN, n, x, y); }
export function cos_f32(n: i32, x: usize, y: usize): void { wideMap(true, COS, n, x, y); }
export function cos_f64(n: i32, x: usize, y: usize): void { wideMap(false, COS, n, x, y); }
export function asin_f32(n: i32, x: usize, y: usize): void { wideMap(true, ASIN, n, x, y); }
export function asin_f64(n: i32, x: usize, y: usize): void { wideMap(false, ASIN, n, x, y); }
export function acos_f32(n: i32, x: usize, y: usize): void { wideMap(true, ACOS, n, x, y); }
export function acos_f64(n: i32, x: usize, y: usize): void { wideMap(false, ACOS, n, x, y); }
export function sinh_f32(n: i32, x: usize, y: usize): void { wideMap(true, SINH, n, x, y); }
export function sinh_f64(n: i32, x: usize, y: usize): void { wideMap(false, SINH, n, x, y); }
export function cosh_f32(n: i32, x: usize, y: usize): void { wideMap(true, COSH, n, x, y); }
export function cosh_f64(n: i32, x: usize, y: usize): void { wideMap(false, COSH, n, x, y); }

// @ts-ignore: decorator
@inline function atan2_map<T>(n: i32, y: usize, x: usize, out: usize): void { for (; n > 0; n -= lanes<T>(), x += 16, y += 16, out += 16) storePart<T>(out, atan2_v<T>(loadPart<T>(y, n), loadPart<T>(x, n)), n); }
/** out[i] = atan2(y[i], x[i]); out may be x or y. */
export function atan2_f32(n: i32, y: usize, x: usize, out: usize): void { atan2_map<f32>(n, y, x, out); }
export function atan2_f64(n: i32, y: usize, x: usize, out: usize): void { atan2_map<f64>(n, y, x, out); }
