// Divide and conquer for a symmetric tridiagonal matrix (f64): Cuppen (1981) with deflation and the modified z of
// Gu & Eisenstat (1994). Eigenvectors are rows. Deflated vectors skip the products, which on kernel matrices is most.
import { FULL, product } from './gemm-core';
import { EPS, hypot, ql, rotate } from './eigh-ql';
import { dot, scal } from './linalg-core';
import { secularRoot } from './eigh-secular';

const LEAF: i32 = 24;  // measured: 16-24 best, 64 twice as slow

/** Addresses of one call, in working memory: no globals, so instances stay free of state. */
@unmanaged
export class Divide {
  d: usize;      // diagonal, becomes the eigenvalues
  e: usize;      // off-diagonal
  q: usize;      // vectors as rows; zero at the start
  ld: usize;     // bytes between rows of q and s
  index: usize;  // i32: ascending order inside each finished block, local
  s: usize;      // vectors of the secular problem
  gather: usize; // compacted vectors, n*n numbers
  z: usize; dl: usize; zl: usize; zh: usize;  // n numbers each
  temp: usize;   // 3 n numbers
  lists: usize;  // 5 n i32
  work: usize;   // gemm's
}

// @ts-ignore: decorator
@inline function sh(i: i32): usize { return <usize>i << 3; }
// @ts-ignore: decorator
@inline function geti(p: usize, j: i32): i32 { return load<i32>(p + (<usize>j << 2)); }
// @ts-ignore: decorator
@inline function seti(p: usize, j: i32, v: i32): void { store<i32>(p + (<usize>j << 2), v); }

/** Merges two lists of indices ascending in values[index]; those of the second are shifted by `offset`. */
function mergeOrder(values: usize, a: usize, na: i32, b: usize, nb: i32, offset: i32, dst: usize): void {
  let i = 0, j = 0, t = 0;
  while (i < na && j < nb) {
    const x = geti(a, i), y = geti(b, j) + offset;
    if (load<f64>(values + sh(x)) <= load<f64>(values + sh(y))) { seti(dst, t++, x); i++; } else { seti(dst, t++, y); j++; }
  }
  while (i < na) seti(dst, t++, geti(a, i++));
  while (j < nb) seti(dst, t++, geti(b, j++) + offset);
}

/** zh[j] *= r[j] / (dl_j - di): one factor of Loewner's formula. */
function loewner(w: Divide, j: i32, end: i32, r: usize, di: f64): void {
  const dd = f64x2.splat(di), zh = w.zh, dl = w.dl;
  for (; j + 2 <= end; j += 2) v128.store(zh + sh(j), f64x2.mul(v128.load(zh + sh(j)), f64x2.div(v128.load(r + sh(j)), f64x2.sub(v128.load(dl + sh(j)), dd))));
  if (j < end) store<f64>(zh + sh(j), load<f64>(zh + sh(j)) * (load<f64>(r + sh(j)) / (load<f64>(dl + sh(j)) - di)));
}

/** The eigenvectors of diag(dl) + rho zl zl^T as rows of s, columns in the order `pos`; eigenvalues to lam. */
function secularVectors(w: Divide, k: i32, rho: f64, pos: usize, lam: usize, out: usize): void {
  const s = w.s, zh = w.zh, zl = w.zl;
  if (k == 1) { store<f64>(lam, load<f64>(w.dl) + rho); store<f64>(s, 1); return; }
  for (let i = 0; i < k; i++) { store<f64>(lam + sh(i), secularRoot(k, i, w.dl, zl, rho, s + <usize>i * w.ld, out)); store<f64>(zh + sh(i), 1); }
  // The z for which the computed roots are exact, then the vectors z_j / (d_j - x_i).
  for (let i = 0; i < k; i++) {
    const r = s + <usize>i * w.ld, di = load<f64>(w.dl + sh(i));
    loewner(w, 0, i, r, di); loewner(w, i + 1, k, r, di);
    store<f64>(zh + sh(i), load<f64>(zh + sh(i)) * load<f64>(r + sh(i)));
  }
  for (let j = 0; j < k; j++) { const v = sqrt<f64>(abs(load<f64>(zh + sh(j)))); store<f64>(zh + sh(j), load<f64>(zl + sh(j)) < 0 ? -v : v); }
  for (let i = 0; i < k; i++) {
    const r = s + <usize>i * w.ld;
    let j = 0;
    for (; j + 2 <= k; j += 2) v128.store(r + sh(j), f64x2.div(v128.load(zh + sh(j)), v128.load(r + sh(j))));
    if (j < k) store<f64>(r + sh(j), load<f64>(zh + sh(j)) / load<f64>(r + sh(j)));
    const f = 1 / sqrt<f64>(dot<f64>(k, r, r));
    for (j = 0; j < k; j++) store<f64>(out + sh(geti(pos, j)), f * load<f64>(r + sh(j)));
    memory.copy(r, out, sh(k));
  }
}

