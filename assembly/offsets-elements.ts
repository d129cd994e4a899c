// Ops of one offset plane that compute element by element: scaling, sums, means, gains over positions, products, output. See offsets.ts.
import { add, inverseRoot, mul, over, splatAt, sub } from './either';

// @ts-ignore: decorator
@inline function word(p: usize, i: i32): i32 { return load<i32>(p + (<usize>i << 2)); }

/** The index of an offset in a table of planes. */
// @ts-ignore: decorator
@inline function planeIndex(eh: i32, ew: i32, H: i32, W: i32, modular: bool): i32 {
  return modular ? eh * W + ew : (eh + H - 1) * (2 * W - 1) + ew + W - 1;
}

/** d = s times w; s may be d. */
function scalePlane<T>(src: usize, dst: usize, srs: usize, drs: usize, n: i32, m: i32, w: v128): void {
  for (let i = 0; i < n; i++) {
    let s = src + <usize>i * srs, d = dst + <usize>i * drs;
    for (let j = 0; j < m; j++) {
      v128.store(d, v128.mul<T>(v128.load(s), w)); v128.store(d, v128.mul<T>(v128.load(s, 16), w), 16);
      s += 32; d += 32;
    }
  }
}

/** out += weight * sum of the plane: T inside a row, f64 across rows. out: K then M, f64[lanes] each. */
export function accumulate<T>(src: usize, rs: usize, n: i32, m: i32, out: usize, weight: i32): void {
  const f = f64x2.splat(<f64>weight);
  for (let i = 0; i < n; i++) {
    let s = src + <usize>i * rs, k = v128.splat<T>(<T>0), t = k;
    for (const end = s + <usize>m * 32; s < end; s += 32) { k = v128.add<T>(k, v128.load(s)); t = v128.add<T>(t, v128.load(s, 16)); }
    if (sizeof<T>() == 8) {
      v128.store(out, f64x2.add(v128.load(out), f64x2.mul(f, k)));
      v128.store(out, f64x2.add(v128.load(out, 16), f64x2.mul(f, t)), 16);
    } else {
      v128.store(out, f64x2.add(v128.load(out), f64x2.mul(f, f64x2.promote_low_f32x4(k))));
      v128.store(out, f64x2.add(v128.load(out, 16), f64x2.mul(f, f64x2.promote_low_f32x4(v128.shuffle<i32>(k, k, 2, 3, 2, 3)))), 16);
      v128.store(out, f64x2.add(v128.load(out, 32), f64x2.mul(f, f64x2.promote_low_f32x4(t))), 32);
      v128.store(out, f64x2.add(v128.load(out, 48), f64x2.mul(f, f64x2.promote_low_f32x4(v128.shuffle<i32>(t, t, 2, 3, 2, 3)))), 48);
    }
  }
}

/** An accumulated mean as a 1x1 plane: scale * sum (* g g'). */
function loadMean(single: bool, acc: usize, d: usize, f: v128): void {
  let k = v128.load(acc), t = v128.load(acc, 16);
  if (single) {
    k = v128.shuffle<i32>(f32x4.demote_f64x2_zero(k), f32x4.demote_f64x2_zero(t), 0, 1, 4, 5);
    t = v128.shuffle<i32>(f32x4.demote_f64x2_zero(v128.load(acc, 32)), f32x4.demote_f64x2_zero(v128.load(acc, 48)), 0, 1, 4, 5);
  }
  v128.store(d, mul(single, k, f)); v128.store(d, mul(single, t, f), 16);
}

/** Gains of a layerNorm that also averages over rows (flag 1) or columns (flag 2): 1/sqrt(mean of q + eps), over unmasked positions. */
function spatialGains(single: bool, src: usize, rs: usize, H: i32, W: i32, flags: i32, mask: usize, gains: usize, cp: usize): void {
  const one = v128.load(cp, 0), zero = i32x4.splat(0);
  const rows = flags & 1 ? H : 1, cols = flags & 2 ? W : 1;
  for (let i = 0; i < H; i += rows) for (let j = 0; j < W; j += cols) {
    let sum = zero, count = zero;
    for (let a = i; a < i + rows; a++) for (let b = j; b < j + cols; b++) {
      sum = add(single, sum, v128.load(src + <usize>a * rs + <usize>b * 32));
      count = add(single, count, mask ? v128.load(mask + <usize>(a * W + b) * 16) : one);
    }
    const g = inverseRoot(single, one, over(single, sum, count, one), v128.load(cp, 160));
    for (let a = i; a < i + rows; a++) for (let b = j; b < j + cols; b++) v128.store(gains + <usize>(a * W + b) * 16, g);
  }
}

