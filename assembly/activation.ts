// Activations and their derivatives up to order 3, entry by entry. The codes are those of src/layers/activation/codes.ts.
// At a kink every derivative is that of the left side (x <= 0): relu'(0) = 0, leakyRelu'(0) = alpha, abs'(0) = -1.
import { erf_v, erfc_v, expm1_v, exponential, log1p_v, sigmoid_v, tanh_v } from './elementary';
import { cos_v, sin_v } from './elementary-angles';
import { highHalf, lowHalf, narrow } from './elementary-parts';
import { loadPart, storePart } from './part';
import { lanes, madd } from './simd';

const LINEAR: i32 = 0, SIGN: i32 = 1, ERF: i32 = 2, SIN: i32 = 3, EXP: i32 = 4, GAUSSIAN: i32 = 5, GABOR: i32 = 6;
const GELU: i32 = 7, GELU_TANH: i32 = 8, POLYNOMIAL: i32 = 9, RECTIFIED: i32 = 10, TANH: i32 = 11, SIGMOID: i32 = 12;
const SOFTPLUS: i32 = 13, SWISH: i32 = 14, ELU: i32 = 15, MISH: i32 = 16, SOFTSIGN: i32 = 17, COS: i32 = 18;

/** f32: the code for orders above 1 is left out; those compute in f64 (wide). */
// @ts-ignore: decorator
@inline function single<T>(): bool { return sizeof<T>() == 4; }
// @ts-ignore: decorator
@inline function full<T>(x: f64): v128 { return v128.splat<T>(<T>x); }
// @ts-ignore: decorator
@inline function add<T>(x: v128, y: v128): v128 { return v128.add<T>(x, y); }
// @ts-ignore: decorator
@inline function sub<T>(x: v128, y: v128): v128 { return v128.sub<T>(x, y); }
// @ts-ignore: decorator
@inline function mul<T>(x: v128, y: v128): v128 { return v128.mul<T>(x, y); }
// @ts-ignore: decorator
@inline function div<T>(x: v128, y: v128): v128 { return v128.div<T>(x, y); }
// @ts-ignore: decorator
@inline function times<T>(a: f64, x: v128): v128 { return v128.mul<T>(full<T>(a), x); }
// @ts-ignore: decorator
@inline function positive<T>(x: v128, yes: v128, no: v128): v128 { return v128.bitselect(yes, no, v128.gt<T>(x, full<T>(0))); }
/** a erf(b x) + c. */
function erfOf<T>(order: i32, x: v128, a: v128, b: v128, c: v128): v128 {
  const u = mul<T>(b, x);
  if (order == 0) return madd<T>(a, erf_v<T>(u), c);
  const z = mul<T>(u, u), g = mul<T>(times<T>(1.1283791670955126, mul<T>(a, b)), exponential<T>(v128.neg<T>(z)));
  if (single<T>() || order == 1) return g;
  if (order == 2) return mul<T>(g, times<T>(-2, mul<T>(u, b)));
  return mul<T>(g, mul<T>(mul<T>(b, b), sub<T>(times<T>(4, z), full<T>(2))));
}

/** a sin(b x + c + phase pi/2) b^order: sine and cosine and their derivatives. */
function sinOf(phase: i32, order: i32, x: v128, a: v128, b: v128, c: v128): v128 {
  const u = madd<f64>(b, x, c);
  let y = mul<f64>(a, phase & 1 ? cos_v<f64>(u) : sin_v<f64>(u));
  if (phase & 2) y = v128.neg<f64>(y);
  for (; order > 0; order--) y = mul<f64>(y, b);
  return y;
}

/** a e^(b x^2). */
function gaussianOf(order: i32, x: v128, a: v128, b: v128): v128 {
  const z = mul<f64>(mul<f64>(b, x), x), g = mul<f64>(a, exponential<f64>(z));
  if (order == 0) return g;
  const d = times<f64>(2, mul<f64>(b, g));
  if (order == 1) return mul<f64>(d, x);
  if (order == 2) return mul<f64>(d, add<f64>(times<f64>(2, z), full<f64>(1)));
  return mul<f64>(mul<f64>(d, times<f64>(2, mul<f64>(b, x))), add<f64>(times<f64>(2, z), full<f64>(3)));
}

