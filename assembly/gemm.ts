// Matrix products. One generic source for f32 and f64: a register tile is 6 rows x 2 vectors (6x8 f32, 6x4 f64),
// which with 12 accumulators, 2 of B and 1 splat of A fills the 15 usable vector registers.
// Blocking after Goto & van de Geijn (2008): B packed in kc x nc panels, A in mc x kc blocks. Edges are zero-padded in
// packing and finished in a scratch tile, so one microkernel serves every shape. k is not unrolled: engines spill then.
import { lanes, madd } from './simd';

const MR: i32 = 6;
const MC: i32 = 120;   // rows of a packed A block, a multiple of MR
const NC: i32 = 2048;  // columns of a packed B panel
const TILE_BYTES: usize = 256;  // scratch tile: 6 rows x 2 vectors, rounded up

// @ts-ignore: decorator
@inline function KC<T>(): i32 { return sizeof<T>() == 4 ? 1024 : 512; }
// @ts-ignore: decorator
@inline function NR<T>(): i32 { return 2 * lanes<T>(); }
// @ts-ignore: decorator
@inline function ix<T>(i: i32): usize { return <usize>i * sizeof<T>(); }

/** Bytes of `work` that gemm needs: tile, A block (MC x KC), B panel (KC x NC). The same for f32 and f64. */
export function gemmWorkBytes(): i32 { return <i32>TILE_BYTES + (MC * 1024 + 1024 * NC) * 4; }

/** C[6 x 2 vectors] (+)= alpha * Ap Bp. Not inlined: an exported function is optimised on its own by every engine. */
function micro<T>(kc: i32, ap: usize, bp: usize, c: usize, ldc: usize, alpha: T, acc: bool): void {
  const zero = v128.splat<T>(<T>0);
  let c00 = zero, c01 = zero, c10 = zero, c11 = zero, c20 = zero, c21 = zero;
  let c30 = zero, c31 = zero, c40 = zero, c41 = zero, c50 = zero, c51 = zero;
  for (; kc > 0; kc--) {
    const b0 = v128.load(bp), b1 = v128.load(bp, 16);
    const a0 = v128.load_splat<T>(ap, 0 * sizeof<T>()); c00 = madd<T>(a0, b0, c00); c01 = madd<T>(a0, b1, c01);
    const a1 = v128.load_splat<T>(ap, 1 * sizeof<T>()); c10 = madd<T>(a1, b0, c10); c11 = madd<T>(a1, b1, c11);
    const a2 = v128.load_splat<T>(ap, 2 * sizeof<T>()); c20 = madd<T>(a2, b0, c20); c21 = madd<T>(a2, b1, c21);
    const a3 = v128.load_splat<T>(ap, 3 * sizeof<T>()); c30 = madd<T>(a3, b0, c30); c31 = madd<T>(a3, b1, c31);
    const a4 = v128.load_splat<T>(ap, 4 * sizeof<T>()); c40 = madd<T>(a4, b0, c40); c41 = madd<T>(a4, b1, c41);
    const a5 = v128.load_splat<T>(ap, 5 * sizeof<T>()); c50 = madd<T>(a5, b0, c50); c51 = madd<T>(a5, b1, c51);
    ap += 6 * sizeof<T>(); bp += 32;
  }
  const s = v128.splat<T>(alpha);
  put<T>(c, s, c00, c01, acc); c += ldc; put<T>(c, s, c10, c11, acc); c += ldc;
  put<T>(c, s, c20, c21, acc); c += ldc; put<T>(c, s, c30, c31, acc); c += ldc;
  put<T>(c, s, c40, c41, acc); c += ldc; put<T>(c, s, c50, c51, acc);
}

// @ts-ignore: decorator
@inline function put<T>(c: usize, s: v128, x: v128, y: v128, acc: bool): void {
  x = v128.mul<T>(s, x); y = v128.mul<T>(s, y);
  if (acc) { x = v128.add<T>(v128.load(c), x); y = v128.add<T>(v128.load(c, 16), y); }
  v128.store(c, x); v128.store(c, y, 16);
}

/** dst[k*w + r] = r < rows ? src[r*ld + k] : 0, for k < kc: a transposing pack of w rows. ld in bytes. */
function packT<T>(src: usize, ld: usize, rows: i32, kc: i32, w: i32, dst: usize): void {
  const step = ix<T>(w);
  for (let r = 0; r < w; r++) {
    let q = dst + ix<T>(r);
    if (r < rows) {
      let p = src + <usize>r * ld;
      for (let k = 0; k < kc; k++) { store<T>(q, load<T>(p)); p += sizeof<T>(); q += step; }
    } else for (let k = 0; k < kc; k++) { store<T>(q, <T>0); q += step; }
  }
}

