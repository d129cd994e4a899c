// The dual of phi(x) = gain x for x > 0, gain alpha (e^x - 1) for x < 0 (elu, selu) where |c| > NEAR: there a kink makes series
// slow. In polar coordinates the radial integrals are closed, R(q) = int r exp(-r^2/2 - q r) dr = 1 - q M(q) with Mills' ratio
// M(q) = sqrt(pi/2) erfcx(q/sqrt 2), and all that is left are integrals over arcs no longer than acos NEAR, of
//   E[e^u; u < 0 < v] = (1/2 pi) int_0^theta R(s1 sin a) da,   E[e^(u+v); u, v < 0] = (1/2 pi) int R(s1 sin a + s2 sin(b - a)) da,
// b = pi - theta. With S^2 = E(u + v)^2 the last argument is S sin: of a long arc the rest to a half turn is integrated, as
// E[e^(S z); z < 0] = M(S)/sqrt(2 pi). E[(e^u - 1); u < 0] v+ follows by Stein's identity.
// Where standard deviations are small, 1 - M(0) q is left out of R: in kappa it cancels.
import { acosPoly, almostOne } from './dual-parts';
import { at, next, rowSeries } from './dual-series';
import { erfcx_v } from './elementary';
import { highHalf, lowHalf } from './elementary-parts';
import { madd, nmadd } from './simd';

/** Series hold up to here. */
const NEAR: f64 = 0.9;
const ROOT: f64 = 1.2533141373155003; // M(0) = sqrt(pi/2)
const TURN: f64 = 0.15915494309189535; // 1/(2 pi)
const DENSITY: f64 = 0.3989422804014327; // 1/sqrt(2 pi)
/** Arcs are graded where q grows along them. */
const GRADE: f64 = 0.2;

/** Gauss-Legendre on [0, 1]: nodes, then weights / (2 pi). */
const RULE: usize = memory.data<f64>([
  0.019855071751231912, 0.10166676129318664, 0.2372337950418355, 0.4082826787521751,
  0.5917173212478248, 0.7627662049581645, 0.8983332387068134, 0.9801449282487681,
  0.008055510966285411, 0.01769652044157181, 0.024963981686122225, 0.028861458451968223,
  0.028861458451968223, 0.024963981686122225, 0.01769652044157181, 0.008055510966285411,
], 16);

// @ts-ignore: decorator
@inline function num(x: f64): v128 { return f64x2.splat(x); }
// @ts-ignore: decorator
@inline function square(x: v128): v128 { return f64x2.mul(x, x); }

/** (M(q) - M(0) + q) / q^2 for q <= 1.2, highest power first. */
const LOW: usize = memory.data<f64>([
  -3.6188746942756324e-09, 4.903014614711088e-08, -3.427836960892733e-07, 1.713813720357109e-06,
  -7.142806553326972e-06, 2.698358780616789e-05, -9.606597303110957e-05, 0.00032632180180301317,
  -0.0010581799831898913, 0.0032638337652932756, -0.009523808656091587, 0.026110711097487655,
  -0.06666666666014764, 0.1566642671642059, -0.3333333333333301, 0.6266570686577502,
], 16);

/** M(q); lanes of `small`, where q < 1/2: M(q) - M(0) + q. */
function mills(q: v128, small: v128): v128 {
  const low = f64x2.lt(q, num(1.2)), x = square(q);
  let r = num(0), y = num(0), z = num(0);
  if (v128.any_true(low)) {
    for (let i = LOW; i < LOW + 128; i += 16) {
      y = madd<f64>(y, x, v128.load64_splat(i)); z = madd<f64>(z, x, v128.load64_splat(i, 8));
    }
    y = f64x2.mul(x, madd<f64>(y, q, z));
    r = v128.bitselect(y, f64x2.add(y, f64x2.sub(num(ROOT), q)), small);
  }
  if (!i64x2.all_true(low))
    r = v128.bitselect(r, f64x2.mul(num(ROOT), erfcx_v(f64x2.mul(q, num(0.7071067811865476)))), low);
  return r;
}