/** e^(-x^2) sin x = e^(-x^2) (P sin x + Q cos x) in every order. */
function gaborOf(order: i32, x: v128): v128 {
  const z = mul<f64>(x, x);
  let p = full<f64>(1), q = full<f64>(0);
  if (order == 1) { p = times<f64>(-2, x); q = full<f64>(1); }
  else if (order == 2) { p = sub<f64>(times<f64>(4, z), full<f64>(3)); q = times<f64>(-4, x); }
  else if (order == 3) { p = mul<f64>(x, sub<f64>(full<f64>(18), times<f64>(8, z))); q = sub<f64>(times<f64>(12, z), full<f64>(7)); }
  const g = exponential<f64>(v128.neg<f64>(z));
  return mul<f64>(g, order == 0 ? sin_v<f64>(x) : madd<f64>(p, sin_v<f64>(x), mul<f64>(q, cos_v<f64>(x))));
}

/** x Phi(x). In f32 Phi = (1 + erf) / 2 has absolute, in f64 through erfc relative accuracy. */
function geluOf<T>(order: i32, x: v128): v128 {
  if (!single<T>() && order > 1) {
    const density = times<T>(0.3989422804014327, exponential<T>(times<T>(-0.5, mul<T>(x, x))));
    if (order == 2) return mul<T>(density, sub<T>(full<T>(2), mul<T>(x, x)));
    return mul<T>(density, mul<T>(x, sub<T>(mul<T>(x, x), full<T>(4))));
  }
  const u = times<T>(0.7071067811865476, x);
  let y: v128;
  if (sizeof<T>() == 8) y = times<T>(0.5, erfc_v<T>(v128.neg<T>(u))); else y = madd<T>(full<T>(0.5), erf_v<T>(u), full<T>(0.5));
  if (order == 0) return mul<T>(x, y);
  return madd<T>(x, times<T>(0.3989422804014327, exponential<T>(times<T>(-0.5, mul<T>(x, x)))), y);
}

/** The derivatives of x g from those of g: x g_n + n g_(n-1). */
// @ts-ignore: decorator
@inline function timesX<T>(x: v128, g: v128, n: f64, before: v128): v128 { return madd<T>(x, g, times<T>(n, before)); }

/** x (1 + tanh u) / 2, u = sqrt(2/pi) (x + .044715 x^3). */
function geluTanhOf<T>(order: i32, x: v128): v128 {
  const z = mul<T>(x, x), k = 0.7978845608028654, c = 0.044715;
  const u = mul<T>(times<T>(k, x), madd<T>(full<T>(c), z, full<T>(1))), half = full<T>(0.5);
  const t = tanh_v<T>(u), g = madd<T>(half, t, half);
  if (order == 0) return mul<T>(x, g);
  const s = sech2<T>(u), u1 = madd<T>(full<T>(3 * c * k), z, full<T>(k)), t1 = mul<T>(s, u1), g1 = mul<T>(half, t1);
  if (single<T>() || order == 1) return timesX<T>(x, g1, 1, g);
  const u2 = times<T>(6 * c * k, x), s1 = times<T>(-2, mul<T>(t, t1)), t2 = madd<T>(s1, u1, mul<T>(s, u2)), g2 = mul<T>(half, t2);
  if (order == 2) return timesX<T>(x, g2, 2, g1);
  const s2 = times<T>(-2, madd<T>(t1, t1, mul<T>(t, t2)));
  const t3 = add<T>(madd<T>(s2, u1, times<T>(2, mul<T>(s1, u2))), times<T>(6 * c * k, s));
  return timesX<T>(x, mul<T>(half, t3), 3, g2);
}

/** 1 - tanh^2, without cancellation. */
function sech2<T>(u: v128): v128 { return times<T>(4, sigmoidOf<T>(1, add<T>(u, u))); }

/** Derivatives of the logistic function: s' = e q^2, s'' = s' m, s''' = s' (m^2 - 2 s'), m = 1 - 2 s, e = e^-|x|, q = 1/(1 + e). */
function sigmoidOf<T>(order: i32, x: v128): v128 {
  if (order == 0) return sigmoid_v<T>(x);
  const e = exponential<T>(v128.neg<T>(v128.abs<T>(x))), one = full<T>(1), q = div<T>(one, add<T>(one, e)), d = mul<T>(e, mul<T>(q, q));
  if (single<T>() || order == 1) return d;
  const a = mul<T>(sub<T>(one, e), q), m = positive<T>(x, v128.neg<T>(a), a);
  if (order == 2) return mul<T>(d, m);
  return mul<T>(d, sub<T>(mul<T>(m, m), add<T>(d, d)));
}

// @ts-ignore: decorator
@inline function softplus<T>(x: v128): v128 {
  return add<T>(v128.bitselect(full<T>(0), x, v128.lt<T>(x, full<T>(0))), log1p_v<T>(exponential<T>(v128.neg<T>(v128.abs<T>(x)))));
}

