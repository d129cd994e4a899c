// Vector and matrix-vector building blocks, shared by the exported kernels, cholesky and eigh. ld in bytes, raw addresses.
import { hsum, madd } from './simd';

// @ts-ignore: decorator
@inline function ix<T>(i: i32): usize { return <usize>i * sizeof<T>(); }
// @ts-ignore: decorator
@inline function block<T>(): i32 { return <i32>(64 / sizeof<T>()); }  // elements in four vectors

/** sum a_i b_i */
export function dot<T>(n: i32, a: usize, b: usize): T {
  let s0 = v128.splat<T>(<T>0), s1 = s0, s2 = s0, s3 = s0;
  for (; n >= block<T>(); n -= block<T>()) {
    s0 = madd<T>(v128.load(a), v128.load(b), s0); s1 = madd<T>(v128.load(a, 16), v128.load(b, 16), s1);
    s2 = madd<T>(v128.load(a, 32), v128.load(b, 32), s2); s3 = madd<T>(v128.load(a, 48), v128.load(b, 48), s3);
    a += 64; b += 64;
  }
  let r = hsum<T>(v128.add<T>(v128.add<T>(s0, s1), v128.add<T>(s2, s3)));
  for (; n > 0; n--) { r += load<T>(a) * load<T>(b); a += sizeof<T>(); b += sizeof<T>(); }
  return r;
}

/** y += c x */
export function axpy<T>(n: i32, c: T, x: usize, y: usize): void {
  const cc = v128.splat<T>(c), two = block<T>() >> 1;
  for (; n >= two; n -= two) {
    v128.store(y, madd<T>(cc, v128.load(x), v128.load(y))); v128.store(y, madd<T>(cc, v128.load(x, 16), v128.load(y, 16)), 16);
    x += 32; y += 32;
  }
  for (; n > 0; n--) { store<T>(y, load<T>(y) + c * load<T>(x)); x += sizeof<T>(); y += sizeof<T>(); }
}

/** x *= c */
export function scal<T>(n: i32, c: T, x: usize): void {
  const cc = v128.splat<T>(c), two = block<T>() >> 1;
  for (; n >= two; n -= two) {
    v128.store(x, v128.mul<T>(cc, v128.load(x))); v128.store(x, v128.mul<T>(cc, v128.load(x, 16)), 16); x += 32;
  }
  for (; n > 0; n--) { store<T>(x, c * load<T>(x)); x += sizeof<T>(); }
}

/** y_r = alpha A[r,:] . x + beta y_r: m rows of n elements, ld bytes apart; beta = 0 does not read y. */
export function gemvN<T>(m: i32, n: i32, alpha: T, a: usize, ld: usize, x: usize, beta: T, y: usize): void {
  const two = block<T>() >> 1;
  for (; m >= 4; m -= 4) {
    let p0 = a, p1 = p0 + ld, p2 = p1 + ld, p3 = p2 + ld, q = x, k = n;
    let s0 = v128.splat<T>(<T>0), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
    for (; k >= two; k -= two) {
      const u = v128.load(q), v = v128.load(q, 16);
      s0 = madd<T>(v128.load(p0), u, s0); t0 = madd<T>(v128.load(p0, 16), v, t0);
      s1 = madd<T>(v128.load(p1), u, s1); t1 = madd<T>(v128.load(p1, 16), v, t1);
      s2 = madd<T>(v128.load(p2), u, s2); t2 = madd<T>(v128.load(p2, 16), v, t2);
      s3 = madd<T>(v128.load(p3), u, s3); t3 = madd<T>(v128.load(p3, 16), v, t3);
      p0 += 32; p1 += 32; p2 += 32; p3 += 32; q += 32;
    }
    let r0 = hsum<T>(v128.add<T>(s0, t0)), r1 = hsum<T>(v128.add<T>(s1, t1)), r2 = hsum<T>(v128.add<T>(s2, t2)), r3 = hsum<T>(v128.add<T>(s3, t3));
    for (; k > 0; k--) {
      const u = load<T>(q); q += sizeof<T>();
      r0 += load<T>(p0) * u; r1 += load<T>(p1) * u; r2 += load<T>(p2) * u; r3 += load<T>(p3) * u;
      p0 += sizeof<T>(); p1 += sizeof<T>(); p2 += sizeof<T>(); p3 += sizeof<T>();
    }
    emit<T>(y, alpha * r0, beta); emit<T>(y + sizeof<T>(), alpha * r1, beta);
    emit<T>(y + 2 * sizeof<T>(), alpha * r2, beta); emit<T>(y + 3 * sizeof<T>(), alpha * r3, beta);
    y += 4 * sizeof<T>(); a += ld << 2;
  }
  for (; m > 0; m--) { emit<T>(y, alpha * dot<T>(n, a, x), beta); y += sizeof<T>(); a += ld; }
}
// @ts-ignore: decorator
@inline function emit<T>(p: usize, v: T, beta: T): void { store<T>(p, beta == 0 ? v : v + beta * load<T>(p)); }

