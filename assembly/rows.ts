// Small operations of finite layers on rows and vectors: bias, column sums, linear combinations, layer norm, softmax.
// All work at any alignment and length.
import { exponential } from './elementary';
import { dot, scal } from './linalg-core';
import { loadPart, storePart } from './part';
import { hsum, lanes, madd, nmadd } from './simd';

function combine<T>(rows: i32, c: i32, a: T, x: usize, xStep: i32, b: T, y: usize, yStep: i32): void {
  const va = v128.splat<T>(a), vb = v128.splat<T>(b), keep = b != 0;
  for (let r = 0; r < rows; r++) {
    let p = x + <usize>r * <usize>xStep * sizeof<T>(), q = y + <usize>r * <usize>yStep * sizeof<T>(), n = c;
    if (keep) for (; n >= lanes<T>(); n -= lanes<T>(), p += 16, q += 16) v128.store(q, madd<T>(va, v128.load(p), v128.mul<T>(vb, v128.load(q))));
    else for (; n >= lanes<T>(); n -= lanes<T>(), p += 16, q += 16) v128.store(q, v128.mul<T>(va, v128.load(p)));
    for (; n > 0; n--, p += sizeof<T>(), q += sizeof<T>()) store<T>(q, keep ? a * load<T>(p) + b * load<T>(q) : a * load<T>(p));
  }
}

function columnSum<T>(rows: i32, c: i32, a: T, x: usize, b: T, y: usize): void {
  if (b == 0) memory.fill(y, 0, <usize>c * sizeof<T>());
  else if (b != 1) scal<T>(c, b, y);
  combine<T>(rows, c, a, x, c, 1, y, 0);
}

function multiply<T>(n: i32, x: usize, y: usize, beta: T, z: usize): void {
  const vb = v128.splat<T>(beta);
  for (; n > 0; n -= lanes<T>(), x += 16, y += 16, z += 16) {
    let v = v128.mul<T>(loadPart<T>(x, n), loadPart<T>(y, n));
    if (beta != 0) v = v128.add<T>(v, v128.mul<T>(vb, loadPart<T>(z, n)));
    storePart<T>(z, v, n);
  }
}

function dotProduct<T>(n: i32, x: usize, y: usize): T {
  let sum = v128.splat<T>(<T>0), i = 0;
  for (; i <= n - lanes<T>(); i += lanes<T>()) { sum = madd<T>(v128.load(x), v128.load(y), sum); x += 16; y += 16; }
  let s = hsum<T>(sum);
  for (; i < n; i++) { s += load<T>(x) * load<T>(y); x += sizeof<T>(); y += sizeof<T>(); }
  return s;
}

/** The sum of n numbers, lanes first. */
function sum<T>(n: i32, x: usize): T {
  let s = v128.splat<T>(<T>0), t = s;
  for (; n >= 2 * lanes<T>(); n -= 2 * lanes<T>(), x += 32) { s = v128.add<T>(s, v128.load(x)); t = v128.add<T>(t, v128.load(x, 16)); }
  for (; n > 0; n -= lanes<T>(), x += 16) s = v128.add<T>(s, loadPart<T>(x, n));
  return hsum<T>(v128.add<T>(s, t));
}

function normalise<T>(rows: i32, c: i32, eps: T, x: usize, y: usize, inverse: usize): void {
  for (let r = 0; r < rows; r++) {
    const mean = v128.splat<T>(sum<T>(c, x) / <T>c);
    for (let n = c, at: usize = 0; n > 0; n -= lanes<T>(), at += 16) storePart<T>(y + at, v128.sub<T>(loadPart<T>(x + at, n), mean), n);
    const s = <T>1 / sqrt<T>(eps + dot<T>(c, y, y) / <T>c);
    scal<T>(c, s, y);
    store<T>(inverse + <usize>r * sizeof<T>(), s);
    x += <usize>c * sizeof<T>(); y += <usize>c * sizeof<T>();
  }
}

