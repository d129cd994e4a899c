// Small operations of finite layers on rows and vectors: bias, column sums, linear combinations, layer norm.
// All work at any alignment and length.
import { hsum, lanes, madd } from './simd';

function combine<T>(rows: i32, c: i32, a: T, x: usize, xStep: i32, b: T, y: usize, yStep: i32): void {
  const va = v128.splat<T>(a), vb = v128.splat<T>(b);
  for (let r = 0; r < rows; r++) {
    let p = x + <usize>r * <usize>xStep * sizeof<T>(), q = y + <usize>r * <usize>yStep * sizeof<T>(), i = 0;
    if (b == 0) {
      for (; i <= c - lanes<T>(); i += lanes<T>()) { v128.store(q, v128.mul<T>(va, v128.load(p))); p += 16; q += 16; }
      for (; i < c; i++) { store<T>(q, a * load<T>(p)); p += sizeof<T>(); q += sizeof<T>(); }
    } else {
      for (; i <= c - lanes<T>(); i += lanes<T>()) { v128.store(q, madd<T>(va, v128.load(p), v128.mul<T>(vb, v128.load(q)))); p += 16; q += 16; }
      for (; i < c; i++) { store<T>(q, a * load<T>(p) + b * load<T>(q)); p += sizeof<T>(); q += sizeof<T>(); }
    }
  }
}

function columnSum<T>(rows: i32, c: i32, a: T, x: usize, b: T, y: usize): void {
  for (let i = 0; i < c; i++) {
    const q = y + <usize>i * sizeof<T>();
    store<T>(q, b == 0 ? <T>0 : b * load<T>(q));
  }
  combineInto<T>(rows, c, a, x, y);
}

function combineInto<T>(rows: i32, c: i32, a: T, x: usize, y: usize): void {
  const va = v128.splat<T>(a);
  for (let r = 0; r < rows; r++) {
    let q = y, i = 0;
    for (; i <= c - lanes<T>(); i += lanes<T>()) { v128.store(q, madd<T>(va, v128.load(x), v128.load(q))); x += 16; q += 16; }
    for (; i < c; i++) { store<T>(q, load<T>(q) + a * load<T>(x)); x += sizeof<T>(); q += sizeof<T>(); }
  }
}

function multiply<T>(n: i32, x: usize, y: usize, beta: T, z: usize): void {
  const vb = v128.splat<T>(beta);
  let i = 0;
  for (; i <= n - lanes<T>(); i += lanes<T>()) {
    const v = v128.mul<T>(v128.load(x), v128.load(y));
    v128.store(z, beta == 0 ? v : v128.add<T>(v, v128.mul<T>(vb, v128.load(z))));
    x += 16; y += 16; z += 16;
  }
  for (; i < n; i++) {
    const v = load<T>(x) * load<T>(y);
    store<T>(z, beta == 0 ? v : v + beta * load<T>(z));
    x += sizeof<T>(); y += sizeof<T>(); z += sizeof<T>();
  }
}

function dotProduct<T>(n: i32, x: usize, y: usize): T {
  let sum = v128.splat<T>(<T>0), i = 0;
  for (; i <= n - lanes<T>(); i += lanes<T>()) { sum = madd<T>(v128.load(x), v128.load(y), sum); x += 16; y += 16; }
  let s = hsum<T>(sum);
  for (; i < n; i++) { s += load<T>(x) * load<T>(y); x += sizeof<T>(); y += sizeof<T>(); }
  return s;
}

function normalise<T>(rows: i32, c: i32, eps: T, x: usize, y: usize, inverse: usize): void {
  for (let r = 0; r < rows; r++) {
    let mean: T = 0, square: T = 0;
    for (let i = 0; i < c; i++) mean += load<T>(x + <usize>i * sizeof<T>());
    mean /= <T>c;
    for (let i = 0; i < c; i++) { const d = load<T>(x + <usize>i * sizeof<T>()) - mean; square += d * d; }
    const s = <T>1 / sqrt<T>(eps + square / <T>c);
    for (let i = 0; i < c; i++) store<T>(y + <usize>i * sizeof<T>(), (load<T>(x + <usize>i * sizeof<T>()) - mean) * s);
    store<T>(inverse + <usize>r * sizeof<T>(), s);
    x += <usize>c * sizeof<T>(); y += <usize>c * sizeof<T>();
  }
}

