// Hermite series of activations without a closed dual. With u = s z, z ~ N(0, 1) and orthonormal Hermite functions h_l:
//   a_0 = E phi(s z),  B_l = E[phi'(s z) h_l(z)] / sqrt(l + 1),
//   kappa = a_0 a_0 + k12 P(c),  kappa' = P(c) + c P'(c),  P(c) = sum_l B_l(k11) B_l(k22) c^l        (Mehler).
// The expectations are Gauss-Legendre sums over panels graded towards the kinks, where phi changes on the scale 1/s.
import { cos, exp } from './functions.js';
import type { ScalarFunction } from './scalar.js';

export interface HermiteSeries {
  /** P has this many terms. */
  readonly terms: number;
  readonly a0: Float64Array<ArrayBuffer>;
  /** B_l of every variance. */
  readonly b: readonly Float64Array<ArrayBuffer>[];
  readonly kappa: Float64Array<ArrayBuffer>;
  readonly slope: Float64Array<ArrayBuffer>;
  /** The share of E[phi^2] that the terms left out hold: a bound of the relative error at |c| = 1. */
  readonly error: number;
}

/** More terms than this do not pay: what is left lies at |c| ~ 1 only. */
const MOST_TERMS = 400;
/** Beyond, exp(-z^2/4) hides every Hermite function used. */
const REACH = 13;
const POINTS = 20;

let rule: { x: Float64Array; w: Float64Array } | null = null;

/** Nodes and weights on [-1, 1], by Newton's method on the Legendre recurrence. */
function gaussLegendre(): { x: Float64Array; w: Float64Array } {
  if (rule) return rule;
  const x = new Float64Array(POINTS);
  const w = new Float64Array(POINTS);
  for (let i = 0; i < POINTS; i++) {
    let z = -cos((Math.PI * (i + 0.75)) / (POINTS + 0.5));
    let derivative = 1;
    for (let step = 0; step < 12; step++) {
      let p = z;
      let before = 1;
      for (let j = 2; j <= POINTS; j++) [before, p] = [p, ((2 * j - 1) * z * p - (j - 1) * before) / j];
      derivative = (POINTS * (z * p - before)) / (z * z - 1);
      z -= p / derivative;
    }
    x[i] = z;
    w[i] = 2 / ((1 - z * z) * derivative * derivative);
  }
  return (rule = { x, w });
}

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

interface Samples {
  readonly z: Float64Array;
  /** Weights of the normal density, and phi, phi' at s z, times them. */
  readonly phi: Float64Array;
  readonly slope: Float64Array;
  readonly a0: number;
  readonly kappa: number;
  readonly slopeSquare: number;
}

function sample(fn: ScalarFunction, s: number): Samples {
  const { x, w } = gaussLegendre();
  const edges = borders(fn.kinks, s);
  const z = new Float64Array((edges.length - 1) * POINTS);
  const phi = new Float64Array(z.length);
  const slope = new Float64Array(z.length);
  let [a0, kappa, slopeSquare, next] = [0, 0, 0, 0];
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
    }
  }
  return { z, phi, slope, a0, kappa, slopeSquare };
}

/** B_l until the terms hold all of E[phi'^2] but `tolerance`. */
function coefficients({ z, slope, slopeSquare }: Samples, tolerance: number): number[] {
  const b: number[] = [];
  let low = new Float64Array(z.length);
  let high = new Float64Array(z.length).fill(1);
  let held = 0;
  let quiet = 0;
  for (let l = 0; l < MOST_TERMS; l++) {
    let sum = 0;
    const next = new Float64Array(z.length);
    const [root, rootNext] = [Math.sqrt(l), Math.sqrt(l + 1)];
    for (let i = 0; i < z.length; i++) {
      sum += slope[i]! * high[i]!;
      next[i] = (z[i]! * high[i]! - root * low[i]!) / rootNext;
    }
    low = high;
    high = next;
    b.push(sum / rootNext);
    held += sum * sum;
    quiet = sum * sum <= 0.1 * tolerance * slopeSquare ? quiet + 1 : 0;
    if (quiet >= 4 && slopeSquare - held <= tolerance * slopeSquare) break;
  }
  return b;
}

/** The series of `fn` at variances `k`; `tolerance` is the share of E[phi'^2] that may be left out. */
export function hermiteSeries(
  fn: ScalarFunction,
  k: Float64Array<ArrayBuffer>,
  tolerance: number,
): HermiteSeries {
  const done = new Map<number, { samples: Samples; b: number[] }>();
  const at = (variance: number): { samples: Samples; b: number[] } => {
    let found = done.get(variance);
    if (!found) {
      const samples = sample(fn, Math.sqrt(variance));
      found = { samples, b: coefficients(samples, tolerance) };
      done.set(variance, found);
    }
    return found;
  };
  const n = k.length;
  const [a0, kappa, slope] = [new Float64Array(n), new Float64Array(n), new Float64Array(n)];
  const all = Array.from(k, at);
  const terms = Math.max(1, ...all.map(({ b }) => b.length));
  const b = Array.from({ length: terms }, () => new Float64Array(n));
  let error = 0;
  for (let i = 0; i < n; i++) {
    const { samples, b: own } = all[i]!;
    a0[i] = samples.a0;
    kappa[i] = samples.kappa;
    slope[i] = samples.slopeSquare;
    let held = samples.a0 ** 2;
    for (let l = 0; l < own.length; l++) {
      b[l]![i] = own[l]!;
      held += k[i]! * own[l]! ** 2;
    }
    if (samples.kappa > 0) error = Math.max(error, (samples.kappa - held) / samples.kappa);
  }
  return { terms, a0, b, kappa, slope, error };
}
