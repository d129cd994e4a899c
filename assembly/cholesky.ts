// Cholesky factors and triangular systems, recursive so that nearly all work is gemm with a long inner dimension.
// Leaves substitute: no inverse of a diagonal block is formed, so ill-conditioned kernel matrices keep the backward
// stability of the plain algorithm (Higham, "Accuracy and Stability of Numerical Algorithms", ch. 8 and 10).
import { FULL, product } from './gemm-core';
import { packT } from './gemm-pack';
import { dot } from './linalg-core';
import { lanes, nmadd } from './simd';

const LEAF: i32 = 48;  // a multiple of both sides of the register tile

// @ts-ignore: decorator
@inline function ix<T>(i: i32): usize { return <usize>i * sizeof<T>(); }
// @ts-ignore: decorator
@inline function half(n: i32): i32 { return ((n >> 1) + LEAF - 1) / LEAF * LEAF; }

// ---- leaves: n <= LEAF

/**
 * L X = B in place for one tile of 4 vectors of columns; rows of B ld bytes apart. back = 1: L^T X = B.
 * Two rows are solved at a time: 8 accumulators, and each row of X is read once for both.
 */
function leafTile<T>(back: i32, n: i32, l: usize, ldl: usize, b: usize, ldb: usize): void {
  const across = back ? sizeof<T>() : ldl, along = back ? ldl : sizeof<T>();  // steps of L per unknown and per term
  for (let t = 0; t < n; t += 2) {
    const one = t + 1 >= n, i = back ? n - 1 - t : t, next = back ? -1 : 1, i1 = one ? i : i + next;
    const p = b + <usize>i * ldb, p1 = b + <usize>i1 * ldb;
    let x0 = v128.load(p), x1 = v128.load(p, 16), x2 = v128.load(p, 32), x3 = v128.load(p, 48);
    let y0 = v128.load(p1), y1 = v128.load(p1, 16), y2 = v128.load(p1, 32), y3 = v128.load(p1, 48);
    const first = back ? n - t : 0;
    let q = b + <usize>first * ldb, c = l + <usize>i * across + <usize>first * along, c1 = l + <usize>i1 * across + <usize>first * along;
    for (let k = t; k > 0; k--) {
      const u = v128.load(q), v = v128.load(q, 16), w = v128.load(q, 32), z = v128.load(q, 48);
      const f = v128.load_splat<T>(c), g = v128.load_splat<T>(c1);
      x0 = nmadd<T>(f, u, x0); x1 = nmadd<T>(f, v, x1); x2 = nmadd<T>(f, w, x2); x3 = nmadd<T>(f, z, x3);
      y0 = nmadd<T>(g, u, y0); y1 = nmadd<T>(g, v, y1); y2 = nmadd<T>(g, w, y2); y3 = nmadd<T>(g, z, y3);
      q += ldb; c += along; c1 += along;
    }
    const d = v128.load_splat<T>(l + <usize>i * (ldl + sizeof<T>()));
    x0 = v128.div<T>(x0, d); x1 = v128.div<T>(x1, d); x2 = v128.div<T>(x2, d); x3 = v128.div<T>(x3, d);
    v128.store(p, x0); v128.store(p, x1, 16); v128.store(p, x2, 32); v128.store(p, x3, 48);
    if (one) return;
    const g = v128.load_splat<T>(l + <usize>i1 * across + <usize>i * along), e = v128.load_splat<T>(l + <usize>i1 * (ldl + sizeof<T>()));
    v128.store(p1, v128.div<T>(nmadd<T>(g, x0, y0), e)); v128.store(p1, v128.div<T>(nmadd<T>(g, x1, y1), e), 16);
    v128.store(p1, v128.div<T>(nmadd<T>(g, x2, y2), e), 32); v128.store(p1, v128.div<T>(nmadd<T>(g, x3, y3), e), 48);
  }
}

/** Solves with the columns of B (r of them) tile by tile; an incomplete tile goes through `work` (LEAF rows of 64 bytes). */
function leafColumns<T>(back: i32, n: i32, l: usize, ldl: usize, b: usize, ldb: usize, r: i32, work: usize): void {
  const w = 4 * lanes<T>();
  let j = 0;
  for (; j + w <= r; j += w) leafTile<T>(back, n, l, ldl, b + ix<T>(j), ldb);
  if (j == r) return;
  const bytes = ix<T>(r - j);
  memory.fill(work, 0, <usize>n * 64);
  for (let i = 0; i < n; i++) memory.copy(work + <usize>i * 64, b + <usize>i * ldb + ix<T>(j), bytes);
  leafTile<T>(back, n, l, ldl, work, 64);
  for (let i = 0; i < n; i++) memory.copy(b + <usize>i * ldb + ix<T>(j), work + <usize>i * 64, bytes);
}

