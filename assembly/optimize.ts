// Parameter updates of optimisers that divide by a running root mean square or take signs. Others are linear: rows.ts.
import { loadPart, storePart } from './part';
import { lanes, madd } from './simd';

function rmsprop<T>(n: i32, rate: T, decay: T, eps: T, g: usize, s: usize, p: usize): void {
  const keep = v128.splat<T>(decay), add = v128.splat<T>(<T>1 - decay), e = v128.splat<T>(eps), r = v128.splat<T>(rate);
  for (; n > 0; n -= lanes<T>(), g += 16, s += 16, p += 16) {
    const x = loadPart<T>(g, n), m = v128.add<T>(v128.mul<T>(keep, loadPart<T>(s, n)), v128.mul<T>(add, v128.mul<T>(x, x)));
    storePart<T>(s, m, n);
    storePart<T>(p, v128.sub<T>(loadPart<T>(p, n), v128.div<T>(v128.mul<T>(r, x), v128.add<T>(v128.sqrt<T>(m), e))), n);
  }
}

function adam<T>(n: i32, rate: T, b1: T, b2: T, c1: T, c2: T, eps: T, g: usize, m: usize, v: usize, p: usize): void {
  const k1 = v128.splat<T>(b1), k2 = v128.splat<T>(b2), a1 = v128.splat<T>(<T>1 - b1), a2 = v128.splat<T>(<T>1 - b2);
  const s1 = v128.splat<T>(rate * c1), s2 = v128.splat<T>(c2), e = v128.splat<T>(eps);
  for (; n > 0; n -= lanes<T>(), g += 16, m += 16, v += 16, p += 16) {
    const x = loadPart<T>(g, n);
    const mean = madd<T>(k1, loadPart<T>(m, n), v128.mul<T>(a1, x)), square = madd<T>(k2, loadPart<T>(v, n), v128.mul<T>(a2, v128.mul<T>(x, x)));
    storePart<T>(m, mean, n); storePart<T>(v, square, n);
    const root = v128.add<T>(v128.sqrt<T>(v128.mul<T>(s2, square)), e);
    storePart<T>(p, v128.sub<T>(loadPart<T>(p, n), v128.div<T>(v128.mul<T>(s1, mean), root)), n);
  }
}

function lion<T>(n: i32, rate: T, b1: T, b2: T, g: usize, m: usize, p: usize): void {
  const k1 = v128.splat<T>(b1), k2 = v128.splat<T>(b2), a1 = v128.splat<T>(<T>1 - b1), a2 = v128.splat<T>(<T>1 - b2);
  const r = v128.splat<T>(rate), zero = v128.splat<T>(<T>0);
  for (; n > 0; n -= lanes<T>(), g += 16, m += 16, p += 16) {
    const x = loadPart<T>(g, n), mean = loadPart<T>(m, n), c = v128.add<T>(v128.mul<T>(k1, mean), v128.mul<T>(a1, x));
    const step = v128.sub<T>(v128.and(r, v128.gt<T>(c, zero)), v128.and(r, v128.lt<T>(c, zero)));
    storePart<T>(m, v128.add<T>(v128.mul<T>(k2, mean), v128.mul<T>(a2, x)), n);
    storePart<T>(p, v128.sub<T>(loadPart<T>(p, n), step), n);
  }
}

/** s = decay s + (1 - decay) g^2; p -= rate g/(sqrt(s) + eps). g, s, p f32[n]. */
export function rmsprop_f32(n: i32, rate: f32, decay: f32, eps: f32, g: usize, s: usize, p: usize): void { rmsprop<f32>(n, rate, decay, eps, g, s, p); }
/** As rmsprop_f32, in f64. */
export function rmsprop_f64(n: i32, rate: f64, decay: f64, eps: f64, g: usize, s: usize, p: usize): void { rmsprop<f64>(n, rate, decay, eps, g, s, p); }
/**
 * Adam (Kingma & Ba 2015): m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; p -= rate c1 m/(sqrt(c2 v) + eps) with the
 * bias corrections c1 = 1/(1 - b1^t), c2 = 1/(1 - b2^t). g, m, v, p f32[n].
 */
export function adam_f32(n: i32, rate: f32, b1: f32, b2: f32, c1: f32, c2: f32, eps: f32, g: usize, m: usize, v: usize, p: usize): void { adam<f32>(n, rate, b1, b2, c1, c2, eps, g, m, v, p); }
/** As adam_f32, in f64. */
export function adam_f64(n: i32, rate: f64, b1: f64, b2: f64, c1: f64, c2: f64, eps: f64, g: usize, m: usize, v: usize, p: usize): void { adam<f64>(n, rate, b1, b2, c1, c2, eps, g, m, v, p); }
/** Lion (arXiv:2302.06675): p -= rate sign(b1 m + (1 - b1) g); m = b2 m + (1 - b2) g. g, m, p f32[n]. */
export function lion_f32(n: i32, rate: f32, b1: f32, b2: f32, g: usize, m: usize, p: usize): void { lion<f32>(n, rate, b1, b2, g, m, p); }
/** As lion_f32, in f64. */
export function lion_f64(n: i32, rate: f64, b1: f64, b2: f64, g: usize, m: usize, p: usize): void { lion<f64>(n, rate, b1, b2, g, m, p); }