function projectRows<T>(rows: i32, c: i32, y: usize, inverse: usize, v: usize, beta: T, out: usize): void {
  const keep = v128.splat<T>(beta), z = <usize>c * sizeof<T>();
  for (let r = 0; r < rows; r++) {
    const along = v128.splat<T>(dot<T>(c, v, y) / <T>c), mean = v128.splat<T>(sum<T>(c, v) / <T>c), s = v128.load_splat<T>(inverse + <usize>r * sizeof<T>());
    for (let n = c, at: usize = 0; n > 0; n -= lanes<T>(), at += 16) {
      let d = v128.mul<T>(s, nmadd<T>(loadPart<T>(y + at, n), along, v128.sub<T>(loadPart<T>(v + at, n), mean)));
      if (beta != 0) d = madd<T>(keep, loadPart<T>(out + at, n), d);
      storePart<T>(out + at, d, n);
    }
    y += z; v += z; out += z;
  }
}

function softmax<T>(rows: i32, c: i32, x: usize, y: usize): void {
  for (let r = 0; r < rows; r++) {
    let tops = v128.load_splat<T>(x), i = 0;
    for (; i <= c - lanes<T>(); i += lanes<T>()) tops = v128.max<T>(tops, v128.load(x + <usize>i * sizeof<T>()));
    let most = max<T>(v128.extract_lane<T>(tops, 0), v128.extract_lane<T>(tops, 1));
    if (sizeof<T>() == 4) most = max<T>(most, max<T>(v128.extract_lane<T>(tops, 2), v128.extract_lane<T>(tops, 3)));
    for (; i < c; i++) most = max<T>(most, load<T>(x + <usize>i * sizeof<T>()));
    const top = v128.splat<T>(most);
    for (let n = c, at: usize = 0; n > 0; n -= lanes<T>(), at += 16) storePart<T>(y + at, exponential<T>(v128.sub<T>(loadPart<T>(x + at, n), top)), n);
    scal<T>(c, <T>1 / sum<T>(c, y), y);
    x += <usize>c * sizeof<T>(); y += <usize>c * sizeof<T>();
  }
}

function softmaxBack<T>(rows: i32, c: i32, p: usize, v: usize, beta: T, out: usize): void {
  const keep = v128.splat<T>(beta), z = <usize>c * sizeof<T>();
  for (let r = 0; r < rows; r++) {
    const mean = v128.splat<T>(dot<T>(c, v, p));
    for (let n = c, at: usize = 0; n > 0; n -= lanes<T>(), at += 16) {
      let d = v128.mul<T>(loadPart<T>(p + at, n), v128.sub<T>(loadPart<T>(v + at, n), mean));
      if (beta != 0) d = madd<T>(keep, loadPart<T>(out + at, n), d);
      storePart<T>(out + at, d, n);
    }
    p += z; v += z; out += z;
  }
}

function blockDots<T>(n1: i32, p1: i32, n2: i32, p2: i32, alpha: T, x: usize, y: usize, out: usize, ldOut: i32): void {
  const row = <usize>p2 * sizeof<T>();
  for (let s = 0; s < n1; s++) {
    for (let p = 0; p < p1; p++) {
      for (let t = 0; t < n2; t++) {
        const q = out + (<usize>s * <usize>ldOut + <usize>t) * sizeof<T>();
        store<T>(q, load<T>(q) + alpha * dotProduct<T>(p2, x, y));
        x += row; y += row;
      }
    }
  }
}

