// Maximal update by tensor and optimiser. One principle (spectral condition, arXiv:2310.17813): |W|_2 and |dW|_2 are of
// order sqrt(fanOut/fanIn) and dL/dh of order 1/fanOut. A step of rate 1 has |dW|_2 of order sqrt(fanIn/fanOut) (SGD),
// sqrt(fanIn fanOut) (entries of order 1), 1 (U V^T), sqrt(fanIn fanOut) RMS(W) (relative); dividing gives the rates.
import type { DecayForm } from '../../net/optimizers.js';
import { knownWord } from '../../wasm/engine.js';
import { times, type Rational } from '../theory/rational.js';
import { depthRate } from './depth.js';
import type { OptimizerRule, UpdateFamily } from './optimizers.js';
import { inverse, powers, product, type Powers } from './powers.js';

/**
 * What a tensor is. `attention`: matrices to queries, keys, values and from heads. `gain`, `bias`: vectors behind hidden
 * matrices and of norms. `qkGain`: gains of query and key norms, shared over heads. `tied`: an embedding that is the
 * readout too. Residual branches are said by `inBlock`, not by a kind.
 */
export type TensorKind =
  | 'input'
  | 'embedding'
  | 'hidden'
  | 'attention'
  | 'readout'
  | 'tied'
  | 'bias'
  | 'gain'
  | 'qkGain'
  | 'readoutBias';

export const TENSOR_KINDS: readonly TensorKind[] = [
  'input',
  'embedding',
  'hidden',
  'attention',
  'readout',
  'tied',
  'bias',
  'gain',
  'qkGain',
  'readoutBias',
];

export const tensorKind = (where: string, kind: unknown): TensorKind =>
  knownWord(where, 'kind', kind, TENSOR_KINDS);

/** `small`: readout weights shrink like 1/width. `forward`: they stay and the readout's input is divided by the width. */
export type ReadoutStyle = 'small' | 'forward';

/** Multipliers of one tensor against the base model. */
export interface LayerRule {
  readonly init: Powers;
  readonly rate: Powers;
  readonly decay: Powers;
  readonly eps: Powers;
  /** On what the matrix gives, bias excluded. */
  readonly forward: Powers;
}

interface Row {
  readonly init: Powers;
  readonly rate: { readonly [K in UpdateFamily]?: Powers };
  readonly eps: Powers;
  readonly forward: Powers;
}

const NONE: Powers = {};
const perOut = powers({ fanOut: -1 });
const vector: Row = {
  init: NONE,
  rate: { sgd: powers({ fanOut: 1 }), entrywise: NONE, relative: NONE },
  eps: perOut,
  forward: NONE,
};
const hidden: Row = {
  init: powers({ fanIn: '-1/2' }),
  rate: {
    sgd: powers({ fanOut: 1, fanIn: -1 }),
    entrywise: powers({ fanIn: -1 }),
    spectral: powers({ fanOut: '1/2', fanIn: '-1/2' }),
    relative: powers({ fanIn: '-1/2' }),
  },
  eps: perOut,
  forward: NONE,
};
const readout: { readonly [K in ReadoutStyle]: Row } = {
  small: {
    init: powers({ fanIn: -1 }),
    rate: {
      sgd: powers({ fanIn: -1 }),
      entrywise: powers({ fanIn: -1 }),
      spectral: powers({ fanIn: '-1/2' }),
      relative: NONE,
    },
    eps: NONE,
    forward: NONE,
  },
  forward: {
    init: NONE,
    rate: { sgd: powers({ fanIn: 1 }), entrywise: NONE, spectral: powers({ fanIn: '1/2' }), relative: NONE },
    eps: powers({ fanIn: -1 }),
    forward: powers({ fanIn: -1 }),
  },
};