/** X L^T = B in place, B m x n: rows of B are columns of L X^T = B^T, so 4 vectors of rows are transposed into `work`. */
function leafRows<T>(n: i32, l: usize, ldl: usize, b: usize, ldb: usize, m: i32, work: usize): void {
  const w = 4 * lanes<T>();
  for (let i = 0; i < m; i += w) {
    const rows = min(w, m - i), tile = b + <usize>i * ldb;
    packT<T>(tile, ldb, rows, n, w, work, 64);
    leafTile<T>(0, n, l, ldl, work, 64);
    packT<T>(work, 64, n, rows, n, tile, ldb);
  }
}

/** Row by row with dot products. Returns 0 or 1 + the index of the pivot that is not positive and finite. */
function leafFactor<T>(n: i32, a: usize, ld: usize): i32 {
  for (let i = 0; i < n; i++) {
    const row = a + <usize>i * ld;
    for (let j = 0; j < i; j++) {
      const other = a + <usize>j * ld, p = row + ix<T>(j);
      store<T>(p, (load<T>(p) - dot<T>(j, row, other)) / load<T>(other + ix<T>(j)));
    }
    const p = row + ix<T>(i), d = load<T>(p) - dot<T>(i, row, row);
    if (!(d > 0 && d < <T>Infinity)) return i + 1;
    store<T>(p, sqrt<T>(d));
  }
  return 0;
}

// ---- recursions

/** L X = B (back = 0) or L^T X = B (back = 1) in place, B n x r. */
function solveColumns<T>(back: i32, n: i32, l: usize, ldl: i32, b: usize, ldb: i32, r: i32, work: usize): void {
  if (n <= LEAF) { leafColumns<T>(back, n, l, ix<T>(ldl), b, ix<T>(ldb), r, work); return; }
  const n1 = half(n), n2 = n - n1;
  const l21 = l + ix<T>(n1) * <usize>ldl, l22 = l21 + ix<T>(n1), b2 = b + ix<T>(n1) * <usize>ldb;
  if (back) {
    solveColumns<T>(1, n2, l22, ldl, b2, ldb, r, work);
    product<T>(FULL, 1, 0, n1, r, n2, <T>-1, l21, ldl, b2, ldb, <T>1, b, ldb, work);
    solveColumns<T>(1, n1, l, ldl, b, ldb, r, work);
  } else {
    solveColumns<T>(0, n1, l, ldl, b, ldb, r, work);
    product<T>(FULL, 0, 0, n2, r, n1, <T>-1, l21, ldl, b, ldb, <T>1, b2, ldb, work);
    solveColumns<T>(0, n2, l22, ldl, b2, ldb, r, work);
  }
}

/** X L^T = B in place, B m x n. */
function solveRows<T>(n: i32, l: usize, ldl: i32, b: usize, ldb: i32, m: i32, work: usize): void {
  if (n <= LEAF) { leafRows<T>(n, l, ix<T>(ldl), b, ix<T>(ldb), m, work); return; }
  const n1 = half(n), n2 = n - n1, l21 = l + ix<T>(n1) * <usize>ldl, b2 = b + ix<T>(n1);
  solveRows<T>(n1, l, ldl, b, ldb, m, work);
  product<T>(FULL, 0, 1, m, n2, n1, <T>-1, b, ldb, l21, ldl, <T>1, b2, ldb, work);
  solveRows<T>(n2, l21 + ix<T>(n1), ldl, b2, ldb, m, work);
}

function factor<T>(n: i32, a: usize, lda: i32, work: usize): i32 {
  if (n <= LEAF) return leafFactor<T>(n, a, ix<T>(lda));
  const n1 = half(n), n2 = n - n1, a21 = a + ix<T>(n1) * <usize>lda, a22 = a21 + ix<T>(n1);
  let failed = factor<T>(n1, a, lda, work);
  if (failed) return failed;
  solveRows<T>(n1, a, lda, a21, lda, n2, work);
  product<T>(0, 0, 1, n2, n2, n1, <T>-1, a21, lda, a21, lda, <T>1, a22, lda, work);
  failed = factor<T>(n2, a22, lda, work);
  return failed ? n1 + failed : 0;
}