function projectRows<T>(rows: i32, c: i32, y: usize, inverse: usize, v: usize, beta: T, out: usize): void {
  for (let r = 0; r < rows; r++) {
    let mean: T = 0, along: T = 0;
    for (let i = 0; i < c; i++) {
      const g = load<T>(v + <usize>i * sizeof<T>());
      mean += g; along += g * load<T>(y + <usize>i * sizeof<T>());
    }
    mean /= <T>c; along /= <T>c;
    const s = load<T>(inverse + <usize>r * sizeof<T>());
    for (let i = 0; i < c; i++) {
      const at = <usize>i * sizeof<T>(), d = s * (load<T>(v + at) - mean - load<T>(y + at) * along);
      store<T>(out + at, beta == 0 ? d : d + beta * load<T>(out + at));
    }
    y += <usize>c * sizeof<T>(); v += <usize>c * sizeof<T>(); out += <usize>c * sizeof<T>();
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
export function rows_combine_f32(rows: i32, c: i32, a: f32, x: usize, xStep: i32, b: f32, y: usize, yStep: i32): void { combine<f32>(rows, c, a, x, xStep, b, y, yStep); }
/** As rows_combine_f32, in f64. */
export function rows_combine_f64(rows: i32, c: i32, a: f64, x: usize, xStep: i32, b: f64, y: usize, yStep: i32): void { combine<f64>(rows, c, a, x, xStep, b, y, yStep); }
/** y[i] = b y[i] + a sum over r, ascending, of x[r, i]. x (rows, c), y (c), f32. */
export function rows_sum_f32(rows: i32, c: i32, a: f32, x: usize, b: f32, y: usize): void { columnSum<f32>(rows, c, a, x, b, y); }
/** As rows_sum_f32, in f64. */
export function rows_sum_f64(rows: i32, c: i32, a: f64, x: usize, b: f64, y: usize): void { columnSum<f64>(rows, c, a, x, b, y); }
/** z[i] = x[i] y[i] + beta z[i], i < n; beta = 0 does not read z. z may be x or y. */
export function rows_multiply_f32(n: i32, x: usize, y: usize, beta: f32, z: usize): void { multiply<f32>(n, x, y, beta, z); }
/** As rows_multiply_f32, in f64. */
export function rows_multiply_f64(n: i32, x: usize, y: usize, beta: f64, z: usize): void { multiply<f64>(n, x, y, beta, z); }
/** The sum of x[i] y[i], i < n, lanes first. */
export function rows_dot_f32(n: i32, x: usize, y: usize): f64 { return <f64>dotProduct<f32>(n, x, y); }
/** As rows_dot_f32, in f64. */
export function rows_dot_f64(n: i32, x: usize, y: usize): f64 { return dotProduct<f64>(n, x, y); }
/** Layer norm: y[r, :] = (x[r, :] - mean) s, inverse[r] = s = 1/sqrt(eps + population variance). y may be x. */
export function rows_normalise_f32(rows: i32, c: i32, eps: f32, x: usize, y: usize, inverse: usize): void { normalise<f32>(rows, c, eps, x, y, inverse); }
/** As rows_normalise_f32, in f64. */
export function rows_normalise_f64(rows: i32, c: i32, eps: f64, x: usize, y: usize, inverse: usize): void { normalise<f64>(rows, c, eps, x, y, inverse); }
/**
 * The derivative of layer norm, symmetric, so tangent and backward at once: out = beta out + s (v - mean(v) - y mean(y v))
 * per row; y, inverse from rows_normalise. out may be v.
 */
export function rows_project_f32(rows: i32, c: i32, y: usize, inverse: usize, v: usize, beta: f32, out: usize): void { projectRows<f32>(rows, c, y, inverse, v, beta, out); }
/** As rows_project_f32, in f64. */
export function rows_project_f64(rows: i32, c: i32, y: usize, inverse: usize, v: usize, beta: f64, out: usize): void { projectRows<f64>(rows, c, y, inverse, v, beta, out); }
/** out[s, t] += alpha sum over p < p1, q < p2 of x[s, p, t, q] y[s, p, t, q], s < n1, t < n2; rows of out ldOut apart. f32. */
export function rows_block_dots_f32(n1: i32, p1: i32, n2: i32, p2: i32, alpha: f32, x: usize, y: usize, out: usize, ldOut: i32): void { blockDots<f32>(n1, p1, n2, p2, alpha, x, y, out, ldOut); }
/** As rows_block_dots_f32, in f64. */
export function rows_block_dots_f64(n1: i32, p1: i32, n2: i32, p2: i32, alpha: f64, x: usize, y: usize, out: usize, ldOut: i32): void { blockDots<f64>(n1, p1, n2, p2, alpha, x, y, out, ldOut); }