/** x w, w = tanh(softplus(x)) = N / D with r = e^-|x|: D = 2 + 2 r + r^2 (x <= 0: N = r^2 + 2 r) or 1 + 2 r + 2 r^2 (N = 1 + 2 r). */
function mishOf<T>(order: i32, x: v128): v128 {
  const r = exponential<T>(v128.neg<T>(v128.abs<T>(x))), r2 = mul<T>(r, r), one = full<T>(1);
  const n = positive<T>(x, madd<T>(full<T>(2), r, one), madd<T>(full<T>(2), r, r2));
  const gap = positive<T>(x, add<T>(r2, r2), full<T>(2)), d = add<T>(n, gap), w = div<T>(n, d);
  if (order == 0) return mul<T>(x, w);
  const s = div<T>(mul<T>(gap, add<T>(n, d)), mul<T>(d, d));   // 1 - w^2
  const g = sigmoid_v<T>(x), w1 = mul<T>(s, g);
  if (single<T>() || order == 1) return timesX<T>(x, w1, 1, w);
  const g1 = sigmoidOf<T>(1, x), s1 = times<T>(-2, mul<T>(w, w1)), w2 = madd<T>(s1, g, mul<T>(s, g1));
  if (order == 2) return timesX<T>(x, w2, 2, w1);
  const s2 = times<T>(-2, madd<T>(w1, w1, mul<T>(w, w2)));
  const w3 = add<T>(madd<T>(s2, g, times<T>(2, mul<T>(s1, g1))), mul<T>(s, sigmoidOf<T>(2, x)));
  return timesX<T>(x, w3, 3, w2);
}

/** b x for x > 0; a (e^x - 1) else. */
function eluOf<T>(order: i32, x: v128, a: v128, b: v128): v128 {
  if (order == 0) return positive<T>(x, mul<T>(b, x), mul<T>(a, expm1_v<T>(x)));
  return positive<T>(x, order == 1 ? b : full<T>(0), mul<T>(a, exponential<T>(v128.bitselect(x, full<T>(0), v128.lt<T>(x, full<T>(0))))));
}

/** x / (1 + |x|). */
function softsignOf<T>(order: i32, x: v128): v128 {
  const one = full<T>(1), q = div<T>(one, add<T>(one, v128.abs<T>(x)));
  if (order == 0) return div<T>(x, add<T>(one, v128.abs<T>(x)));
  if (single<T>() || order == 1) return mul<T>(q, q);
  if (order == 2) return mul<T>(mul<T>(q, mul<T>(q, q)), positive<T>(x, full<T>(-2), full<T>(2)));
  return times<T>(6, mul<T>(mul<T>(q, q), mul<T>(q, q)));
}

/** sum_k table[k] x^k, k < count. */
function polynomialOf<T>(x: v128, table: usize, count: i32): v128 {
  let y = full<T>(0);
  for (let i = count - 1; i >= 0; i--) y = madd<T>(y, x, v128.load_splat<T>(table + <usize>i * sizeof<T>()));
  return y;
}

/** f32: what computes in f64, as sine and cosine do anyway. */
// @ts-ignore: decorator
@inline function wide(code: i32, order: i32): bool { return order > 1 ? code != POLYNOMIAL && code != RECTIFIED : code == COS || (code >= SIN && code <= GABOR); }

function phi<T>(code: i32, order: i32, x: v128, a: v128, b: v128, c: v128, table: usize, count: i32): v128 {
  switch (code) {
    case SIGN: {
      if (order) return full<T>(0);
      return v128.bitselect(x, positive<T>(x, full<T>(1), full<T>(-1)), v128.or(v128.eq<T>(x, full<T>(0)), v128.ne<T>(x, x)));
    }
    case ERF: return erfOf<T>(order, x, a, b, c);
    case SIN: if (!single<T>()) return sinOf(order, order, x, a, b, c);
    case COS: if (!single<T>()) return sinOf(order + 1, order, x, a, b, c);
    case EXP: if (!single<T>()) {
      let y = mul<T>(a, exponential<T>(mul<T>(b, x)));
      for (; order > 0; order--) y = mul<T>(y, b);
      return y;
    }
    case GAUSSIAN: if (!single<T>()) return gaussianOf(order, x, a, b);
    case GABOR: if (!single<T>()) return gaborOf(order, x);
    case GELU: return geluOf<T>(order, x);
    case GELU_TANH: return geluTanhOf<T>(order, x);
    case POLYNOMIAL: return polynomialOf<T>(x, table, count);
    case RECTIFIED: return v128.bitselect(full<T>(0), polynomialOf<T>(x, table, count), v128.le<T>(x, full<T>(0)));
    case TANH: {
      if (order == 0) return tanh_v<T>(x);
      return times<T>(single<T>() || order == 1 ? 4 : order == 2 ? 8 : 16, sigmoidOf<T>(order, add<T>(x, x)));
    }
    case SIGMOID: return sigmoidOf<T>(order, x);
    case SOFTPLUS: return order == 0 ? softplus<T>(x) : sigmoidOf<T>(order - 1, x);
    case SWISH: {
      const g = sigmoidOf<T>(order, x);
      return order == 0 ? mul<T>(x, g) : timesX<T>(x, g, <f64>order, sigmoidOf<T>(order - 1, x));
    }
    case ELU: return eluOf<T>(order, x, a, b);
    case MISH: return mishOf<T>(order, x);
    default: return softsignOf<T>(order, x);
  }
}

