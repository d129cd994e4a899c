// Infinite-width kernels of convolutional nets by planes of constant offset: the executor of the op lists that src/kernel/offsets plans.
// The plane of offset d holds K[p, p+d] and M[p, p+d] = Theta + gamma K of one pair of images per lane: element = 32 bytes
// {K[lanes], M[lanes]}, stored by p - max(0, -d). A convolution maps plane t d to plane d by a zero-padded box filter, so a chain of
// layers runs on one plane in cache and nothing of size (positions)^2 exists; pools add each plane to those of the next stage.
// Everything that depends on the net is data: the context, the schedule and the blob below (all i32), constants, tables.
//
// context: 0 arena, 1 constants, 2 X record, 3 Y records, 4 output, 5 self pairs (X = Y), 6 scratch, 7 its columns, 8 blob,
//   9 stored planes are those of the self demand
// schedule, 4 words a step: 0 run a segment [blob index, offsets (blob index), count]; 1 clear [arena offset, bytes, -]
// segment, 4 words: ops (blob index), number of ops, classes (blob index), modular. offset, 3 words: dh, dw, weight
// class, 8 words: H, W, factors of the offset fh, fw, bytes per row, border rows, border columns, -
// op, 20 words: 0 code, 1 src, 2 class of src, 3 dst, 4 class of dst, 5 table (record index), 6 constants (index), 7-12 kh kw th tw lh lw,
//   13 finisher, 14 gains (record index, -1 none), 15 gains are computed here, 16.. as the op says (duals: kind, parameters, values
//   per position of a series or 1, variances only). Slots are arena offsets of element (0,0).
// record (one image): T values; Y interleaves the records of one image per lane.
import {
  affineGains, affineRow, box33, boxAny, conv33Erf, conv33General, conv33Plain, erfRow, erfTables, reluDiagonal, reluRow,
} from './offsets-rows';
import { dualRow, dualRowDiagonal } from './offsets-duals';
import { accumulate, elements } from './offsets-elements';
import { mixPlane } from './offsets-mix';

// Row finishers: relu with K >= 0 and nothing else, relu with everything, erf, affine into or onto the plane, duals of dual.ts.
const FIN_RELU: i32 = 0, FIN_GENERAL: i32 = 1, FIN_ERF: i32 = 2, FIN_ADD: i32 = 4, FIN_DUAL: i32 = 5;

// @ts-ignore: decorator
@inline function word(p: usize, i: i32): i32 { return load<i32>(p + (<usize>i << 2)); }
// @ts-ignore: decorator
@inline function x0<T>(p: usize, self: bool): v128 { return self ? v128.load(p) : v128.load_splat<T>(p); }

/** The offset of a node whose class is `c`, from that of the segment's end: a multiple, modulo the size on modular planes. */
// @ts-ignore: decorator
@inline function scaled(d: i32, factor: i32, size: i32, modular: bool): i32 { return modular ? (d * factor) % size : d * factor; }

/** What the border of a slot shows at this offset: right columns and bottom rows (top and left stay zero). */
function zeroBorder(dst: usize, c: usize, n: i32, m: i32): void {
  const rs = <usize>word(c, 4), bh = word(c, 5), bw = word(c, 6);
  for (let i = 0; i < n + bh; i++) {
    const from = i < n ? m : 0, end = dst + <usize>i * rs + <usize>(m + bw) * 32;
    for (let d = dst + <usize>i * rs + <usize>from * 32; d < end; d += 16) v128.store(d, i32x4.splat(0));
  }
}

/** The border of a modular plane continues it periodically; borders are at most as wide as the plane. */
function wrapBorder(dst: usize, c: usize): void {
  const H = word(c, 0), W = word(c, 1), rs = <usize>word(c, 4), bh = word(c, 5), bw = word(c, 6);
  const line = <usize>W * 32, side = <usize>bw * 32;
  for (let i = 0; i < H; i++) {
    const d = dst + <usize>i * rs;
    memory.copy(d - side, d + line - side, side);
    memory.copy(d + line, d, side);
  }
  const full = line + 2 * side;
  for (let i = 0; i < bh; i++) {
    const a = dst - side;
    memory.copy(a + <usize>(H + i) * rs, a + <usize>i * rs, full);
    memory.copy(a - <usize>(i + 1) * rs, a + <usize>(H - 1 - i) * rs, full);
  }
}