/**
 * Sorts the n poles of a merge into `sec` (kept) and `def` (deflated, ascending): a small z, or two nearly equal poles,
 * after a rotation that makes one z zero. typ: 1 upper half only, 3 lower half only, 2 both. Returns how many are kept.
 */
function deflate(w: Divide, n: i32, d: usize, q: usize, rho: f64, tol: f64, ord: usize, typ: usize, sec: usize, def: usize): i32 {
  let k = 0, nd = 0, pj = -1;
  for (let t = 0; t < n; t++) {
    const j = geti(ord, t), zj = load<f64>(w.z + sh(j));
    let x = -1;  // what this step deflates
    if (rho * abs(zj) <= tol) x = j;
    else if (pj < 0) pj = j;
    else {
      const zp = load<f64>(w.z + sh(pj)), r = hypot(zj, zp), c = zj / r, s = -zp / r, dj = load<f64>(d + sh(j)), dp = load<f64>(d + sh(pj));
      if (abs((dj - dp) * c * s) <= tol) {
        store<f64>(w.z + sh(j), r);
        if (geti(typ, pj) != geti(typ, j)) seti(typ, j, 2);
        rotate(n, q + <usize>pj * w.ld, q + <usize>j * w.ld, c, s);
        store<f64>(d + sh(pj), dp * c * c + dj * s * s); store<f64>(d + sh(j), dp * s * s + dj * c * c);
        x = pj;
      } else seti(sec, k++, pj);
      pj = j;
    }
    if (x >= 0) {
      const v = load<f64>(d + sh(x)); let y = nd++;
      for (; y > 0 && load<f64>(d + sh(geti(def, y - 1))) > v; y--) seti(def, y, geti(def, y - 1));
      seti(def, y, x);
    }
  }
  seti(sec, k++, pj);
  return k;
}

