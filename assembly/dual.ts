// Duals over arrays: the driver of dual-rows.ts, the tables its rows read, and the exact values at identical variables.
// Kinds: 1 abRelu(A, B), 2 sign, 3 erf(a, b, c), 4 gelu, 5 sine(a, b, cos 2c, 1 - cos 2c), 6 exp(a, b), 7 gaussian(a, b),
// 8 gabor, 9 expNormalized(gamma, shift, clip), 10 rectifiedMonomial(n), 11 series(M, power, step, ln tol), 12 elu(M, alpha,
// gain^2, ln tol). A parameter block is 8 f64:
// alpha, beta, g, d of the affine layer that follows, then up to 4 parameters of the kind.
import { exponential_s, expm1_s } from './elementary';
import { acosPoly } from './dual-parts';
import { mapRow } from './dual-rows';
import { madd } from './simd';

const PI: f64 = 3.14159265358979323846;
const SCRATCH: usize = 16; // bytes of one splat

/** asin(c) given cos = sqrt(1 - c^2). */
function asin1(c: f64, cos: f64): f64 {
  const v = Math.sqrt(1 + cos);
  return c * f64x2.extract_lane(acosPoly<f64>(f64x2.splat(v)), 0) / v;
}

/**
 * kappa[i] = E[phi(u)^2], slope[i] = E[phi'(u)^2] for u ~ N(0, k[i]): f64 arrays of n, which may alias k.
 * `p`: parameter block (its affine part is not applied). Kinds 11 and 12 have no rule here.
 */
export function dualDiagonal(kind: i32, n: i32, p: usize, k: usize, kappa: usize, slope: usize): void {
  const a = load<f64>(p, 32), b = load<f64>(p, 40), c = load<f64>(p, 48), d = load<f64>(p, 56);
  for (let i = 0; i < n; i++) {
    const x = max(load<f64>(k + <usize>i * 8), 0.0);
    let y: f64 = 0, z: f64 = 0;
    switch (kind) {
      case 1: y = 0.5 * (a * a + b * b); z = x > 0 ? y : a * a; y *= x; break;
      case 2: y = x > 0 ? 1 : 0; break;
      case 3: {
        const K = b * b * x, q = Math.sqrt(1 + 4 * K);
        y = 2 * a * a / PI * asin1(2 * K / (1 + 2 * K), q / (1 + 2 * K)) + c * c; z = 4 * a * a * b * b / (PI * q);
        break;
      }
      case 4: {
        const r = 1 / (1 + x), q = Math.sqrt(1 + 2 * x), g = asin1(x * r, q * r);
        y = x * (0.25 + (x * r / q + 0.5 * g) / PI); z = 0.25 + ((1 / (1 + 2 * x) + 2 * r) * (x / q) + g) / (2 * PI);
        break;
      }
      case 5: {
        const q = -2 * b * b * x; // 1 - C e^q = (1 - C) - C (e^q - 1)
        const e = expm1_s<f64>(q);
        y = 0.5 * a * a * (d - c * e); z = 0.5 * a * a * b * b * (1 + c * (e + 1));
        break;
      }
      case 6: y = a * a * exponential_s(2 * b * b * x); z = b * b * y; break;
      case 7: { const q = 1 - 4 * b * x; y = a * a / Math.sqrt(q); z = 4 * b * b * (x / q) * y; break; }
      case 8: {
        const q = 1 + 4 * x, h = x / q, e = exponential_s(-h) / Math.sqrt(q); // sinh and cosh of h <= 1/4
        const h2 = h * h, sh = h * (1 + h2 * (1.0 / 6 + h2 * (1.0 / 120 + h2 * (1.0 / 5040 + h2 * (1.0 / 362880 + h2 / 39916800)))));
        const ch = 1 + h2 * (0.5 + h2 * (1.0 / 24 + h2 * (1.0 / 720 + h2 * (1.0 / 40320 + h2 / 3628800))));
        y = e * sh; z = e / q * ((1 + 4 * x + 8 * x * x) / q * ch + 4 * h * (6 * x + 2) * sh);
        break;
      }
      case 9: z = exponential_s(a * (1 + b)); y = x * z; z *= a; break;
      case 10: {
        y = x > 0 ? 0.5 : 0; // (2n-1)!! k^n / 2
        for (let j = 1; j <= <i32>a; j++) { z = y * <f64>(j * j); y *= <f64>(2 * j - 1) * x; }
        break;
      }
    }
    store<f64>(kappa + <usize>i * 8, y); store<f64>(slope + <usize>i * 8, z);
  }
}