// ---- the ABI. `work` everywhere: gemmWorkBytes() bytes, 16-byte aligned. Matrices row-major, ld in elements.

/**
 * A = L L^T in place: the lower triangle of A (n x n f32) becomes L; the upper one is neither read nor written.
 * Returns 0, or p + 1 when pivot p is not positive and finite (NaN included); A is then half done. n^3/3 flops.
 */
export function cholesky_f32(n: i32, a: usize, lda: i32, work: usize): i32 { return factor<f32>(n, a, lda, work); }
/** As cholesky_f32, in f64. */
export function cholesky_f64(n: i32, a: usize, lda: i32, work: usize): i32 { return factor<f64>(n, a, lda, work); }

/**
 * trans = 0: L X = B, trans = 1: L^T X = B, in place: B (n x r) becomes X. L lower triangular n x n; its upper part
 * is not read. L and B do not overlap. n^2 r flops. A zero pivot gives infinities, never a hang.
 */
export function solveLower_f32(trans: i32, n: i32, l: usize, ldl: i32, b: usize, ldb: i32, r: i32, work: usize): void {
  solveColumns<f32>(trans, n, l, ldl, b, ldb, r, work);
}
/** As solveLower_f32, in f64. */
export function solveLower_f64(trans: i32, n: i32, l: usize, ldl: i32, b: usize, ldb: i32, r: i32, work: usize): void {
  solveColumns<f64>(trans, n, l, ldl, b, ldb, r, work);
}

/** X L^T = B in place, B m x n: the panel step of a tiled Cholesky factorisation. Otherwise as solveLower_f32. */
export function solveRight_f32(n: i32, l: usize, ldl: i32, b: usize, ldb: i32, m: i32, work: usize): void {
  solveRows<f32>(n, l, ldl, b, ldb, m, work);
}
/** As solveRight_f32, in f64. */
export function solveRight_f64(n: i32, l: usize, ldl: i32, b: usize, ldb: i32, m: i32, work: usize): void {
  solveRows<f64>(n, l, ldl, b, ldb, m, work);
}

/**
 * log det(A) = 2 sum_i log l_ii for A = L L^T, in f64. The diagonal is multiplied up as mantissa and exponent, so one
 * logarithm (an atanh series on [1/sqrt 2, sqrt 2]) is taken in all and nothing over- or underflows. NaN where l_ii <= 0.
 */
function logDet(single: bool, n: i32, l: usize, ldl: i32): f64 {
  let mantissa: f64 = 1, exponent: f64 = 0;
  for (let i = 0; i < n; i++) {
    const at = <usize>i * <usize>(ldl + 1);
    let x = single ? <f64>load<f32>(l + (at << 2)) : load<f64>(l + (at << 3));
    if (!(x > 0) || x == Infinity) return x == Infinity ? x : NaN;
    if (x < 2.2250738585072014e-308) { x *= 18014398509481984; exponent -= 54; }  // subnormal: times 2^54
    const bits = reinterpret<u64>(x);
    exponent += <f64>(<i32>(bits >> 52) - 1023);
    mantissa *= reinterpret<f64>((bits & 0xFFFFFFFFFFFFF) | 0x3FF0000000000000);
    if (mantissa >= 2) { mantissa *= 0.5; exponent += 1; }
  }
  if (mantissa > 1.4142135623730951) { mantissa *= 0.5; exponent += 1; }
  const s = (mantissa - 1) / (mantissa + 1), s2 = s * s;
  let series: f64 = 0;
  for (let k = 23; k > 0; k -= 2) series = series * s2 + 1 / <f64>k;
  return 2 * (exponent * 0.6931471805599453 + 2 * s * series);
}
/** log det of L L^T from the diagonal of L (n x n f32, ldl in elements); NaN where an entry is not positive. n flops. */
export function logDeterminant_f32(n: i32, l: usize, ldl: i32): f64 { return logDet(true, n, l, ldl); }
/** As logDeterminant_f32, from f64. */
export function logDeterminant_f64(n: i32, l: usize, ldl: i32): f64 { return logDet(false, n, l, ldl); }
