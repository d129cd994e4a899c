// Packing for gemm.ts: panels of w rows (or columns) laid out k-major, so that the microkernel reads straight ahead.
// Transposes go through register shuffles. Missing rows are zero: one microkernel then serves every shape.

// @ts-ignore: decorator
@inline function ix<T>(i: i32): usize { return <usize>i * sizeof<T>(); }

/** dst[k][r] = r < rows ? src[r][k] : 0 for k < kc, r < w: a transposing pack of w rows. ld and step in bytes. */
export function packT<T>(src: usize, ld: usize, rows: i32, kc: i32, w: i32, dst: usize, step: usize): void {
  const full = min(rows, w);
  let r = 0;
  if (sizeof<T>() == 4) for (; r + 4 <= full; r += 4) transpose4(src + <usize>r * ld, ld, kc, dst + ix<T>(r), step);
  for (; r + 2 <= full; r += 2) transpose2<T>(src + <usize>r * ld, ld, kc, dst + ix<T>(r), step);
  for (; r < w; r++) {
    let p = src + <usize>r * ld, q = dst + ix<T>(r);
    if (r < full) for (let k = 0; k < kc; k++) { store<T>(q, load<T>(p)); p += sizeof<T>(); q += step; }
    else for (let k = 0; k < kc; k++) { store<T>(q, <T>0); q += step; }
  }
}

/** Two rows of kc elements into column pairs. */
function transpose2<T>(p: usize, ld: usize, kc: i32, q: usize, step: usize): void {
  if (sizeof<T>() == 8) {
    for (; kc >= 2; kc -= 2) {
      const x = v128.load(p), y = v128.load(p + ld);
      v128.store(q, v128.shuffle<f64>(x, y, 0, 2)); v128.store(q + step, v128.shuffle<f64>(x, y, 1, 3));
      p += 16; q += 2 * step;
    }
  } else {
    for (; kc >= 4; kc -= 4) {
      const x = v128.load(p), y = v128.load(p + ld);
      const u = v128.shuffle<f32>(x, y, 0, 4, 1, 5), v = v128.shuffle<f32>(x, y, 2, 6, 3, 7);
      v128.store64_lane(q, u, 0); q += step; v128.store64_lane(q, u, 1); q += step;
      v128.store64_lane(q, v, 0); q += step; v128.store64_lane(q, v, 1); q += step;
      p += 16;
    }
  }
  for (; kc > 0; kc--) { store<T>(q, load<T>(p)); store<T>(q, load<T>(p + ld), sizeof<T>()); p += sizeof<T>(); q += step; }
}

/** Four f32 rows of kc elements into column quads. */
function transpose4(p: usize, ld: usize, kc: i32, q: usize, step: usize): void {
  let p1 = p + ld, p2 = p1 + ld, p3 = p2 + ld;
  for (; kc >= 4; kc -= 4) {
    const a = v128.load(p), b = v128.load(p1), c = v128.load(p2), d = v128.load(p3);
    const t0 = v128.shuffle<f32>(a, b, 0, 4, 1, 5), t1 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
    const t2 = v128.shuffle<f32>(c, d, 0, 4, 1, 5), t3 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
    v128.store(q, v128.shuffle<f64>(t0, t2, 0, 2)); q += step; v128.store(q, v128.shuffle<f64>(t0, t2, 1, 3)); q += step;
    v128.store(q, v128.shuffle<f64>(t1, t3, 0, 2)); q += step; v128.store(q, v128.shuffle<f64>(t1, t3, 1, 3)); q += step;
    p += 16; p1 += 16; p2 += 16; p3 += 16;
  }
  for (; kc > 0; kc--) {
    store<f32>(q, load<f32>(p)); store<f32>(q, load<f32>(p1), 4); store<f32>(q, load<f32>(p2), 8); store<f32>(q, load<f32>(p3), 12);
    p += 4; p1 += 4; p2 += 4; p3 += 4; q += step;
  }
}

/** packT of elements of z bytes into rows of w. */
export function pack(z: usize, src: usize, ld: usize, rows: i32, kc: i32, w: i32, dst: usize): void {
  if (z == 4) packT<f32>(src, ld, rows, kc, w, dst, <usize>w * 4); else packT<f64>(src, ld, rows, kc, w, dst, <usize>w * 8);
}

/** dst[k*width + c] = c < have ? src[k*ld + c] : 0, all in bytes (multiples of 4; width 24, 32 or 48): a straight pack. */
export function packN(src: usize, ld: usize, have: usize, kc: i32, width: usize, dst: usize): void {
  if (have < width) {
    for (; kc > 0; kc--) {
      let c: usize = 0;
      for (; c < have; c += 4) store<u32>(dst + c, load<u32>(src + c));
      for (; c < width; c += 4) store<u32>(dst + c, 0);
      src += ld; dst += width;
    }
  } else if (width == 24) {
    for (; kc > 0; kc--) { v128.store(dst, v128.load(src)); store<u64>(dst, load<u64>(src, 16), 16); src += ld; dst += 24; }
  } else {
    for (; kc > 0; kc--) {
      v128.store(dst, v128.load(src)); v128.store(dst, v128.load(src, 16), 16); if (width == 48) v128.store(dst, v128.load(src, 32), 32);
      src += ld; dst += width;
    }
  }
}

/** `panels` panels of 32 bytes a row each, side by side in src, into panels kc rows long: reads whole cache lines. */
export function packWide(src: usize, ld: usize, panels: i32, kc: i32, dst: usize): void {
  const step = <usize>kc * 32;
  for (; kc > 0; kc--) {
    let p = src, q = dst;
    for (let j = panels; j > 0; j--) { v128.store(q, v128.load(p)); v128.store(q, v128.load(p, 16), 16); p += 32; q += step; }
    src += ld; dst += 32;
  }
}
