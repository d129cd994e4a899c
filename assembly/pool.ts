// Linear maps between positions that leave channels alone: pools, global pools, resizing, indexing, concatenation along
// space and their transposes are all one sparse matrix in compressed rows.
import { lanes, madd } from './simd';

function mapPositions<T>(samples: i32, out: i32, c: i32, x: usize, xStep: i32, starts: usize, columns: usize, weights: usize, beta: T, y: usize, yStep: i32): void {
  const row = <usize>c * sizeof<T>();
  for (let s = 0; s < samples; s++) {
    for (let p = 0; p < out; p++) {
      const first = load<i32>(starts + (<usize>p << 2)), last = load<i32>(starts + (<usize>p << 2), 4);
      const dst = y + <usize>p * row;
      let i: usize = 0;
      for (; i + 16 <= row; i += 16) {
        let sum = beta == 0 ? v128.splat<T>(<T>0) : v128.mul<T>(v128.splat<T>(beta), v128.load(dst + i));
        for (let e = first; e < last; e++) {
          sum = madd<T>(v128.load_splat<T>(weights + <usize>e * sizeof<T>()), v128.load(x + <usize>load<i32>(columns + (<usize>e << 2)) * row + i), sum);
        }
        v128.store(dst + i, sum);
      }
      for (; i < row; i += sizeof<T>()) {
        let sum: T = beta == 0 ? <T>0 : beta * load<T>(dst + i);
        for (let e = first; e < last; e++) sum += load<T>(weights + <usize>e * sizeof<T>()) * load<T>(x + <usize>load<i32>(columns + (<usize>e << 2)) * row + i);
        store<T>(dst + i, sum);
      }
    }
    x += <usize>xStep * sizeof<T>(); y += <usize>yStep * sizeof<T>();
  }
}

/**
 * y[s, p, :] = beta y[s, p, :] + sum over e in starts[p] .. starts[p+1]-1 of weights[e] x[s, columns[e], :], p < out.
 * x, y f32 with c channels, samples xStep, yStep elements apart; starts i32[out + 1], columns i32, weights f32. beta = 0
 * does not read y. y may not alias x.
 */
export function poolMap_f32(samples: i32, out: i32, c: i32, x: usize, xStep: i32, starts: usize, columns: usize, weights: usize, beta: f32, y: usize, yStep: i32): void { mapPositions<f32>(samples, out, c, x, xStep, starts, columns, weights, beta, y, yStep); }
/** As poolMap_f32, in f64. */
export function poolMap_f64(samples: i32, out: i32, c: i32, x: usize, xStep: i32, starts: usize, columns: usize, weights: usize, beta: f64, y: usize, yStep: i32): void { mapPositions<f64>(samples, out, c, x, xStep, starts, columns, weights, beta, y, yStep); }
