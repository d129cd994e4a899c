// Linear steps of kernel propagation. A state is a stack of sheets, one per pair of positions, each `rows` x `ld` pairs of
// samples (ld a multiple of 16 bytes); spatial operators combine whole sheets, so one loop serves every geometry.
import { lanes, madd } from './simd';

// @ts-ignore: decorator
@inline function num<T>(x: f64): v128 { return v128.splat<T>(<T>x); }

function combine<T>(outer: i32, nin: i32, nout: i32, inner: i32, start: usize, col: usize, weight: usize, x: usize, y: usize): void {
  const bytes = <usize>inner * sizeof<T>();
  for (let o = 0; o < outer; o++) {
    for (let b = 0; b < nout; b++) {
      const first = load<i32>(start + <usize>b * 4), last = load<i32>(start + <usize>b * 4, 4);
      if (first == last) memory.fill(y, 0, bytes);
      for (let e = first; e < last; e++) {
        const w = num<T>(load<f64>(weight + <usize>e * 8)), p = x + <usize>load<i32>(col + <usize>e * 4) * bytes;
        if (e == first) for (let i: usize = 0; i < bytes; i += 16) v128.store(y + i, v128.mul<T>(w, v128.load(p + i)));
        else for (let i: usize = 0; i < bytes; i += 16) v128.store(y + i, madd<T>(w, v128.load(p + i), v128.load(y + i)));
      }
      y += bytes;
    }
    x += <usize>nin * bytes;
  }
}
/**
 * y[o, b, :] = sum over e in start[b] <= e < start[b+1] of weight[e] x[o, col[e], :]. x is (outer, nin, inner), y is
 * (outer, nout, inner), not aliased; start i32[nout+1], col i32, weight f64; inner a multiple of 16 bytes.
 */
export function sheetsCombine_f32(outer: i32, nin: i32, nout: i32, inner: i32, start: usize, col: usize, weight: usize, x: usize, y: usize): void {
  combine<f32>(outer, nin, nout, inner, start, col, weight, x, y);
}
export function sheetsCombine_f64(outer: i32, nin: i32, nout: i32, inner: i32, start: usize, col: usize, weight: usize, x: usize, y: usize): void {
  combine<f64>(outer, nin, nout, inner, start, col, weight, x, y);
}

function scale<T>(sheets: i32, rows: i32, ld: i32, index: usize, one: usize, ld1: i32, own: i32, two: usize, ld2: i32, x: usize): void {
  const row = <usize>ld * sizeof<T>();
  for (let q = 0; q < sheets; q++) {
    const o = one + <usize>load<i32>(index + <usize>q * 8) * <usize>ld1 * sizeof<T>();
    const w = two + <usize>load<i32>(index + <usize>q * 8, 4) * <usize>ld2 * sizeof<T>();
    for (let i = 0; i < rows; i++) {
      const s = v128.load_splat<T>(o + <usize>i * sizeof<T>());
      for (let j: usize = 0; j < row; j += 16) {
        const f = own ? v128.load(o + j) : s;
        v128.store(x + j, v128.mul<T>(v128.load(x + j), v128.mul<T>(f, v128.load(w + j))));
      }
      x += row;
    }
  }
}
/**
 * x[q, i, j] *= one[p1, i] two[p2, j], (p1, p2) = index[2q], index[2q+1]: normalisations and masks. own = 1: one[p1, j].
 * one is (positions, ld1), two (positions, ld2).
 */
export function sheetsScale_f32(sheets: i32, rows: i32, ld: i32, index: usize, one: usize, ld1: i32, own: i32, two: usize, ld2: i32, x: usize): void {
  scale<f32>(sheets, rows, ld, index, one, ld1, own, two, ld2, x);
}
export function sheetsScale_f64(sheets: i32, rows: i32, ld: i32, index: usize, one: usize, ld1: i32, own: i32, two: usize, ld2: i32, x: usize): void {
  scale<f64>(sheets, rows, ld, index, one, ld1, own, two, ld2, x);
}

