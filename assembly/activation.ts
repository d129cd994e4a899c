// Activations and their derivatives, entry by entry. Kinds: 0 bent (a for x <= 0, b above), 1 tanh, 2 sigmoid,
// 3 a erf(b x) + c, 4 a sin(b x + c), 5 gelu, 6 swish. Rarer ones are series rules in TypeScript (layers/activation).
import { cos_v, erf_v, exp_v, sigmoid_v, sin_v, tanh_v } from './elementary';
import { lanes, madd } from './simd';

// @ts-ignore: decorator
@inline function k<T>(x: f64): v128 { return v128.splat<T>(<T>x); }
// @ts-ignore: decorator
@inline function bend<T>(x: v128, a: v128, b: v128): v128 { return v128.bitselect(b, a, v128.gt<T>(x, v128.splat<T>(<T>0))); }

function value<T>(kind: i32, x: v128, a: f64, b: f64, c: f64): v128 {
  switch (kind) {
    case 0: return v128.mul<T>(x, bend<T>(x, k<T>(a), k<T>(b)));
    case 1: return tanh_v<T>(x);
    case 2: return sigmoid_v<T>(x);
    case 3: return madd<T>(k<T>(a), erf_v<T>(v128.mul<T>(k<T>(b), x)), k<T>(c));
    case 4: return v128.mul<T>(k<T>(a), sin_v<T>(madd<T>(k<T>(b), x, k<T>(c))));
    case 5: return v128.mul<T>(x, normal<T>(x));
    default: return v128.mul<T>(x, sigmoid_v<T>(x));
  }
}

/** The normal distribution function. */
// @ts-ignore: decorator
@inline function normal<T>(x: v128): v128 { return madd<T>(k<T>(0.5), erf_v<T>(v128.mul<T>(k<T>(0.7071067811865476), x)), k<T>(0.5)); }

function slope<T>(kind: i32, x: v128, a: f64, b: f64, c: f64): v128 {
  const one = k<T>(1);
  switch (kind) {
    case 0: return bend<T>(x, k<T>(a), k<T>(b));
    case 1: { const t = tanh_v<T>(x); return v128.sub<T>(one, v128.mul<T>(t, t)); }
    case 2: { const s = sigmoid_v<T>(x); return v128.mul<T>(s, v128.sub<T>(one, s)); }
    case 3: { const z = v128.mul<T>(k<T>(b), x); return v128.mul<T>(k<T>(a * b * 1.1283791670955126), exp_v<T>(v128.neg<T>(v128.mul<T>(z, z)))); }
    case 4: return v128.mul<T>(k<T>(a * b), cos_v<T>(madd<T>(k<T>(b), x, k<T>(c))));
    case 5: return madd<T>(v128.mul<T>(k<T>(0.3989422804014327), x), exp_v<T>(v128.mul<T>(k<T>(-0.5), v128.mul<T>(x, x))), normal<T>(x));
    default: { const s = sigmoid_v<T>(x); return v128.mul<T>(s, madd<T>(x, v128.sub<T>(one, s), one)); }
  }
}

function activate<T>(kind: i32, order: i32, n: i32, a: f64, b: f64, c: f64, x: usize, y: usize): void {
  let i = 0;
  for (; i <= n - lanes<T>(); i += lanes<T>()) {
    const v = v128.load(x);
    v128.store(y, order == 0 ? value<T>(kind, v, a, b, c) : slope<T>(kind, v, a, b, c));
    x += 16; y += 16;
  }
  for (; i < n; i++) {
    const v = v128.load_splat<T>(x);
    store<T>(y, v128.extract_lane<T>(order == 0 ? value<T>(kind, v, a, b, c) : slope<T>(kind, v, a, b, c), 0));
    x += sizeof<T>(); y += sizeof<T>();
  }
}

function bendBack<T>(n: i32, a: T, b: T, x: usize, g: usize, beta: T, out: usize): void {
  const va = v128.splat<T>(a), vb = v128.splat<T>(b), vbeta = v128.splat<T>(beta);
  let i = 0;
  for (; i <= n - lanes<T>(); i += lanes<T>()) {
    const v = v128.mul<T>(bend<T>(v128.load(x), va, vb), v128.load(g));
    v128.store(out, beta == 0 ? v : madd<T>(vbeta, v128.load(out), v));
    x += 16; g += 16; out += 16;
  }
  for (; i < n; i++) {
    const v = (load<T>(x) > 0 ? b : a) * load<T>(g);
    store<T>(out, beta == 0 ? v : beta * load<T>(out) + v);
    x += sizeof<T>(); g += sizeof<T>(); out += sizeof<T>();
  }
}

/** y = phi(x) (order 0) or phi'(x) (order 1), n entries of f32; a, b, c are the parameters of the kind. y may be x. */
export function activate_f32(kind: i32, order: i32, n: i32, a: f64, b: f64, c: f64, x: usize, y: usize): void { activate<f32>(kind, order, n, a, b, c, x, y); }
/** As activate_f32, in f64. */
export function activate_f64(kind: i32, order: i32, n: i32, a: f64, b: f64, c: f64, x: usize, y: usize): void { activate<f64>(kind, order, n, a, b, c, x, y); }
/** out = beta out + (x > 0 ? b : a) g: the derivative of kind 0 times g. out may be g. beta = 0 does not read out. */
export function bend_back_f32(n: i32, a: f32, b: f32, x: usize, g: usize, beta: f32, out: usize): void { bendBack<f32>(n, a, b, x, g, beta, out); }
/** As bend_back_f32, in f64. */
export function bend_back_f64(n: i32, a: f64, b: f64, x: usize, g: usize, beta: f64, out: usize): void { bendBack<f64>(n, a, b, x, g, beta, out); }
