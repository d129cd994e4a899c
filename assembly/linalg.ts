// Matrix-vector products and the mirror of a triangle: the ABI of linalg-core.ts.
import { gemvN, gemvT, scal, symvLower } from './linalg-core';
import { lanes, madd } from './simd';

// @ts-ignore: decorator
@inline function gemv<T>(trans: i32, m: i32, n: i32, alpha: T, a: usize, lda: i32, x: usize, beta: T, y: usize): void {
  const ld = <usize>lda * sizeof<T>();
  if (!trans) { gemvN<T>(m, n, alpha, a, ld, x, beta, y); return; }
  if (beta == 0) memory.fill(y, 0, <usize>n * sizeof<T>());
  else if (beta != 1) scal<T>(n, beta, y);
  gemvT<T>(m, n, alpha, a, ld, x, y);
}

/**
 * y = alpha A x + beta y (trans = 0: x has n, y m elements) or y = alpha A^T x + beta y (trans = 1: x has m, y n).
 * A m x n row-major f32, lda in elements. beta = 0 does not read y. y aliases nothing. 2mn flops, memory-bound.
 */
export function gemv_f32(trans: i32, m: i32, n: i32, alpha: f32, a: usize, lda: i32, x: usize, beta: f32, y: usize): void {
  gemv<f32>(trans, m, n, alpha, a, lda, x, beta, y);
}
/** As gemv_f32, in f64. */
export function gemv_f64(trans: i32, m: i32, n: i32, alpha: f64, a: usize, lda: i32, x: usize, beta: f64, y: usize): void {
  gemv<f64>(trans, m, n, alpha, a, lda, x, beta, y);
}

/** y = A x, A symmetric n x n of which only the lower triangle is read; lda in elements. y may not alias x. 2n^2 flops. */
export function symv_f32(n: i32, a: usize, lda: i32, x: usize, y: usize): void { symvLower<f32>(n, a, <usize>lda << 2, x, y); }
/** As symv_f32, in f64. */
export function symv_f64(n: i32, a: usize, lda: i32, x: usize, y: usize): void { symvLower<f64>(n, a, <usize>lda << 3, x, y); }

/** c[j][i] = c[i][j] for j < i (down = 1: the other way), in 32 x 32 blocks so that both sides stay in cache. */
function mirror<T>(n: i32, c: usize, ldc: i32, down: i32): void {
  const ld = <usize>ldc * sizeof<T>(), z: usize = sizeof<T>();
  for (let i0 = 0; i0 < n; i0 += 32) {
    for (let j0 = 0; j0 <= i0; j0 += 32) {
      for (let i = i0; i < min(i0 + 32, n); i++) {
        let p = c + <usize>i * ld + <usize>j0 * z, q = c + <usize>j0 * ld + <usize>i * z, count = min(j0 + 32, i) - j0;
        if (down) for (; count > 0; count--) { store<T>(p, load<T>(q)); p += z; q += ld; }
        else for (; count > 0; count--) { store<T>(q, load<T>(p)); p += z; q += ld; }
      }
    }
  }
}

/** Copies the lower triangle of C (n x n, ldc in elements) over the upper one; down = 1: the upper over the lower. */
export function mirror_f32(n: i32, c: usize, ldc: i32, down: i32): void { mirror<f32>(n, c, ldc, down); }
/** As mirror_f32, in f64. */
export function mirror_f64(n: i32, c: usize, ldc: i32, down: i32): void { mirror<f64>(n, c, ldc, down); }

function getDiagonal<T>(n: i32, a: usize, lda: i32, x: usize): void {
  for (const step = <usize>(lda + 1) * sizeof<T>(); n > 0; n--) { store<T>(x, load<T>(a)); x += sizeof<T>(); a += step; }
}
function setDiagonal<T>(n: i32, a: usize, lda: i32, x: usize, shift: T): void {
  for (const step = <usize>(lda + 1) * sizeof<T>(); n > 0; n--) { store<T>(a, load<T>(x) + shift); x += sizeof<T>(); a += step; }
}

/** x_i = a_ii; A n x n, lda in elements, x n elements. */
export function getDiagonal_f32(n: i32, a: usize, lda: i32, x: usize): void { getDiagonal<f32>(n, a, lda, x); }
/** As getDiagonal_f32, in f64. */
export function getDiagonal_f64(n: i32, a: usize, lda: i32, x: usize): void { getDiagonal<f64>(n, a, lda, x); }
/** a_ii = x_i + shift. */
export function setDiagonal_f32(n: i32, a: usize, lda: i32, x: usize, shift: f32): void { setDiagonal<f32>(n, a, lda, x, shift); }
/** As setDiagonal_f32, in f64. */
export function setDiagonal_f64(n: i32, a: usize, lda: i32, x: usize, shift: f64): void { setDiagonal<f64>(n, a, lda, x, shift); }

/** C += A o (alpha B + shift), element by element. */
function hadamard<T>(m: i32, n: i32, a: usize, lda: i32, alpha: T, b: usize, ldb: i32, shift: T, c: usize, ldc: i32): void {
  const z: usize = sizeof<T>(), f = v128.splat<T>(alpha), g = v128.splat<T>(shift), step = lanes<T>();
  for (let i = 0; i < m; i++) {
    let p = a + <usize>i * <usize>lda * z, q = b + <usize>i * <usize>ldb * z, r = c + <usize>i * <usize>ldc * z, k = n;
    for (; k >= step; k -= step) {
      v128.store(r, madd<T>(v128.load(p), madd<T>(f, v128.load(q), g), v128.load(r)));
      p += 16; q += 16; r += 16;
    }
    for (; k > 0; k--) { store<T>(r, load<T>(r) + load<T>(p) * (alpha * load<T>(q) + shift)); p += z; q += z; r += z; }
  }
}

/**
 * C += A o (alpha B + shift), o the element-wise product; all m x n row-major f32, leading dimensions in elements. A and
 * B may be the same; C overlaps neither. Layer by layer this sums an empirical NTK: (delta delta^T) o (w^2 x x^T + b^2).
 */
export function hadamard_f32(m: i32, n: i32, a: usize, lda: i32, alpha: f32, b: usize, ldb: i32, shift: f32, c: usize, ldc: i32): void {
  hadamard<f32>(m, n, a, lda, alpha, b, ldb, shift, c, ldc);
}
/** As hadamard_f32, in f64. */
export function hadamard_f64(m: i32, n: i32, a: usize, lda: i32, alpha: f64, b: usize, ldb: i32, shift: f64, c: usize, ldc: i32): void {
  hadamard<f64>(m, n, a, lda, alpha, b, ldb, shift, c, ldc);
}
