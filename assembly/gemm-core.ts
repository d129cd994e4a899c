// The matrix product behind gemm, gram, cholesky, the solves and eigh. One generic source for f32 and f64: a register
// tile is 6 rows x 2 vectors (6x8 f32, 6x4 f64), which with 12 accumulators, 2 of B and 1 splat of A fills the 15
// usable vector registers. Blocking after Goto & van de Geijn (2008): B packed in kc x nc panels, A in mc x kc blocks.
// Small operands are read in place. Edges are finished in a scratch tile. k is not unrolled: engines spill then.
// Only what runs per tile is compiled for each type; the blocking is one function of the element size z in bytes.
import { pack, packN, packWide } from './gemm-pack';
import { scal } from './linalg-core';
import { lanes, madd, SMALL } from './simd';

const MR: i32 = 6;
const MC: i32 = 120;   // rows of a packed A block, a multiple of MR
const NC: i32 = 2048;  // columns of a packed B panel
const DEPTH: i32 = 4096;  // bytes of k in a block: 1024 f32 or 512 f64
const DIRECT: i32 = 40;  // with fewer uses of an operand than this, packing it does not pay (measured)
const TILE_BYTES: usize = 256;  // scratch tile: 6 rows x 2 vectors, rounded up

// @ts-ignore: decorator
@inline function NR<T>(): i32 { return 2 * lanes<T>(); }
// @ts-ignore: decorator
@inline function ix<T>(i: i32): usize { return <usize>i * sizeof<T>(); }

/** Bytes of `work` that product needs: tile, A block (MC x DEPTH), B panel (DEPTH x NC). The same for f32 and f64. */
// @ts-ignore: decorator
@inline export function productWorkBytes(): i32 { return <i32>TILE_BYTES + (MC + NC) * DEPTH; }

// What a microkernel does with its sums. A multiplication by alpha here would make V8 hoist all loads of the loop and
// spill, so other alphas than 1 and -1 go through the scratch tile.
const SET: i32 = 0, ADD: i32 = 1, SUB: i32 = 2;

/** C[6 x 2 vectors] = Ap Bp (or +=, -=), both packed. Not inlined: engines optimise a small function at once. */
function micro<T>(kc: i32, ap: usize, bp: usize, c: usize, ldc: usize, mode: i32): void {
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
  if (mode == SET) {
    set(c, c00, c01); c += ldc; set(c, c10, c11); c += ldc; set(c, c20, c21); c += ldc;
    set(c, c30, c31); c += ldc; set(c, c40, c41); c += ldc; set(c, c50, c51);
  } else if (mode == ADD) {
    add<T>(c, c00, c01); c += ldc; add<T>(c, c10, c11); c += ldc; add<T>(c, c20, c21); c += ldc;
    add<T>(c, c30, c31); c += ldc; add<T>(c, c40, c41); c += ldc; add<T>(c, c50, c51);
  } else {
    sub<T>(c, c00, c01); c += ldc; sub<T>(c, c10, c11); c += ldc; sub<T>(c, c20, c21); c += ldc;
    sub<T>(c, c30, c31); c += ldc; sub<T>(c, c40, c41); c += ldc; sub<T>(c, c50, c51);
  }
}

/** The same with A in place (element (r, k) at a + r*rs + k*ks) and rows of B bs bytes apart. Rows past the last repeat it. */
function microDirect<T>(rows: i32, kc: i32, a: usize, rs: usize, ks: usize, bp: usize, bs: usize, c: usize, ldc: usize, mode: i32): void {
  const zero = v128.splat<T>(<T>0);
  let c00 = zero, c01 = zero, c10 = zero, c11 = zero, c20 = zero, c21 = zero;
  let c30 = zero, c31 = zero, c40 = zero, c41 = zero, c50 = zero, c51 = zero;
  let p1 = rows > 1 ? a + rs : a, p2 = rows > 2 ? p1 + rs : p1, p3 = rows > 3 ? p2 + rs : p2;
  let p4 = rows > 4 ? p3 + rs : p3, p5 = rows > 5 ? p4 + rs : p4;
  for (; kc > 0; kc--) {
    const b0 = v128.load(bp), b1 = v128.load(bp, 16);
    const a0 = v128.load_splat<T>(a); c00 = madd<T>(a0, b0, c00); c01 = madd<T>(a0, b1, c01);
    const a1 = v128.load_splat<T>(p1); c10 = madd<T>(a1, b0, c10); c11 = madd<T>(a1, b1, c11);
    const a2 = v128.load_splat<T>(p2); c20 = madd<T>(a2, b0, c20); c21 = madd<T>(a2, b1, c21);
    const a3 = v128.load_splat<T>(p3); c30 = madd<T>(a3, b0, c30); c31 = madd<T>(a3, b1, c31);
    const a4 = v128.load_splat<T>(p4); c40 = madd<T>(a4, b0, c40); c41 = madd<T>(a4, b1, c41);
    const a5 = v128.load_splat<T>(p5); c50 = madd<T>(a5, b0, c50); c51 = madd<T>(a5, b1, c51);
    a += ks; p1 += ks; p2 += ks; p3 += ks; p4 += ks; p5 += ks; bp += bs;
  }
  if (mode == SET) {
    set(c, c00, c01); c += ldc; set(c, c10, c11); c += ldc; set(c, c20, c21); c += ldc;
    set(c, c30, c31); c += ldc; set(c, c40, c41); c += ldc; set(c, c50, c51);
  } else if (mode == ADD) {
    add<T>(c, c00, c01); c += ldc; add<T>(c, c10, c11); c += ldc; add<T>(c, c20, c21); c += ldc;
    add<T>(c, c30, c31); c += ldc; add<T>(c, c40, c41); c += ldc; add<T>(c, c50, c51);
  } else {
    sub<T>(c, c00, c01); c += ldc; sub<T>(c, c10, c11); c += ldc; sub<T>(c, c20, c21); c += ldc;
    sub<T>(c, c30, c31); c += ldc; sub<T>(c, c40, c41); c += ldc; sub<T>(c, c50, c51);
  }
}

