// Rows of offset planes: producers (box sums of a convolution) and finishers (what follows it: an activation, an affine map).
// A plane element is 32 bytes {K[lanes], M[lanes]}; a lane is one pair (x, x'), M = Theta + gamma K (offsets.ts).
// A finisher takes two passes over the row: square roots first, polynomials second, so that the registers suffice.
//
// Constants of an op, 16 bytes each: 0 one, 1 wA, 2 w(A - B pi/2), 3 w B pi/2, 4 the sign bit, 5 b^2/w, 6 bT/w, 7 gamma of the
// output, 8 gamma missing on the input, 9 w, 10 eps, 11 and 12 of the activation, 16.. the coefficients of acos, scaled.
// acos(c) = u P(v), u = sqrt(1-c), v = sqrt(1+c): minimax of degree 4 (f32) or 10 (f64); the nearest singularity is v = -sqrt(2).
import { almostOne } from './dual-parts';
import { add, inverseRoot, mul } from './either';
import { madd, nmadd } from './simd';

// @ts-ignore: decorator
@inline function x0<T>(p: usize, V: bool): v128 { return V ? v128.load(p) : v128.load_splat<T>(p); }
// @ts-ignore: decorator
@inline function x1<T>(p: usize, V: bool): v128 { return V ? v128.load(p, 16) : v128.load_splat<T>(p, sizeof<T>()); }

/** The first six of eleven coefficients (f64). */
// @ts-ignore: decorator
@inline function head<T>(v: v128, c5: v128, c6: v128, c7: v128, c8: v128, c9: v128, c10: v128): v128 {
  return madd<T>(madd<T>(madd<T>(madd<T>(madd<T>(c10, v, c9), v, c8), v, c7), v, c6), v, c5);
}
// @ts-ignore: decorator
@inline function rest<T>(p: v128, v: v128, c0: v128, c1: v128, c2: v128, c3: v128): v128 {
  return madd<T>(madd<T>(madd<T>(madd<T>(p, v, c3), v, c2), v, c1), v, c0);
}

/** Box sums of one row of a 3x3 filter with stride 1. r: element (-1, -1) of the window; b: m elements out. 10 additions per element. */
export function box33<T>(r: usize, rs: usize, b: usize, m: i32): void {
  let a0 = r, a1 = r + rs, a2 = a1 + rs;
  const eb = b + <usize>m * 32;
  let k0 = v128.add<T>(v128.add<T>(v128.load(a0, 0), v128.load(a1, 0)), v128.load(a2, 0));
  let t0 = v128.add<T>(v128.add<T>(v128.load(a0, 16), v128.load(a1, 16)), v128.load(a2, 16));
  let k1 = v128.add<T>(v128.add<T>(v128.load(a0, 32), v128.load(a1, 32)), v128.load(a2, 32));
  let t1 = v128.add<T>(v128.add<T>(v128.load(a0, 48), v128.load(a1, 48)), v128.load(a2, 48));
  do {
    const k2 = v128.add<T>(v128.add<T>(v128.load(a0, 64), v128.load(a1, 64)), v128.load(a2, 64));
    const t2 = v128.add<T>(v128.add<T>(v128.load(a0, 80), v128.load(a1, 80)), v128.load(a2, 80));
    v128.store(b, v128.add<T>(v128.add<T>(k0, k1), k2), 0);
    v128.store(b, v128.add<T>(v128.add<T>(t0, t1), t2), 16);
    k0 = k1; k1 = k2; t0 = t1; t1 = t2;
    a0 += 32; a1 += 32; a2 += 32; b += 32;
  } while (b < eb);
}