/** dst[k*w + c] = c < cols ? src[k*ld + c] : 0: a straight pack of w columns. ld in bytes. */
function packN<T>(src: usize, ld: usize, cols: i32, kc: i32, w: i32, dst: usize): void {
  const full = min(cols, w);
  for (let k = 0; k < kc; k++) {
    let c = 0;
    for (; c < full; c++) store<T>(dst + ix<T>(c), load<T>(src + ix<T>(c)));
    for (; c < w; c++) store<T>(dst + ix<T>(c), <T>0);
    src += ld; dst += ix<T>(w);
  }
}

function macro<T>(mc: i32, nc: i32, kc: i32, ap: usize, bp: usize, c: usize, ldc: usize, alpha: T, acc: bool, tile: usize): void {
  for (let j = 0; j < nc; j += NR<T>()) {
    const nn = min(NR<T>(), nc - j);
    for (let i = 0; i < mc; i += MR) {
      const mm = min(MR, mc - i);
      const cp = c + <usize>i * ldc + ix<T>(j);
      const a = ap + ix<T>(i * kc), b = bp + ix<T>(j * kc);
      if (mm == MR && nn == NR<T>()) { micro<T>(kc, a, b, cp, ldc, alpha, acc); continue; }
      micro<T>(kc, a, b, tile, 32, alpha, false);
      for (let r = 0; r < mm; r++) {
        for (let q = 0; q < nn; q++) {
          const p = cp + <usize>r * ldc + ix<T>(q), v = load<T>(tile + <usize>(r * 32) + ix<T>(q));
          store<T>(p, acc ? load<T>(p) + v : v);
        }
      }
    }
  }
}

function scale<T>(m: i32, n: i32, beta: T, c: usize, ldc: usize): void {
  for (let i = 0; i < m; i++) {
    const row = c + <usize>i * ldc;
    for (let j = 0; j < n; j++) {
      const p = row + ix<T>(j);
      store<T>(p, beta == 0 ? <T>0 : beta * load<T>(p));
    }
  }
}

function gemm<T>(ta: i32, tb: i32, m: i32, n: i32, k: i32, alpha: T, a: usize, lda: i32, b: usize, ldb: i32, beta: T, c: usize, ldc: i32, work: usize): void {
  const la = ix<T>(lda), lb = ix<T>(ldb), lc = ix<T>(ldc);
  if (beta != 1) scale<T>(m, n, beta, c, lc);
  const tile = work, ap = work + TILE_BYTES, bp = ap + ix<T>(MC * KC<T>());
  for (let jc = 0; jc < n; jc += NC) {
    const nc = min(NC, n - jc);
    for (let pc = 0; pc < k; pc += KC<T>()) {
      const kc = min(KC<T>(), k - pc);
      for (let j = 0; j < nc; j += NR<T>()) {
        const dst = bp + ix<T>(j * kc);
        if (tb) packT<T>(b + <usize>(jc + j) * lb + ix<T>(pc), lb, nc - j, kc, NR<T>(), dst);
        else packN<T>(b + <usize>pc * lb + ix<T>(jc + j), lb, nc - j, kc, NR<T>(), dst);
      }
      for (let ic = 0; ic < m; ic += MC) {
        const mc = min(MC, m - ic);
        for (let i = 0; i < mc; i += MR) {
          const dst = ap + ix<T>(i * kc);
          if (ta) packN<T>(a + <usize>pc * la + ix<T>(ic + i), la, mc - i, kc, MR, dst);
          else packT<T>(a + <usize>(ic + i) * la + ix<T>(pc), la, mc - i, kc, MR, dst);
        }
        macro<T>(mc, nc, kc, ap, bp, c + <usize>ic * lc + ix<T>(jc), lc, alpha, true, tile);
      }
    }
  }
}

/**
 * C = alpha op(A) op(B) + beta C, op(X) = X or, where its flag is 1, its transpose.
 * op(A) is m x k, op(B) k x n, C m x n; row-major f32; lda, ldb, ldc are leading dimensions in elements.
 * beta = 0 does not read C. C may alias neither A nor B. `work`: gemmWorkBytes() bytes, 16-byte aligned. 2mnk flops.
 */
export function gemm_f32(ta: i32, tb: i32, m: i32, n: i32, k: i32, alpha: f32, a: usize, lda: i32, b: usize, ldb: i32, beta: f32, c: usize, ldc: i32, work: usize): void {
  gemm<f32>(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, work);
}
/** As gemm_f32, in f64. */
export function gemm_f64(ta: i32, tb: i32, m: i32, n: i32, k: i32, alpha: f64, a: usize, lda: i32, b: usize, ldb: i32, beta: f64, c: usize, ldc: i32, work: usize): void {
  gemm<f64>(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, work);
}