/** (1/2 pi) int R(A sin a + B cos a) da over [0, asin end]; lanes of `small`: of R - 1 + M(0) q. */
function arc(A: v128, B: v128, end: v128, small: v128): v128 {
  const one = num(1), last = madd<f64>(A, end, f64x2.mul(B, f64x2.sqrt(f64x2.sub(one, square(end)))));
  const grade = f64x2.div(f64x2.mul(num(GRADE), f64x2.abs(f64x2.sub(last, B))), f64x2.add(one, B));
  let sum = num(0);
  for (let i: usize = RULE; i < RULE + 64; i += 8) {
    const x = v128.load64_splat(i), d = f64x2.div(one, madd<f64>(grade, f64x2.sub(one, x), one));
    const sin = f64x2.mul(end, f64x2.mul(x, d)), cos = f64x2.sqrt(f64x2.sub(one, square(sin)));
    const q = madd<f64>(A, sin, f64x2.mul(B, cos)), m = mills(q, small);
    const f = v128.bitselect(f64x2.mul(q, f64x2.sub(q, m)), nmadd<f64>(q, m, one), small);
    sum = madd<f64>(f64x2.mul(v128.load64_splat(i, 64), f), f64x2.div(square(d), cos), sum);
  }
  return f64x2.mul(sum, f64x2.mul(end, f64x2.add(one, grade)));
}

/** Puts K and T of the lanes of `close` (f64 masks), two f32 or f64 each: c correlations, T0 the tangents before. */
function putNear(f32s: bool, close: v128, k: usize, t: usize, c: v128, T0: v128, r1: v128, r2: v128, p: usize): void {
  const one = num(1), zero = num(0), turn = num(TURN), density = num(DENSITY), alpha = num(load<f64>(p, 40));
  const s1 = f64x2.div(one, r1), s2 = f64x2.div(one, r2), P = f64x2.mul(s1, s2);
  const raw = f64x2.abs(c), limit = num(f32s ? almostOne<f32>() : 1 - 2 * (1 - almostOne<f64>())); // r1 and r2 are of a series' table
  const size = v128.bitselect(one, raw, f64x2.ge(raw, limit)), negative = f64x2.lt(c, zero), small = f64x2.lt(f64x2.add(s1, s2), num(0.5));
  c = v128.bitselect(f64x2.neg(size), size, negative);
  const u = f64x2.sqrt(f64x2.sub(one, size)), v = f64x2.sqrt(f64x2.add(one, size)), sin = f64x2.mul(u, v);
  const e = f64x2.mul(f64x2.mul(u, acosPoly<f64>(v)), turn), rest = f64x2.sub(num(0.5), e);
  const both = v128.bitselect(e, rest, negative), other = f64x2.sub(num(0.5), both); // P(u, v < 0), P(u < 0 < v)
  const E1 = f64x2.mul(density, mills(s1, small)), E2 = f64x2.mul(density, mills(s2, small));
  let G1 = arc(s1, zero, sin, small), G2 = arc(s2, zero, sin, small);
  G1 = v128.bitselect(f64x2.sub(E1, G1), G1, negative); G2 = v128.bitselect(f64x2.sub(E2, G2), G2, negative);
  const S = f64x2.sqrt(madd<f64>(f64x2.mul(num(2), c), P, f64x2.add(square(s1), square(s2))));
  const high = f64x2.pmax(s1, s2), low = f64x2.pmin(s1, s2);
  let H = arc(
    v128.bitselect(nmadd<f64>(low, size, high), S, negative), v128.bitselect(f64x2.mul(low, sin), zero, negative),
    v128.bitselect(sin, f64x2.div(f64x2.mul(s2, sin), S), negative), small);
  const whole = f64x2.sub(f64x2.mul(density, mills(S, small)), f64x2.add(H, arc(S, zero, f64x2.div(f64x2.mul(s1, sin), S), small)));
  H = v128.bitselect(H, whole, negative);
  // E[(e^u - 1)(e^v - 1); u, v < 0]: linear parts cancel
  const gg = f64x2.add(f64x2.sub(f64x2.sub(H, f64x2.sub(E1, G1)), f64x2.sub(E2, G2)), v128.andnot(both, small));
  const linear = f64x2.mul(num(ROOT * TURN), f64x2.sub(one, c));
  G1 = f64x2.add(G1, v128.and(nmadd<f64>(linear, s1, other), small));
  G2 = f64x2.add(G2, v128.and(nmadd<f64>(linear, s2, other), small));
  H = f64x2.add(H, v128.and(nmadd<f64>(f64x2.mul(num(ROOT * TURN), f64x2.add(one, c)), f64x2.add(s1, s2), both), small));
  // E[e^(s sin z) - 1; z < 0] times the other standard deviation and density
  const x1 = f64x2.mul(s1, sin), x2 = f64x2.mul(s2, sin), root = num(ROOT);
  const m1 = f64x2.sub(mills(x1, small), v128.bitselect(x1, root, small)), m2 = f64x2.sub(mills(x2, small), v128.bitselect(x2, root, small));
  const cross = madd<f64>(f64x2.mul(c, P), f64x2.add(G1, G2), f64x2.mul(turn, madd<f64>(s2, m1, f64x2.mul(s1, m2))));
  const scale = num(load<f64>(p) * load<f64>(p, 48));
  let K = madd<f64>(P, madd<f64>(turn, sin, f64x2.mul(both, c)), f64x2.mul(alpha, madd<f64>(alpha, gg, cross)));
  let D = madd<f64>(alpha, madd<f64>(alpha, H, f64x2.add(G1, G2)), both);
  K = f64x2.mul(scale, K); D = f64x2.mul(scale, D);
  D = madd<f64>(D, T0, madd<f64>(num(load<f64>(p, 16)), K, num(load<f64>(p, 24))));
  K = f64x2.add(K, num(load<f64>(p, 8)));
  if (!f32s) {
    v128.store(k, v128.bitselect(K, v128.load(k), close)); v128.store(t, v128.bitselect(D, v128.load(t), close));
  } else {
    close = i32x4.shuffle(close, close, 0, 2, 0, 2);
    v128.store64_lane(k, v128.bitselect(f32x4.demote_f64x2_zero(K), v128.load64_zero(k), close), 0);
    v128.store64_lane(t, v128.bitselect(f32x4.demote_f64x2_zero(D), v128.load64_zero(t), close), 0);
  }
}

