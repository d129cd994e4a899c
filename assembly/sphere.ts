// Kernels of a whole dense net on inputs of one norm: functions of c = cos(x, x') alone, given as Chebyshev series in
// u = sqrt(1 - |c|), one for c >= 0 and one for c < 0, because kernels have square roots at c = +-1 and are smooth in u.
import { almostOne } from './dual-parts';
import { madd } from './simd';

function map<T>(rows: i32, n: i32, k: usize, ld: i32, t: usize, tRow: i32, scale: f64, terms: i32, series: usize): void {
  const width = <usize>((n + 3) & ~3) * sizeof<T>(), last = series + <usize>(terms - 1) * 64;
  const one = v128.splat<T>(<T>1), four = v128.splat<T>(<T>4), two = v128.splat<T>(<T>2), s = v128.splat<T>(<T>scale), zero = v128.splat<T>(<T>0), half = v128.splat<T>(<T>0.5), limit = v128.splat<T>(<T>almostOne<T>());
  for (let i = 0; i < rows; i++) {
    for (let j: usize = 0; j < width; j += 16) {
      const c = v128.mul<T>(s, v128.load(k + j)), low = v128.lt<T>(c, zero), size = v128.abs<T>(c);
      const y = v128.sub<T>(v128.mul<T>(four, v128.sqrt<T>(v128.sub<T>(one, v128.bitselect(one, size, v128.ge<T>(size, limit))))), two);
      let a = zero, a1 = zero, b = zero, b1 = zero;
      for (let p = last; p >= series; p -= 64) { // Clenshaw: K on lanes of c >= 0 and c < 0, then T
        const x = v128.add<T>(v128.load(p), v128.and(v128.load(p, 16), low)), z = v128.add<T>(v128.load(p, 32), v128.and(v128.load(p, 48), low));
        const a0 = madd<T>(y, a, v128.sub<T>(x, a1)), b0 = madd<T>(y, b, v128.sub<T>(z, b1));
        a1 = a; a = a0; b1 = b; b = b0;
      }
      const h = v128.mul<T>(half, y); // the sum is b_0 - y/2 b_1
      v128.store(k + j, v128.sub<T>(a, v128.mul<T>(h, a1))); v128.store(t + j, v128.sub<T>(b, v128.mul<T>(h, b1)));
    }
    k += <usize>ld * sizeof<T>(); t += <usize>tRow * sizeof<T>();
  }
}

/**
 * `rows` rows of `n` entries k = x x'^T / channels (row stride ld elements, whole vectors) to the kernels K, in place, and T (row
 * stride tRow; 0: not wanted, one row of scratch). scale: 1 over the mean square of every input. series: per term 4 vectors of T, the
 * coefficient of K at c >= 0 and what it changes by at c < 0, then of T. 10 operations per vector and term.
 */
export function sphereMap_f32(rows: i32, n: i32, k: usize, ld: i32, t: usize, tRow: i32, scale: f64, terms: i32, series: usize): void {
  map<f32>(rows, n, k, ld, t, tRow, scale, terms, series);
}
/** As sphereMap_f32, in f64. */
export function sphereMap_f64(rows: i32, n: i32, k: usize, ld: i32, t: usize, tRow: i32, scale: f64, terms: i32, series: usize): void {
  map<f64>(rows, n, k, ld, t, tRow, scale, terms, series);
}