/** Box sums of one row of any filter kh x kw and column stride tw; vb: room for the vertical sums. */
export function boxAny<T>(r: usize, rs: usize, b: usize, m: i32, kh: i32, kw: i32, tw: i32, vb: usize): void {
  if (kh == 3 && kw == 3 && tw == 1) { box33<T>(r, rs, b, m); return; }  // a second call keeps box33 a function: inlined, its registers spill
  const step = <usize>tw * 32, end = b + <usize>m * 32;
  if (kh == 1 && kw == 1) {
    for (; b < end; b += 32, r += step) { v128.store(b, v128.load(r)); v128.store(b, v128.load(r, 16), 16); }
    return;
  }
  let v = vb;
  for (let j = (m - 1) * tw + kw; j > 0; j--) {
    let k = v128.load(r), t = v128.load(r, 16), a = r + rs;
    for (let i = 1; i < kh; i++) { k = v128.add<T>(k, v128.load(a)); t = v128.add<T>(t, v128.load(a, 16)); a += rs; }
    v128.store(v, k); v128.store(v, t, 16);
    v += 32; r += 32;
  }
  for (v = vb; b < end; b += 32, v += step) {
    let k = v128.load(v), t = v128.load(v, 16), a = v + 32;
    for (let i = 1; i < kw; i++) { k = v128.add<T>(k, v128.load(a)); t = v128.add<T>(t, v128.load(a, 16)); a += 32; }
    v128.store(b, k); v128.store(b, t, 16);
  }
}

// Pass 1 of an activation leaves {S, Q, u, v, head} of every column in a row buffer, 160 bytes each (two rows of 80); pass 2 makes
// {K, M} of it. In f64 the square roots bound pass 1, the chain of the polynomial in v pass 2: of a relu the first part of the chain
// (head) is done in pass 1, in the shadow of the roots. Not of an erf, whose second root waits for the first, nor in f32.
//
// relu: a min(x,0) + b max(x,0) with A = (a^2+b^2)/2, B = (a-b)^2/(2 pi): kappa' = A - B theta, kappa = B sin(theta) sqrt(q q') + kappa' k.
// Tables {r, s} = {sqrt(w/q), sqrt(B q)}; c = S r r', u = sqrt(1-c), v = sqrt(1+c): theta = u P(v), sin(theta) = u v.
// erf: a erf(b x) + c. Tables {rho} = {sqrt(2w) b / sqrt(1 + 2 b^2 q)}, c = S rho rho', kappa = (2a^2/pi) asin(c) + c0^2,
// kappa' w = (2a^2/pi) rho rho' / sqrt(1-c^2). The row buffer holds {c, scaled Q, cos = sqrt(1-c^2), v = sqrt(1+cos)}: asin(c) = c P(v)/v.
//
// GENERAL: S may be negative (theta of -c is pi - theta), biases, gammas, and a factor g g' (a layerNorm, a mask) in front unless gx = 0.
// V: vectors on the X side too (self pairs), at run time where one row is finished alone. ERF: the tables and the row buffer of an erf.

/** Places in a row buffer of two rows, as compile-time offsets of loads and stores: offsetof<First>() = 0, offsetof<Second>() = 80. */
// @ts-ignore: decorator
@unmanaged class First {}
// @ts-ignore: decorator
@unmanaged class Second { a: f64; b: f64; c: f64; d: f64; e: f64; f: f64; g: f64; h: f64; i: f64; j: f64; }

