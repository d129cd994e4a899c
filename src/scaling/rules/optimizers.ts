// Optimisers as scaling rules see them: what one step of a tensor looks like, and how weight decay acts.
import type { DecayForm } from '../../net/optimizers.js';
import { knownWord } from '../../wasm/engine.js';

/**
 * What a step of a tensor is, per unit of rate. `sgd`: the gradient. `entrywise`: entries of order 1. `spectral`: U V^T
 * of the gradient, of spectral norm 1. `relative`: entries of the size of the weights themselves.
 */
export type UpdateFamily = 'sgd' | 'entrywise' | 'spectral' | 'relative';

export interface OptimizerRule {
  readonly family: UpdateFamily;
  readonly decay: DecayForm;
  /** Whether an epsilon stands beside the gradient. */
  readonly hasEps: boolean;
}

const rule = (family: UpdateFamily, decay: DecayForm, hasEps = false): OptimizerRule => ({
  family,
  decay,
  hasEps,
});

export type RuleOptimizer =
  | 'sgd'
  | 'momentum'
  | 'nesterov'
  | 'sign'
  | 'rmsprop'
  | 'adam'
  | 'adamw'
  | 'adamw-independent'
  | 'lion'
  | 'adafactor'
  | 'lamb'
  | 'lars'
  | 'shampoo'
  | 'muon';

/** Every optimiser that rules are known for. */
export const RULE_OPTIMIZERS: { readonly [K in RuleOptimizer]: OptimizerRule } = {
  sgd: rule('sgd', 'coupled'),
  momentum: rule('sgd', 'coupled'),
  nesterov: rule('sgd', 'coupled'),
  sign: rule('entrywise', 'decoupled'),
  rmsprop: rule('entrywise', 'coupled', true),
  adam: rule('entrywise', 'coupled', true),
  adamw: rule('entrywise', 'decoupled', true),
  'adamw-independent': rule('entrywise', 'independent', true),
  lion: rule('entrywise', 'decoupled'),
  adafactor: rule('relative', 'decoupled'),
  lamb: rule('relative', 'decoupled'),
  lars: rule('relative', 'coupled'),
  shampoo: rule('spectral', 'decoupled'),
  muon: rule('spectral', 'decoupled', true),
};

/** RangeError lists the known optimisers. */
export const optimizerRule = (where: string, name: string): OptimizerRule =>
  RULE_OPTIMIZERS[knownWord(where, 'optimizer', name, Object.keys(RULE_OPTIMIZERS) as RuleOptimizer[])];
