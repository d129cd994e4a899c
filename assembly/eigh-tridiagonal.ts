// Reduction of a symmetric matrix to tridiagonal form and the way back (f64). Blocked Householder reduction after
// Dongarra, Sorensen & Hammarling (1989); compact WY products after Schreiber & Van Loan (1989).
import { FULL, product } from './gemm-core';
import { axpy, dot, gemvN, gemvT, scal, symvLower } from './linalg-core';

const TINY: f64 = 1e-290;  // a squared norm below this counts as zero (the matrix is scaled to max |a| ~ 1)

// @ts-ignore: decorator
@inline function sh(i: i32): usize { return <usize>i << 3; }

/** Makes the Householder vector of row[0..i) in place (last entry 1); returns its factor tau. */
function reflector(i: i32, row: usize, e: usize, tau: usize): f64 {
  const last = row + sh(i - 1), x2 = dot<f64>(i - 1, row, row), alpha = load<f64>(last);
  let t: f64 = 0;
  if (x2 <= TINY) { store<f64>(e + sh(i - 1), alpha); memory.fill(row, 0, sh(i - 1)); }
  else {
    const norm = sqrt<f64>(alpha * alpha + x2), beta = alpha >= 0 ? -norm : norm;
    t = (beta - alpha) / beta;
    scal<f64>(i - 1, 1 / (alpha - beta), row);
    store<f64>(e + sh(i - 1), beta);
  }
  store<f64>(last, 1); store<f64>(tau + sh(i), t);
  return t;
}

/** Applies the updates of this panel that are pending to row i: row -= V^T w_i + W^T v_i. */
function catchUp(i: i32, np: i32, vp: usize, ld: usize, wp: usize, ldw: usize, row: usize, c1: usize, c2: usize): void {
  let pv = vp + sh(i), pw = wp + sh(i);
  for (let p = 0; p < np; p++) { store<f64>(c1 + sh(p), load<f64>(pw)); store<f64>(c2 + sh(p), load<f64>(pv)); pv += ld; pw += ldw; }
  gemvT<f64>(np, i + 1, -1, vp, ld, c1, row); gemvT<f64>(np, i + 1, -1, wp, ldw, c2, row);
}

/**
 * Reduces rows n-1 .. 1 of A (lower triangle, ld in bytes). Row i keeps its Householder vector v_i in A[i,0:i]
 * (v_i[i-1] = 1 stored), tau[i] its factor: H_i = I - tau_i v_i v_i^T, Q = H_{n-1} ... H_1, Q^T A Q = tridiag(d, e).
 * xy: 4 nb rows of ldw bytes, holding Y = [W; V] and X = [V; W]; c: 2 nb numbers; work: gemm's.
 */
export function tridiagonalise(n: i32, a: usize, ld: usize, d: usize, e: usize, tau: usize, xy: usize, ldw: usize, nb: i32, c: usize, work: usize): void {
  const c2 = c + sh(nb);
  for (let m = n; m > 0;) {
    const b = min(nb, m), m1 = m - b, y = xy, x = xy + <usize>(2 * b) * ldw;
    for (let i = m - 1; i >= m1; i--) {
      const row = a + <usize>i * ld, np = m - 1 - i, vp = row + ld, wp = y + <usize>(i + 1 - m1) * ldw;
      if (np > 0) catchUp(i, np, vp, ld, wp, ldw, row, c, c2);
      store<f64>(d + sh(i), load<f64>(row + sh(i)));
      const w = y + <usize>(i - m1) * ldw;
      if (i == 0) { store<f64>(tau, 0); break; }
      const t = reflector(i, row, e, tau);
      if (t == 0) { memory.fill(w, 0, sh(i)); continue; }
      symvLower<f64>(i, a, ld, row, w);
      if (np > 0) {
        gemvN<f64>(np, i, -1, vp, ld, row, 0, c); gemvN<f64>(np, i, -1, wp, ldw, row, 0, c2);
        gemvT<f64>(np, i, 1, wp, ldw, c, w); gemvT<f64>(np, i, 1, vp, ld, c2, w);
      }
      scal<f64>(i, t, w);
      axpy<f64>(i, -0.5 * t * dot<f64>(i, w, row), row, w);
    }
    if (m1 > 0) {  // A -= V^T W + W^T V on the leading m1 x m1 lower triangle, as one product of rank 2b
      for (let p = 0; p < b; p++) {
        const v = a + <usize>(m1 + p) * ld, w = y + <usize>p * ldw;
        memory.copy(y + <usize>(b + p) * ldw, v, sh(m1));
        memory.copy(x + <usize>p * ldw, v, sh(m1)); memory.copy(x + <usize>(b + p) * ldw, w, sh(m1));
      }
      const l = <i32>(ldw >> 3);
      product<f64>(0, 1, 0, m1, m1, 2 * b, -1, x, l, y, l, 1, a, <i32>(ld >> 3), work);
    }
    m = m1;
  }
}

/** Bytes of `buffer` that backTransform needs. */
export function backTransformBytes(n: i32, nb: i32): usize {
  return 2 * <usize>nb * (sh(n) + 16) + sh(n) * <usize>nb + 16 * <usize>nb * <usize>nb;
}

/** W <- W H_1 H_2 ... H_{n-1}: rows of W go from eigenvectors of T to those of A. ld, ldq in bytes. */
export function backTransform(n: i32, a: usize, ld: usize, tau: usize, w: usize, ldq: usize, nb: i32, buffer: usize, work: usize): void {
  const ldy = (sh(n) + 15) & ~15, ln = <i32>(ldy >> 3), lq = <i32>(ldq >> 3);
  const y = buffer, m = y + <usize>nb * ldy, p = m + <usize>nb * ldy, g = p + sh(n) * <usize>nb, t = g + sh(nb) * <usize>nb;
  for (let k0 = 1; k0 < n; k0 += nb) {
    const b = min(nb, n - k0), k1 = k0 + b - 1;  // the vectors of this block live in 0..k1-1
    for (let r = 0; r < b; r++) {
      memory.copy(y + <usize>r * ldy, a + <usize>(k0 + r) * ld, sh(k0 + r));
      memory.fill(y + <usize>r * ldy + sh(k0 + r), 0, sh(k1 - k0 - r));
    }
    product<f64>(0, 0, 1, b, b, k1, 1, y, ln, y, ln, 0, g, nb, work);  // lower triangle of Y Y^T
    // Compact WY, T upper triangular and stored negated: H_k0 H_{k0+1} ... = I + Y^T T Y.
    memory.fill(t, 0, sh(nb) * <usize>nb);
    for (let j = 0; j < b; j++) {
      const f = load<f64>(tau + sh(k0 + j)), gj = g + sh(j * nb);
      for (let i = 0; i < j; i++) store<f64>(t + sh(i * nb + j), -f * dot<f64>(j - i, t + sh(i * nb + i), gj + sh(i)));
      store<f64>(t + sh(j * nb + j), -f);
    }
    product<f64>(FULL, 0, 0, b, k1, b, 1, t, nb, y, ln, 0, m, ln, work);
    product<f64>(FULL, 0, 1, n, b, k1, 1, w, lq, y, ln, 0, p, nb, work);
    product<f64>(FULL, 0, 0, n, k1, b, 1, p, nb, m, ln, 1, w, lq, work);
  }
}
