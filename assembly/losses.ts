// Losses of outputs f (rows, c) and their gradients, one sweep. All arithmetic in f64, whatever the dtype of f; sums in ascending order.
import { read, write } from './either';
import { exponential_s, log1p_s, log_s } from './elementary';

const MSE: i32 = 0, LOGISTIC: i32 = 1;

// @ts-ignore: decorator
@inline function get(single: bool, p: usize, i: i32): f64 { return read(single, p + (<usize>i << (single ? 2 : 3))); }
// @ts-ignore: decorator
@inline function put(single: bool, p: usize, i: i32, x: f64): void { write(single, p + (<usize>i << (single ? 2 : 3)), x); }

function evaluate(single: bool, kind: i32, rows: i32, c: i32, scale: f64, f: usize, y: usize, g: usize): f64 {
  let total: f64 = 0;
  for (let at = 0, end = rows * c; at < end; at += c) {
    let most: f64 = 0, sum: f64 = 0, weight: f64 = 0;
    if (kind > LOGISTIC) {
      most = get(single, f, at);
      for (let i = at; i < at + c; i++) { most = max<f64>(most, get(single, f, i)); weight += load<f64>(y + (<usize>i << 3)); }
      for (let i = at; i < at + c; i++) sum += exponential_s(get(single, f, i) - most);
    }
    const logSum = kind > LOGISTIC ? log_s<f64>(sum) : 0;
    for (let i = at; i < at + c; i++) {
      const x = get(single, f, i), t = load<f64>(y + (<usize>i << 3));
      let d: f64;
      if (kind == MSE) { d = x - t; total += 0.5 * d * d; }
      else if (kind == LOGISTIC) {
        const e = exponential_s(-abs<f64>(x));
        total += max<f64>(x, 0) + log1p_s<f64>(e) - t * x;
        d = (x >= 0 ? 1 / (1 + e) : e / (1 + e)) - t;
      } else {
        total -= t * (x - most - logSum);
        d = weight * exponential_s(x - most) / sum - t;
      }
      put(single, g, i, d * scale);
    }
  }
  return total * scale;
}

/**
 * Returns scale times the loss of f (rows, c) f32 against y (rows, c) f64, and g = its gradient, f32 (may be f). kind 0: sum (f - y)^2 / 2;
 * 1, logistic: sum log(1 + e^f) - y f; 2, cross-entropy: -sum y_k log softmax(f)_k. NaN in f gives NaN. Two exponentials per entry at most.
 */
export function loss_f32(kind: i32, rows: i32, c: i32, scale: f64, f: usize, y: usize, g: usize): f64 { return evaluate(true, kind, rows, c, scale, f, y, g); }
/** As loss_f32, in f64. */
export function loss_f64(kind: i32, rows: i32, c: i32, scale: f64, f: usize, y: usize, g: usize): f64 { return evaluate(false, kind, rows, c, scale, f, y, g); }