/** K = w sum over channels of x x', M = gamma K. Records hold images as [channel][position]. Op word 16: channels. */
function inputRow<T>(x: usize, y: usize, d: usize, m: i32, channels: i32, plane: usize, w: v128, gamma: v128, self: bool): void {
  const xs: usize = self ? 16 : sizeof<T>(), px = plane * xs, py = plane * 16;
  if (channels == 3 && !self) for (; m > 0; m--) {
    const a = x + px, b = y + py;
    let s = v128.add<T>(v128.mul<T>(v128.load_splat<T>(x), v128.load(y)), v128.mul<T>(v128.load_splat<T>(a), v128.load(b)));
    s = v128.mul<T>(v128.add<T>(s, v128.mul<T>(v128.load_splat<T>(a + px), v128.load(b + py))), w);
    v128.store(d, s); v128.store(d, v128.mul<T>(s, gamma), 16);
    x += sizeof<T>(); y += 16; d += 32;
  } else for (; m > 0; m--) {
    let s = v128.mul<T>(x0<T>(x, self), v128.load(y)), a = x, b = y;
    for (let c = 1; c < channels; c++) { a += px; b += py; s = v128.add<T>(s, v128.mul<T>(x0<T>(a, self), v128.load(b))); }
    s = v128.mul<T>(s, w);
    v128.store(d, s); v128.store(d, v128.mul<T>(s, gamma), 16);
    x += xs; y += 16; d += 32;
  }
}

// The drivers below are one instance for both dtypes: `single` (f32) picks the row functions.

/** One row: `count` elements of the producer's row b, finished into d. Table and gain pointers are at the first element. */
function finish(single: bool, op: usize, blob: usize, size: i32, b: usize, d: usize, px: usize, py: usize, gx: usize, gy: usize, self: bool, diagonal: bool, count: i32, cp: usize, r: usize): void {
  const fin = word(op, 13);
  if (diagonal) finishDiagonal(single, op, blob, size, fin, b, d, py, gy, count, cp, r);
  if (diagonal && (fin <= FIN_GENERAL || fin == FIN_DUAL)) return;
  if (fin <= FIN_GENERAL) {
    if (single) reluRow<f32>(b, d, px, py, gx, gy, count, cp, r, self); else reluRow<f64>(b, d, px, py, gx, gy, count, cp, r, self);
  } else if (fin == FIN_ERF) {
    if (single) erfRow<f32>(b, d, px, py, gx, gy, count, cp, r, self); else erfRow<f64>(b, d, px, py, gx, gy, count, cp, r, self);
  } else if (fin == FIN_DUAL) {
    const p = blob + (<usize>word(op, 17) << 2), kind = word(op, 16);
    if (single) dualRow<f32>(b, d, px, py, gx, gy, size, count, cp, r, kind, p, self); else dualRow<f64>(b, d, px, py, gx, gy, size, count, cp, r, kind, p, self);
  } else if (single) affineRow<f32>(b, d, gx, gy, count, cp, self, fin == FIN_ADD); else affineRow<f64>(b, d, gx, gy, count, cp, self, fin == FIN_ADD);
}

/** What self pairs at offset 0 compute: tables and gains, and where the entries are known exactly, these. */
function finishDiagonal(single: bool, op: usize, blob: usize, size: i32, fin: i32, b: usize, d: usize, py: usize, gy: usize, count: i32, cp: usize, r: usize): void {
  const compute = word(op, 15) != 0;
  if (fin <= FIN_GENERAL) { if (single) reluDiagonal<f32>(b, d, py, gy, compute, count, cp); else reluDiagonal<f64>(b, d, py, gy, compute, count, cp); }
  else if (fin == FIN_ERF) { if (single) erfTables<f32>(b, py, gy, compute, count, cp); else erfTables<f64>(b, py, gy, compute, count, cp); }
  else if (fin == FIN_DUAL) dualRowDiagonal(single, b, d, py, gy, compute, size, count, cp, r, word(op, 16), blob + (<usize>word(op, 17) << 2), word(op, 19) != 0);
  else if (compute && gy != 0) affineGains(single, b, gy, count, cp);
}