/** y += alpha sum_r c_r A[r,:] */
export function gemvT<T>(m: i32, n: i32, alpha: T, a: usize, ld: usize, c: usize, y: usize): void {
  const two = block<T>() >> 1;
  for (; m >= 4; m -= 4) {
    let p0 = a, p1 = p0 + ld, p2 = p1 + ld, p3 = p2 + ld, q = y, k = n;
    const f0 = alpha * load<T>(c), f1 = alpha * load<T>(c, sizeof<T>()), f2 = alpha * load<T>(c, 2 * sizeof<T>()), f3 = alpha * load<T>(c, 3 * sizeof<T>());
    const c0 = v128.splat<T>(f0), c1 = v128.splat<T>(f1), c2 = v128.splat<T>(f2), c3 = v128.splat<T>(f3);
    for (; k >= two; k -= two) {
      let u = v128.load(q), v = v128.load(q, 16);
      u = madd<T>(v128.load(p0), c0, u); v = madd<T>(v128.load(p0, 16), c0, v);
      u = madd<T>(v128.load(p1), c1, u); v = madd<T>(v128.load(p1, 16), c1, v);
      u = madd<T>(v128.load(p2), c2, u); v = madd<T>(v128.load(p2, 16), c2, v);
      u = madd<T>(v128.load(p3), c3, u); v = madd<T>(v128.load(p3, 16), c3, v);
      v128.store(q, u); v128.store(q, v, 16);
      p0 += 32; p1 += 32; p2 += 32; p3 += 32; q += 32;
    }
    for (; k > 0; k--) {
      store<T>(q, load<T>(q) + f0 * load<T>(p0) + f1 * load<T>(p1) + f2 * load<T>(p2) + f3 * load<T>(p3));
      p0 += sizeof<T>(); p1 += sizeof<T>(); p2 += sizeof<T>(); p3 += sizeof<T>(); q += sizeof<T>();
    }
    c += 4 * sizeof<T>(); a += ld << 2;
  }
  for (; m > 0; m--) { axpy<T>(n, alpha * load<T>(c), a, y); c += sizeof<T>(); a += ld; }
}

/** y = A x, A symmetric: its lower triangle is read once, four rows at a time in f64. */
export function symvLower<T>(n: i32, a: usize, ld: usize, x: usize, y: usize): void {
  let r = 0;
  if (sizeof<T>() == 8) for (; r + 4 <= n; r += 4) {  // eigh lives on this one
    let p0 = a + <usize>r * ld, p1 = p0 + ld, p2 = p1 + ld, p3 = p2 + ld, px = x, py = y;
    const xr = x + ix<T>(r), yr = y + ix<T>(r);
    const x0 = v128.load_splat<T>(xr), x1 = v128.load_splat<T>(xr, sizeof<T>()), x2 = v128.load_splat<T>(xr, 2 * sizeof<T>()), x3 = v128.load_splat<T>(xr, 3 * sizeof<T>());
    let s0 = v128.splat<T>(<T>0), s1 = s0, s2 = s0, s3 = s0;
    while (px < xr) {
      let u = v128.load(px), v = v128.load(py), w = v128.load(p0);
      s0 = madd<T>(w, u, s0); v = madd<T>(w, x0, v);
      w = v128.load(p1); s1 = madd<T>(w, u, s1); v = madd<T>(w, x1, v);
      w = v128.load(p2); s2 = madd<T>(w, u, s2); v = madd<T>(w, x2, v);
      w = v128.load(p3); s3 = madd<T>(w, u, s3); v = madd<T>(w, x3, v);
      v128.store(py, v);
      u = v128.load(px, 16); v = v128.load(py, 16);
      w = v128.load(p0, 16); s0 = madd<T>(w, u, s0); v = madd<T>(w, x0, v);
      w = v128.load(p1, 16); s1 = madd<T>(w, u, s1); v = madd<T>(w, x1, v);
      w = v128.load(p2, 16); s2 = madd<T>(w, u, s2); v = madd<T>(w, x2, v);
      w = v128.load(p3, 16); s3 = madd<T>(w, u, s3); v = madd<T>(w, x3, v);
      v128.store(py, v, 16);
      const step = 4 * sizeof<T>();
      p0 += step; p1 += step; p2 += step; p3 += step; px += step; py += step;
    }
    corner<T>(p0, p1, p2, p3, xr, yr, hsum<T>(s0), hsum<T>(s1), hsum<T>(s2), hsum<T>(s3));
  }
  for (; r < n; r++) {
    const p = a + <usize>r * ld, f = load<T>(x + ix<T>(r));
    store<T>(y + ix<T>(r), dot<T>(r + 1, p, x)); axpy<T>(r, f, p, y);
  }
}

/** The 4 x 4 diagonal block of symvLower: y = (sums so far) + block x. */
// @ts-ignore: decorator
@inline function corner<T>(p0: usize, p1: usize, p2: usize, p3: usize, x: usize, y: usize, s0: T, s1: T, s2: T, s3: T): void {
  const z: usize = sizeof<T>();
  const f0 = load<T>(x), f1 = load<T>(x + z), f2 = load<T>(x + 2 * z), f3 = load<T>(x + 3 * z);
  const a10 = load<T>(p1), a20 = load<T>(p2), a21 = load<T>(p2 + z), a30 = load<T>(p3), a31 = load<T>(p3 + z), a32 = load<T>(p3 + 2 * z);
  store<T>(y, s0 + load<T>(p0) * f0 + a10 * f1 + a20 * f2 + a30 * f3);
  store<T>(y + z, s1 + a10 * f0 + load<T>(p1 + z) * f1 + a21 * f2 + a31 * f3);
  store<T>(y + 2 * z, s2 + a20 * f0 + a21 * f1 + load<T>(p2 + 2 * z) * f2 + a32 * f3);
  store<T>(y + 3 * z, s3 + a30 * f0 + a31 * f1 + a32 * f2 + load<T>(p3 + 3 * z) * f3);
}
