// What a scaling does as width grows: the 13 cells of the plane of exponents (arXiv:2006.06574, figure 1 left) for one hidden
// layer, and stability and feature learning of nets of any depth.
import { powersOf, type Powers } from './exponents.js';
import { pow } from '../../math/elementary.js';
import {
  classifyDeep,
  isDeep,
  type DeepAbc,
  type DeepClassification,
  type DeepInvariants,
} from '../rules/deep.js';
import { add, format, max, negate, signOf, times, toNumber, ZERO, type Rational } from './rational.js';
import { exponentsOf, type ScalingSpec } from './scalings.js';

export type CellId =
  | 'meanField'
  | 'ntk'
  | 'symDefault'
  | 'meanFieldNtk'
  | 'ntkSymDefault'
  | 'meanFieldSymDefault'
  | 'postMeanField'
  | 'preSymDefault'
  | 'postNtk'
  | 'preNtk'
  | 'triangle'
  | 'postMeanFieldNtk'
  | 'preNtkSymDefault';

/** One limit model: all scalings with these signs of A, B, C and D share it. */
export interface Cell {
  readonly id: CellId;
  readonly name: string;
  /** Signs of A, B, C, D, like `-0+0`. */
  readonly key: string;
  /** A point of the cell: qSigma, qTilde. */
  readonly example: readonly [string, string];
}

/** The 13 distinct stable limits, in the order of the documentation. */
export const cells: readonly Cell[] = [
  { id: 'meanField', name: 'mean field', key: '-0+0', example: ['-1', '1'] },
  { id: 'ntk', name: 'NTK', key: '000-', example: ['-1/2', '0'] },
  { id: 'symDefault', name: 'sym-default', key: '0++0', example: ['-1/2', '1/2'] },
  { id: 'meanFieldNtk', name: 'MF-NTK segment', key: '-0+-', example: ['-3/4', '1/2'] },
  { id: 'ntkSymDefault', name: 'NTK-sym-default segment', key: '0++-', example: ['-1/2', '1/4'] },
  { id: 'meanFieldSymDefault', name: 'MF-sym-default segment', key: '-++0', example: ['-3/4', '3/4'] },
  { id: 'postMeanField', name: 'post-MF ray', key: '--+0', example: ['-3/2', '3/2'] },
  { id: 'preSymDefault', name: 'pre-sym-default ray', key: '+++0', example: ['0', '0'] },
  { id: 'postNtk', name: 'post-NTK ray', key: '--0-', example: ['-1', '1/2'] },
  { id: 'preNtk', name: 'pre-NTK ray', key: '++0-', example: ['0', '-1/2'] },
  { id: 'triangle', name: 'triangle MF/NTK/sym-default', key: '-++-', example: ['-33/50', '1/2'] },
  { id: 'postMeanFieldNtk', name: 'post-MF-NTK region', key: '--+-', example: ['-1', '3/4'] },
  { id: 'preNtkSymDefault', name: 'pre-NTK-sym-default region', key: '+++-', example: ['0', '-1/4'] },
];
const byKey: ReadonlyMap<string, Cell> = new Map(cells.map((cell) => [cell.key, cell]));

export type Line = 'A' | 'B' | 'C' | 'D';
export type Term = 'f0' | 'fa' | 'fw' | 'faw';

/** What a scaling does as width grows. */
export interface Classification {
  readonly status: 'stable' | 'stagnating' | 'unstable';
  /** The limit model; null where there is none: unstable, stagnating, or unequal rates (then see `nearestSymmetric`). */
  readonly cell: CellId | null;
  /** The cell's name, or what the point is instead. */
  readonly name: string;
  readonly stable: boolean;
  readonly symmetric: boolean;
  /** Powers of the width factor; see `Powers`. Exact text of the first six in `exact`. */
  readonly exponents: { readonly [K in Exclude<keyof Powers, 'terms'>]: number };
  readonly exact: { readonly [K in Line | 'u' | 'v']: string };
  /** The four properties every finite net has; a limit can have at most three of them. */
  readonly properties: {
    readonly logitsFiniteAtInit: boolean;
    readonly kernelsFiniteAtInit: boolean;
    readonly kernelsAndLogitsOfSameOrder: boolean;
    readonly kernelsEvolve: boolean;
  };
  /** Value of each line's exponent: how far the point is from the line, in exponent units. */
  readonly distances: { readonly [K in Line]: number };
  /** The width factor at which the line's quantity has changed tenfold, 10^(1/|distance|); null on the line. */
  readonly crossoverWidthFactor: { readonly [K in Line]: number | null };
  /** Powers of the four terms of the logit after training starts, and which of them survive in the limit. */
  readonly terms: { readonly [K in Term]: number };
  readonly dominantTerms: readonly Term[];
  /** For unequal rates: the symmetric scaling with the same u + v, a label and not the same limit. */
  readonly nearestSymmetric: {
    readonly qSigma: string;
    readonly qTilde: string;
    readonly cell: CellId | null;
  } | null;
  /**
   * The same point among nets of any depth (weights alone, without a correction at the start). Stable is stricter there:
   * logits may not grow.
   */
  readonly deep: DeepClassification;
}