function rowOf(where: string, kind: TensorKind, style: ReadoutStyle): Row {
  switch (kind) {
    case 'input':
      return { ...vector, rate: { ...vector.rate, spectral: powers({ fanOut: '1/2' }) } };
    case 'hidden':
    case 'attention':
      return hidden;
    case 'readout':
      return readout[style];
    case 'tied':
      if (style === 'small')
        throw new RangeError(
          `${where}: tied embeddings need readout 'forward', got 'small': as an embedding the tensor starts at 1, as a small readout at 1/width.`,
        );
      return { ...vector, forward: powers({ fanOut: -1 }) };
    case 'qkGain':
      return { ...vector, eps: NONE };
    case 'readoutBias':
      return { init: NONE, rate: { sgd: NONE, entrywise: NONE, relative: NONE }, eps: NONE, forward: NONE };
    case 'embedding':
    case 'bias':
    case 'gain':
      return vector;
  }
}

export interface RuleAt {
  readonly kind: TensorKind;
  readonly optimizer: OptimizerRule;
  readonly readout: ReadoutStyle;
  /** Default: the optimiser's own form. */
  readonly decay?: DecayForm;
  /** Of residual branches, for a tensor inside one; null for all others. */
  readonly alpha: Rational | null;
}

/** Maximal update for one tensor. RangeError where the optimiser has no rule for it. */
export function layerRule(
  where: string,
  { kind, optimizer, readout: style, decay, alpha }: RuleAt,
): LayerRule {
  const row = rowOf(where, kind, style);
  const { family } = optimizer;
  const width = row.rate[family];
  if (!width) {
    throw new RangeError(
      `${where}: U V^T has no rule for a tensor of kind '${kind}', which is no matrix of a wide map. Give it an entrywise optimiser, such as adamw.`,
    );
  }
  const rate = alpha ? product(width, { depth: depthRate(alpha, family) }) : width;
  const stay = family === 'spectral' ? muonEps(kind, style) : row.eps;
  const eps = alpha ? product(stay, { depth: times(alpha, -1n) }) : stay;
  return {
    init: row.init,
    rate,
    eps,
    forward: row.forward,
    decay: decayRule(decay ?? optimizer.decay, optimizer, row, { alpha, rate }),
  };
}

/** Muon's epsilon stands beside |G|_F, which grows like the square root of both sides times the entries. */
const muonEps = (kind: TensorKind, style: ReadoutStyle): Powers =>
  kind === 'readout'
    ? powers({ fanIn: style === 'small' ? '1/2' : '-1/2' })
    : kind === 'input'
      ? powers({ fanOut: '-1/2' })
      : powers({ fanIn: '1/2', fanOut: '-1/2' });

/** Decay that keeps the number of steps in which weights are forgotten. */
function decayRule(
  form: DecayForm,
  { family }: OptimizerRule,
  { eps, init }: Pick<Row, 'init' | 'eps'>,
  { alpha, rate }: { readonly alpha: Rational | null; readonly rate: Powers },
): Powers {
  if (form === 'independent') return NONE;
  // L2 inside a normalised step: what counts is decay times the weights' size over the gradient's, whose size eps follows.
  if (form === 'coupled' && family !== 'sgd')
    return product(eps, inverse(init), alpha ? { depth: times(alpha, -1n) } : NONE);
  return inverse(rate);
}

const share = powers({ batch: 1, tokens: -1 });
const root = powers({ batch: '1/2', tokens: '-1/2' });

/** Multipliers for a batch and a number of training tokens that changed (stochastic differential equations, arXiv:2205.10287). */
export function batchRule(
  where: string,
  { family }: OptimizerRule,
  form: DecayForm,
): { readonly rate: Powers; readonly decay: Powers; readonly eps: Powers; readonly oneMinusBeta: Powers } {
  if (family === 'spectral' || family === 'relative') {
    throw new RangeError(
      `${where}: no rule for batch or tokens is derived for ${family} updates. Leave batchFactor and tokenFactor at 1.`,
    );
  }
  const decay = form === 'independent' ? share : NONE;
  if (family === 'sgd') return { rate: share, decay, eps: NONE, oneMinusBeta: share };
  return { rate: root, decay: form === 'decoupled' ? root : decay, eps: inverse(root), oneMinusBeta: share };
}