// @ts-ignore: decorator
@inline function prepare<T, P>(r: usize, S: v128, Q: v128, px: usize, py: usize, gx: usize, gy: usize, cp: usize, ONE: v128, B: v128, BT: v128, DELTA: v128, SIGN: v128, GENERAL: bool, V: bool, ERF: bool): v128 {
  if (GENERAL) { Q = v128.add<T>(madd<T>(S, DELTA, Q), BT); S = v128.add<T>(S, B); }
  if (GENERAL) if (gx) {
    const g = v128.mul<T>(x0<T>(gx, V), v128.load(gy));
    S = v128.mul<T>(S, g); Q = v128.mul<T>(Q, g);
  }
  const rr = v128.mul<T>(x0<T>(px, V), v128.load(py));
  let c = v128.mul<T>(S, rr), v: v128;
  if (ERF) {
    const w = v128.sqrt<T>(nmadd<T>(c, c, ONE));
    v128.store(r, c, offsetof<P>()); v128.store(r, v128.mul<T>(Q, v128.mul<T>(rr, v128.load(cp, 176))), offsetof<P>() + 16);
    v128.store(r, w, offsetof<P>() + 32);
    v = v128.sqrt<T>(v128.add<T>(ONE, w));
  } else {
    if (GENERAL) c = v128.andnot(c, SIGN);
    c = v128.bitselect(ONE, c, v128.ge<T>(c, v128.splat<T>(<T>almostOne<T>())));
    v128.store(r, S, offsetof<P>()); v128.store(r, Q, offsetof<P>() + 16);
    v128.store(r, v128.sqrt<T>(v128.sub<T>(ONE, c)), offsetof<P>() + 32);
    v = v128.sqrt<T>(v128.add<T>(ONE, c));
  }
  v128.store(r, v, offsetof<P>() + 48);
  return v;
}

/** Pass 1 from a row b of box sums. */
// @ts-ignore: decorator
@inline function passRow<T>(b: usize, px: usize, py: usize, gx: usize, gy: usize, m: i32, cp: usize, r: usize, V: bool, ERF: bool): void {
  const ONE = v128.load(cp, 0), yw: usize = ERF ? 16 : 32;
  const xw: usize = V ? yw : (ERF ? 1 : 2) * sizeof<T>();
  const gw: usize = gx ? (V ? 16 : sizeof<T>()) : 0;
  const B = v128.load(cp, 80), BT = v128.load(cp, 96), DELTA = v128.load(cp, 128), SIGN = ERF ? ONE : v128.load(cp, 64);
  for (const end = r + <usize>m * 160; r < end; r += 160) {
    const v = prepare<T, First>(r, v128.load(b), v128.load(b, 16), px, py, gx, gy, cp, ONE, B, BT, DELTA, SIGN, true, V, ERF);
    if (sizeof<T>() == 8 && !ERF) v128.store(r, head<T>(v, v128.load(cp, 336), v128.load(cp, 352), v128.load(cp, 368), v128.load(cp, 384), v128.load(cp, 400), v128.load(cp, 416)), 64);
    b += 32; px += xw; py += yw;
    gx += gw; gy += 16;
  }
}

/**
 * Pass 1 of two rows of a 3x3 convolution with stride 1, which share the sums of their two common input rows. src: element (-1, -1) of
 * the first window; r: the row buffer; xs, ys, gs, hs: bytes from one row of the tables and gains to the next.
 */