/** A box row producer and a row finisher, for all rows of a plane. On modular planes the X' side of a row wraps: two segments. */
function rows(single: bool, ctx: usize, op: usize, src: usize, rs: usize, dst: usize, dc: usize, eh: i32, ew: i32, modular: bool): void {
  const H = word(dc, 0), W = word(dc, 1), drs = <usize>word(dc, 4), self = word(ctx, 5) != 0;
  const n = modular ? H : H - abs(eh), m = modular ? W : W - abs(ew), h0 = modular ? 0 : max(0, -eh), w0 = modular ? 0 : max(0, -ew);
  const kh = word(op, 7), kw = word(op, 8), th = word(op, 9), tw = word(op, 10), fin = word(op, 13);
  const cols = <usize>word(ctx, 7), rb = <usize>word(ctx, 6), vb = rb + cols * 32, r2 = vb + cols * 32;
  const cp = <usize>word(ctx, 1) + <usize>word(op, 6) * 16, xs: usize = self ? 16 : single ? 4 : 8;
  const values: i32 = fin <= FIN_GENERAL ? 2 : fin == FIN_DUAL ? word(op, 18) : 1, width = <usize>values, size = values > 2 ? values : H * W;
  const direct = kh == 1 && kw == 1 && tw == 1, diagonal = self && eh == 0 && ew == 0;
  const table = <usize>word(op, 5), gain = word(op, 14), X = <usize>word(ctx, 2), Y = <usize>word(ctx, 3);
  const tx = X + table * xs, ty = Y + table * 16, gx0 = X + <usize>gain * xs, gy0 = Y + <usize>gain * 16;
  const blob = <usize>word(ctx, 8), split = modular ? W - ew : m, is33 = kh == 3 && kw == 3 && tw == 1;
  let r = src - <usize>word(op, 11) * rs - <usize>word(op, 12) * 32, d = dst;
  if (is33 && th == 1 && !self && !modular && fin <= FIN_ERF) {
    const p = <usize>(h0 * W + w0), q = <usize>((h0 + eh) * W + w0 + ew);
    const px = tx + p * width * xs, py = ty + q * width * 16;
    const gx: usize = gain < 0 ? 0 : gx0 + p * xs, gy = gy0 + q * 16;
    if (fin == FIN_RELU) { if (single) conv33Plain<f32>(r, rs, dst, drs, px, py, W, n, m, cp, r2); else conv33Plain<f64>(r, rs, dst, drs, px, py, W, n, m, cp, r2); }
    else if (fin == FIN_GENERAL) { if (single) conv33General<f32>(r, rs, dst, drs, px, py, gx, gy, W, n, m, cp, r2); else conv33General<f64>(r, rs, dst, drs, px, py, gx, gy, W, n, m, cp, r2); }
    else { if (single) conv33Erf<f32>(r, rs, dst, drs, px, py, gx, gy, W, n, m, cp, r2); else conv33Erf<f64>(r, rs, dst, drs, px, py, gx, gy, W, n, m, cp, r2); }
    return;
  }
  for (let i = 0; i < n; i++) {
    let b = rb;
    if (direct) b = r;
    else if (is33) { if (single) box33<f32>(r, rs, rb, m); else box33<f64>(r, rs, rb, m); }  // a second call keeps box33 a function
    else if (single) boxAny<f32>(r, rs, rb, m, kh, kw, tw, vb);
    else boxAny<f64>(r, rs, rb, m, kh, kw, tw, vb);
    const p = <usize>((i + h0) * W + w0);
    let row = i + h0 + eh;
    if (row >= H) row -= H;
    const q = <usize>(row * W + w0 + ew);
    finish(single, op, blob, size, b, d, tx + p * width * xs, ty + q * width * 16, gain < 0 ? 0 : gx0 + p * xs, gain < 0 ? 0 : gy0 + q * 16, self, diagonal, split, cp, r2);
    if (split < m) {
      const p2 = p + split, q2 = <usize>(row * W), shift = <usize>split * 32;
      finish(single, op, blob, size, b + shift, d + shift, tx + p2 * width * xs, ty + q2 * width * 16, gain < 0 ? 0 : gx0 + p2 * xs, gain < 0 ? 0 : gy0 + q2 * 16, self, diagonal, m - split, cp, r2);
    }
    r += rs * <usize>th; d += drs;
  }
}

/** K of the input layer, all rows. */
function input<T>(op: usize, dst: usize, drs: usize, X: usize, Y: usize, H: i32, W: i32, eh: i32, ew: i32, modular: bool, self: bool, cp: usize): void {
  const xs: usize = self ? 16 : sizeof<T>(), h0 = modular ? 0 : max(0, -eh), w0 = modular ? 0 : max(0, -ew);
  const n = modular ? H : H - abs(eh), m = modular ? W : W - abs(ew), split = modular ? W - ew : m;
  const w = v128.load(cp, 144), gamma = v128.load(cp, 112), size = <usize>(H * W), channels = word(op, 16), at = <usize>word(op, 5);
  for (let i = 0; i < n; i++) {
    let row = i + h0 + eh;
    if (row >= H) row -= H;
    const x = X + (at + <usize>((i + h0) * W + w0)) * xs, y = Y + (at + <usize>(row * W)) * 16, d = dst + <usize>i * drs;
    inputRow<T>(x, y + <usize>(w0 + ew) * 16, d, split, channels, size, w, gamma, self);
    if (split < m) inputRow<T>(x + <usize>split * xs, y, d + <usize>split * 32, m - split, channels, size, w, gamma, self);
  }
}