// @ts-ignore: decorator
@inline function set(c: usize, x: v128, y: v128): void { v128.store(c, x); v128.store(c, y, 16); }
// @ts-ignore: decorator
@inline function add<T>(c: usize, x: v128, y: v128): void {
  v128.store(c, v128.add<T>(v128.load(c), x)); v128.store(c, v128.add<T>(v128.load(c, 16), y), 16);
}
// @ts-ignore: decorator
@inline function sub<T>(c: usize, x: v128, y: v128): void {
  v128.store(c, v128.sub<T>(v128.load(c), x)); v128.store(c, v128.sub<T>(v128.load(c, 16), y), 16);
}

/** C (+)= alpha tile, for the columns of each row up to the diagonal: `low` of them in the first row. */
function finish<T>(tile: usize, mm: i32, nn: i32, low: i32, c: usize, ldc: usize, alpha: T, acc: bool): void {
  const f = v128.splat<T>(alpha);
  for (let r = 0; r < mm; r++) {
    const cols = min(nn, low + r);
    if (cols == NR<T>()) {
      const x = v128.mul<T>(f, v128.load(tile)), y = v128.mul<T>(f, v128.load(tile, 16));
      if (acc) add<T>(c, x, y); else set(c, x, y);
    } else for (let q = 0; q < cols; q++) {
      const p = c + ix<T>(q), v = alpha * load<T>(tile + ix<T>(q));
      store<T>(p, acc ? load<T>(p) + v : v);
    }
    c += ldc; tile += 32;
  }
}

/**
 * One block of A times one panel of B. A: packed (ks = 0) or in place with strides rs, ks. B: rows bs bytes apart,
 * panels bj bytes apart, the last, incomplete one at `bEdge`. `diag` = first row minus first column of this block in
 * the whole matrix: entries above the diagonal are left alone; 2^30 for a full product. z = bytes of an element.
 */
function macro(z: usize, mc: i32, nc: i32, kc: i32, a: usize, rs: usize, ks: usize, b: usize, bs: usize, bj: usize, bEdge: usize, c: usize, ldc: usize, alpha: f64, acc: bool, diag: i32, tile: usize): void {
  const nr = 32 / <i32>z, mode = acc ? (alpha == -1 ? SUB : ADD) : SET, plain = alpha == 1 || (acc && alpha == -1);
  for (let j = 0; j < nc; j += nr) {
    const nn = min(nr, nc - j), edge = nn < nr;
    const bp = edge ? bEdge : b + <usize>(j / nr) * bj, bStep: usize = edge ? 32 : bs;
    for (let i = j > diag ? (j - diag) / MR * MR : 0; i < mc; i += MR) {
      const mm = min(MR, mc - i), low = diag + i - j + 1;  // columns of the tile's first row up to the diagonal
      const cp = c + <usize>i * ldc + <usize>j * z, ap = a + (ks ? <usize>i * rs : <usize>(i * kc) * z);
      // Two calls of each microkernel: the optimiser inlines functions with one caller, and engines then spill.
      if (plain && mm == MR && !edge && low >= nr) {
        if (z == 4) {
          if (ks) microDirect<f32>(MR, kc, ap, rs, ks, bp, bs, cp, ldc, mode); else micro<f32>(kc, ap, bp, cp, ldc, mode);
        } else if (ks) microDirect<f64>(MR, kc, ap, rs, ks, bp, bs, cp, ldc, mode); else micro<f64>(kc, ap, bp, cp, ldc, mode);
      } else if (z == 4) {
        if (ks) microDirect<f32>(mm, kc, ap, rs, ks, bp, bStep, tile, 32, SET); else micro<f32>(kc, ap, bp, tile, 32, SET);
        finish<f32>(tile, mm, nn, low, cp, ldc, <f32>alpha, acc);
      } else {
        if (ks) microDirect<f64>(mm, kc, ap, rs, ks, bp, bStep, tile, 32, SET); else micro<f64>(kc, ap, bp, tile, 32, SET);
        finish<f64>(tile, mm, nn, low, cp, ldc, alpha, acc);
      }
    }
  }
}