// @ts-ignore: decorator
@inline function pass33<T>(src: usize, rs: usize, px: usize, py: usize, gx: usize, gy: usize, xs: usize, ys: usize, gs: usize, hs: usize, m: i32, cp: usize, r: usize, GENERAL: bool, ERF: bool): void {
  const ONE = v128.load(cp, 0), yw: usize = ERF ? 16 : 32, xw: usize = (ERF ? 1 : 2) * sizeof<T>();
  let a0 = src, a1 = a0 + rs, a2 = a1 + rs, a3 = a2 + rs;
  const kam = v128.add<T>(v128.load(a1), v128.load(a2)), tam = v128.add<T>(v128.load(a1, 16), v128.load(a2, 16));
  const kbm = v128.add<T>(v128.load(a1, 32), v128.load(a2, 32)), tbm = v128.add<T>(v128.load(a1, 48), v128.load(a2, 48));
  let k0 = v128.add<T>(v128.load(a0), kam), t0 = v128.add<T>(v128.load(a0, 16), tam);
  let k1 = v128.add<T>(v128.load(a0, 32), kbm), t1 = v128.add<T>(v128.load(a0, 48), tbm);
  let g0 = v128.add<T>(kam, v128.load(a3)), f0 = v128.add<T>(tam, v128.load(a3, 16));
  let g1 = v128.add<T>(kbm, v128.load(a3, 32)), f1 = v128.add<T>(tbm, v128.load(a3, 48));
  let qx = px + xs, qy = py + ys;
  const end = r + <usize>m * 160;
  do {
    const B = GENERAL ? v128.load(cp, 80) : ONE, BT = GENERAL ? v128.load(cp, 96) : ONE, DELTA = GENERAL ? v128.load(cp, 128) : ONE, SIGN = GENERAL && !ERF ? v128.load(cp, 64) : ONE;
    const kcm = v128.add<T>(v128.load(a1, 64), v128.load(a2, 64)), tcm = v128.add<T>(v128.load(a1, 80), v128.load(a2, 80));
    const k2 = v128.add<T>(v128.load(a0, 64), kcm), t2 = v128.add<T>(v128.load(a0, 80), tcm);
    const S = v128.add<T>(v128.add<T>(k0, k1), k2), Q = v128.add<T>(v128.add<T>(t0, t1), t2);
    k0 = k1; k1 = k2; t0 = t1; t1 = t2;
    const v = prepare<T, First>(r, S, Q, px, py, gx, gy, cp, ONE, B, BT, DELTA, SIGN, GENERAL, false, ERF);
    const g2 = v128.add<T>(kcm, v128.load(a3, 64)), f2 = v128.add<T>(tcm, v128.load(a3, 80));
    const S2 = v128.add<T>(v128.add<T>(g0, g1), g2), Q2 = v128.add<T>(v128.add<T>(f0, f1), f2);
    g0 = g1; g1 = g2; f0 = f1; f1 = f2;
    const w = prepare<T, Second>(r, S2, Q2, qx, qy, gx + gs, gy + hs, cp, ONE, B, BT, DELTA, SIGN, GENERAL, false, ERF);
    if (sizeof<T>() == 8 && !ERF) {  // both heads at once: each coefficient is read once
      let c = v128.load(cp, 416), p = c, q = c;
      c = v128.load(cp, 400); p = madd<T>(p, v, c); q = madd<T>(q, w, c);
      c = v128.load(cp, 384); p = madd<T>(p, v, c); q = madd<T>(q, w, c);
      c = v128.load(cp, 368); p = madd<T>(p, v, c); q = madd<T>(q, w, c);
      c = v128.load(cp, 352); p = madd<T>(p, v, c); q = madd<T>(q, w, c);
      c = v128.load(cp, 336); p = madd<T>(p, v, c); q = madd<T>(q, w, c);
      v128.store(r, p, 64); v128.store(r, q, 144);
    }
    a0 += 32; a1 += 32; a2 += 32; a3 += 32;
    r += 160; px += xw; py += yw; qx += xw; qy += yw;
    if (GENERAL) if (gx) { gx += sizeof<T>(); gy += 16; }
  } while (r < end);
}

/** kappa' where a variance is 0 (its table s is): the variable is 0, at the kink, and phi' its left derivative a. Constants 11: a^2, 15: w a (a+b)/2. */
function leftSlope<T>(k: v128, sx: v128, sy: v128, cp: usize): v128 {
  const zero = v128.splat<T>(<T>0), zx = v128.eq<T>(sx, zero), zy = v128.eq<T>(sy, zero);
  const both = v128.mul<T>(v128.load(cp, 144), v128.load(cp, 176));
  return v128.bitselect(v128.bitselect(both, v128.load(cp, 240), v128.and(zx, zy)), k, v128.or(zx, zy));
}

