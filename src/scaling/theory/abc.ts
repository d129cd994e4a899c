// abc-parametrisations (Yang & Hu, arXiv:2011.14522) and mu-P, both ways. W_l = n^-a_l w_l, w_l ~ N(0, n^-2b_l), SGD rate eta n^-c.
import { valueAt } from '../rules/powers.js';
import { chosen, tensorRule } from '../rules/rule.js';
import {
  add,
  format,
  negate,
  subtract,
  sum,
  times,
  toRational,
  type Exponent,
  type Rational,
} from './rational.js';
import { exponentsOf, scaling, type Scaling, type ScalingSpec } from './scalings.js';
import { knownFields, type Fields } from '../../wasm/engine.js';

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
      `fromAbc: one hidden layer has two weight matrices, got ${a.length}. Use classify for deep nets.`,
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
  options: { readonly c?: Exponent } = {},
): { a: string[]; b: string[]; c: string } {
  knownFields('toAbc', options, { c: true });
  const { c = 0 } = options;
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

const MUP_PARAMETER: Fields<MuPParameter> = {
  kind: true,
  bias: true,
  fanIn: true,
  fanOut: true,
  baseFanIn: true,
  baseFanOut: true,
};

/** The tables of Tensor Programs V (arXiv:2203.03466) as the `mup` package applies them. */
export function muPMultipliers(parameter: MuPParameter): MuPMultipliers {
  knownFields('muPMultipliers', parameter, MUP_PARAMETER);
  const { kind, bias = false, fanIn, fanOut, baseFanIn, baseFanOut } = parameter;
  const tensor = bias ? (kind === 'output' ? 'readoutBias' : 'bias') : kind === 'output' ? 'readout' : kind;
  const factors = {
    fanIn: kind === 'input' ? 1 : fanIn / baseFanIn,
    fanOut: fanOut / baseFanOut,
    depth: 1,
    batch: 1,
    tokens: 1,
  };
  const of = (optimizer: 'sgd' | 'adamw'): { rate: number; init: number; forward: number } => {
    const made = chosen('muPMultipliers', { rule: 'mup', optimizer });
    const { rate, init, forward } = tensorRule('muPMultipliers', made, { kind: tensor, inBlock: false });
    return { rate: valueAt(rate, factors), init: valueAt(init, factors), forward: valueAt(forward, factors) };
  };
  const [{ rate: sgdRate, init, forward }, { rate: adamRate }] = [of('sgd'), of('adamw')];
  return {
    init: init * Math.sqrt(factors.fanIn), // a framework has divided by sqrt(fan-in), of biases too
    sgdRate,
    sgdWeightDecay: 1 / sgdRate,
    adamRate,
    adamWeightDecay: 1 / adamRate,
    forward,
  };
}
