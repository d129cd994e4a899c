// Hermite series at many variances: the terms are analytic in log k, so each interval of length (ln 2)/2 has a Chebyshev table,
// made when first needed. What a variance gets depends on it alone, so bits do not depend on tiles.
import { cos, exp, log, sin } from '../../../math/elementary.js';
import { EXTRA, hasTerm, parityOf, termsAt, type Parity, type Term } from './hermite.js';
import type { ScalarFunction } from '../functions.js';

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
  const found = hermiteTerms(fn, k, tolerance);
  const { parity, width, rows, values, lengths } = found;
  const column = (at: number): Float64Array<ArrayBuffer> =>
    Float64Array.from(rows, (row) => values[row * width + at]!);
  const [a0, kappa, slope, kappaRate, slopeRate] = [0, 1, 2, 3, 4].map(column) as [
    Float64Array<ArrayBuffer>,
    Float64Array<ArrayBuffer>,
    Float64Array<ArrayBuffer>,
    Float64Array<ArrayBuffer>,
    Float64Array<ArrayBuffer>,
  ];
  const terms = Math.max(...new Set(lengths));
  let next = HEAD;
  const b = Array.from({ length: terms + EXTRA }, (_, l) =>
    hasTerm(parity, l) ? column(next++) : new Float64Array(k.length),
  );
  const own = Int32Array.from(rows, (row) => lengths[row]!);
  let [error, slopeError] = [0, 0];
  for (let i = 0; i < k.length; i++) {
    let [held, slopeHeld] = [a0[i]! ** 2, 0];
    for (let l = 0; l < own[i]!; l++) {
      held += k[i]! * b[l]![i]! ** 2;
      slopeHeld += (l + 1) * b[l]![i]! ** 2;
    }
    if (kappa[i]! > 0) error = Math.max(error, (kappa[i]! - held) / kappa[i]!);
    if (slope[i]! > 0) slopeError = Math.max(slopeError, (slope[i]! - slopeHeld) / slope[i]!);
  }
  return { terms, lengths: own, a0, b, kappa, slope, kappaRate, slopeRate, error, slopeError };
}

/** The series of different variances, one row each. */
export interface HermiteTerms {
  /** Which B are not zero by symmetry. */
  readonly parity: Parity;
  /** Numbers per row: a0, kappa, slope, kappaRate, slopeRate, then the B that are not zero; zeros behind its last. */
  readonly width: number;
  /** The row of every variable. */
  readonly rows: Int32Array;
  readonly values: Float64Array<ArrayBuffer>;
  /** How many terms P has in every row; B has EXTRA more. */
  readonly lengths: Int32Array;
}

/** As hermiteSeries, with equal variances once. */
export function hermiteTerms(fn: ScalarFunction, k: Float64Array, tolerance: number): HermiteTerms {
  const cache = intervalsOf(fn, tolerance);
  const known = new Map<number, number>();
  const rows = new Int32Array(k.length);
  for (let i = 0; i < k.length; i++) {
    let row = known.get(k[i]!);
    if (row === undefined) known.set(k[i]!, (row = known.size));
    rows[i] = row;
  }
  const zero = known.has(0) ? termsAt(fn, 0, { tolerance }) : null;
  const tables = Array.from(known.keys(), (variance) =>
    variance > 0 ? tableOf(cache, placeOf(variance)) : null,
  );
  const lengths = Int32Array.from(tables, (table) => (table ? table.length : zero!.b.length) - EXTRA);
  const width = Math.max(
    ...new Set(tables.map((table) => table?.width ?? packed(zero!, cache.parity).length)),
  );
  const values = new Float64Array(known.size * width);
  for (const [variance, row] of known) {
    const table = tables[row];
    if (table) interpolate(table, variance, values, row * width);
    else values.set(packed(zero!, cache.parity), row * width);
  }
  return { parity: cache.parity, width, rows, values, lengths };
}

/** Numbers in front of the B in a row. */
export const HEAD = 5;

function packed({ a0, kappa, slope, kappaRate, slopeRate, b }: Term, parity: Parity): Float64Array {
  return Float64Array.of(a0, kappa, slope, kappaRate, slopeRate, ...b.filter((_, l) => hasTerm(parity, l)));
}

const NODES = 14;
const WIDTH = 0.34657359027997264;
const chebyshev = Array.from({ length: NODES }, (_, j) => cos((Math.PI * (j + 0.5)) / NODES));
const signs = Array.from(chebyshev, (_, j) => (j % 2 ? -1 : 1) * sin((Math.PI * (j + 0.5)) / NODES));

interface Intervals {
  readonly fn: ScalarFunction;
  readonly tolerance: number;
  readonly parity: Parity;
  readonly tables: Map<number, Table>;
}

/** The rows of HermiteTerms at the nodes of an interval. */
interface Table {
  /** Number of B. */
  readonly length: number;
  readonly width: number;
  /** One node after the other. */
  readonly values: Float64Array;
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
  const nodes = chebyshev.map((z) => packed(termsAt(fn, at(z), { length }), parity));
  const width = nodes[0]!.length;
  table = { length: length + EXTRA, width, values: Float64Array.from(nodes.flatMap((row) => [...row])) };
  tables.set(interval, table);
  return table;
}

const placeOf = (variance: number): number => Math.floor(log(variance) / WIDTH);
const weights = new Float64Array(NODES);

/** Barycentric interpolation in log k into `to`, from `at`: four columns at once in registers. */
function interpolate({ width, values }: Table, variance: number, to: Float64Array, at: number): void {
  const place = log(variance) / WIDTH;
  const x = 2 * (place - Math.floor(place)) - 1;
  let total = 0;
  for (let j = 0; j < NODES; j++) {
    const distance = x - chebyshev[j]!;
    weights[j] = signs[j]! / (Math.abs(distance) < 1e-15 ? 1e-15 : distance);
    total += weights[j]!;
  }
  const whole = width - (width % 4);
  for (let l = 0; l < whole; l += 4) {
    let [s0, s1, s2, s3] = [0, 0, 0, 0];
    for (let j = 0, from = l; j < NODES; j++, from += width) {
      const w = weights[j]!;
      s0 += w * values[from]!;
      s1 += w * values[from + 1]!;
      s2 += w * values[from + 2]!;
      s3 += w * values[from + 3]!;
    }
    to[at + l] = s0 / total;
    to[at + l + 1] = s1 / total;
    to[at + l + 2] = s2 / total;
    to[at + l + 3] = s3 / total;
  }
  for (let l = whole; l < width; l++) {
    let s = 0;
    for (let j = 0; j < NODES; j++) s += weights[j]! * values[j * width + l]!;
    to[at + l] = s / total;
  }
}
