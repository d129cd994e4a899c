// One rule applied to one tensor, and what the classifier says of a rule as a whole.
import type { DecayForm } from '../../net/optimizers.js';
import { knownFields, knownWord } from '../../wasm/engine.js';
import {
  format,
  negate,
  subtract,
  toRational,
  ZERO,
  type Exponent,
  type Rational,
} from '../theory/rational.js';
import { classifyDeep, type DeepClassification } from './deep.js';
import { classifyDepth, depthAlpha, type DepthClassification } from './depth.js';
import { RULES, type ChangedRule, type NamedRule, type RuleName } from './gallery.js';
import { layerRule, type ReadoutStyle, type TensorKind } from './layer-rules.js';
import { optimizerRule, type RuleOptimizer } from './optimizers.js';
import { product, widthExponent, type Powers } from './powers.js';

/** Which rule, with what may be chosen in it. */
export interface RuleChoice {
  /** Default `maximal`. */
  readonly rule?: RuleName;
  readonly optimizer: RuleOptimizer;
  /** Default: the optimiser's own. */
  readonly decay?: DecayForm;
  /** Default: the rule's own. */
  readonly readout?: ReadoutStyle;
  /** Power of depth on residual branches, from 1/2 to 1; default: the rule's own, 1 where it has none. */
  readonly alpha?: Exponent;
}

export const RULE_CHOICE = { rule: true, optimizer: true, decay: true, readout: true, alpha: true } as const;

/** @internal a choice, completed and checked */
export interface Chosen {
  readonly name: RuleName;
  readonly rule: NamedRule;
  readonly optimizer: RuleOptimizer;
  readonly decay: DecayForm;
  readonly readout: ReadoutStyle;
  readonly alpha: Rational;
}

/** @internal RangeError for rules, optimisers and choices that do not go together */
export function chosen(where: string, choice: RuleChoice): Chosen {
  const names = Object.keys(RULES) as RuleName[];
  const name = choice.rule === undefined ? 'maximal' : knownWord(where, 'rule', choice.rule, names);
  const rule = RULES[name];
  const { decay } = optimizerRule(where, choice.optimizer);
  if (!rule.optimizers.includes(choice.optimizer)) {
    throw new RangeError(
      `${where}: the rule '${name}' is defined for ${rule.optimizers.join(', ')}, got optimizer '${choice.optimizer}'.`,
    );
  }
  const forms = ['coupled', 'decoupled', 'independent'] as const;
  return {
    ...{ name, rule, optimizer: choice.optimizer },
    decay: choice.decay === undefined ? decay : knownWord(where, 'decay', choice.decay, forms),
    readout:
      choice.readout === undefined
        ? rule.readout
        : knownWord(where, 'readout', choice.readout, ['small', 'forward'] as const),
    alpha: depthAlpha(where, choice.alpha ?? rule.alpha ?? '1'),
  };
}

/** @internal the multipliers of one tensor, by powers */
export function tensorRule(
  where: string,
  { rule, optimizer, decay, readout, alpha }: Chosen,
  { kind, inBlock, optimizer: own }: { kind: TensorKind; inBlock: boolean; optimizer?: RuleOptimizer },
): ChangedRule {
  const used = own ?? optimizer;
  const base = layerRule(where, {
    ...{ kind, optimizer: optimizerRule(where, used), readout },
    decay: used === optimizer ? decay : optimizerRule(where, used).decay,
    alpha: inBlock ? alpha : null,
  });
  return { ...base, ...rule.change(base, { kind, optimizer: used, inBlock }) };
}

/** What the classifier says of a rule. */
export interface RuleVerdict {
  readonly rule: RuleName;
  readonly title: string;
  readonly source: string;
  readonly optimizer: RuleOptimizer;
  readonly deep: DeepClassification;
  /** Of residual blocks of two matrices under the rule's alpha. */
  readonly depth: DepthClassification;
  /** Powers of the width in what a step takes off the weights (input, hidden, readout): 0 keeps the time scale. */
  readonly decay: { readonly [K in 'input' | 'hidden' | 'readout']: string | null };
  /** Whether decay forgets at the same speed at every width. */
  readonly decayKept: boolean;
  /** Where rule, derivation and measurement disagree. */
  readonly notes: readonly string[];
}

