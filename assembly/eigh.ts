// All eigenpairs of a symmetric matrix (f64), the plan of LAPACK's dsyevd: scale, reduce to tridiagonal form, divide
// and conquer, transform back.
import { backTransform, backTransformBytes, tridiagonalise } from './eigh-tridiagonal';
import { Divide, divide } from './eigh-divide';
import { ql, sortValues } from './eigh-ql';
import { productWorkBytes } from './gemm-core';
import { scal } from './linalg-core';

// @ts-ignore: decorator
@inline function sh(i: i32): usize { return <usize>i << 3; }
// @ts-ignore: decorator
@inline function al(x: usize): usize { return (x + 63) & ~63; }
/** Leading dimension of working copies: whole cache lines, never a multiple of 2 KB. */
// @ts-ignore: decorator
@inline function ldOf(n: i32): i32 { const l = (n + 7) & ~7; return (l & 255) == 0 ? l + 8 : l; }
// Block widths of reduction and back-transformation: measured, flat optimum.
// @ts-ignore: decorator
@inline function nbReduce(n: i32): i32 { return n < 384 ? 16 : 32; }
// @ts-ignore: decorator
@inline function nbBack(n: i32): i32 { return n <= 128 ? 16 : n <= 384 ? 32 : n <= 1024 ? 64 : 128; }
function panelBytes(n: i32): usize {
  return al(max<usize>(<usize>(4 * nbReduce(n)) * sh(ldOf(n)), backTransformBytes(n, nbBack(n))));
}

/** Bytes of `work` that eigh_f64 needs: gemm's, 3 n^2 numbers and about 2 n per column of a block. */
export function eighWorkBytes(n: i32): usize {
  const row = sh(ldOf(n));
  return 64 + al(<usize>productWorkBytes()) + 3 * <usize>n * row + panelBytes(n) + 10 * row + al(sh(2 * nbReduce(n))) + al(<usize>n * 20) + al(<usize>n * 4) + al(offsetof<Divide>());
}

/** max |a_ij| of the lower triangle; NaN if one of them is NaN. */
function maxAbsLower(n: i32, a: usize, ld: usize): f64 {
  let m = f64x2.splat(0);
  for (let i = 0; i < n; i++) {
    let p = a + <usize>i * ld, k = i + 1;
    for (; k >= 2; k -= 2) { m = f64x2.max(m, f64x2.abs(v128.load(p))); p += 16; }
    if (k > 0) m = f64x2.max(m, f64x2.abs(v128.load64_splat(p)));
  }
  return max(f64x2.extract_lane(m, 0), f64x2.extract_lane(m, 1));
}

/**
 * A = V^T diag(w) V: w ascending, row j of V (n x n, dense) the unit eigenvector of w[j]. A n x n f64, lda in elements,
 * only its lower triangle is read and nothing changed. vectors = 0: values only, V is not touched. w, V, A and
 * `work` (eighWorkBytes(n), 16-byte aligned) do not overlap. Absolute accuracy: errors of w are about n eps ||A||.
 * Returns 0; -1 for NaN or infinity in the lower triangle (w = NaN); > 0 if QL did not converge (w, V undefined).
 * At most 4 n^3 flops with vectors, 4/3 n^3 without.
 */
export function eigh_f64(n: i32, a: usize, lda: i32, w: usize, v: usize, vectors: i32, work: usize): i32 {
  if (n <= 0) return 0;
  const l = ldOf(n), ld = sh(l), la = sh(lda), nb = nbReduce(n), square = <usize>n * ld;
  const amax = maxAbsLower(n, a, la);
  if (!(amax < Infinity)) { for (let i = 0; i < n; i++) store<f64>(w + sh(i), NaN); return -1; }
  const gw = al(work), t = gw + al(<usize>productWorkBytes()), panel = t + 3 * square;
  let p = panel + panelBytes(n);
  const tau = p; p += ld;
  const c = p; p += al(sh(2 * nb));
  const s = changetype<Divide>(p); p += al(offsetof<Divide>());
  s.work = gw; s.d = w; s.q = t + square; s.s = s.q + square; s.ld = ld; s.gather = v;
  s.e = p; p += ld; s.z = p; p += ld; s.dl = p; p += ld; s.zl = p; p += ld; s.zh = p; p += ld; s.temp = p; p += 3 * ld;
  s.lists = p; p += al(<usize>n * 20); s.index = p;
  // Power-of-two scaling to max |a| in [1, 2); very small input in two steps.
  const pre: f64 = amax < 1e-280 ? 1.3407807929942597e154 : 1;  // 2^512
  const exponent = <i64>((reinterpret<u64>(amax * pre) >> 52) & 2047) - 1023, x = amax > 0 ? max<i64>(-1022, min<i64>(1022, exponent)) : 0;
  const down = reinterpret<f64>((1023 - x) << 52), up = reinterpret<f64>((1023 + x) << 52);
  for (let i = 0; i < n; i++) {
    const from = a + <usize>i * la, to = t + <usize>i * ld;
    for (let j = 0; j <= i; j++) store<f64>(to + sh(j), down * (pre * load<f64>(from + sh(j))));
  }
  tridiagonalise(n, t, ld, w, s.e, tau, panel, ld, nb, c, gw);
  store<f64>(s.e + sh(n - 1), 0);
  if (!vectors) {
    const failed = ql(n, w, s.e, 0, 0, 0);
    if (failed) return failed;
    sortValues(n, w); scal<f64>(n, up, w); scal<f64>(n, 1 / pre, w);
    return 0;
  }
  memory.fill(s.q, 0, square);
  const failed = divide(s, 0, n);
  if (failed) return failed;
  for (let i = 0; i < n; i++) {
    const j = geti(s.index, i);
    memory.copy(v + sh(n) * <usize>i, s.q + <usize>j * ld, sh(n)); store<f64>(s.temp + sh(i), up * load<f64>(w + sh(j)) / pre);
  }
  memory.copy(w, s.temp, sh(n));
  backTransform(n, t, ld, tau, v, sh(n), nbBack(n), panel, gw);
  return 0;
}
// @ts-ignore: decorator
@inline function geti(p: usize, j: i32): i32 { return load<i32>(p + (<usize>j << 2)); }
