// Derivatives of a dual in code by differences of order 8 (`difference` keeps the step at which neighbours agree best). No
// stencil leaves |k12| <= sqrt(k11 k22), beyond which the function is not defined.
import { difference } from '../functions.js';
import { dualAt, type NamedDual } from '../function-kernel.js';
import type { PairRates } from './pair-rates.js';

type Point = readonly [k11: number, k12: number, k22: number];

/** Writes kappa, kappa' and their derivatives at a point. About 1e-10 where the function gives its slope, else 1e-7. */
export function functionRates(dual: NamedDual, [k11, k12, k22]: Point, out: PairRates): void {
  const both = dualAt(dual, [k11, k12, k22], true);
  out.kappa = both.kappa;
  out.slope = out.byK = both.slope;
  out.slopeByK = out.byQ1 = out.byQ2 = out.slopeByQ1 = out.slopeByQ2 = 0;
  const bound = Math.sqrt(k11) * Math.sqrt(k22);
  if (!(bound > 0)) return;
  const slope = (a: number, b: number, c: number): number => dualAt(dual, [a, b, c], true).slope;
  const value = (a: number, b: number, c: number): number => dualAt(dual, [a, b, c], false).kappa;
  out.slopeByK = inUnits(k12, bound, [-bound, bound], (x) => slope(k11, x, k22));
  const [least1, least2] = [(k12 * k12) / k22, (k12 * k12) / k11];
  out.byQ1 = inUnits(k11, k11, [least1], (x) => value(x, k12, k22));
  out.byQ2 = inUnits(k22, k22, [least2], (x) => value(k11, k12, x));
  out.slopeByQ1 = inUnits(k11, k11, [least1], (x) => slope(x, k12, k22));
  out.slopeByQ2 = inUnits(k22, k22, [least2], (x) => slope(k11, k12, x));
}

/** f'(x) with steps in parts of `unit`, between the borders. */
function inUnits(x: number, unit: number, borders: readonly number[], f: (x: number) => number): number {
  const walls = borders.map((border) => border / unit);
  return difference((y) => f(y * unit), x / unit, walls) / unit;
}

/** Of every variable with itself: E[phi'^2], and d/dk of E[phi^2] and of E[phi'^2]. */
export function functionSideRates(
  dual: NamedDual,
  q: Float64Array<ArrayBuffer>,
): Readonly<Record<'slope' | 'kappaRate' | 'slopeRate', Float64Array<ArrayBuffer>>> {
  const same = (k: number): ReturnType<typeof dualAt> => dualAt(dual, [k, k, k], true);
  const rate = (k: number, field: 'kappa' | 'slope'): number =>
    k > 0 ? inUnits(k, k, [0], (x) => same(x)[field]) : 0;
  return {
    slope: q.map((k) => (k > 0 ? same(k).slope : 0)),
    kappaRate: q.map((k) => rate(k, 'kappa')),
    slopeRate: q.map((k) => rate(k, 'slope')),
  };
}