const MATRICES = ['input', 'hidden', 'readout'] as const;
const WIDE = {
  input: { fanIn: false, fanOut: true },
  hidden: { fanIn: true, fanOut: true },
  readout: { fanIn: true, fanOut: false },
} as const;

/**
 * The verdict of the classifier about a rule, at `hiddenLayers` (default 3). RangeError for rules, optimisers or choices
 * that are unknown or do not go together.
 *
 *     ruleVerdict({ rule: 'mup', optimizer: 'adamw' }).deep.maximal; // true
 */
export function ruleVerdict(choice: RuleChoice & { readonly hiddenLayers?: number }): RuleVerdict {
  knownFields('ruleVerdict', choice, { ...RULE_CHOICE, hiddenLayers: true });
  const { hiddenLayers = 3 } = choice;
  if (!Number.isInteger(hiddenLayers) || hiddenLayers < 1)
    throw new RangeError(`ruleVerdict: hiddenLayers must be a whole number >= 1, got ${hiddenLayers}.`);
  const made = chosen('ruleVerdict', choice);
  const rules = Object.fromEntries(
    MATRICES.map((kind) => [kind, tensorRule('ruleVerdict', made, { kind, inBlock: false })]),
  ) as Record<(typeof MATRICES)[number], ChangedRule>;
  const exponent = (kind: (typeof MATRICES)[number], of: Powers): Rational => widthExponent(of, WIDE[kind]);
  const spread = (of: (rule: ChangedRule) => Powers): string[] => {
    const [first, middle, last] = MATRICES.map((kind) => format(negate(exponent(kind, of(rules[kind])))));
    return [first!, ...Array.from({ length: hiddenLayers - 1 }, () => middle!), last!];
  };
  const { hasEps } = optimizerRule('ruleVerdict', choice.optimizer);
  const deep = classifyDeep({
    ...{ a: spread((rule) => rule.forward), b: spread((rule) => rule.init), c: spread((rule) => rule.rate) },
    optimizer: choice.optimizer,
    ...(hasEps ? { d: spread((rule) => rule.eps) } : {}),
  });
  const block = tensorRule('ruleVerdict', made, { kind: 'hidden', inBlock: true });
  const depth = classifyDepth({
    ...{ alpha: format(made.alpha), optimizer: choice.optimizer },
    rate: format(block.rate.depth ?? ZERO),
  });
  const decay = Object.fromEntries(
    MATRICES.map((kind, i) => {
      const gradient = toRational(
        deep.gradients![i === 2 ? hiddenLayers : Math.min(i, hiddenLayers - 1)]!,
        kind,
      );
      return [kind, shrink(made, rules[kind], gradient, (of) => exponent(kind, of))];
    }),
  ) as RuleVerdict['decay'];
  return {
    ...{ rule: made.name, title: made.rule.title, source: made.rule.source, optimizer: choice.optimizer },
    ...{ deep, depth, decay },
    decayKept: Object.values(decay).every((power) => power === null || power === '0'),
    notes: made.rule.notes,
  };
}

/** The power of the width in what one step takes off the weights, over their size; null without decay. */
function shrink(
  { decay: form, optimizer, rule }: Chosen,
  { decay, rate, init }: ChangedRule,
  gradient: Rational,
  exponent: (of: Powers) => Rational,
): string | null {
  if (!decay) return null;
  if (form === 'independent' || rule.factorOutsideRate) return format(exponent(decay));
  const isPlain = form === 'decoupled' || optimizerRule('ruleVerdict', optimizer).family === 'sgd';
  if (isPlain) return format(exponent(product(decay, rate)));
  // L2 inside a normalised step: decay times the weights' size over the gradient's.
  return format(subtract(exponent(product(decay, init)), gradient));
}