function affine<T>(n: i32, k: usize, t: usize, a: f64, b: f64, c: f64, g: f64, d: f64): void {
  const A = num<T>(a), B = num<T>(b), C = num<T>(c), G = num<T>(g), D = num<T>(d);
  for (let i: usize = 0, end = <usize>n * sizeof<T>(); i < end; i += 16) {
    const K = v128.load(k + i);
    if (t) v128.store(t + i, madd<T>(C, v128.load(t + i), madd<T>(G, K, D)));
    v128.store(k + i, madd<T>(A, K, B));
  }
}
/** T <- c T + g K + d, then K <- a K + b, over n entries (a multiple of 16 bytes); t = 0: only K. */
export function sheetsAffine_f32(n: i32, k: usize, t: usize, a: f64, b: f64, c: f64, g: f64, d: f64): void { affine<f32>(n, k, t, a, b, c, g, d); }
export function sheetsAffine_f64(n: i32, k: usize, t: usize, a: f64, b: f64, c: f64, g: f64, d: f64): void { affine<f64>(n, k, t, a, b, c, g, d); }

function addTo<T>(n: i32, s: f64, x: usize, y: usize): void {
  const S = num<T>(s);
  for (let i: usize = 0, end = <usize>n * sizeof<T>(); i < end; i += 16) v128.store(y + i, madd<T>(S, v128.load(x + i), v128.load(y + i)));
}
/** y += s x. */
export function sheetsAdd_f32(n: i32, s: f64, x: usize, y: usize): void { addTo<f32>(n, s, x, y); }
export function sheetsAdd_f64(n: i32, s: f64, x: usize, y: usize): void { addTo<f64>(n, s, x, y); }

function product<T>(n: i32, k: usize, t: usize, k2: usize, t2: usize): void {
  for (let i: usize = 0, end = <usize>n * sizeof<T>(); i < end; i += 16) {
    const K = v128.load(k + i), L = v128.load(k2 + i);
    if (t) v128.store(t + i, madd<T>(v128.load(t + i), L, v128.mul<T>(K, v128.load(t2 + i))));
    v128.store(k + i, v128.mul<T>(K, L));
  }
}
/** T <- T K2 + K T2, then K <- K K2; t = 0: only K. */
export function sheetsProduct_f32(n: i32, k: usize, t: usize, k2: usize, t2: usize): void { product<f32>(n, k, t, k2, t2); }
export function sheetsProduct_f64(n: i32, k: usize, t: usize, k2: usize, t2: usize): void { product<f64>(n, k, t, k2, t2); }

function same<T>(put: i32, sheets: i32, rows: i32, ld: i32, shift: i32, index: usize, x: usize, saved: usize): void {
  const sheet = <usize>(rows * ld) * sizeof<T>();
  for (let q = 0; q < sheets; q++) {
    if (load<i32>(index + <usize>q * 8) != load<i32>(index + <usize>q * 8, 4)) continue;
    for (let i = 0; i < rows; i++) {
      const p = x + <usize>q * sheet + <usize>(i * ld + i + shift) * sizeof<T>();
      if (put) store<T>(p, <T>load<f64>(saved));
      else store<f64>(saved, <f64>load<T>(p));
      saved += 8;
    }
  }
}
/**
 * Copies the entries of identical variables (same position, row i and column i + shift) out to `saved` (f64, sheets of
 * equal positions in order, rows each), or with put = 1 back in. rows + shift <= ld.
 */
export function sheetsSame_f32(put: i32, sheets: i32, rows: i32, ld: i32, shift: i32, index: usize, x: usize, saved: usize): void {
  same<f32>(put, sheets, rows, ld, shift, index, x, saved);
}
export function sheetsSame_f64(put: i32, sheets: i32, rows: i32, ld: i32, shift: i32, index: usize, x: usize, saved: usize): void {
  same<f64>(put, sheets, rows, ld, shift, index, x, saved);
}

function finite<T>(n: i32, x: usize): i32 {
  let bad = v128.splat<T>(<T>0);
  for (let i: usize = 0, end = <usize>n * sizeof<T>(); i < end; i += 16) {
    const v = v128.load(x + i);
    bad = v128.or(bad, v128.ne<T>(v128.sub<T>(v, v), v128.splat<T>(<T>0)));
  }
  return v128.any_true(bad) ? 0 : 1;
}
/** 1 when none of n entries (a multiple of 16 bytes) is NaN or infinite. */
export function sheetsFinite_f32(n: i32, x: usize): i32 { return finite<f32>(n, x); }
export function sheetsFinite_f64(n: i32, x: usize): i32 { return finite<f64>(n, x); }

/** Copies `rows` rows of `bytes` bytes between matrices with row strides in bytes. */
export function copyRows(rows: i32, bytes: i32, from: usize, fromStride: i32, to: usize, toStride: i32): void {
  for (let i = 0; i < rows; i++) { memory.copy(to, from, bytes); from += fromStride; to += toStride; }
}