/** Pass 2 of a relu: K and M = kappa' Q + gamma K of m columns of one row of the row buffer. px, py: tables of its first column. */
// @ts-ignore: decorator
@inline function reluPass<T>(r: usize, d: usize, px: usize, py: usize, m: i32, cp: usize, GENERAL: bool, V: bool): void {
  const H = GENERAL ? v128.load(cp, 48) : v128.load(cp, 16), A = GENERAL ? v128.load(cp, 32) : H, SIGN = GENERAL ? v128.load(cp, 64) : H, G = GENERAL ? v128.load(cp, 112) : H;
  const C0 = v128.load(cp, 256), C1 = v128.load(cp, 272), C2 = v128.load(cp, 288), C3 = v128.load(cp, 304), C4 = v128.load(cp, 320);
  const step: usize = V ? 32 : 2 * sizeof<T>(), end = r + <usize>m * 160;
  do {
    const u = v128.load(r, 32), v = v128.load(r, 48), S = v128.load(r);
    let p = C4;
    if (sizeof<T>() == 8) p = madd<T>(v128.load(r, 64), v, C4);
    const h = nmadd<T>(u, rest<T>(p, v, C0, C1, C2, C3), H);
    let k = GENERAL ? v128.add<T>(A, v128.xor(v128.and(S, SIGN), h)) : h;
    const sx = x1<T>(px, V), sy = v128.load(py, 16), ss = v128.mul<T>(sx, sy);
    if (v128.any_true(v128.eq<T>(ss, v128.splat<T>(<T>0)))) k = leftSlope<T>(k, sx, sy, cp);
    const K = madd<T>(k, S, v128.mul<T>(ss, v128.mul<T>(u, v)));
    v128.store(d, K);
    v128.store(d, madd<T>(k, v128.load(r, 16), GENERAL ? v128.mul<T>(K, G) : K), 16);
    r += 160; d += 32; px += step; py += 32;
  } while (r < end);
}

function reluGeneral<T>(r: usize, d: usize, px: usize, py: usize, m: i32, cp: usize, self: bool): void { reluPass<T>(r, d, px, py, m, cp, true, sizeof<T>() == 8 && self); }
function reluPlain<T>(r: usize, d: usize, px: usize, py: usize, m: i32, cp: usize): void { reluPass<T>(r, d, px, py, m, cp, false, false); }

/** Pass 2 of an erf; one division serves asin and kappa'. */
function erfPass<T>(r: usize, d: usize, m: i32, cp: usize): void {
  const ONE = v128.load(cp, 0), MEAN = v128.load(cp, 192), G = v128.load(cp, 112);
  const C0 = v128.load(cp, 256), C1 = v128.load(cp, 272), C2 = v128.load(cp, 288), C3 = v128.load(cp, 304), C4 = v128.load(cp, 320), C5 = v128.load(cp, 336);
  const C6 = sizeof<T>() == 8 ? v128.load(cp, 352) : C0, C7 = sizeof<T>() == 8 ? v128.load(cp, 368) : C0;
  const C8 = sizeof<T>() == 8 ? v128.load(cp, 384) : C0, C9 = sizeof<T>() == 8 ? v128.load(cp, 400) : C0, C10 = sizeof<T>() == 8 ? v128.load(cp, 416) : C0;
  const end = r + <usize>m * 160;
  do {
    const w = v128.load(r, 32), v = v128.load(r, 48), inverse = v128.div<T>(ONE, v128.mul<T>(w, v));
    const p = sizeof<T>() == 8 ? head<T>(v, C5, C6, C7, C8, C9, C10) : C5, A = rest<T>(madd<T>(p, v, C4), v, C0, C1, C2, C3);
    const K = madd<T>(v128.mul<T>(v128.load(r), A), v128.mul<T>(w, inverse), MEAN);
    v128.store(d, K);
    v128.store(d, madd<T>(v128.load(r, 16), v128.mul<T>(v, inverse), v128.mul<T>(K, G)), 16);
    r += 160; d += 32;
  } while (r < end);
}

