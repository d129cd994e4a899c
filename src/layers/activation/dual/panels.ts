// Expectations over a normal variable as Gauss-Legendre sums, on panels graded towards the kinks of phi, where it changes on
// the scale 1/s.
import { exp } from '../../../math/elementary.js';
import { gaussLegendre } from '../../../math/quadrature.js';
import { NumericalError } from '../../../wasm/engine.js';
import type { ScalarFunction } from '../functions.js';

/** Beyond, exp(-z^2/4) hides every Hermite function used. */
const REACH = 13;
const POINTS = 20;

/** Panel borders in z for standard deviation s: at the kinks (and at 0), widths doubling from 1/(2s) to 1/2. */
function borders(kinks: readonly number[], s: number): number[] {
  const centres = [...new Set([0, ...kinks.map((x) => (s > 0 ? x / s : 0))])]
    .filter((z) => z > -REACH && z < REACH)
    .sort((a, b) => a - b);
  const all = new Set<number>([-REACH, REACH, ...centres]);
  const ends = [-REACH, ...centres, REACH];
  for (let i = 1; i < ends.length; i++) {
    const [left, right] = [ends[i - 1]!, ends[i]!];
    const middle = i === 1 ? left : i === ends.length - 1 ? right : (left + right) / 2;
    const first = Math.min(0.5, 0.5 / Math.max(s, 1e-300));
    if (i > 1) for (let z = left, h = first; z + h < middle; z += h, h = Math.min(0.5, 2 * h)) all.add(z + h);
    if (i < ends.length - 1)
      for (let z = right, h = first; z - h > middle; z -= h, h = Math.min(0.5, 2 * h)) all.add(z - h);
    all.add(middle);
  }
  return [...all].sort((a, b) => a - b);
}

/** phi(s z) at the nodes z of all panels, and its moments. */
export interface Samples {
  readonly z: Float64Array;
  /** Weights of the normal density, and phi, phi' at s z, times them. */
  readonly phi: Float64Array;
  readonly slope: Float64Array;
  readonly a0: number;
  readonly kappa: number;
  readonly slopeSquare: number;
  /** E[phi^2 (z^2 - 1)] and E[phi'^2 (z^2 - 1)]: 2k times the derivatives in the variance k. */
  readonly bends: readonly [number, number];
}

/** Samples of phi at standard deviation s. */
export function sample(fn: ScalarFunction, s: number): Samples {
  const edges = borders(fn.kinks, s);
  return sumPanels(fn, s, fn.name === undefined ? edges : refine(fn, s, edges));
}

/** More panels than this: phi jumps or oscillates beyond what a series can follow. */
const MOST_PANELS = 3000;

/** Splits panels whose halves do not sum to them in E phi^2 and E phi'^2: nothing is known of functions of users. */
function refine(fn: ScalarFunction, s: number, edges: readonly number[]): number[] {
  const whole = sumPanels(fn, s, edges);
  const [enough, enoughSlope] = [1e-13 * whole.kappa, 1e-11 * whole.slopeSquare];
  const left = edges.slice(1).map((edge, i): [number, number, Samples | null] => [edges[i]!, edge, null]);
  const done = [edges[0]!];
  while (left.length > 0) {
    const [from, to, known] = left.shift()!;
    const middle = (from + to) / 2;
    const one = known ?? sumPanels(fn, s, [from, to]);
    const halves = [sumPanels(fn, s, [from, middle]), sumPanels(fn, s, [middle, to])] as const;
    const change = Math.abs(one.kappa - halves[0].kappa - halves[1].kappa);
    const slopeChange = Math.abs(one.slopeSquare - halves[0].slopeSquare - halves[1].slopeSquare);
    if (change <= enough && slopeChange <= enoughSlope) done.push(to);
    else left.unshift([from, middle, halves[0]], [middle, to, halves[1]]);
    if (done.length + left.length > MOST_PANELS) {
      throw new NumericalError(
        `kernel: E[phi(u)^2] of elementwise '${fn.name}' at variance ${s * s} does not converge with ${MOST_PANELS} panels. Name its kinks, smooth it, or give kernelFunction.`,
      );
    }
  }
  return done;
}

function sumPanels(fn: ScalarFunction, s: number, edges: readonly number[]): Samples {
  const { x, w } = gaussLegendre(POINTS);
  const z = new Float64Array((edges.length - 1) * POINTS);
  const phi = new Float64Array(z.length);
  const slope = new Float64Array(z.length);
  let [a0, kappa, slopeSquare, next] = [0, 0, 0, 0];
  const bends: [number, number] = [0, 0];
  const norm = 1 / Math.sqrt(2 * Math.PI);
  for (let panel = 1; panel < edges.length; panel++) {
    const half = (edges[panel]! - edges[panel - 1]!) / 2;
    const middle = (edges[panel]! + edges[panel - 1]!) / 2;
    for (let i = 0; i < POINTS; i++, next++) {
      const at = middle + half * x[i]!;
      const weight = w[i]! * half * norm * exp((-at * at) / 2);
      const [f, d] = [fn.value(s * at), fn.slope(s * at)];
      z[next] = at;
      phi[next] = weight * f;
      slope[next] = weight * d;
      a0 += weight * f;
      kappa += weight * f * f;
      slopeSquare += weight * d * d;
      bends[0] += weight * f * f * (at * at - 1);
      bends[1] += weight * d * d * (at * at - 1);
    }
  }
  return { z, phi, slope, a0, kappa, slopeSquare, bends };
}
