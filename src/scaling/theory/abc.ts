// abc-parametrisations (Yang & Hu, arXiv:2011.14522) and mu-P, both ways. W_l = n^-a_l w_l, w_l ~ N(0, n^-2b_l), SGD rate eta n^-c.
import {
  add,
  equal,
  format,
  HALF,
  max,
  negate,
  ONE,
  subtract,
  sum,
  times,
  toRational,
  ZERO,
  type Exponent,
  type Rational,
} from './rational.js';
import { exponentsOf, scaling, type Scaling, type ScalingSpec } from './scalings.js';

/** One `a` and `b` per weight matrix from input to output (hidden layers + 1 of them), and the rate's exponent. */
export interface AbcParametrization {
  readonly a: readonly Exponent[];
  readonly b: readonly Exponent[];
  readonly c: Exponent;
}

interface Abc {
  readonly a: readonly Rational[];
  readonly b: readonly Rational[];
  readonly c: Rational;
}

function read({ a, b, c }: AbcParametrization): Abc {
  if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length || a.length < 2) {
    throw new RangeError('abc: a and b must have one exponent per weight matrix, at least two each');
  }
  return {
    a: a.map((q, l) => toRational(q as Exponent, `abc: a[${l}]`)),
    b: b.map((q, l) => toRational(q as Exponent, `abc: b[${l}]`)),
    c: toRational(c, 'abc: c'),
  };
}

/**
 * The scaling of a one-hidden-layer net with this abc-parametrisation (homogeneous activation). RangeError for other
 * depths.
 */
export function fromAbc(abc: AbcParametrization, name?: string): Scaling {
  const { a, b, c } = read(abc);
  if (a.length !== 2) {
    throw new RangeError(
      `fromAbc: one hidden layer has two weight matrices, got ${a.length}. Use abcProperties for deep nets.`,
    );
  }
  return scaling({
    ...(name === undefined ? {} : { name }),
    qSigma: format(negate(sum(a[0]!, b[0]!, a[1]!, b[1]!))),
    qTildeW: format(subtract(times(b[0]!, 2n), c)),
    qTildeA: format(subtract(times(b[1]!, 2n), c)),
  });
}

/** An abc-parametrisation of a scaling: the one of its symmetry class with this `c` (default 0) and a_1 + b_1 = 0. */
export function toAbc(
  spec: ScalingSpec,
  { c = 0 }: { readonly c?: Exponent } = {},
): { a: string[]; b: string[]; c: string } {
  const { qSigma, qTildeA, qTildeW } = exponentsOf(spec);
  const rate = toRational(c, 'toAbc: c');
  const b1 = times(add(qTildeW, rate), 1n, 2n);
  const b2 = times(add(qTildeA, rate), 1n, 2n);
  const a2 = negate(add(qSigma, b2));
  return { a: [format(negate(b1)), format(a2)], b: [format(b1), format(b2)], c: format(rate) };
}

/** Named abc-parametrisations for a net with this many hidden layers. RangeError for other names or depths. */
export function abcOf(
  name: 'standard' | 'ntk' | 'meanField' | 'muP',
  hiddenLayers = 1,
): { a: string[]; b: string[]; c: string } {
  if (!Number.isInteger(hiddenLayers) || hiddenLayers < 1) {
    throw new RangeError(`abcOf: hiddenLayers must be a whole number >= 1, got ${hiddenLayers}`);
  }
  const layers = (first: string, hidden: string, last: string): string[] => [
    first,
    ...Array.from({ length: hiddenLayers - 1 }, () => hidden),
    last,
  ];
  switch (name) {
    case 'standard':
      return { a: layers('0', '0', '0'), b: layers('0', '1/2', '1/2'), c: '0' };
    case 'ntk':
      return { a: layers('0', '1/2', '1/2'), b: layers('0', '0', '0'), c: '0' };
    case 'meanField':
      return { a: layers('0', '1', '1'), b: layers('0', '0', '0'), c: '-1' };
    case 'muP':
      return { a: layers('-1/2', '0', '1/2'), b: layers('1/2', '1/2', '1/2'), c: '0' };
    default:
      throw new RangeError(`abcOf: expected 'standard', 'ntk', 'meanField' or 'muP', got '${String(name)}'`);
  }
}