/** All rows of a 3x3 convolution of stride 1 and its activation, two at a time. An odd last row has itself as partner in pass 1. */
// @ts-ignore: decorator
@inline function conv33<T>(src: usize, rs: usize, d: usize, drs: usize, px: usize, py: usize, gx: usize, gy: usize, W: i32, n: i32, m: i32, cp: usize, buffer: usize, GENERAL: bool, ERF: bool): void {
  const line = <usize>W;
  let xs = line * (ERF ? 1 : 2) * sizeof<T>(), ys = line * (ERF ? 16 : 32), gs = gx ? line * sizeof<T>() : 0, hs = line * 16;
  for (let i = 0; i < n; i += 2) {
    if (i + 1 == n) { xs = 0; ys = 0; gs = 0; hs = 0; }
    pass33<T>(src, rs, px, py, gx, gy, xs, ys, gs, hs, m, cp, buffer, GENERAL, ERF);
    for (let r = buffer, end = r + (i + 1 < n ? 160 : 80), e = d, x = px, y = py; r < end; r += 80, e += drs, x += xs, y += ys) {
      if (ERF) erfPass<T>(r, e, m, cp);
      else if (GENERAL) reluGeneral<T>(r, e, x, y, m, cp, false);
      else reluPlain<T>(r, e, x, y, m, cp);
    }
    src += 2 * rs; d += 2 * drs; px += 2 * xs; py += 2 * ys;
    gx += 2 * gs; gy += 2 * hs;
  }
}
/** K >= 0, no bias, no gains, gamma = 1: what follows the first activation of most nets. */
export function conv33Plain<T>(src: usize, rs: usize, d: usize, drs: usize, px: usize, py: usize, W: i32, n: i32, m: i32, cp: usize, r: usize): void { conv33<T>(src, rs, d, drs, px, py, 0, 0, W, n, m, cp, r, false, false); }
export function conv33General<T>(src: usize, rs: usize, d: usize, drs: usize, px: usize, py: usize, gx: usize, gy: usize, W: i32, n: i32, m: i32, cp: usize, r: usize): void { conv33<T>(src, rs, d, drs, px, py, gx, gy, W, n, m, cp, r, true, false); }
export function conv33Erf<T>(src: usize, rs: usize, d: usize, drs: usize, px: usize, py: usize, gx: usize, gy: usize, W: i32, n: i32, m: i32, cp: usize, r: usize): void { conv33<T>(src, rs, d, drs, px, py, gx, gy, W, n, m, cp, r, true, true); }

/** Both passes over a row b of box sums; gx = 0: no gains. self: vectors on the X side. */
export function reluRow<T>(b: usize, d: usize, px: usize, py: usize, gx: usize, gy: usize, m: i32, cp: usize, r: usize, self: bool): void {
  passRow<T>(b, px, py, gx, gy, m, cp, r, self, false);
  if (sizeof<T>() == 4 && self) reluPass<T>(r, d, px, py, m, cp, true, true); else reluGeneral<T>(r, d, px, py, m, cp, self);
}
export function erfRow<T>(b: usize, d: usize, px: usize, py: usize, gx: usize, gy: usize, m: i32, cp: usize, r: usize, self: bool): void {
  passRow<T>(b, px, py, gx, gy, m, cp, r, self, true);
  erfPass<T>(r, d, m, cp);
}

/** d (+)= (w K + b^2, w (M + delta K) + bT), times g g'. */
export function affineRow<T>(b: usize, d: usize, gx: usize, gy: usize, m: i32, cp: usize, self: bool, add: bool): void {
  const w = v128.load(cp, 144), bk = v128.load(cp, 80), bt = v128.load(cp, 96), delta = v128.load(cp, 128), xs: usize = self ? 16 : sizeof<T>();
  for (const end = b + <usize>m * 32; b < end; b += 32, d += 32) {
    const s = v128.load(b);
    let k = madd<T>(s, w, bk), t = madd<T>(madd<T>(s, delta, v128.load(b, 16)), w, bt);
    if (gx) {
      const g = v128.mul<T>(x0<T>(gx, self), v128.load(gy));
      k = v128.mul<T>(k, g); t = v128.mul<T>(t, g);
      gx += xs; gy += 16;
    }
    if (add) { k = v128.add<T>(k, v128.load(d)); t = v128.add<T>(t, v128.load(d, 16)); }
    v128.store(d, k); v128.store(d, t, 16);
  }
}

