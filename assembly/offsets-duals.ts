// Row finisher of the activations of dual.ts on offset planes. The two tables of a closed form lie in the record one after the other,
// `size` values each. A series (kinds from 11 on) has `size` values per position: kappa, slope, then the entries of its tables.
import { dualDiagonal, dualTables_f32, dualTables_f64 } from './dual';
import { inverseRoot, read, write } from './either';
import { mapRow } from './dual-rows';
import { madd } from './simd';

/** k and t (one vector per column) of the affine map in front: (w S + b^2, w (M + delta S) + bT), times g g'. */
function affineInto<T>(b: usize, k: usize, t: usize, gx: usize, gy: usize, m: i32, cp: usize, self: bool): void {
  const w = v128.load(cp, 144), bk = v128.load(cp, 80), bt = v128.load(cp, 96), delta = v128.load(cp, 128), xs: usize = self ? 16 : sizeof<T>();
  for (const end = b + <usize>m * 32; b < end; b += 32, k += 16, t += 16) {
    const s = v128.load(b);
    let x = madd<T>(s, w, bk), y = madd<T>(madd<T>(s, delta, v128.load(b, 16)), w, bt);
    if (gx) {
      const g = v128.mul<T>(self ? v128.load(gx) : v128.load_splat<T>(gx), v128.load(gy));
      x = v128.mul<T>(x, g); y = v128.mul<T>(y, g);
      gx += xs; gy += 16;
    }
    v128.store(k, x); v128.store(t, y);
  }
}

/** d = {k, t} of every column. */
function weave(k: usize, t: usize, d: usize, m: i32): void {
  for (; m > 0; m--) { v128.store(d, v128.load(k)); v128.store(d, v128.load(t), 16); k += 16; t += 16; d += 32; }
}

/**
 * K = kappa, M = kappa' T + gamma kappa by kind `kind` with the parameter block p = {1, 0, gamma, 0, ...}. px, py: the first of the two
 * tables (series: of the values) at the first column. work: 64 bytes per column.
 */
export function dualRow<T>(b: usize, d: usize, px: usize, py: usize, gx: usize, gy: usize, size: i32, m: i32, cp: usize, work: usize, kind: i32, p: usize, vectors: bool): void {
  const line = <usize>m * 16, k = work, t = k + line, x = t + line, n = m * <i32>(16 / sizeof<T>());
  let ws = <usize>size * 16;
  affineInto<T>(b, k, t, gx, gy, m, cp, vectors);
  let os = ws, inc: usize = 16;
  if (kind > 10) { os = vectors ? 16 : sizeof<T>(); inc = <usize>size * os; ws = 16; px += 2 * os; py += 32; }
  else if (!vectors) {
    for (let j: usize = 0; j < <usize>m; j++) {
      const o = px + j * sizeof<T>(), to = x + j * 16;
      v128.store(to, v128.load_splat<T>(o)); v128.store(to + line, v128.load_splat<T>(o + <usize>size * sizeof<T>()));
    }
    px = x; os = line;
  }
  mapRow<T>(kind, n, k, t, px, os, inc, py, ws, p);
  weave(k, t, d, m);
}

/**
 * Self pairs at offset 0: gains (where computed here), the two tables at py (those of a series are there), and the exact diagonal.
 * `only`: gains, and the variances at py, in place of the first table or of kappa. work: 160 bytes per column.
 */
export function dualRowDiagonal(single: bool, b: usize, d: usize, py: usize, gy: usize, compute: bool, size: i32, m: i32, cp: usize, work: usize, kind: i32, p: usize, only: bool): void {
  const series = kind > 10, step: usize = series ? <usize>size * 16 : 16;
  const lanes = single ? 4 : 2, line = <usize>m * 16, n = m * lanes, k = work, t = k + line, bytes: usize = single ? 4 : 8;
  for (let gains: usize = compute && gy != 0 ? 0 : gy; ; gains = gy) {  // without the gains first, to make them
    if (single) affineInto<f32>(b, k, t, gains, gains, m, cp, true); else affineInto<f64>(b, k, t, gains, gains, m, cp, true);
    if (gains == gy) break;
    for (let j: usize = 0; j < line; j += 16) v128.store(gy + j, inverseRoot(single, v128.load(cp, 0), v128.load(k + j), v128.load(cp, 160)));
  }
  if (only) {
    for (let j: usize = 0; j < line; j += 16) { v128.store(py, v128.load(k + j)); py += step; }
    return;
  }
  const q = t + line, kappa = q + <usize>n * 8, slope = kappa + <usize>n * 8, gamma = load<f64>(p, 16);
  if (!series) {
    for (let i = 0; i < n; i++) store<f64>(q + <usize>i * 8, read(single, k + <usize>i * bytes));
    if (single) dualTables_f32(kind, n, p, q, py, size * lanes); else dualTables_f64(kind, n, p, q, py, size * lanes);
    dualDiagonal(kind, n, p, q, kappa, slope);
  }
  for (let i = 0; i < n; i++) {
    const at = <usize>i * bytes, from = py + <usize>(i / lanes) * step + (at & 15);
    const value = series ? read(single, from) : load<f64>(kappa + <usize>i * 8);
    write(single, k + at, value);
    write(single, t + at, (series ? read(single, from + 16) : load<f64>(slope + <usize>i * 8)) * read(single, t + at) + gamma * value);
  }
  weave(k, t, d, m);
}