function plane(single: bool, ctx: usize, segment: usize, dh: i32, dw: i32, weight: i32): void {
  const blob = <usize>word(ctx, 8), arena = <usize>word(ctx, 0), modular = word(segment, 3) != 0, self = word(ctx, 5) != 0;
  const constants = <usize>word(ctx, 1), X = <usize>word(ctx, 2), Y = <usize>word(ctx, 3);
  const classes = blob + (<usize>word(segment, 2) << 2), end = blob + (<usize>word(segment, 0) << 2) + <usize>word(segment, 1) * 80;
  for (let op = blob + (<usize>word(segment, 0) << 2); op < end; op += 80) {
    const code = word(op, 0), src = arena + <usize>word(op, 1), dst = arena + <usize>word(op, 3);
    const sc = classes + (<usize>word(op, 2) << 5), dc = classes + (<usize>word(op, 4) << 5);
    const H = word(dc, 0), W = word(dc, 1), rs = <usize>word(sc, 4), drs = <usize>word(dc, 4);
    const eh = scaled(dh, word(dc, 2), H, modular), ew = scaled(dw, word(dc, 3), W, modular);
    const n = modular ? H : H - abs(eh), m = modular ? W : W - abs(ew);
    const cp = constants + <usize>word(op, 6) * 16;
    if (code == 0) rows(single, ctx, op, src, rs, dst, dc, eh, ew, modular);
    else if (code == 1) zeroBorder(dst, dc, n, m);
    else if (code == 2) wrapBorder(dst, dc);
    else if (code == 6) { if (single) accumulate<f32>(src, rs, n, m, dst, weight); else accumulate<f64>(src, rs, n, m, dst, weight); }
    else if (code == 3) { if (single) input<f32>(op, dst, drs, X, Y, H, W, eh, ew, modular, self, cp); else input<f64>(op, dst, drs, X, Y, H, W, eh, ew, modular, self, cp); }
    else if (code == 5) mixPlane(single, ctx, op, blob, arena, src, rs, eh, ew, H, W, modular);
    else elements(single, code, ctx, op, blob, arena, src, dst, rs, drs, H, W, eh, ew, modular);
  }
}

function execute(single: bool, ctx: usize, schedule: usize, steps: i32, count: i32, xStride: i32, outStride: i32): void {
  const blob = <usize>word(ctx, 8), arena = <usize>word(ctx, 0);
  for (; count > 0; count--) {
    let step = schedule;
    for (let s = 0; s < steps; s++, step += 16) {
      if (word(step, 0) == 1) { memory.fill(arena + <usize>word(step, 1), 0, <usize>word(step, 2)); continue; }
      const segment = blob + (<usize>word(step, 1) << 2);
      let offset = blob + (<usize>word(step, 2) << 2);
      for (let i = word(step, 3); i > 0; i--, offset += 12) plane(single, ctx, segment, word(offset, 0), word(offset, 1), word(offset, 2));
    }
    store<i32>(ctx + 8, word(ctx, 2) + xStride);
    store<i32>(ctx + 16, word(ctx, 4) + outStride);
  }
}

function interleave<T>(src: usize, dst: usize, stride: usize, count: i32, back: bool): void {
  const lanes = <i32>(16 / sizeof<T>());
  for (let i = 0; i < count; i++) for (let l = 0; l < lanes; l++) {
    const a = src + <usize>l * stride + <usize>i * sizeof<T>(), b = dst + <usize>(i * lanes + l) * sizeof<T>();
    if (back) store<T>(a, load<T>(b)); else store<T>(b, load<T>(a));
  }
}

/**
 * Runs the schedule for `count` images x against the images x' in the lanes: the X record advances by xStride bytes, the output by
 * outStride bytes from one to the next (both in the context, which is changed). Self pairs: X = Y, both hold vectors; at offset 0 the
 * variance tables of the lanes' images are written into Y. All pointers 16-byte aligned. f32: 4 pairs at once.
 */
export function offsetsExecute_f32(ctx: usize, schedule: usize, steps: i32, count: i32, xStride: i32, outStride: i32): void { execute(true, ctx, schedule, steps, count, xStride, outStride); }
/** As offsetsExecute_f32, in f64: 2 pairs at once. */
export function offsetsExecute_f64(ctx: usize, schedule: usize, steps: i32, count: i32, xStride: i32, outStride: i32): void { execute(false, ctx, schedule, steps, count, xStride, outStride); }

/** Y[i][lane] = record of that lane [i], for `count` values; records are `stride` bytes apart. back = 1: the other direction. */
export function offsetsInterleave_f32(records: usize, y: usize, stride: i32, count: i32, back: i32): void { interleave<f32>(records, y, <usize>stride, count, back != 0); }
export function offsetsInterleave_f64(records: usize, y: usize, stride: i32, count: i32, back: i32): void { interleave<f64>(records, y, <usize>stride, count, back != 0); }
