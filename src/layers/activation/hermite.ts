// Hermite series of activations without a closed dual. With u = s z, z ~ N(0, 1) and orthonormal Hermite functions h_l:
//   a_0 = E phi(s z),  B_l = E[phi'(s z) h_l(z)] / sqrt(l + 1),
//   kappa = a_0 a_0 + k12 P(c),  kappa' = P(c) + c P'(c),  P(c) = sum_l B_l(k11) B_l(k22) c^l        (Mehler).
// The expectations are Gauss-Legendre sums over panels graded towards the kinks, where phi changes on the scale 1/s.
import { cos, exp, log, sin } from '../../math/elementary.js';
import { NumericalError } from '../../wasm/engine.js';
import type { ScalarFunction } from './scalar.js';

export interface HermiteSeries {
  /** P has this many terms; `b` has two more, for derivatives. */
  readonly terms: number;
  readonly a0: Float64Array<ArrayBuffer>;
  /** B_l of every variance. */
  readonly b: readonly Float64Array<ArrayBuffer>[];
  readonly kappa: Float64Array<ArrayBuffer>;
  readonly slope: Float64Array<ArrayBuffer>;
  /** d kappa / dk and d slope / dk. */
  readonly kappaRate: Float64Array<ArrayBuffer>;
  readonly slopeRate: Float64Array<ArrayBuffer>;
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
  /** E[phi^2 (z^2 - 1)] and E[phi'^2 (z^2 - 1)]: 2k times the derivatives in the variance k. */
  readonly bends: readonly [number, number];
}