/**
 * For n sheets (their numbers in `index`) the `count` vectors of 16 bytes at the start of each, from `sheets` (`bytes` apart) to element
 * e of as many groups: every second vector of a group, groups `group` bytes apart. back = 1: from the groups to the sheets.
 */
export function sheetsToGroups(n: i32, index: usize, count: i32, sheets: usize, bytes: i32, groups: usize, group: i32, back: i32): void {
  for (let e = 0; e < n; e++) {
    let p = sheets + <usize>load<i32>(index) * bytes, g = groups;
    for (let i = count; i > 0; i--) {
      if (back) v128.store(p, v128.load(g)); else v128.store(g, v128.load(p));
      p += 16; g += group;
    }
    index += 4; groups += 32;
  }
}

function rowSquares<T>(n: i32, d: i32, scale: f64, x: usize, out: usize): void {
  const whole = d - d % 4;
  for (let i = 0; i < n; i++) {
    let a = f64x2.splat(0), b = f64x2.splat(0), c = 0;
    for (; c < whole; c += 4) {
      let u: v128, v: v128;
      if (sizeof<T>() == 8) { u = v128.load(x); v = v128.load(x, 16); x += 32; }
      else { u = v128.load(x); v = f64x2.promote_low_f32x4(v128.shuffle<f32>(u, u, 2, 3, 2, 3)); u = f64x2.promote_low_f32x4(u); x += 16; }
      a = madd<f64>(u, u, a); b = madd<f64>(v, v, b);
    }
    a = v128.add<f64>(a, b);
    let sum = f64x2.extract_lane(a, 0) + f64x2.extract_lane(a, 1);
    for (; c < d; c++) { const u = <f64>load<T>(x); sum += u * u; x += sizeof<T>(); }
    store<f64>(out + <usize>i * 8, sum * scale);
  }
}
/** out[i] = scale sum_c x[i, c]^2 in f64, for n rows of d entries of T. */
export function rowSquares_f32(n: i32, d: i32, scale: f64, x: usize, out: usize): void { rowSquares<f32>(n, d, scale, x, out); }
export function rowSquares_f64(n: i32, d: i32, scale: f64, x: usize, out: usize): void { rowSquares<f64>(n, d, scale, x, out); }

/** A square of whole vectors: 4 x 4 (f32) or 2 x 2 (f64). */
// @ts-ignore: decorator
@inline function transposeSquare<T>(from: usize, step: usize, to: usize, next: usize): void {
  const a = v128.load(from), b = v128.load(from + step);
  if (sizeof<T>() == 8) {
    v128.store(to, v128.shuffle<f64>(a, b, 0, 2)); v128.store(to + next, v128.shuffle<f64>(a, b, 1, 3));
    return;
  }
  const c = v128.load(from + 2 * step), d = v128.load(from + 3 * step);
  const e = v128.shuffle<f32>(a, b, 0, 4, 1, 5), f = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  const g = v128.shuffle<f32>(a, b, 2, 6, 3, 7), h = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<f64>(e, f, 0, 2)); v128.store(to + next, v128.shuffle<f64>(e, f, 1, 3));
  v128.store(to + 2 * next, v128.shuffle<f64>(g, h, 0, 2)); v128.store(to + 3 * next, v128.shuffle<f64>(g, h, 1, 3));
}

function transposeInto<T>(rows: i32, cols: i32, from: usize, ldf: i32, to: usize, ldt: i32): void {
  const step = <usize>ldf * sizeof<T>(), next = <usize>ldt * sizeof<T>(), width = lanes<T>();
  const r = rows - rows % width, c = cols - cols % width;
  for (let j = 0; j < cols; j++) {
    const p = from + <usize>j * sizeof<T>();
    let i = 0;
    if (j < c) { if (j % width == 0) for (; i < r; i += width) transposeSquare<T>(p + <usize>i * step, step, to + <usize>i * sizeof<T>(), next); i = r; }
    for (; i < rows; i++) store<T>(to + <usize>i * sizeof<T>(), load<T>(p + <usize>i * step));
    to += next;
  }
}
/** to[j, i] = from[i, j] for rows x cols entries; leading dimensions in elements. Few rows, so that reads stay in cache. */
export function transposeInto_f32(rows: i32, cols: i32, from: usize, ldf: i32, to: usize, ldt: i32): void { transposeInto<f32>(rows, cols, from, ldf, to, ldt); }
export function transposeInto_f64(rows: i32, cols: i32, from: usize, ldf: i32, to: usize, ldt: i32): void { transposeInto<f64>(rows, cols, from, ldf, to, ldt); }
