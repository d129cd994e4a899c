// Nodes and weights of Gauss-Legendre quadrature, kept per number of points.
import { cos } from './elementary.js';

export interface QuadratureRule {
  readonly x: Float64Array;
  readonly w: Float64Array;
}

const rules = new Map<number, QuadratureRule>();

/** Nodes and weights on [-1, 1], by Newton's method on the Legendre recurrence. */
export function gaussLegendre(points: number): QuadratureRule {
  const known = rules.get(points);
  if (known) return known;
  const x = new Float64Array(points);
  const w = new Float64Array(points);
  for (let i = 0; i < points; i++) {
    let z = -cos((Math.PI * (i + 0.75)) / (points + 0.5));
    let derivative = 1;
    for (let step = 0; step < 12; step++) {
      let p = z;
      let before = 1;
      for (let j = 2; j <= points; j++) [before, p] = [p, ((2 * j - 1) * z * p - (j - 1) * before) / j];
      derivative = (points * (z * p - before)) / (z * z - 1);
      z -= p / derivative;
    }
    x[i] = z;
    w[i] = 2 / ((1 - z * z) * derivative * derivative);
  }
  const rule = { x, w };
  rules.set(points, rule);
  return rule;
}