/**
 * The two per-variable tables of kinds 1 to 10 from n variances k (f64): table j at out + j*stride elements of T.
 * stride: a multiple of 16 bytes, and >= n.
 */
function tables<T>(kind: i32, n: i32, p: usize, k: usize, out: usize, stride: i32): void {
  const b = load<f64>(p, 40), b2 = b * b, next = <usize>stride * sizeof<T>();
  for (let i = 0; i < n; i++) {
    const x = max(load<f64>(k + <usize>i * 8), 0.0);
    let y: f64, z: f64 = 0;
    switch (kind) {
      case 3: y = 1 / Math.sqrt(1 + 2 * b2 * x); z = Math.sqrt(b2 * x); break;
      case 4: y = 1 / Math.sqrt(1 + x); z = Math.sqrt(x); break;
      case 5: case 6: y = b2 * x; break;
      case 7: case 8: y = x; z = Math.sqrt(x); break;
      default: z = Math.sqrt(x); y = x > 0 ? 1 / z : 0;
    }
    store<T>(out + <usize>i * sizeof<T>(), <T>y); store<T>(out + next + <usize>i * sizeof<T>(), <T>z);
  }
}
export function dualTables_f32(kind: i32, n: i32, p: usize, k: usize, out: usize, stride: i32): void { tables<f32>(kind, n, p, k, out, stride); }
export function dualTables_f64(kind: i32, n: i32, p: usize, k: usize, out: usize, stride: i32): void { tables<f64>(kind, n, p, k, out, stride); }

/** Splats entry i of `count` tables (stride os bytes) to `work`. */
function splat<T>(o: usize, os: usize, count: i32, work: usize): void {
  for (let j = 0; j < count; j++) { v128.store(work, v128.load_splat<T>(o)); o += os; work += SCRATCH; }
}

function map<T>(kind: i32, p: usize, sheets: i32, rows: i32, ld: i32, index: usize, one: usize, os: i32, ld1: i32, two: usize, ws: i32, ld2: i32, count: i32, own: i32, k: usize, t: usize, tRow: i32, work: usize): void {
  const s1 = <usize>os * sizeof<T>(), s2 = <usize>ws * sizeof<T>(), row = <usize>ld * sizeof<T>();
  for (let q = 0; q < sheets; q++) {
    const o = one + <usize>load<i32>(index + <usize>q * 8) * <usize>ld1 * sizeof<T>();
    const w = two + <usize>load<i32>(index + <usize>q * 8, 4) * <usize>ld2 * sizeof<T>();
    for (let i = 0; i < rows; i++) {
      if (own) mapRow<T>(kind, ld, k, t, o, s1, 16, w, s2, p);
      else {
        splat<T>(o + <usize>i * sizeof<T>(), s1, count, work);
        mapRow<T>(kind, ld, k, t, work, SCRATCH, 0, w, s2, p);
      }
      k += row; t += <usize>tRow * sizeof<T>();
    }
  }
}

/**
 * Maps `sheets` sheets of `rows` rows of `ld` entries (a multiple of 16 bytes), in place: K <- alpha kappa + beta,
 * T <- alpha kappa' T + g alpha kappa + d. Plane q has the covariances of position index[2q] of side one (i32 pairs) with position
 * index[2q+1] of side two. Side one: `count` tables, os elements apart, ld1 elements per position, one entry per row
 * (own = 0) or one per column (own = 1, covariances within one batch: rows = 1). Side two: the same, one entry per column.
 * tRow: elements from one row of T to the next; 0 with a row of zeros and g = d = 0 where no NTK is wanted.
 * work: 16*count bytes. About 35 operations per entry for abRelu.
 */
export function dualMap_f32(kind: i32, p: usize, sheets: i32, rows: i32, ld: i32, index: usize, one: usize, os: i32, ld1: i32, two: usize, ws: i32, ld2: i32, count: i32, own: i32, k: usize, t: usize, tRow: i32, work: usize): void {
  map<f32>(kind, p, sheets, rows, ld, index, one, os, ld1, two, ws, ld2, count, own, k, t, tRow, work);
}
/** As dualMap_f32, in f64. */
export function dualMap_f64(kind: i32, p: usize, sheets: i32, rows: i32, ld: i32, index: usize, one: usize, os: i32, ld1: i32, two: usize, ws: i32, ld2: i32, count: i32, own: i32, k: usize, t: usize, tRow: i32, work: usize): void {
  map<f64>(kind, p, sheets, rows, ld, index, one, os, ld1, two, ws, ld2, count, own, k, t, tRow, work);
}