/** Stability in the sense of Yang & Hu (theorems 3.3 to 3.8): stricter than dynamical stability, logits stay finite. */
export interface AbcProperties {
  readonly r: string;
  readonly stable: boolean;
  readonly nontrivial: boolean;
  readonly featureLearning: boolean;
}

/** What an abc-parametrisation of any depth does as the width grows. */
export function abcProperties(parametrization: AbcParametrization): AbcProperties {
  const { a, b, c } = read(parametrization);
  const last = a.length - 1;
  const outputSum = add(a[last]!, b[last]!);
  const outputRate = add(times(a[last]!, 2n), c);
  const least = (terms: readonly Rational[]): Rational => negate(max(...terms.map(negate)));
  const inner = a.slice(0, last).map((al, l) => add(times(al, 2n), l === 0 ? ONE : ZERO));
  const r = sum(least([outputSum, outputRate]), c, negate(ONE), least(inner));
  const atLeast = (x: Rational, bound: Rational): boolean => subtract(x, bound).num >= 0n;
  const initStable =
    a.slice(0, last).every((al, l) => equal(add(al, b[l]!), l === 0 ? ZERO : HALF)) &&
    atLeast(outputSum, HALF);
  const stable =
    initStable && atLeast(r, ZERO) && atLeast(outputRate, ONE) && atLeast(add(outputSum, r), ONE);
  const nontrivial = stable && (equal(add(outputSum, r), ONE) || equal(outputRate, ONE));
  return { r: format(r), stable, nontrivial, featureLearning: nontrivial && r.num === 0n };
}

/** One parameter tensor of a muP net, with its sizes at the base width beside the real ones. */
export interface MuPParameter {
  readonly kind: 'input' | 'hidden' | 'output';
  /** The tensor is a bias; `fanIn` is then that of its layer's matrix. */
  readonly bias?: boolean;
  readonly fanIn: number;
  readonly fanOut: number;
  readonly baseFanIn: number;
  readonly baseFanOut: number;
}

/** Factors of one tensor under maximal update, in the convention of the `mup` package. */
export interface MuPMultipliers {
  /** On a 1/sqrt(fan-in) initialisation made at the real width. */
  readonly init: number;
  readonly sgdRate: number;
  readonly sgdWeightDecay: number;
  readonly adamRate: number;
  readonly adamWeightDecay: number;
  /** On the layer's output: 1/width factor for the output layer, else 1. */
  readonly forward: number;
}

/** The tables of Tensor Programs V (arXiv:2203.03466) as the `mup` package applies them. */
export function muPMultipliers({
  kind,
  bias = false,
  fanIn,
  fanOut,
  baseFanIn,
  baseFanOut,
}: MuPParameter): MuPMultipliers {
  const inFactor = kind === 'input' ? 1 : fanIn / baseFanIn;
  const outFactor = kind === 'output' ? 1 : fanOut / baseFanOut;
  // Tensors with one infinite dimension keep an O(1) size of entries; biases are drawn from 1/sqrt(fan-in) and undone.
  const init = bias || kind === 'output' ? Math.sqrt(inFactor) : 1;
  const matrix = !bias && kind === 'hidden';
  const vector = bias ? outFactor : kind === 'output' ? inFactor : outFactor;
  const sgdRate = matrix ? outFactor / inFactor : vector;
  const adamRate = matrix ? 1 / inFactor : 1;
  return {
    init,
    sgdRate,
    sgdWeightDecay: 1 / sgdRate,
    adamRate,
    adamWeightDecay: 1 / adamRate,
    forward: !bias && kind === 'output' ? 1 / inFactor : 1,
  };
}