/** elu and selu: a series (tables of rowSeries) for |c| <= NEAR. Parameters: M, alpha, gain^2, ln tol. */
export function rowElu<T>(n: i32, k: usize, t: usize, o: usize, os: usize, inc: usize, w: usize, ws: usize, p: usize): void {
  const end = k + <usize>n * sizeof<T>(), near = v128.splat<T>(<T>NEAR), winc = next(os, inc, ws), scalar = os < 16;
  while (k < end) {
    let a = k, b = o, d = w, close = v128.splat<T>(0);
    do { // a run of entries far from 1 and -1
      close = v128.gt<T>(v128.abs<T>(v128.mul<T>(v128.mul<T>(v128.load(a), at<T>(scalar, b)), v128.load(d))), near);
      a += 16; b += inc; d += winc;
    } while (a < end && !v128.any_true(close));
    // and the vector that ended it
    const back = a - k - 16, S = v128.load(a - 16);
    v128.store(k + back, v128.andnot(S, close));
    const T0 = v128.load(t + back), r1 = at<T>(scalar, b - inc), r2 = v128.load(d - winc);
    rowSeries<T>(<i32>((a - k) / sizeof<T>()), k, t, o, os, inc, w, ws, p, 1, 1);
    k += back; t += back;
    if (v128.any_true(close)) {
      const c = v128.mul<T>(v128.mul<T>(S, r1), r2);
      if (sizeof<T>() == 8) putNear(false, close, k, t, c, T0, r1, r2, p);
      else {
        putNear(true, i32x4.shuffle(close, close, 0, 0, 1, 1), k, t, lowHalf(c), lowHalf(T0), lowHalf(r1), lowHalf(r2), p);
        putNear(true, i32x4.shuffle(close, close, 2, 2, 3, 3), k + 8, t + 8, highHalf(c), highHalf(T0), highHalf(r1), highHalf(r2), p);
      }
    }
    k += 16; t += 16; o = b; w = d;
  }
}
