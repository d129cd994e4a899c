// What a residual net does as its depth L grows: x_{k+1} = x_k + L^-alpha F_k(x_k), block rates ~ L^rate, block weights
// of one size. Depth-muP: arXiv:2310.02244, arXiv:2309.16620 (alpha = 1/2); CompleteP: arXiv:2505.01618 (alpha = 1).
import {
  equal,
  format,
  HALF,
  negate,
  ONE,
  subtract,
  sum,
  times,
  toRational,
  ZERO,
  type Exponent,
  type Rational,
} from '../theory/rational.js';
import { knownFields } from '../../wasm/engine.js';
import { optimizerRule, type RuleOptimizer, type UpdateFamily } from './optimizers.js';

export interface DepthScaling {
  /** Branches are multiplied by L^-alpha. */
  readonly alpha: Exponent;
  /** Block rates grow like L^rate; default: the rule's own, 2 alpha - 1 for SGD, alpha - 1 for the others. */
  readonly rate?: Exponent;
  /** Matrices per block; default 2. */
  readonly blockDepth?: number;
  /** Default `sgd`. */
  readonly optimizer?: RuleOptimizer;
}

export type DepthClass = 'unstable' | 'trivial' | 'lazy' | 'complete';

export interface DepthClassification {
  /**
   * `unstable`: the start or the change of x_L grows with depth. `trivial`: blocks do not matter in the limit. `lazy`:
   * they matter, but each is only linearised in its own weights. `complete`: they learn fully.
   */
  readonly class: DepthClass;
  readonly alpha: string;
  readonly rate: string;
  readonly blockDepth: number;
  readonly family: UpdateFamily;
  /** The rate that makes the change of x_L of order 1. */
  readonly ruleRate: string;
  /** Powers of L: x_L^2 at the start (0: it stays finite), change of x_L, and change of block weights over their size. */
  readonly startPower: string;
  readonly changePower: string;
  readonly relativePower: string;
  readonly words: readonly string[];
}

/** The power of depth in a block's rate under which blocks move x_L by an amount of order 1. */
export const depthRate = (alpha: Rational, family: UpdateFamily): Rational =>
  subtract(family === 'sgd' ? times(alpha, 2n) : alpha, ONE);

/** Classifies how residual branches and block rates scale with depth. RangeError for exponents or sizes that are none. */
export function classifyDepth(spec: DepthScaling): DepthClassification {
  knownFields('classifyDepth', spec, { alpha: true, rate: true, blockDepth: true, optimizer: true });
  const { blockDepth = 2 } = spec;
  if (!Number.isInteger(blockDepth) || blockDepth < 1)
    throw new RangeError(`classifyDepth: blockDepth must be a whole number >= 1, got ${blockDepth}.`);
  const { family } = optimizerRule('classifyDepth', spec.optimizer ?? 'sgd');
  const alpha = toRational(spec.alpha, 'classifyDepth: alpha');
  const ruleRate = depthRate(alpha, family);
  const rate = spec.rate === undefined ? ruleRate : toRational(spec.rate, 'classifyDepth: rate');
  const start = subtract(ONE, times(alpha, 2n));
  // L coherent changes of a branch; under SGD the gradient of a block carries the branch factor once more.
  const change = sum(ONE, negate(alpha), rate, family === 'sgd' ? negate(alpha) : ZERO);
  const relative = family === 'sgd' ? subtract(rate, alpha) : rate;
  const unstable = start.num > 0n || change.num > 0n;
  const isLinear = blockDepth === 1;
  const kind: DepthClass = unstable
    ? 'unstable'
    : change.num < 0n
      ? 'trivial'
      : equal(relative, ZERO) || isLinear
        ? 'complete'
        : 'lazy';
  const words = wordsOf(kind, { alpha, start, change, relative, isLinear });
  return {
    class: kind,
    alpha: format(alpha),
    rate: format(rate),
    blockDepth,
    family,
    ruleRate: format(ruleRate),
    startPower: format(start.num > 0n ? start : ZERO),
    changePower: format(change),
    relativePower: format(relative),
    words,
  };
}

function wordsOf(
  kind: DepthClass,
  at: { alpha: Rational; start: Rational; change: Rational; relative: Rational; isLinear: boolean },
): string[] {
  const moved = `The change of the last block's output scales like L^${format(at.change)}, that of block weights over their size like L^${format(at.relative)}.`;
  switch (kind) {
    case 'unstable':
      return [
        at.start.num > 0n
          ? `Unstable at initialisation: with alpha = ${format(at.alpha)} below 1/2 the blocks' contributions add up to L^${format(at.start)}, and to more without normalisation.`
          : 'Unstable: the blocks together move the output more the deeper the net is. Lower the block rate.',
        moved,
      ];
    case 'trivial':
      return ['Trivial: blocks stop mattering as the net gets deep. Raise the block rate.', moved];
    case 'lazy':
      return [
        'Stable and learning, but lazy: each block is only linearised in its weights, because they move less and less relative to their size.',
        moved,
        'Only alpha = 1 avoids this for blocks of two and more matrices.',
      ];
    case 'complete':
      return [
        at.isLinear && at.relative.num !== 0n
          ? 'Stable and learning. A block with one matrix is linear in it, so nothing is lost by small relative changes.'
          : 'Stable and complete: blocks move the output by an amount of order 1 and their weights by an amount of the order of their size.',
        moved,
      ];
  }
}

/** alpha of a depth rule: RangeError outside [1/2, 1]. */
export function depthAlpha(where: string, alpha: Exponent): Rational {
  const value = toRational(alpha, `${where}: alpha`);
  if (subtract(value, HALF).num < 0n)
    throw new RangeError(
      `${where}: alpha must be from 1/2 to 1, got ${format(value)}: below 1/2 the sum of the blocks grows with depth at initialisation.`,
    );
  if (subtract(value, ONE).num > 0n)
    throw new RangeError(
      `${where}: alpha must be from 1/2 to 1, got ${format(value)}: above 1 the blocks vanish at initialisation and rates that undo it make weights outgrow their start.`,
    );
  return value;
}
