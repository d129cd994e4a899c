// Matrix products: the ABI of gemm-core.ts.
import { FULL, product, productWorkBytes } from './gemm-core';

/** Bytes of `work` that gemm, gram, the solves and cholesky need. The same for f32 and f64. */
export function gemmWorkBytes(): i32 { return productWorkBytes(); }

/**
 * C = alpha op(A) op(B) + beta C, op(X) = X or, where its flag is 1, its transpose.
 * op(A) is m x k, op(B) k x n, C m x n; row-major f32; lda, ldb, ldc are leading dimensions in elements.
 * beta = 0 does not read C. C may alias neither A nor B. `work`: gemmWorkBytes() bytes, 16-byte aligned. 2mnk flops.
 * Goto & van de Geijn, "Anatomy of high-performance matrix multiplication" (2008).
 */
export function gemm_f32(ta: i32, tb: i32, m: i32, n: i32, k: i32, alpha: f32, a: usize, lda: i32, b: usize, ldb: i32, beta: f32, c: usize, ldc: i32, work: usize): void {
  product<f32>(FULL, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, work);
}
/** As gemm_f32, in f64. */
export function gemm_f64(ta: i32, tb: i32, m: i32, n: i32, k: i32, alpha: f64, a: usize, lda: i32, b: usize, ldb: i32, beta: f64, c: usize, ldc: i32, work: usize): void {
  product<f64>(FULL, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, work);
}

// @ts-ignore: decorator
@inline function lower<T>(trans: i32, begin: i32, end: i32, k: i32, alpha: T, x: usize, ldx: i32, beta: T, c: usize, ldc: i32, work: usize): void {
  const first = x + <usize>begin * (trans ? sizeof<T>() : <usize>ldx * sizeof<T>());
  const row = c + <usize>begin * <usize>ldc * sizeof<T>();
  product<T>(begin, trans, trans ^ 1, end - begin, end, k, alpha, first, ldx, x, ldx, beta, row, ldc, work);
}

/**
 * Rows begin..end-1 of the lower triangle of C = alpha op(X) op(X)^T + beta C; op(X) has k columns and at least `end`
 * rows (trans = 0: X is n x k; trans = 1: X is k x n). c points at row 0; entries right of the diagonal are not touched.
 * Aliasing, `work`: as gemm_f32. k (end^2 - begin^2) flops. beta = 1 makes it a rank-k update.
 */
export function gram_f32(trans: i32, begin: i32, end: i32, k: i32, alpha: f32, x: usize, ldx: i32, beta: f32, c: usize, ldc: i32, work: usize): void {
  lower<f32>(trans, begin, end, k, alpha, x, ldx, beta, c, ldc, work);
}
/** As gram_f32, in f64. */
export function gram_f64(trans: i32, begin: i32, end: i32, k: i32, alpha: f64, x: usize, ldx: i32, beta: f64, c: usize, ldc: i32, work: usize): void {
  lower<f64>(trans, begin, end, k, alpha, x, ldx, beta, c, ldc, work);
}
