// The upper tail of the chi-squared distribution, by the incomplete gamma function (Abramowitz & Stegun 6.5.29, 6.5.31).
import { exp, lgamma, log } from './elementary.js';

const STEPS = 10_000;

/** P(X > x) for a chi-squared X with `freedom` degrees of freedom, x >= 0. */
export function chiSquareTail(x: number, freedom: number): number {
  const [a, z] = [freedom / 2, x / 2];
  if (!(z > 0)) return 1;
  const front = exp(Math.max(-745, a * log(z) - z - lgamma(a)));
  if (z < a + 1) {
    let [term, sum] = [1 / a, 1 / a];
    for (let k = 1; k < STEPS && term > 1e-17 * sum; k++) sum += term *= z / (a + k);
    return Math.max(0, 1 - front * sum);
  }
  // Lentz's continued fraction
  let [b, c] = [z + 1 - a, 1e300];
  let d = 1 / b;
  let fraction = d;
  for (let k = 1; k < STEPS; k++) {
    const an = -k * (k - a);
    b += 2;
    d = 1 / (an * d + b);
    c = b + an / c;
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-16) break;
  }
  return front * fraction;
}
