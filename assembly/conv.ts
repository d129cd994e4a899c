// Gathering and scattering of windows. Convolutions run as gemm over blocks of gathered rows (a block fits into L2), so
// the whole im2col matrix never exists. A table names, per output position and tap, the input position (-1: padding).
import { lanes } from './simd';

// @ts-ignore: decorator
@inline function copyRow(src: usize, dst: usize, bytes: usize): void {
  const end = dst + bytes;
  for (; dst + 16 <= end; src += 16, dst += 16) v128.store(dst, v128.load(src));
  for (; dst < end; src += 4, dst += 4) store<u32>(dst, load<u32>(src));
}

// @ts-ignore: decorator
@inline function addRow<T>(src: usize, dst: usize, c: i32): void {
  let i = 0;
  for (; i <= c - lanes<T>(); i += lanes<T>()) { v128.store(dst, v128.add<T>(v128.load(dst), v128.load(src))); src += 16; dst += 16; }
  for (; i < c; i++) { store<T>(dst, load<T>(dst) + load<T>(src)); src += sizeof<T>(); dst += sizeof<T>(); }
}

/** Either dtype: row and step in bytes. */
function gather(samples: i32, entries: i32, row: usize, x: usize, step: usize, table: usize, out: usize): void {
  for (let s = 0; s < samples; s++) {
    for (let e = 0; e < entries; e++) {
      const at = load<i32>(table + (<usize>e << 2));
      if (at < 0) memory.fill(out, 0, row);
      else copyRow(x + <usize>at * row, out, row);
      out += row;
    }
    x += step;
  }
}

function scatter<T>(samples: i32, entries: i32, c: i32, rows: usize, table: usize, x: usize, xStep: i32): void {
  const row = <usize>c * sizeof<T>(), step = <usize>xStep * sizeof<T>();
  for (let s = 0; s < samples; s++) {
    for (let e = 0; e < entries; e++) {
      const at = load<i32>(table + (<usize>e << 2));
      if (at >= 0) addRow<T>(rows, x + <usize>at * row, c);
      rows += row;
    }
    x += step;
  }
}

/**
 * out[s, e, :] = x[s, table[e], :], zeros where table[e] < 0. x (samples, ..., c) f32 with samples xStep elements apart,
 * table i32[entries], out (samples, entries, c). No alignment needed; out aliases nothing.
 */
export function convGather_f32(samples: i32, entries: i32, c: i32, x: usize, xStep: i32, table: usize, out: usize): void { gather(samples, entries, <usize>c << 2, x, <usize>xStep << 2, table, out); }
/** As convGather_f32, in f64. */
export function convGather_f64(samples: i32, entries: i32, c: i32, x: usize, xStep: i32, table: usize, out: usize): void { gather(samples, entries, <usize>c << 3, x, <usize>xStep << 3, table, out); }

/** x[s, table[e], :] += rows[s, e, :] in ascending e, entries with table[e] < 0 skipped: the transpose of convGather_f32. */
export function convScatter_f32(samples: i32, entries: i32, c: i32, rows: usize, table: usize, x: usize, xStep: i32): void { scatter<f32>(samples, entries, c, rows, table, x, xStep); }
/** As convScatter_f32, in f64. */
export function convScatter_f64(samples: i32, entries: i32, c: i32, rows: usize, table: usize, x: usize, xStep: i32): void { scatter<f64>(samples, entries, c, rows, table, x, xStep); }