// @ts-ignore: decorator
@inline function positive<T>(q: v128, x: v128): v128 {  // x where q > 0, else 0
  const zero = v128.splat<T>(<T>0);
  return v128.and(x, v128.gt<T>(q, zero));
}

/**
 * Self pairs at offset 0, where K is the variance q: writes the tables {r, s} and (gain: gy != 0, compute) the gains 1/sqrt(q + eps),
 * then the exact diagonal kappa = A q, kappa' = A, or a^2 (constant 11) where q = 0. All pointers hold vectors.
 */
export function reluDiagonal<T>(b: usize, d: usize, py: usize, gy: usize, compute: bool, m: i32, cp: usize): void {
  const ONE = v128.load(cp, 0), w = v128.load(cp, 144), rootB = v128.load(cp, 192), rootW = v128.load(cp, 208), A = v128.load(cp, 224), A0 = v128.load(cp, 176);
  for (const end = b + <usize>m * 32; b < end; b += 32, d += 32, py += 32) {
    const S = v128.load(b);
    let q = v128.mul<T>(v128.add<T>(S, v128.load(cp, 80)), w);
    let Q = v128.mul<T>(v128.add<T>(madd<T>(S, v128.load(cp, 128), v128.load(b, 16)), v128.load(cp, 96)), w);
    if (gy) {
      if (compute) v128.store(gy, v128.div<T>(ONE, v128.sqrt<T>(v128.add<T>(q, v128.load(cp, 160)))));
      const g = v128.load(gy), gg = v128.mul<T>(g, g);
      q = v128.mul<T>(q, gg); Q = v128.mul<T>(Q, gg);
      gy += 16;
    }
    const root = v128.sqrt<T>(q);
    v128.store(py, positive<T>(q, v128.div<T>(rootW, root)));
    v128.store(py, v128.mul<T>(root, rootB), 16);
    const K = v128.mul<T>(q, A), dot = v128.bitselect(A, A0, v128.gt<T>(q, v128.splat<T>(<T>0)));
    v128.store(d, K);
    v128.store(d, madd<T>(K, v128.load(cp, 112), v128.mul<T>(dot, Q)), 16);
  }
}

/** Self pairs at offset 0: the table {rho} of an erf and the gains; erfRow follows. Constants 13: sqrt(2w) b, 14: 2 b^2. */
export function erfTables<T>(b: usize, py: usize, gy: usize, compute: bool, m: i32, cp: usize): void {
  const ONE = v128.load(cp, 0), w = v128.load(cp, 144);
  for (const end = b + <usize>m * 32; b < end; b += 32, py += 16) {
    let q = v128.mul<T>(v128.add<T>(v128.load(b), v128.load(cp, 80)), w);
    if (gy) {
      if (compute) v128.store(gy, v128.div<T>(ONE, v128.sqrt<T>(v128.add<T>(q, v128.load(cp, 160)))));
      const g = v128.load(gy);
      q = v128.mul<T>(q, v128.mul<T>(g, g));
      gy += 16;
    }
    v128.store(py, v128.div<T>(v128.load(cp, 208), v128.sqrt<T>(madd<T>(q, v128.load(cp, 224), ONE))));
  }
}

/** Self pairs at offset 0: the gains of an affine row with a channel layerNorm. */
export function affineGains(single: bool, b: usize, gy: usize, m: i32, cp: usize): void {
  for (const end = b + <usize>m * 32; b < end; b += 32, gy += 16) {
    const q = add(single, mul(single, v128.load(b), v128.load(cp, 144)), v128.load(cp, 80));
    v128.store(gy, inverseRoot(single, v128.load(cp, 0), q, v128.load(cp, 160)));
  }
}
