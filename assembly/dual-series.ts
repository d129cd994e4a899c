// Rows of duals by series in the correlation: Hermite series of any activation, polynomials. See dual-rows.ts.
import { num, par, put } from './dual-parts';
import { madd } from './simd';

// Up to |c| = 0.1, 0.2, .. 0.9 a series needs ln tol / ln |c| powers of c: the rest is below tol, as the sum of (l+1) B_l^2 is
// E[phi'^2]. Here 1 / ln |c|.
const LEVELS: usize = memory.data<f64>([
  -0.43429448190325187, -0.6213349345596119, -0.8305835450825374, -1.0913566679372915, -1.4426950408889634,
  -1.9576151889712183, -2.8036732520571297, -4.481420117724551, -9.491221581029905,
], 16);

/**
 * kappa = f f + k12 P(c), kappa' = P(c) + c P'(c), P(c) = B_0 B_0 + c^p Q(c^s), Q(y) = sum_m q_m q_m y^m, c = k12 r r: Hermite
 * series and polynomials. Tables: r, f = E phi, B_0, q_0 .. q_(M-1). Parameters: M, p = power, s = step, ln tol (0: always all terms). An
 * entry takes as many terms as its own |c| asks for: lanes that need fewer join later, so bits do not depend on neighbours. ws = 16:
 * the tables of one variable lie together, and inc is from one variable of side one to the next; os < 16: side one has scalars.
 */
export function rowSeries<T>(n: i32, k: usize, t: usize, o: usize, os: usize, inc: usize, w: usize, ws: usize, p: usize, power: f64, step: f64): void {
  const inverse = 1 / step, winc = next(os, inc, ws), scalar = os < 16;
  const all = <i32>load<f64>(p, 32), logTol = load<f64>(p, 56);
  const al = par<T>(p, 0), beta = par<T>(p, 1), g = par<T>(p, 2), d = par<T>(p, 3), zero = num<T>(0);
  const first = num<T>(1 + power), each = num<T>(step), square = step == 2, even = power == 2;
  const end = k + <usize>n * sizeof<T>();
  do {
    const S = v128.load(k), c = v128.mul<T>(v128.mul<T>(S, at<T>(scalar, o)), v128.load(w)), size = v128.abs<T>(c);
    const y = square ? v128.mul<T>(c, c) : c;
    let Q = zero, dQ = zero, level = 9, m = all;
    if (logTol != 0) {
      level = 0;
      while (level < 9 && v128.any_true(v128.gt<T>(size, num<T>(0.1 * <f64>(level + 1))))) level++;
      m = terms(level, all, logTol, power, inverse);
    }
    let po = o + os * <usize>(m + 2), pw = w + ws * <usize>(m + 2);
    while (true) {
      const stop = logTol != 0 && level > 0 ? terms(level - 1, all, logTol, power, inverse) : 0;
      if (scalar) for (; m > stop; m--) {
        dQ = madd<T>(dQ, y, Q);
        Q = madd<T>(Q, y, v128.mul<T>(v128.load_splat<T>(po), v128.load(pw)));
        po -= os; pw -= ws;
      } else for (; m > stop; m--) {
        dQ = madd<T>(dQ, y, Q);
        Q = madd<T>(Q, y, v128.mul<T>(v128.load(po), v128.load(pw)));
        po -= os; pw -= ws;
      }
      if (m == 0) break;
      level--;
      const going = v128.gt<T>(size, num<T>(0.1 * <f64>(level + 1)));
      Q = v128.and(Q, going); dQ = v128.and(dQ, going);
    }
    const f = even ? y : c, b = v128.mul<T>(at<T>(scalar, po), v128.load(pw)), P = madd<T>(f, Q, b);
    const K = v128.mul<T>(al, madd<T>(S, P, v128.mul<T>(at<T>(scalar, po - os), v128.load(pw - ws))));
    const D = v128.mul<T>(al, madd<T>(f, madd<T>(v128.mul<T>(each, y), dQ, v128.mul<T>(first, Q)), b));
    put<T>(k, t, K, D, beta, g, d);
    k += 16; t += 16; o += inc; w += winc;
  } while (k < end);
}
// @ts-ignore: decorator
@inline export function at<T>(scalar: bool, p: usize): v128 { return scalar ? v128.load_splat<T>(p) : v128.load(p); }
/** From one variable of side two to the next. */
// @ts-ignore: decorator
@inline export function next(os: usize, inc: usize, ws: usize): usize { return ws == 16 ? inc / os * 16 : 16; }
/** Terms of Q that level `level` needs; level 9: all. */
// @ts-ignore: decorator
@inline function terms(level: i32, all: i32, logTol: f64, power: f64, inverse: f64): i32 {
  return level > 8 ? all : min(all, max(1, <i32>((logTol * load<f64>(LEVELS + <usize>level * 8) - power) * inverse) + 1));
}