function sample(fn: ScalarFunction, s: number): Samples {
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
  const { x, w } = gaussLegendre();
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

interface Term {
  readonly a0: number;
  readonly kappa: number;
  readonly slope: number;
  readonly kappaRate: number;
  readonly slopeRate: number;
  /** The terms, and EXTRA more. */
  readonly b: Float64Array;
}

/** Derivatives in the variance move the index by so much. */
const EXTRA = 2;

/** B_l until the terms hold all of E[phi'^2] but `tolerance`, or exactly `length` of them; and EXTRA more. */
function termsAt(
  fn: ScalarFunction,
  variance: number,
  stop: { tolerance: number } | { length: number },
): Term {
  const { z, slope, slopeSquare, a0, kappa, bends } = sample(fn, Math.sqrt(variance));
  let most = ('length' in stop ? stop.length : MOST_TERMS) + EXTRA;
  const b: number[] = [];
  let low = new Float64Array(z.length);
  let high = new Float64Array(z.length).fill(1);
  let [held, quiet] = [0, 0];
  for (let l = 0; l < most; l++) {
    let sum = 0;
    const [root, rootNext] = [Math.sqrt(l), Math.sqrt(l + 1)];
    for (let i = 0; i < z.length; i++) {
      const h = high[i]!;
      sum += slope[i]! * h;
      low[i] = (z[i]! * h - root * low[i]!) / rootNext;
    }
    [low, high] = [high, low];
    b.push(sum / rootNext);
    if ('length' in stop || most < MOST_TERMS) continue;
    held += sum * sum;
    quiet = sum * sum <= 0.1 * stop.tolerance * slopeSquare ? quiet + 1 : 0;
    if (quiet >= 4 && slopeSquare - held <= stop.tolerance * slopeSquare)
      most = Math.min(most, l + 1 + EXTRA);
  }
  if (fn.name !== undefined && !('length' in stop))
    checkParseval(fn.name, variance, { kappa: kappa - a0 * a0, slope: slopeSquare, b: b.slice(0, -EXTRA) });
  const [kappaRate, slopeRate] = bends.map((bend) => (variance > 0 ? bend / (2 * variance) : 0)) as [
    number,
    number,
  ];
  return { a0, kappa, slope: slopeSquare, kappaRate, slopeRate, b: Float64Array.from(b) };
}

/**
 * What the terms leave out of E[phi^2] is at most k / (L + 1) times what they leave out of E[phi'^2], if phi is the integral
 * of phi'; and must be small.
 */
function checkParseval(
  name: string,
  k: number,
  { kappa, slope, b }: { kappa: number; slope: number; b: readonly number[] },
): void {
  const value = kappa - b.reduce((sum, term) => sum + k * term * term, 0);
  const rest = slope - b.reduce((sum, term, l) => sum + (l + 1) * term * term, 0);
  const scale = Math.max(kappa, k * slope);
  if (Math.abs(value) > (k * Math.max(0, rest)) / (b.length + 1) + 1e-9 * scale) {
    throw new NumericalError(
      `kernel: elementwise '${name}' is not the integral of its derivative: at variance ${k} they differ by ${value} in E[phi(u)^2]. Correct derivative, name the kinks; functions that jump need kernelFunction.`,
    );
  }
  if (value > WORST * scale) {
    throw new NumericalError(
      `kernel: ${b.length} Hermite terms of elementwise '${name}' at variance ${k} leave a relative error of ${(value / scale).toExponential(1)}. Scale its input down, or give kernelFunction.`,
    );
  }
}

/** Estimated relative errors above this are refused. */
const WORST = 1e-3;

/** More distinct variances than this are interpolated. */
const FEW = 24;

/** The series of `fn` at variances `k`; `tolerance` is the share of E[phi'^2] that may be left out. */
export function hermiteSeries(
  fn: ScalarFunction,
  k: Float64Array<ArrayBuffer>,
  tolerance: number,
): HermiteSeries {
  const distinct = new Set(k);
  const cache = intervalsOf(fn, tolerance);
  const all = new Map<number, Term>();
  for (const variance of distinct) {
    const direct = distinct.size <= FEW || !(variance > 0);
    all.set(variance, direct ? remembered(fn, variance, tolerance) : interpolate(cache, variance));
  }
  const n = k.length;
  const [a0, kappa, slope, kappaRate, slopeRate] = Array.from({ length: 5 }, () => new Float64Array(n));
  const result = {
    a0: a0!,
    kappa: kappa!,
    slope: slope!,
    kappaRate: kappaRate!,
    slopeRate: slopeRate!,
  };
  const length = Math.max(...Array.from(all.values(), ({ b }) => b.length));
  const terms = length - EXTRA;
  const b = Array.from({ length }, () => new Float64Array(n));
  let error = 0;
  for (let i = 0; i < n; i++) {
    const term = all.get(k[i]!)!;
    result.a0[i] = term.a0;
    result.kappa[i] = term.kappa;
    result.slope[i] = term.slope;
    result.kappaRate[i] = term.kappaRate;
    result.slopeRate[i] = term.slopeRate;
    let held = term.a0 ** 2;
    for (let l = 0; l < term.b.length; l++) {
      b[l]![i] = term.b[l]!;
      if (l < term.b.length - EXTRA) held += k[i]! * term.b[l]! ** 2;
    }
    if (term.kappa > 0) error = Math.max(error, (term.kappa - held) / term.kappa);
  }
  return { terms, ...result, b, error };
}

const recent = new WeakMap<ScalarFunction, Map<string, Term>>();
const MOST_RECENT = 32;

/** Terms at a variance; both sides of a call, and its tiles, ask for the same few. */
function remembered(fn: ScalarFunction, variance: number, tolerance: number): Term {
  let terms = recent.get(fn);
  if (!terms) recent.set(fn, (terms = new Map()));
  const key = `${variance} ${tolerance}`;
  let term = terms.get(key);
  if (!term) {
    term = termsAt(fn, variance, { tolerance });
    if (terms.size >= MOST_RECENT) terms.delete(terms.keys().next().value!);
    terms.set(key, term);
  }
  return term;
}

/** P(c) = B_0^2 + c^power Q(c^step): of even or odd phi', up to a constant, every other term is zero. */
export interface Parity {
  readonly power: 1 | 2;
  readonly step: 1 | 2;
}

const parities = new WeakMap<ScalarFunction, Parity>();

/** From the terms at two variances, so that it is a property of the function alone. */
export function parityOf(fn: ScalarFunction): Parity {
  let parity = parities.get(fn);
  if (parity) return parity;
  const terms = [1, 16].map((variance) => termsAt(fn, variance, { length: 60 }).b);
  const vanish = (odd: number): boolean =>
    terms.every((b) => {
      const most = 1e-15 * Math.max(...b.map(Math.abs));
      return b.every((value, l) => l === 0 || l % 2 !== odd || Math.abs(value) <= most);
    });
  if (vanish(1)) parity = { power: 2, step: 2 };
  else parity = { power: 1, step: vanish(0) ? 2 : 1 };
  parities.set(fn, parity);
  return parity;
}

// The terms are analytic in log k. Each interval of length (ln 2)/2 has a Chebyshev table, made when first needed.
const NODES = 14;
const WIDTH = 0.34657359027997264;
const chebyshev = Array.from({ length: NODES }, (_, j) => cos((Math.PI * (j + 0.5)) / NODES));
const signs = Array.from(chebyshev, (_, j) => (j % 2 ? -1 : 1) * sin((Math.PI * (j + 0.5)) / NODES));

interface Intervals {
  readonly fn: ScalarFunction;
  readonly tolerance: number;
  /** Node-major rows a0, kappa, slope, kappaRate, slopeRate, B_0, B_1, ... */
  readonly tables: Map<number, readonly Float64Array[]>;
}

const caches = new WeakMap<ScalarFunction, Map<number, Intervals>>();

function intervalsOf(fn: ScalarFunction, tolerance: number): Intervals {
  let byTolerance = caches.get(fn);
  if (!byTolerance) caches.set(fn, (byTolerance = new Map()));
  let found = byTolerance.get(tolerance);
  if (!found) byTolerance.set(tolerance, (found = { fn, tolerance, tables: new Map() }));
  return found;
}

function tableOf({ fn, tolerance, tables }: Intervals, interval: number): readonly Float64Array[] {
  let table = tables.get(interval);
  if (table) return table;
  const at = (z: number): number => exp((interval + 0.5 + z / 2) * WIDTH);
  const ends = [-1, 1].map((z) => termsAt(fn, at(z), { tolerance }).b.length - EXTRA);
  const length = Math.max(...ends);
  table = chebyshev.map((z) => {
    const { a0, kappa, slope, kappaRate, slopeRate, b } = termsAt(fn, at(z), { length });
    return Float64Array.of(a0, kappa, slope, kappaRate, slopeRate, ...b);
  });
  tables.set(interval, table);
  return table;
}

/** Barycentric interpolation in log k. */
function interpolate(intervals: Intervals, variance: number): Term {
  const place = log(variance) / WIDTH;
  const interval = Math.floor(place);
  const table = tableOf(intervals, interval);
  const x = 2 * (place - interval) - 1;
  const sum = new Float64Array(table[0]!.length);
  let total = 0;
  for (let j = 0; j < NODES; j++) {
    const distance = x - chebyshev[j]!;
    const w = signs[j]! / (Math.abs(distance) < 1e-15 ? 1e-15 : distance);
    total += w;
    const row = table[j]!;
    for (let l = 0; l < sum.length; l++) sum[l] = sum[l]! + w * row[l]!;
  }
  for (let l = 0; l < sum.length; l++) sum[l] = sum[l]! / total;
  const [a0, kappa, slope, kappaRate, slopeRate] = sum as unknown as [number, number, number, number, number];
  return { a0, kappa, slope, kappaRate, slopeRate, b: sum.subarray(5) };
}
