// Hermite series at many variances: the terms are analytic in log k, so each interval of length (ln 2)/2 has a Chebyshev table,
// made when first needed. What a variance gets depends on it alone, so bits do not depend on tiles.
import { cos, exp, log, sin } from '../../math/elementary.js';
import { EXTRA, hasTerm, parityOf, termsAt, type Parity, type Term } from './hermite.js';
import type { ScalarFunction } from './functions.js';

export interface HermiteSeries {
  /** The longest P. */
  readonly terms: number;
  /** How many terms P has at every variance; `b` has two more, for derivatives. */
  readonly lengths: Int32Array;
  readonly a0: Float64Array<ArrayBuffer>;
  /** B_l of every variance. */
  readonly b: readonly Float64Array<ArrayBuffer>[];
  readonly kappa: Float64Array<ArrayBuffer>;
  readonly slope: Float64Array<ArrayBuffer>;
  /** d kappa / dk and d slope / dk. */
  readonly kappaRate: Float64Array<ArrayBuffer>;
  readonly slopeRate: Float64Array<ArrayBuffer>;
  /** The shares of E[phi^2] and E[phi'^2] that the terms left out hold: bounds of the relative errors at |c| = 1. */
  readonly error: number;
  readonly slopeError: number;
}

/** The series of `fn` at variances `k`; `tolerance` is the share of E[phi'^2] that may be left out. */
export function hermiteSeries(
  fn: ScalarFunction,
  k: Float64Array<ArrayBuffer>,
  tolerance: number,
): HermiteSeries {
  const cache = intervalsOf(fn, tolerance);
  const all = new Map<number, Term>();
  for (const variance of new Set(k))
    all.set(variance, variance > 0 ? interpolate(cache, variance) : termsAt(fn, 0, { tolerance }));
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
  const lengths = new Int32Array(n);
  let [error, slopeError] = [0, 0];
  for (let i = 0; i < n; i++) {
    const term = all.get(k[i]!)!;
    result.a0[i] = term.a0;
    result.kappa[i] = term.kappa;
    result.slope[i] = term.slope;
    result.kappaRate[i] = term.kappaRate;
    result.slopeRate[i] = term.slopeRate;
    lengths[i] = term.b.length - EXTRA;
    let [held, slopeHeld] = [term.a0 ** 2, 0];
    for (let l = 0; l < term.b.length; l++) {
      b[l]![i] = term.b[l]!;
      if (l >= lengths[i]!) continue;
      held += k[i]! * term.b[l]! ** 2;
      slopeHeld += (l + 1) * term.b[l]! ** 2;
    }
    if (term.kappa > 0) error = Math.max(error, (term.kappa - held) / term.kappa);
    if (term.slope > 0) slopeError = Math.max(slopeError, (term.slope - slopeHeld) / term.slope);
  }
  return { terms, lengths, ...result, b, error, slopeError };
}

const NODES = 14;
const WIDTH = 0.34657359027997264;
const chebyshev = Array.from({ length: NODES }, (_, j) => cos((Math.PI * (j + 0.5)) / NODES));
const signs = Array.from(chebyshev, (_, j) => (j % 2 ? -1 : 1) * sin((Math.PI * (j + 0.5)) / NODES));

interface Intervals {
  readonly fn: ScalarFunction;
  readonly tolerance: number;
  /** Which B are not zero by symmetry. */
  readonly parity: Parity;
  readonly tables: Map<number, Table>;
}

interface Table {
  /** Number of B. */
  readonly length: number;
  /** Per node a0, kappa, slope, kappaRate, slopeRate, then the B that are not zero. */
  readonly rows: readonly Float64Array[];
}

const caches = new WeakMap<ScalarFunction, Map<number, Intervals>>();

function intervalsOf(fn: ScalarFunction, tolerance: number): Intervals {
  let byTolerance = caches.get(fn);
  if (!byTolerance) caches.set(fn, (byTolerance = new Map()));
  let found = byTolerance.get(tolerance);
  if (!found)
    byTolerance.set(tolerance, (found = { fn, tolerance, parity: parityOf(fn), tables: new Map() }));
  return found;
}

function tableOf({ fn, tolerance, parity, tables }: Intervals, interval: number): Table {
  let table = tables.get(interval);
  if (table) return table;
  const at = (z: number): number => exp((interval + 0.5 + z / 2) * WIDTH);
  const ends = [-1, 1].map((z) => termsAt(fn, at(z), { tolerance }).b.length - EXTRA);
  const length = Math.max(...ends);
  const rows = chebyshev.map((z) => {
    const { a0, kappa, slope, kappaRate, slopeRate, b } = termsAt(fn, at(z), { length });
    return Float64Array.of(a0, kappa, slope, kappaRate, slopeRate, ...b.filter((_, l) => hasTerm(parity, l)));
  });
  table = { length: length + EXTRA, rows };
  tables.set(interval, table);
  return table;
}

/** Barycentric interpolation in log k. */
function interpolate(intervals: Intervals, variance: number): Term {
  const place = log(variance) / WIDTH;
  const interval = Math.floor(place);
  const { length, rows } = tableOf(intervals, interval);
  const x = 2 * (place - interval) - 1;
  let total = 0;
  for (let j = 0; j < NODES; j++) {
    const distance = x - chebyshev[j]!;
    weights[j] = signs[j]! / (Math.abs(distance) < 1e-15 ? 1e-15 : distance);
    total += weights[j]!;
  }
  const sum = weightedRows(rows);
  const b = new Float64Array(length);
  const { power, step } = intervals.parity;
  b[0] = sum[HEAD]! / total;
  for (let l: number = power, next = HEAD + 1; l < length; l += step) b[l] = sum[next++]! / total;
  return {
    a0: sum[0]! / total,
    kappa: sum[1]! / total,
    slope: sum[2]! / total,
    kappaRate: sum[3]! / total,
    slopeRate: sum[4]! / total,
    b,
  };
}

/** Numbers in front of the B in a row of a table. */
const HEAD = 5;
/** Of the nodes, for the variance at hand. */
const weights = new Float64Array(NODES);

/** The sum of weights times rows, four columns at once in registers: most of the time of long series. */
function weightedRows(rows: readonly Float64Array[]): Float64Array<ArrayBuffer> {
  const sum = new Float64Array(rows[0]!.length);
  const whole = sum.length - (sum.length % 4);
  for (let l = 0; l < whole; l += 4) {
    let [s0, s1, s2, s3] = [0, 0, 0, 0];
    for (let j = 0; j < weights.length; j++) {
      const w = weights[j]!;
      const row = rows[j]!;
      s0 += w * row[l]!;
      s1 += w * row[l + 1]!;
      s2 += w * row[l + 2]!;
      s3 += w * row[l + 3]!;
    }
    sum[l] = s0;
    sum[l + 1] = s1;
    sum[l + 2] = s2;
    sum[l + 3] = s3;
  }
  for (let l = whole; l < sum.length; l++)
    for (let j = 0; j < weights.length; j++) sum[l] = sum[l]! + weights[j]! * rows[j]![l]!;
  return sum;
}