/** a x for x <= 0, b x above; NaN passes. */
// @ts-ignore: decorator
@inline function bent<T>(order: i32, x: v128, a: v128, b: v128): v128 {
  const slope = positive<T>(x, b, a);
  return order == 0 ? mul<T>(slope, x) : slope;
}

function run<T>(code: i32, order: i32, n: i32, x: usize, v: usize, beta: T, y: usize, p: T, q: T, r: T, table: usize, count: i32): void {
  let a = v128.splat<T>(p), b = v128.splat<T>(q);
  const c = v128.splat<T>(r), keep = v128.splat<T>(beta);
  if (code == LINEAR && order > 1) { a = full<T>(0); b = a; }
  if (code == LINEAR && beta == 0 && n >= lanes<T>()) {   // the common case, without branches inside
    if (v) for (; n >= lanes<T>(); n -= lanes<T>(), x += 16, v += 16, y += 16) v128.store(y, mul<T>(bent<T>(order, v128.load(x), a, b), v128.load(v)));
    else for (; n >= lanes<T>(); n -= lanes<T>(), x += 16, y += 16) v128.store(y, bent<T>(order, v128.load(x), a, b));
  }
  for (; n > 0; n -= lanes<T>(), x += 16, y += 16) {
    const at = loadPart<T>(x, n);
    let value: v128;
    if (code == LINEAR) value = bent<T>(order, at, a, b);
    else if (single<T>() && wide(code, order)) {
      value = narrow(phi<f64>(code, order, lowHalf(at), full<f64>(<f64>p), full<f64>(<f64>q), full<f64>(<f64>r), 0, 0), phi<f64>(code, order, highHalf(at), full<f64>(<f64>p), full<f64>(<f64>q), full<f64>(<f64>r), 0, 0));
    } else value = phi<T>(code, order, at, a, b, c, table, count);
    if (v) { value = mul<T>(value, loadPart<T>(v, n)); v += 16; }
    if (beta != 0) value = madd<T>(keep, loadPart<T>(y, n), value);
    storePart<T>(y, value, n);
  }
}

/**
 * y[i] = the derivative of order `order` (0 to 3) of activation `code` with parameters (p, q, r) at x[i]; f32[n].
 * Codes with coefficients (polynomial, rectified) take those of the derivative wanted: f32[count], ascending. y may be x.
 */
export function activation_f32(code: i32, order: i32, n: i32, x: usize, y: usize, p: f32, q: f32, r: f32, table: usize, count: i32): void { run<f32>(code, order, n, x, 0, 0, y, p, q, r, table, count); }
/** As activation_f32, in f64. */
export function activation_f64(code: i32, order: i32, n: i32, x: usize, y: usize, p: f64, q: f64, r: f64, table: usize, count: i32): void { run<f64>(code, order, n, x, 0, 0, y, p, q, r, table, count); }
/** z[i] = beta z[i] + v[i] times what activation_f32 gives: the backward pass (order 1) in one sweep. z may be x or v. */
export function activationProduct_f32(code: i32, order: i32, n: i32, x: usize, v: usize, beta: f32, z: usize, p: f32, q: f32, r: f32, table: usize, count: i32): void { run<f32>(code, order, n, x, v, beta, z, p, q, r, table, count); }
/** As activationProduct_f32, in f64. */
export function activationProduct_f64(code: i32, order: i32, n: i32, x: usize, v: usize, beta: f64, z: usize, p: f64, q: f64, r: f64, table: usize, count: i32): void { run<f64>(code, order, n, x, v, beta, z, p, q, r, table, count); }
