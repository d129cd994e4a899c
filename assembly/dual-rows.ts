// Duals of activations with a closed form, one row of entries at a time: kappa = E[phi(u) phi(v)] and its derivative
// kappa' = E[phi'(u) phi'(v)] for (u, v) ~ N(0, [[k11, k12], [k12, k22]]), fused with the affine layer that follows:
//   K <- alpha kappa + beta,   T <- alpha kappa' T + g alpha kappa + d.
import { rowAbRelu, rowErf, rowGelu, rowSign } from './dual-angles';
import { rowElu } from './dual-elu';
import { rowRare } from './dual-rare';
import { rowSeries } from './dual-series';

/** One row of n entries (a multiple of 16 bytes) through activation `kind` and the affine layer after it. */
export function mapRow<T>(kind: i32, n: i32, k: usize, t: usize, o: usize, os: usize, inc: usize, w: usize, ws: usize, p: usize): void {
  switch (kind) {
    case 1: return rowAbRelu<T>(n, k, t, o, os, inc, w, ws, p);
    case 2: return rowSign<T>(n, k, t, o, inc, w, p);
    case 3: return rowErf<T>(n, k, t, o, os, inc, w, ws, p);
    case 4: return rowGelu<T>(n, k, t, o, os, inc, w, ws, p);
    case 11: return rowSeries<T>(n, k, t, o, os, inc, w, ws, p, load<f64>(p, 40), load<f64>(p, 48));
    case 12: return rowElu<T>(n, k, t, o, os, inc, w, ws, p);
    default: return rowRare(sizeof<T>() == 4, kind, n, k, t, o, os, inc, w, ws, p);
  }
}