/** C *= beta (beta = 0: without reading C), in the part of C that `product` writes. */
function scale(z: usize, m: i32, n: i32, beta: f64, c: usize, ldc: usize, diag: i32): void {
  for (let i = 0; i < m; i++) {
    const cols = min(n, diag + i + 1);
    if (cols <= 0) continue;
    const row = c + <usize>i * ldc;
    if (beta == 0) memory.fill(row, 0, <usize>cols * z);
    else if (z == 4) scal<f32>(cols, <f32>beta, row);
    else scal<f64>(cols, beta, row);
  }
}

/** `diag` of product for a full matrix. */
export const FULL: i32 = 1 << 30;

/**
 * C = alpha op(A) op(B) + beta C for entries with column <= row + diag (all of them when diag = FULL).
 * op(X) = X or, where its flag is 1, its transpose; op(A) m x k, op(B) k x n; leading dimensions in elements.
 * beta = 0 does not read C. `work`: productWorkBytes() bytes, 16-byte aligned.
 */
// @ts-ignore: decorator
@inline export function product<T>(diag: i32, ta: i32, tb: i32, m: i32, n: i32, k: i32, alpha: T, a: usize, lda: i32, b: usize, ldb: i32, beta: T, c: usize, ldc: i32, work: usize): void {
  blocks(sizeof<T>(), diag, ta, tb, m, n, k, <f64>alpha, a, <usize>lda * sizeof<T>(), b, <usize>ldb * sizeof<T>(), <f64>beta, c, <usize>ldc * sizeof<T>(), work);
}
/** The same for elements of z bytes (4: f32, 8: f64) and leading dimensions in bytes. */
function blocks(z: usize, diag: i32, ta: i32, tb: i32, m: i32, n: i32, k: i32, alpha: f64, a: usize, la: usize, b: usize, lb: usize, beta: f64, c: usize, lc: usize, work: usize): void {
  const nr = 32 / <i32>z, depth = DEPTH / <i32>z;
  if (k <= 0 || alpha == 0 || (beta != 0 && beta != 1)) scale(z, m, n, beta, c, lc, diag);
  if (k <= 0 || alpha == 0) return;
  const tile = work, ap = work + TILE_BYTES, bp = ap + MC * DEPTH;
  // In place: A when few panels of B pass over it, B when few rows of A do and its rows lie close together; both when B is small.
  const small = !ta && !tb && <usize>k * lb <= SMALL;
  const aInPlace = small || (n <= DIRECT && (!ta || la <= 2048));
  const bInPlace = small || (aInPlace && !tb && m <= DIRECT && lb <= 2048);
  const rs = ta ? z : la, ks = ta ? la : z;
  for (let jc = 0; jc < n; jc += NC) {
    const nc = min(NC, n - jc), nf = nc / nr * nr;  // nf: columns in whole panels
    if (jc > m - 1 + diag) break;
    for (let pc = 0; pc < k; pc += depth) {
      const kc = min(depth, k - pc), acc = pc > 0 || beta != 0;
      const bFirst = b + (tb ? <usize>jc * lb + <usize>pc * z : <usize>pc * lb + <usize>jc * z), bEdge = bp + <usize>(nf * kc) * z;
      for (let j = bInPlace ? nf : 0; j < nc;) {
        const dst = bp + <usize>(j * kc) * z, panels = tb ? 0 : min(8, (nc - j) / nr);
        if (tb) pack(z, bFirst + <usize>j * lb, lb, nc - j, kc, nr, dst);
        else if (panels) packWide(bFirst + <usize>j * z, lb, panels, kc, dst);
        else packN(bFirst + <usize>j * z, lb, <usize>(nc - j) * z, kc, 32, dst);
        j += max(1, panels) * nr;
      }
      const b0 = bInPlace ? bFirst : bp, bs: usize = bInPlace ? lb : 32, bj: usize = bInPlace ? 32 : <usize>kc * 32;
      for (let ic = 0; ic < m; ic += MC) {
        const mc = min(MC, m - ic), below = diag + ic - jc;
        if (below + mc <= 0) continue;
        const a0 = a + (ta ? <usize>pc * la + <usize>ic * z : <usize>ic * la + <usize>pc * z), cp = c + <usize>ic * lc + <usize>jc * z;
        for (let i = aInPlace ? mc : 0; i < mc; i += MR) {
          const dst = ap + <usize>(i * kc) * z;
          if (ta) packN(a0 + <usize>i * z, la, <usize>(mc - i) * z, kc, <usize>MR * z, dst);
          else pack(z, a0 + <usize>i * la, la, mc - i, kc, MR, dst);
        }
        if (aInPlace) macro(z, mc, nc, kc, a0, rs, ks, b0, bs, bj, bEdge, cp, lc, alpha, acc, below, tile);
        else macro(z, mc, nc, kc, ap, 0, 0, b0, bs, bj, bEdge, cp, lc, alpha, acc, below, tile);
      }
    }
  }
}