/** Joins the solved halves [lo, lo+n1) and [lo+n1, lo+n) coupled by e[lo+n1-1]. */
function mergeHalves(w: Divide, lo: i32, n1: i32, n: i32): void {
  const n2 = n - n1, d = w.d + sh(lo), q = w.q + <usize>lo * w.ld + sh(lo), index = w.index + (<usize>lo << 2), bytes = <usize>n << 2;
  const ord = w.lists, typ = ord + bytes, sec = typ + bytes, def = sec + bytes, pos = def + bytes;
  let rho = load<f64>(w.e + sh(lo + n1 - 1)), zmax: f64 = 0, dmax: f64 = 0;
  const upper: f64 = 0.70710678118654752440, under: f64 = rho < 0 ? -upper : upper;
  for (let j = 0; j < n; j++) {
    const z = j < n1 ? upper * load<f64>(q + <usize>j * w.ld + sh(n1 - 1)) : under * load<f64>(q + <usize>j * w.ld + sh(n1));
    store<f64>(w.z + sh(j), z); zmax = max(zmax, abs(z)); dmax = max(dmax, abs(load<f64>(d + sh(j))));
    seti(typ, j, j < n1 ? 1 : 3);
  }
  rho = 2 * abs(rho);
  mergeOrder(d, index, n1, index + (<usize>n1 << 2), n2, n1, ord);
  const tol = 8 * EPS * max(dmax, zmax);
  if (rho * zmax <= tol) { memory.copy(index, ord, bytes); return; }
  const k = deflate(w, n, d, q, rho, tol, ord, typ, sec, def), nd = n - k;
  // Gather: B1 = upper parts of types 1, 2; B2 = lower parts of types 2, 3; B3 = deflated rows.
  let k1 = 0, k2 = 0;
  for (let s = 0; s < k; s++) { const t = geti(typ, geti(sec, s)); if (t == 1) k1++; else if (t == 2) k2++; }
  const k12 = k1 + k2, k23 = k - k1;
  const b1 = w.gather, b2 = b1 + sh(k12 * n1), b3 = b2 + sh(k23 * n2);
  let a1 = 0, a2 = k1, a3 = k12, norm: f64 = 0;
  for (let s = 0; s < k; s++) {
    const j = geti(sec, s), t = geti(typ, j), src = q + <usize>j * w.ld, g = t == 1 ? a1++ : t == 2 ? a2++ : a3++;
    seti(pos, s, g);
    if (t <= 2) memory.copy(b1 + sh(g * n1), src, sh(n1));
    if (t >= 2) memory.copy(b2 + sh((g - k1) * n2), src + sh(n1), sh(n2));
    const z = load<f64>(w.z + sh(j)); norm += z * z;
    store<f64>(w.dl + sh(s), load<f64>(d + sh(j))); store<f64>(w.zl + sh(s), z);
  }
  for (let s = 0; s < nd; s++) { const j = geti(def, s); memory.copy(b3 + sh(s * n), q + <usize>j * w.ld, sh(n)); store<f64>(w.temp + sh(s), load<f64>(d + sh(j))); }
  norm = sqrt<f64>(norm); scal<f64>(k, 1 / norm, w.zl);
  const lam = w.temp + sh(nd);
  secularVectors(w, k, rho * norm * norm, pos, lam, lam + sh(k));
  const l = <i32>(w.ld >> 3);
  if (k12 > 0) product<f64>(FULL, 0, 0, k, n1, k12, 1, w.s, l, b1, n1, 0, q, l, w.work);
  else for (let i = 0; i < k; i++) memory.fill(q + <usize>i * w.ld, 0, sh(n1));
  if (k23 > 0) product<f64>(FULL, 0, 0, k, n2, k23, 1, w.s + sh(k1), l, b2, n2, 0, q + sh(n1), l, w.work);
  else for (let i = 0; i < k; i++) memory.fill(q + <usize>i * w.ld + sh(n1), 0, sh(n2));
  for (let s = 0; s < nd; s++) memory.copy(q + <usize>(k + s) * w.ld, b3 + sh(s * n), sh(n));
  memory.copy(d, lam, sh(k)); memory.copy(d + sh(k), w.temp, sh(nd));
  for (let i = 0; i < n; i++) seti(ord, i, i);
  mergeOrder(d, ord, k, ord + (<usize>k << 2), nd, 0, index);
}

/** Eigenpairs of rows lo .. lo+n-1. Returns 0, or > 0 when QL did not converge. */
export function divide(w: Divide, lo: i32, n: i32): i32 {
  if (n <= LEAF) {
    const q = w.q + <usize>lo * w.ld + sh(lo), d = w.d + sh(lo), index = w.index + (<usize>lo << 2);
    for (let i = 0; i < n; i++) store<f64>(q + <usize>i * w.ld + sh(i), 1);
    memory.copy(w.temp, w.e + sh(lo), sh(n));
    const failed = ql(n, d, w.temp, q, w.ld, n);
    for (let i = 0; i < n; i++) {
      let y = i; const v = load<f64>(d + sh(i));
      for (; y > 0 && load<f64>(d + sh(geti(index, y - 1))) > v; y--) seti(index, y, geti(index, y - 1));
      seti(index, y, i);
    }
    return failed;
  }
  const n1 = n >> 1, c = lo + n1, d = w.d + sh(c), r = abs(load<f64>(w.e + sh(c - 1)));
  store<f64>(d - 8, load<f64>(d - 8) - r); store<f64>(d, load<f64>(d) - r);
  let failed = divide(w, lo, n1);
  if (failed == 0) failed = divide(w, c, n - n1);
  if (failed == 0) mergeHalves(w, lo, n1, n);
  return failed;
}