const symbol = (value: Rational): string => '-0+'[signOf(value, 0) + 1]!;
const isZero = (value: Rational): boolean => value.num === 0n;

/**
 * Classifies a scaling. A point of the plane (`qSigma`, `qTilde`): a one-hidden-layer net with zero-mean initialisation
 * trained on the logistic loss; numbers within 1e-9 of a line are on it. Exponents per matrix (`a`, `b`, `c`, or the
 * invariants `A`, `C`): a net of any depth under any optimiser, whose logits must stay finite to count as stable. Fractions
 * are compared exactly. RangeError for exponents that are no finite numbers or fractions, and unknown fields.
 *
 *     classify({ qSigma: '-1/2', qTilde: 0 }).cell; // 'ntk'
 *     classify({ a: [0, 0, 0], b: [0, '1/2', '1/2'], c: 1, optimizer: 'adam' }).class; // 'unstable'
 */
export function classify(spec: DeepAbc | DeepInvariants): DeepClassification;
export function classify(spec: ScalingSpec): Classification;
export function classify(spec: ScalingSpec | DeepAbc | DeepInvariants): Classification | DeepClassification {
  return isDeep(spec) ? classifyDeep(spec) : classifyPoint(spec);
}

/** The point as a deep net of one hidden layer under SGD: A_2 = -qSigma, C_1 = -qTildeW, C_2 = 2 A_2 - qTildeA. */
function asDeep(spec: ScalingSpec): DeepClassification {
  const { qSigma, qTildeA, qTildeW } = exponentsOf(spec);
  return classifyDeep({
    A: [0, format(negate(qSigma))],
    C: [format(negate(qTildeW)), format(negate(add(qTildeA, times(qSigma, 2n))))],
  });
}

function classifyPoint(spec: ScalingSpec): Classification {
  const powers = powersOf(spec);
  const { B, D, u, v } = powers;
  const corrected = (spec.initCorrection ?? 'none') !== 'none';
  // Logits of order 1 are put back at the start, whatever the scaled ones are.
  const [A, C] = corrected ? [ZERO, B] : [powers.A, powers.C];
  const symmetric = u.num * v.den === v.num * u.den;
  const growth = add(u, v);
  const status = C.num < 0n ? 'stagnating' : growth.num > 0n ? 'unstable' : 'stable';
  const key = [powers.A, B, powers.C, D].map(symbol).join('');
  const cell = status === 'stable' && symmetric ? byKey.get(key)! : null;
  const evolves = status !== 'stagnating' && (growth.num >= 0n || v.num >= 0n);
  const distances = { A: toNumber(A), B: toNumber(B), C: toNumber(C), D: toNumber(D) };
  const { terms, ...rest } = powers;
  const scalars = corrected ? { ...rest, A, C, logits: max(ZERO, powers.logits) } : rest;
  const name = cell?.name ?? (status === 'stable' ? 'stable, unequal rates' : status);
  return {
    status,
    cell: cell?.id ?? null,
    name: corrected && status === 'stable' ? `${name}, with the initial logits put back (IC-MF)` : name,
    stable: status === 'stable',
    symmetric,
    exponents: mapValues(scalars, toNumber),
    exact: mapValues({ A, B, C, D, u, v }, format),
    properties: {
      logitsFiniteAtInit: isZero(A),
      kernelsFiniteAtInit: isZero(B),
      kernelsAndLogitsOfSameOrder: isZero(C),
      kernelsEvolve: evolves,
    },
    distances,
    crossoverWidthFactor: mapValues(distances, crossover),
    terms: mapValues(terms, toNumber),
    dominantTerms: dominant(terms, powers.logits),
    nearestSymmetric: symmetric ? null : symmetrise(spec),
    deep: asDeep(spec),
  };
}

function symmetrise(spec: ScalingSpec): Classification['nearestSymmetric'] {
  const { qSigma, qTildeA, qTildeW } = exponentsOf(spec);
  const mean = times(add(qTildeA, qTildeW), 1n, 2n);
  const point = { qSigma: format(qSigma), qTilde: format(mean) };
  return { ...point, cell: classify(point).cell };
}

const dominant = (terms: Powers['terms'], logits: Rational): Term[] =>
  (Object.keys(terms) as Term[]).filter((term) => {
    const difference = terms[term].num * logits.den - logits.num * terms[term].den;
    return difference >= 0n;
  });

function crossover(distance: number): number | null {
  if (distance === 0) return null;
  return pow(10, 1 / Math.abs(distance));
}

function mapValues<K extends string, A, B>(
  record: { readonly [P in K]: A },
  fn: (value: A) => B,
): { [P in K]: B } {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, fn(value as A)])) as {
    [P in K]: B;
  };
}
