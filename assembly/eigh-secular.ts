// Roots of the secular equation 1/rho + sum_j z_j^2 / (d_j - x) = 0 (f64), after Li, LAPACK working note 89 (1994).
// Every root is kept as its difference to all poles, so eigenvectors stay orthogonal however close the roots lie.
import { EPS } from './eigh-ql';
import { hsum } from './simd';

// @ts-ignore: decorator
@inline function sh(i: i32): usize { return <usize>i << 3; }

/** out: sum z_j t_j and sum t_j^2 with t_j = z_j / ((d_j - o) - tau), j in [j0, j1). */
function sums(j0: i32, j1: i32, d: usize, z: usize, o: f64, tau: f64, out: usize): void {
  let p = d + sh(j0), q = z + sh(j0), n = j1 - j0;
  const oo = f64x2.splat(o), tt = f64x2.splat(tau);
  let s0 = f64x2.splat(0), s1 = s0, r0 = s0, r1 = s0;
  for (; n >= 4; n -= 4) {
    const z0 = v128.load(q), z1 = v128.load(q, 16);
    const t0 = f64x2.div(z0, f64x2.sub(f64x2.sub(v128.load(p), oo), tt)), t1 = f64x2.div(z1, f64x2.sub(f64x2.sub(v128.load(p, 16), oo), tt));
    s0 = f64x2.add(s0, f64x2.mul(z0, t0)); r0 = f64x2.add(r0, f64x2.mul(t0, t0));
    s1 = f64x2.add(s1, f64x2.mul(z1, t1)); r1 = f64x2.add(r1, f64x2.mul(t1, t1));
    p += 32; q += 32;
  }
  let s = hsum<f64>(f64x2.add(s0, s1)), r = hsum<f64>(f64x2.add(r0, r1));
  for (; n > 0; n--) { const zz = load<f64>(q), t = zz / ((load<f64>(p) - o) - tau); s += zz * t; r += t * t; p += 8; q += 8; }
  store<f64>(out, s); store<f64>(out, r, 8);
}

/** The step of the model with poles at distances gi, gj that matches w and its two derivatives; Newton if it goes uphill. */
// @ts-ignore: decorator
@inline function step(last: bool, gi: f64, gj: f64, w: f64, dw: f64, dpsi: f64, dphi: f64): f64 {
  let c = w - gi * dpsi - gj * dphi;
  if (last) c = abs(c);
  const a = (gi + gj) * w - gi * gj * dw, b = gi * gj * w, q = sqrt<f64>(abs(a * a - 4 * b * c));
  const eta = last ? (a >= 0 ? (a + q) / (2 * c) : 2 * b / (a - q)) : (a <= 0 ? (a - q) / (2 * c) : 2 * b / (a + q));
  return w * eta < 0 ? eta : -w / dw;
}

/**
 * Root i in (d_i, d_{i+1}) (last: (d_{k-1}, d_{k-1} + rho)); ||z|| = 1, k >= 2. row[j] = d_j - x_i to high relative
 * accuracy; returns x_i. Rational ("middle way") steps inside a shrinking bracket, bisection as the fall-back.
 */
export function secularRoot(k: i32, i: i32, d: usize, z: usize, rho: f64, row: usize, out: usize): f64 {
  const rinv = 1 / rho, last = i == k - 1, ip = last ? i - 1 : i, jp = ip + 1;  // the two poles used by the model
  const dI = load<f64>(d + sh(ip)), dJ = load<f64>(d + sh(jp)), zI = load<f64>(z + sh(ip)), zJ = load<f64>(z + sh(jp));
  const gap = dJ - dI, zi2 = zI * zI, zj2 = zJ * zJ;
let o = dI, lo: f64, hi: f64, tau: f64;
  if (last) {
    o = dJ; lo = 0; hi = rho * (1 + 4 * EPS); tau = 0.5 * rho;
  } else {
    const mid = 0.5 * gap;
    sums(0, i, d, z, dI, mid, out); let c = rinv + load<f64>(out);
    sums(i + 2, k, d, z, dI, mid, out); c += load<f64>(out);
    const w = c - zi2 / mid + zj2 / (gap - mid);
    if (w > 0) {
      lo = 0; hi = mid;
      const a = c * gap + zi2 + zj2, b = zi2 * gap, q = sqrt<f64>(abs(a * a - 4 * b * c));
      tau = a > 0 ? 2 * b / (a + q) : (a - q) / (2 * c);
    } else {
      o = dJ; lo = -mid; hi = 0;
      const a = c * gap - zi2 - zj2, b = zj2 * gap, q = sqrt<f64>(abs(a * a + 4 * b * c));
      tau = a < 0 ? 2 * b / (a - q) : -(a + q) / (2 * c);
    }
    if (!(tau > lo && tau < hi)) tau = 0.5 * (lo + hi);
  }
  let prev: f64 = Infinity;
  for (let it = 0; it < 400; it++) {
    sums(0, jp, d, z, o, tau, out); const psi = load<f64>(out), dpsi = load<f64>(out, 8);
    sums(jp, k, d, z, o, tau, out); const phi = load<f64>(out), dphi = load<f64>(out, 8);
    const w = rinv + psi + phi, dw = dpsi + dphi;
    if (abs(w) <= EPS * (8 * (abs(phi) + abs(psi)) + rinv + abs(tau) * dw)) break;
    if (w <= 0) lo = max(lo, tau); else hi = min(hi, tau);
    const t = step(last, (dI - o) - tau, (dJ - o) - tau, w, dw, dpsi, dphi);
    let next = tau + t;
    if (!(next > lo && next < hi) || (it > 8 && (it & 1) && abs(w) > 0.1 * prev)) next = 0.5 * (lo + hi);
    prev = abs(w);
    if (next == tau || !(next > lo && next < hi)) break;
    tau = next;
  }
  const oo = f64x2.splat(o), tt = f64x2.splat(tau);
  let j = 0;
  for (; j + 2 <= k; j += 2) v128.store(row + sh(j), f64x2.sub(f64x2.sub(v128.load(d + sh(j)), oo), tt));
  if (j < k) store<f64>(row + sh(j), (load<f64>(d + sh(j)) - o) - tau);
  return o + tau;
}