/** out = {K, Theta = M - gamma K} of every element of the plane, in order. */
function emit(single: bool, src: usize, rs: usize, n: i32, m: i32, out: usize, gamma: v128): void {
  for (let i = 0; i < n; i++) {
    let s = src + <usize>i * rs;
    for (let j = 0; j < m; j++) {
      const k = v128.load(s);
      v128.store(out, k); v128.store(out, sub(single, v128.load(s, 16), mul(single, gamma, k)), 16);
      s += 32; out += 32;
    }
  }
}

/** d = a * b of independent factors: K = K1 K2, T = T1 K2 + K1 T2; constant 8 turns M of the factors into M of the product. */
function multiply(single: bool, src: usize, dst: usize, srs: usize, drs: usize, n: i32, m: i32, extra: v128): void {
  for (let i = 0; i < n; i++) {
    let s = src + <usize>i * srs, d = dst + <usize>i * drs;
    for (let j = 0; j < m; j++) {
      const k1 = v128.load(d), k2 = v128.load(s), k = mul(single, k1, k2);
      const t = add(single, mul(single, v128.load(d, 16), k2), mul(single, k1, v128.load(s, 16)));
      v128.store(d, k); v128.store(d, add(single, t, mul(single, k, extra)), 16);
      s += 32; d += 32;
    }
  }
}

/** An op of one plane that computes element by element. */
export function elements(single: bool, code: i32, ctx: usize, op: usize, blob: usize, arena: usize, src: usize, dst: usize, rs: usize, drs: usize, H: i32, W: i32, eh: i32, ew: i32, modular: bool): void {
  const n = modular ? H : H - abs(eh), m = modular ? W : W - abs(ew), self = word(ctx, 5) != 0, diagonal = self && eh == 0 && ew == 0;
  const cp = <usize>word(ctx, 1) + <usize>word(op, 6) * 16, X = <usize>word(ctx, 2), Y = <usize>word(ctx, 3), w = v128.load(cp, 144);
  const index = <usize>planeIndex(eh, ew, H, W, modular) << 2, tables = blob + (<usize>word(op, code == 4 && self && word(ctx, 9) != 0 ? 17 : 16) << 2);
  if (code == 4 || code == 9) {  // 9, dropout: the same entries on both sides of an identical pair
    if (code == 9 && !diagonal) return;
    const from = code == 9 ? dst : arena + <usize>load<i32>(tables + index), step = code == 9 ? drs : <usize>m * 32;
    if (single) scalePlane<f32>(from, dst, step, drs, n, m, w); else scalePlane<f64>(from, dst, step, drs, n, m, w);
  } else if (code == 7) {
    const gain = <usize>word(op, 14), x = X + gain * (self ? 16 : single ? 4 : 8), g = <i32>gain < 0 ? v128.load(cp, 0) : mul(single, self ? v128.load(x) : splatAt(single, x), v128.load(Y + gain * 16));
    loadMean(single, src, dst, mul(single, w, g));
  } else if (code == 8) multiply(single, src, dst, rs, drs, n, m, v128.load(cp, 128));
  else if (code == 10) { if (diagonal) spatialGains(single, src, rs, H, W, word(op, 16), word(op, 17) < 0 ? 0 : Y + <usize>word(op, 17) * 16, Y + <usize>word(op, 14) * 16, cp); }
  else if (word(ctx, 9) == 0) emit(single, src, rs, n, m, <usize>word(ctx, 4) + <usize>load<i32>(tables + index) * 32, v128.load(cp, 112));  // 11; the self pass has no result
}
