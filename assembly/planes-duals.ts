// Row finisher of the activations of dual.ts on offset planes. Their tables lie in the record one after the other, `size` values each.
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
 * tables at the first column, `size` positions each. work: 64 bytes per column.
 */
export function dualRow<T>(b: usize, d: usize, px: usize, py: usize, gx: usize, gy: usize, size: i32, m: i32, cp: usize, work: usize, kind: i32, p: usize, self: bool): void {
  const line = <usize>m * 16, k = work, t = k + line, x = t + line;
  affineInto<T>(b, k, t, gx, gy, m, cp, self);
  const n = m * <i32>(16 / sizeof<T>()), ws = <usize>size * 16;
  if (self) mapRow<T>(kind, n, k, t, px, ws, 16, py, ws, p);
  else {
    const second = px + <usize>size * sizeof<T>();
    for (let j = 0; j < m; j++) {
      v128.store(x + <usize>j * 16, v128.load_splat<T>(px + <usize>j * sizeof<T>()));
      v128.store(x + line + <usize>j * 16, v128.load_splat<T>(second + <usize>j * sizeof<T>()));
    }
    mapRow<T>(kind, n, k, t, x, line, 16, py, ws, p);
  }
  weave(k, t, d, m);
}

/** Self pairs at offset 0: gains (where computed here), the two tables at py, and the exact diagonal. work: 160 bytes per column. */
export function dualRowDiagonal(single: bool, b: usize, d: usize, py: usize, gy: usize, compute: bool, size: i32, m: i32, cp: usize, work: usize, kind: i32, p: usize): void {
  const lanes = single ? 4 : 2, line = <usize>m * 16, n = m * lanes, k = work, t = k + line, bytes: usize = single ? 4 : 8;
  for (let gains: usize = compute && gy != 0 ? 0 : gy; ; gains = gy) {  // without the gains first, to make them
    if (single) affineInto<f32>(b, k, t, gains, gains, m, cp, true); else affineInto<f64>(b, k, t, gains, gains, m, cp, true);
    if (gains == gy) break;
    for (let j: usize = 0; j < line; j += 16) v128.store(gy + j, inverseRoot(single, v128.load(cp, 0), v128.load(k + j), v128.load(cp, 160)));
  }
  const q = t + line, kappa = q + <usize>n * 8, slope = kappa + <usize>n * 8;
  for (let i = 0; i < n; i++) store<f64>(q + <usize>i * 8, read(single, k + <usize>i * bytes));
  if (single) dualTables_f32(kind, n, p, q, py, size * lanes); else dualTables_f64(kind, n, p, q, py, size * lanes);
  dualDiagonal(kind, n, p, q, kappa, slope);
  const gamma = load<f64>(p, 16);
  for (let i = 0; i < n; i++) {
    const at = <usize>i * bytes, value = load<f64>(kappa + <usize>i * 8);
    write(single, k + at, value);
    write(single, t + at, load<f64>(slope + <usize>i * 8) * read(single, t + at) + gamma * value);
  }
  weave(k, t, d, m);
}
