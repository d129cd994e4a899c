// Small symmetric tridiagonal problems: implicit QL with Wilkinson shifts (f64).

export const EPS: f64 = 1.1102230246251565e-16;  // 2^-53
const TINY: f64 = 1e-290;

// @ts-ignore: decorator
@inline function sh(i: i32): usize { return <usize>i << 3; }

/** sqrt(a^2 + b^2) without harmful under- or overflow; the plain formula where it is safe keeps vectors orthogonal. */
// @ts-ignore: decorator
@inline export function hypot(a: f64, b: f64): f64 {
  const x = abs(a), y = abs(b), m = max(x, y), s = min(x, y);
  if (m > 1e-140 && m < 1e140) return sqrt<f64>(x * x + y * y);
  if (m == 0) return 0;
  const t = s / m;
  return m * sqrt<f64>(1 + t * t);
}

/** x' = c x + s y, y' = c y - s x */
export function rotate(n: i32, x: usize, y: usize, c: f64, s: f64): void {
  const cc = f64x2.splat(c), ss = f64x2.splat(s);
  for (; n >= 2; n -= 2) {
    const a = v128.load(x), b = v128.load(y);
    v128.store(x, f64x2.add(f64x2.mul(cc, a), f64x2.mul(ss, b)));
    v128.store(y, f64x2.sub(f64x2.mul(cc, b), f64x2.mul(ss, a)));
    x += 16; y += 16;
  }
  if (n > 0) { const a = load<f64>(x), b = load<f64>(y); store<f64>(x, c * a + s * b); store<f64>(y, c * b - s * a); }
}

/**
 * d[0..n), e[0..n-1) (destroyed, n slots): eigenvalues in d, unsorted. Norm ~ 1: |e| <= eps^2 counts as zero, or input
 * graded over 100 decades stalls. q = 0: values only; else the rows of Q (nq long, ldq bytes apart) are rotated along.
 * Returns 0, or > 0 if 60 n sweeps were not enough: a limit on the total, since graded matrices need many for one value.
 */
export function ql(n: i32, d: usize, e: usize, q: usize, ldq: usize, nq: i32): i32 {
  store<f64>(e + sh(n - 1), 0);
  let sweeps = 0;
  for (let l = 0; l < n; l++) {
    while (true) {
      let m = l;
      for (; m < n - 1; m++) if (abs(load<f64>(e + sh(m))) <= EPS * (abs(load<f64>(d + sh(m))) + abs(load<f64>(d + sh(m + 1)))) + EPS * EPS) break;
      if (m == l) break;
      if (++sweeps > 60 * n) return l + 1;
      const dl = load<f64>(d + sh(l)), el = load<f64>(e + sh(l));
      let g = (load<f64>(d + sh(l + 1)) - dl) / (2 * el), r = hypot(g, 1);
      g = load<f64>(d + sh(m)) - dl + el / (g >= 0 ? g + r : g - r);
      let s: f64 = 1, c: f64 = 1, p: f64 = 0, i = m - 1;
      for (; i >= l; i--) {
        const ei = load<f64>(e + sh(i)), f = s * ei, b = c * ei;
        r = hypot(f, g); if (r < TINY) r = 0;  // subnormal f, g would give an inaccurate rotation
        store<f64>(e + sh(i + 1), r);
        if (r == 0) { store<f64>(d + sh(i + 1), load<f64>(d + sh(i + 1)) - p); store<f64>(e + sh(m), 0); break; }
        s = f / r; c = g / r; g = load<f64>(d + sh(i + 1)) - p;
        const t = (load<f64>(d + sh(i)) - g) * s + 2 * c * b;
        p = s * t; store<f64>(d + sh(i + 1), g + p); g = c * t - b;
        if (q) rotate(nq, q + <usize>(i + 1) * ldq, q + <usize>i * ldq, c, s);
      }
      if (r == 0 && i >= l) continue;
      store<f64>(d + sh(l), load<f64>(d + sh(l)) - p); store<f64>(e + sh(l), g); store<f64>(e + sh(m), 0);
    }
  }
  return 0;
}

function sift(d: usize, i: i32, n: i32): void {
  const v = load<f64>(d + sh(i));
  while (true) {
    let c = 2 * i + 1;
    if (c >= n) break;
    if (c + 1 < n && load<f64>(d + sh(c + 1)) > load<f64>(d + sh(c))) c++;
    if (load<f64>(d + sh(c)) <= v) break;
    store<f64>(d + sh(i), load<f64>(d + sh(c))); i = c;
  }
  store<f64>(d + sh(i), v);
}
/** Heap sort, ascending. */
export function sortValues(n: i32, d: usize): void {
  for (let i = (n >> 1) - 1; i >= 0; i--) sift(d, i, n);
  for (let m = n - 1; m > 0; m--) { const v = load<f64>(d + sh(m)); store<f64>(d + sh(m), load<f64>(d)); store<f64>(d, v); sift(d, 0, m); }
}