/** K <- alpha K + beta, T <- alpha T + gamma K + delta on a row; first: T is 0, whatever the row holds. */
function rowAffine<T>(n: i32, k: usize, t: usize, p: usize, first: bool): void {
  const A = v128.splat<T>(<T>load<f64>(p)), B = v128.splat<T>(<T>load<f64>(p, 8)), G = v128.splat<T>(<T>load<f64>(p, 16)), D = v128.splat<T>(<T>load<f64>(p, 24));
  const end = k + <usize>n * sizeof<T>();
  do {
    const K = v128.load(k);
    let y = madd<T>(G, K, D);
    if (!first) y = madd<T>(A, v128.load(t), y);
    v128.store(t, y);
    v128.store(k, madd<T>(A, K, B));
    k += 16; t += 16;
  } while (k < end);
}

/** A whole row through all layers while it is in the first cache; 1 if it stays finite. */
function chainRow<T>(ops: i32, program: usize, i: i32, n: i32, k: usize, t: usize, work: usize): i32 {
  const whole = (n + 3) & ~3;
  for (let j = n; j < whole; j++) store<T>(k + <usize>j * sizeof<T>(), 0);
  if (ops == 0 || load<i32>(program, 64) != 0) memory.fill(t, 0, <usize>whole * sizeof<T>());
  for (let q = 0; q < ops; q++, program += 96) {
    const kind = load<i32>(program, 64);
    if (kind == 0) { rowAffine<T>(whole, k, t, program, q == 0); continue; }
    const os = <usize>load<i32>(program, 80) * sizeof<T>(), ws = <usize>load<i32>(program, 84) * sizeof<T>();
    splat<T>(<usize>load<i32>(program, 72) + <usize>i * sizeof<T>(), os, load<i32>(program, 68), work);
    mapRow<T>(kind, whole, k, t, work, SCRATCH, 0, <usize>load<i32>(program, 76), ws, program);
  }
  let bad = v128.splat<T>(0);
  for (let j: usize = 0, end = <usize>whole * sizeof<T>(); j < end; j += 16) {
    const x = v128.add<T>(v128.load(k + j), v128.load(t + j));
    bad = v128.or(bad, v128.ne<T>(v128.sub<T>(x, x), v128.splat<T>(0)));
  }
  return v128.any_true(bad) ? 0 : 1;
}

function chain<T>(ops: i32, program: usize, first: i32, rows: i32, cols: i32, k: usize, ld: i32, t: usize, tRow: i32, work: usize): i32 {
  for (let i = first; i < first + rows; i++) {
    if (!chainRow<T>(ops, program, i, cols > 0 ? cols : i + 1, k, t, work)) return 0;
    k += <usize>ld * sizeof<T>(); t += <usize>tRow * sizeof<T>();
  }
  return 1;
}

/**
 * Rows [first, first + rows) of the kernels of a dense net through all its layers, in place: k holds x x'^T / channels (row stride
 * ld elements, whole vectors), t is written. cols = 0: the lower triangle, i + 1 entries of row i. tRow = 0 with gamma =
 * delta = 0 in all layers: no NTK, t is one row of scratch. A layer is 96 bytes: parameter block (8 f64), kind (0: affine,
 * alpha, beta, gamma, delta), number of tables, tables of sides one and two (variables in order), their strides in
 * elements (i32). work: 16 x the most tables. Returns 0 where an entry is not finite.
 */
export function dualChain_f32(ops: i32, program: usize, first: i32, rows: i32, cols: i32, k: usize, ld: i32, t: usize, tRow: i32, work: usize): i32 {
  return chain<f32>(ops, program, first, rows, cols, k, ld, t, tRow, work);
}
/** As dualChain_f32, in f64. */
export function dualChain_f64(ops: i32, program: usize, first: i32, rows: i32, cols: i32, k: usize, ld: i32, t: usize, tRow: i32, work: usize): i32 {
  return chain<f64>(ops, program, first, rows, cols, k, ld, t, tRow, work);
}