/** y[r, i] = a x[r, i] + b y[r, i] for i < c; rows xStep and yStep elements apart (0 repeats a row). b = 0 does not read y. 2 rows c flops. */
export function rowsCombine_f32(rows: i32, c: i32, a: f32, x: usize, xStep: i32, b: f32, y: usize, yStep: i32): void { combine<f32>(rows, c, a, x, xStep, b, y, yStep); }
/** As rowsCombine_f32, in f64. */
export function rowsCombine_f64(rows: i32, c: i32, a: f64, x: usize, xStep: i32, b: f64, y: usize, yStep: i32): void { combine<f64>(rows, c, a, x, xStep, b, y, yStep); }
/** y[i] = b y[i] + a sum over r, ascending, of x[r, i]. x (rows, c), y (c), f32. */
export function rowsSum_f32(rows: i32, c: i32, a: f32, x: usize, b: f32, y: usize): void { columnSum<f32>(rows, c, a, x, b, y); }
/** As rowsSum_f32, in f64. */
export function rowsSum_f64(rows: i32, c: i32, a: f64, x: usize, b: f64, y: usize): void { columnSum<f64>(rows, c, a, x, b, y); }
/** z[i] = x[i] y[i] + beta z[i], i < n; beta = 0 does not read z. z may be x or y. */
export function rowsMultiply_f32(n: i32, x: usize, y: usize, beta: f32, z: usize): void { multiply<f32>(n, x, y, beta, z); }
/** As rowsMultiply_f32, in f64. */
export function rowsMultiply_f64(n: i32, x: usize, y: usize, beta: f64, z: usize): void { multiply<f64>(n, x, y, beta, z); }
/** The sum of x[i] y[i], i < n, lanes first. */
export function rowsDot_f32(n: i32, x: usize, y: usize): f64 { return <f64>dotProduct<f32>(n, x, y); }
/** As rowsDot_f32, in f64. */
export function rowsDot_f64(n: i32, x: usize, y: usize): f64 { return dotProduct<f64>(n, x, y); }
/** Layer norm: y[r, :] = (x[r, :] - mean) s, inverse[r] = s = 1/sqrt(eps + population variance). y may be x. */
export function rowsNormalise_f32(rows: i32, c: i32, eps: f32, x: usize, y: usize, inverse: usize): void { normalise<f32>(rows, c, eps, x, y, inverse); }
/** As rowsNormalise_f32, in f64. */
export function rowsNormalise_f64(rows: i32, c: i32, eps: f64, x: usize, y: usize, inverse: usize): void { normalise<f64>(rows, c, eps, x, y, inverse); }
/**
 * The derivative of layer norm, symmetric, so tangent and backward at once: out = beta out + s (v - mean(v) - y mean(y v))
 * per row; y, inverse from rowsNormalise. out may be v.
 */
export function rowsProject_f32(rows: i32, c: i32, y: usize, inverse: usize, v: usize, beta: f32, out: usize): void { projectRows<f32>(rows, c, y, inverse, v, beta, out); }
/** As rowsProject_f32, in f64. */
export function rowsProject_f64(rows: i32, c: i32, y: usize, inverse: usize, v: usize, beta: f64, out: usize): void { projectRows<f64>(rows, c, y, inverse, v, beta, out); }
/** out[s, t] += alpha sum over p < p1, q < p2 of x[s, p, t, q] y[s, p, t, q], s < n1, t < n2; rows of out ldOut apart. f32. */
export function rowsBlockDots_f32(n1: i32, p1: i32, n2: i32, p2: i32, alpha: f32, x: usize, y: usize, out: usize, ldOut: i32): void { blockDots<f32>(n1, p1, n2, p2, alpha, x, y, out, ldOut); }
/** As rowsBlockDots_f32, in f64. */
export function rowsBlockDots_f64(n1: i32, p1: i32, n2: i32, p2: i32, alpha: f64, x: usize, y: usize, out: usize, ldOut: i32): void { blockDots<f64>(n1, p1, n2, p2, alpha, x, y, out, ldOut); }
/** Softmax of every row: y[r, :] = e^x[r, :] / sum e^x[r, :], the largest entry subtracted first. x, y (rows, c) f32; y may be x. NaN passes; so does a row of -infinities, as NaN. */
export function rowsSoftmax_f32(rows: i32, c: i32, x: usize, y: usize): void { softmax<f32>(rows, c, x, y); }
/** As rowsSoftmax_f32, in f64. */
export function rowsSoftmax_f64(rows: i32, c: i32, x: usize, y: usize): void { softmax<f64>(rows, c, x, y); }
/** The derivative of softmax, symmetric, so tangent and backward at once: out = beta out + p (v - sum p v) per row; p from rowsSoftmax. out may be v. */
export function rowsSoftmaxBack_f32(rows: i32, c: i32, p: usize, v: usize, beta: f32, out: usize): void { softmaxBack<f32>(rows, c, p, v, beta, out); }
/** As rowsSoftmaxBack_f32, in f64. */
export function rowsSoftmaxBack_f64(rows: i32, c: i32, p: usize, v: usize, beta: f64, out: usize): void { softmaxBack<f64>(rows, c, p, v, beta, out); }
