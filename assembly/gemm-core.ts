// The matrix product behind gemm, gram, cholesky, the solves and eigh. One generic source for f32 and f64: a register
// tile is 6 rows x 2 vectors (6x8 f32, 6x4 f64), which with 12 accumulators, 2 of B and 1 splat of A fills the 15
// usable vector registers. Blocking after Goto & van de Geijn (2008): B packed in kc x nc panels, A in mc x kc blocks.
// Small operands are read in place. Edges are finished in a scratch tile. k is not unrolled: engines spill then.
import { packN, packT } from './gemm-pack';
import { lanes, madd } from './simd';

const MR: i32 = 6;
const MC: i32 = 120;   // rows of a packed A block, a multiple of MR
const NC: i32 = 2048;  // columns of a packed B panel
const DIRECT: i32 = 40;  // with fewer uses of an operand than this, packing it does not pay (measured)
const TILE_BYTES: usize = 256;  // scratch tile: 6 rows x 2 vectors, rounded up

// @ts-ignore: decorator
@inline function KC<T>(): i32 { return sizeof<T>() == 4 ? 1024 : 512; }
// @ts-ignore: decorator
@inline function NR<T>(): i32 { return 2 * lanes<T>(); }
// @ts-ignore: decorator
@inline function ix<T>(i: i32): usize { return <usize>i * sizeof<T>(); }

/** Bytes of `work` that product needs: tile, A block (MC x KC), B panel (KC x NC). The same for f32 and f64. */
// @ts-ignore: decorator
@inline export function productWorkBytes(): i32 { return <i32>TILE_BYTES + (MC * 1024 + 1024 * NC) * 4; }

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
 * the whole matrix: entries above the diagonal are left alone; 2^30 for a full product.
 */
function macro<T>(mc: i32, nc: i32, kc: i32, a: usize, rs: usize, ks: usize, b: usize, bs: usize, bj: usize, bEdge: usize, c: usize, ldc: usize, alpha: T, acc: bool, diag: i32, tile: usize): void {
  const nr = NR<T>(), mode = acc ? (alpha == -1 ? SUB : ADD) : SET, plain = alpha == 1 || (acc && alpha == -1);
  for (let j = 0; j < nc; j += nr) {
    const nn = min(nr, nc - j), edge = nn < nr;
    const bp = edge ? bEdge : b + <usize>(j / nr) * bj, bStep: usize = edge ? 32 : bs;
    for (let i = j > diag ? (j - diag) / MR * MR : 0; i < mc; i += MR) {
      const mm = min(MR, mc - i), low = diag + i - j + 1;  // columns of the tile's first row up to the diagonal
      const cp = c + <usize>i * ldc + ix<T>(j);
      // Two calls of each microkernel: the optimiser inlines functions with one caller, and engines then spill.
      if (plain && mm == MR && !edge && low >= nr) {
        if (ks == 0) micro<T>(kc, a + ix<T>(i * kc), bp, cp, ldc, mode);
        else microDirect<T>(MR, kc, a + <usize>i * rs, rs, ks, bp, bs, cp, ldc, mode);
      } else {
        if (ks == 0) micro<T>(kc, a + ix<T>(i * kc), bp, tile, 32, SET);
        else microDirect<T>(mm, kc, a + <usize>i * rs, rs, ks, bp, bStep, tile, 32, SET);
        finish<T>(tile, mm, nn, low, cp, ldc, alpha, acc);
      }
    }
  }
}

function scale<T>(m: i32, n: i32, beta: T, c: usize, ldc: usize, diag: i32): void {
  for (let i = 0; i < m; i++) {
    const row = c + <usize>i * ldc, cols = min(n, diag + i + 1);
    if (beta == 0) { if (cols > 0) memory.fill(row, 0, ix<T>(cols)); }
    else for (let j = 0; j < cols; j++) store<T>(row + ix<T>(j), beta * load<T>(row + ix<T>(j)));
  }
}

/** `diag` of product for a full matrix. */
export const FULL: i32 = 1 << 30;

/**
 * C = alpha op(A) op(B) + beta C for entries with column <= row + diag (all of them when diag = FULL).
 * op(X) = X or, where its flag is 1, its transpose; op(A) m x k, op(B) k x n; leading dimensions in elements.
 * beta = 0 does not read C. `work`: productWorkBytes() bytes, 16-byte aligned.
 */
export function product<T>(diag: i32, ta: i32, tb: i32, m: i32, n: i32, k: i32, alpha: T, a: usize, lda: i32, b: usize, ldb: i32, beta: T, c: usize, ldc: i32, work: usize): void {
  const la = ix<T>(lda), lb = ix<T>(ldb), lc = ix<T>(ldc), nr = NR<T>();
  if (k <= 0 || alpha == 0 || (beta != 0 && beta != 1)) scale<T>(m, n, beta, c, lc, diag);
  if (k <= 0 || alpha == 0) return;
  const tile = work, ap = work + TILE_BYTES, bp = ap + ix<T>(MC * KC<T>());
  // In place: A when few panels of B pass over it, B when few rows of A do and its rows lie close together.
  const aInPlace = n <= DIRECT && (!ta || la <= 2048);
  const bInPlace = aInPlace && !tb && m <= DIRECT && lb <= 2048;
  const rs = ta ? sizeof<T>() : la, ks = ta ? la : sizeof<T>();
  for (let jc = 0; jc < n; jc += NC) {
    const nc = min(NC, n - jc);
    if (jc > m - 1 + diag) break;
    for (let pc = 0; pc < k; pc += KC<T>()) {
      const kc = min(KC<T>(), k - pc), acc = pc > 0 || beta != 0;
      const bFirst = tb ? b + <usize>jc * lb + ix<T>(pc) : b + <usize>pc * lb + ix<T>(jc);
      for (let j = bInPlace ? nc / nr * nr : 0; j < nc; j += nr) {
        const dst = bp + ix<T>(j * kc);
        if (tb) packT<T>(bFirst + <usize>j * lb, lb, nc - j, kc, nr, dst);
        else packN<T>(bFirst + ix<T>(j), lb, nc - j, kc, nr, dst);
      }
      const bEdge = bp + ix<T>(nc / nr * nr * kc);
      const b0 = bInPlace ? bFirst : bp, bs: usize = bInPlace ? lb : 32, bj: usize = bInPlace ? 32 : <usize>kc * 32;
      const mcStep = aInPlace ? m : MC;
      for (let ic = 0; ic < m; ic += mcStep) {
        const mc = min(mcStep, m - ic), below = diag + ic - jc;
        if (below + mc <= 0) continue;
        const a0 = ta ? a + <usize>pc * la + ix<T>(ic) : a + <usize>ic * la + ix<T>(pc), cp = c + <usize>ic * lc + ix<T>(jc);
        if (aInPlace) { macro<T>(mc, nc, kc, a0, rs, ks, b0, bs, bj, bEdge, cp, lc, alpha, acc, below, tile); continue; }
        for (let i = 0; i < mc; i += MR) {
          const dst = ap + ix<T>(i * kc);
          if (ta) packN<T>(a0 + ix<T>(i), la, mc - i, kc, MR, dst);
          else packT<T>(a0 + <usize>i * la, la, mc - i, kc, MR, dst);
        }
        macro<T>(mc, nc, kc, ap, 0, 0, b0, bs, bj, bEdge, cp, lc, alpha, acc, below, tile);
      }
    }
  }
}
