// A rule as numbers for the parameters of one net: what a training loop of any framework sets per parameter.
import type { DecayForm } from '../../net/optimizers.js';
import { knownFields } from '../../wasm/engine.js';
import { format } from '../theory/rational.js';
import { ruleVerdict, chosen, RULE_CHOICE, tensorRule, type Chosen, type RuleChoice } from './rule.js';
import { batchRule, tensorKind, type TensorKind } from './layer-rules.js';
import type { ChangedRule, RuleName } from './gallery.js';
import { muonFactor, type MuonFactor } from '../../net/muon.js';
import { optimizerRule, type RuleOptimizer } from './optimizers.js';
import {
  inverse,
  powersText,
  product,
  valueAt,
  type Dimension,
  type Factors,
  type Powers,
} from './powers.js';

/** One parameter of the target model, by its shape and kind. */
export interface RuleParameter {
  readonly name: string;
  /** As PyTorch has it: outputs first, then inputs and filter; an embedding is (tokens, width). */
  readonly shape: readonly number[];
  readonly kind: TensorKind;
  /** At the base model; default: sides that the kind says are wide, divided by `widthFactor`. */
  readonly baseShape?: readonly number[];
  /** Part of a residual block: depth factors apply. */
  readonly inBlock?: boolean;
  /** Inputs of the matrix that a bias belongs to, for frameworks that draw biases by them, and those of the base model. */
  readonly fanIn?: number;
  readonly baseFanIn?: number;
  /** `ntk`: the layer divides by sqrt(fan-in) itself and draws weights of variance 1. */
  readonly parametrization?: 'standard' | 'ntk';
}

/** Values that were tuned on the base model. */
export interface BaseValues {
  readonly learningRate?: number;
  readonly weightDecay?: number;
  readonly eps?: number;
  /** Standard deviation of matrices at the start; default 1/sqrt(fan-in) at the base model. */
  readonly initStd?: number;
}

export interface ScalingTableOptions extends RuleChoice {
  readonly parameters: readonly RuleParameter[];
  /** Width of the target over that of the base model; default 1. */
  readonly widthFactor?: number;
  readonly depthFactor?: number;
  readonly batchFactor?: number;
  /** Training tokens (samples times epochs) over those of the base model. */
  readonly tokenFactor?: number;
  readonly base?: BaseValues;
  /** For tensors that Muon or Shampoo leave to another optimiser: its values. Default: AdamW with rate 3e-4. */
  readonly others?: BaseValues & { readonly optimizer?: RuleOptimizer };
  /** The factor that the Muon in use puts on U V^T; default torch's own default, `original`. */
  readonly muonFactor?: MuonFactor;
}

type Column = 'initStd' | 'lr' | 'weightDecay' | 'eps' | 'forward';

export interface ScalingRow {
  readonly name: string;
  readonly shape: readonly number[];
  readonly kind: TensorKind;
  readonly inBlock: boolean;
  readonly optimizer: RuleOptimizer;
  readonly fanIn: number;
  readonly fanOut: number;
  /** Standard deviation at the start; null where entries are constants (gains at 1, biases at 0). */
  readonly initStd: number | null;
  /** Factor on entries that a framework drew with 1/sqrt(fan-in) at the real size. */
  readonly initFactor: number;
  readonly lr: number;
  readonly weightDecay: number;
  readonly eps: number;
  /** Multiplies what the matrix gives, bias excluded. */
  readonly forward: number;
  /** The multipliers themselves, against the base model. */
  readonly multipliers: { readonly [K in Column]: number };
  /** Their exact exponents; zeros are left out. */
  readonly powers: { readonly [K in Column]: { readonly [D in Dimension]?: string } };
  /** Why, in a sentence. */
  readonly why: string;
}

export interface ScalingTable {
  readonly schema: 'scaling-table/1';
  readonly rule: RuleName;
  readonly optimizer: RuleOptimizer;
  readonly decay: DecayForm;
  readonly factors: {
    readonly width: number;
    readonly depth: number;
    readonly batch: number;
    readonly tokens: number;
  };
  readonly alpha: string;
  readonly base: Required<Omit<BaseValues, 'initStd'>>;
  /** Factors that stand in the net itself. */
  readonly forward: { readonly residual: number; readonly readout: number; readonly attention: string };
  /** On 1 - beta of momentum and of averages. */
  readonly oneMinusBeta: number;
  readonly verdict: {
    readonly class: string;
    readonly r: string;
    readonly stable: boolean;
    readonly featureLearning: boolean;
    readonly maximal: boolean;
    readonly faithful: boolean | null;
    readonly decayKept: boolean;
    readonly depth: string;
  };
  readonly notes: readonly string[];
  readonly parameters: readonly ScalingRow[];
}

const BASE = { learningRate: true, weightDecay: true, eps: true, initStd: true } as const;

/**
 * The per-parameter table of a rule: initial deviation, learning rate, weight decay, epsilon and forward factor of every
 * parameter of the target model, from values tuned on the base model. At factors of 1 every row has the base values; only
 * `u-mup` counts sizes themselves, `depthFactor` being the number of its residual branches.
 * RangeError for unknown rules, optimisers and kinds, shapes that fit no kind, and factors that are not positive.
 *
 *     scalingTable({
 *       optimizer: 'adamw', widthFactor: 16, base: { learningRate: 1e-3, weightDecay: 0.1 },
 *       parameters: [{ name: 'fc.weight', shape: [4096, 4096], kind: 'hidden' }],
 *     }).parameters[0].lr; // 1e-3 / 16
 */
export function scalingTable(options: ScalingTableOptions): ScalingTable {
  const where = 'scalingTable';
  knownFields<ScalingTableOptions>(where, options, {
    ...{ ...RULE_CHOICE, parameters: true, widthFactor: true, depthFactor: true, batchFactor: true },
    ...{ tokenFactor: true, base: BASE, others: { ...BASE, optimizer: true }, muonFactor: true },
  });
  const made = chosen(where, options);
  const width = positive(where, 'widthFactor', options.widthFactor ?? 1);
  const depth = positive(where, 'depthFactor', options.depthFactor ?? 1);
  const batch = positive(where, 'batchFactor', options.batchFactor ?? 1);
  const tokens = positive(where, 'tokenFactor', options.tokenFactor ?? 1);
  const isResized = batch !== 1 || tokens !== 1;
  const size = isResized ? batchRule(where, optimizerRule(where, made.optimizer), made.decay) : null;
  const { parameters } = options;
  if (!Array.isArray(parameters) || parameters.length === 0)
    throw new RangeError(`${where}: parameters must list one entry per parameter of the net, got none.`);
  const base = baseOf(where, 'base', options.base, { learningRate: 1e-3, weightDecay: 0, eps: 1e-8 });
  const others = {
    ...baseOf(where, 'others', options.others, { learningRate: 3e-4, weightDecay: 0, eps: 1e-8 }),
    optimizer: options.others?.optimizer ?? 'adamw',
  };
  const context: RowContext = {
    ...{ where, made, base, others, size, muonFactor: options.muonFactor ?? 'original' },
    factors: { fanIn: width, fanOut: width, depth, batch, tokens },
  };
  const rows = (parameters as readonly RuleParameter[]).map((parameter, i) => rowOf(context, parameter, i));
  const { deep, depth: depthVerdict, decayKept, notes } = ruleVerdict(choiceOf(options));
  return {
    ...{ schema: 'scaling-table/1', rule: made.name, optimizer: made.optimizer, decay: made.decay },
    factors: { width, depth, batch, tokens },
    alpha: format(made.alpha),
    base: { learningRate: base.learningRate, weightDecay: base.weightDecay, eps: base.eps },
    forward: {
      residual: valueAt({ depth: { ...made.alpha, num: -made.alpha.num } }, context.factors),
      readout: rows.find(({ kind }) => kind === 'readout' || kind === 'tied')?.forward ?? 1,
      attention: 'sqrt(base head size) / head size',
    },
    oneMinusBeta: size ? valueAt(size.oneMinusBeta, context.factors) : 1,
    verdict: {
      ...{ class: deep.class, r: deep.r, stable: deep.stable, featureLearning: deep.featureLearning },
      ...{ maximal: deep.maximal, faithful: deep.faithful, decayKept, depth: depthVerdict.class },
    },
    notes,
    parameters: rows,
  };
}

const choiceOf = ({ rule, optimizer, decay, readout, alpha }: RuleChoice): RuleChoice => ({
  optimizer,
  ...(rule === undefined ? {} : { rule }),
  ...(decay === undefined ? {} : { decay }),
  ...(readout === undefined ? {} : { readout }),
  ...(alpha === undefined ? {} : { alpha }),
});

interface RowContext {
  readonly where: string;
  readonly made: Chosen;
  readonly base: Values;
  readonly others: Values & { readonly optimizer: RuleOptimizer };
  readonly size: ReturnType<typeof batchRule> | null;
  readonly factors: Factors;
  readonly muonFactor: MuonFactor;
}

type Values = Required<Omit<BaseValues, 'initStd'>> & Pick<BaseValues, 'initStd'>;

function rowOf(context: RowContext, parameter: RuleParameter, index: number): ScalingRow {
  const { where, made, size } = context;
  const place = `${where}: parameters[${index}]${typeof parameter?.name === 'string' ? ` (${parameter.name})` : ''}`;
  knownFields<RuleParameter>(where, parameter, {
    ...{
      name: true,
      shape: true,
      kind: true,
      baseShape: true,
      inBlock: true,
      fanIn: true,
      baseFanIn: true,
      parametrization: true,
    },
  });
  const kind = tensorKind(place, parameter.kind);
  const { inBlock = false } = parameter;
  const sides = sidesOf(place, parameter, kind, context.factors.fanOut);
  const family = optimizerRule(where, made.optimizer).family;
  const isOther = family === 'spectral' && kind !== 'hidden' && kind !== 'attention';
  const optimizer = isOther ? context.others.optimizer : made.optimizer;
  const base = isOther ? context.others : context.base;
  const form = isOther ? optimizerRule(where, optimizer).decay : made.decay;
  const rule = shifted(tensorRule(place, made, { kind, inBlock, optimizer }), parameter, {
    kind,
    optimizer,
    form,
  });
  const factors = {
    ...context.factors,
    fanIn: sides.fanIn / sides.baseFanIn,
    fanOut: sides.fanOut / sides.baseFanOut,
  };
  const sizes = made.rule.absolute ? { ...factors, fanIn: sides.fanIn, fanOut: sides.fanOut } : factors;
  const at = (powers: Powers, extra: Powers = {}): number => valueAt(product(powers, extra), sizes);
  const lr = at(rule.rate, size?.rate) * (optimizer === 'muon' ? muonShare(context, parameter, sides) : 1);
  const decay = rule.decay ? at(rule.decay, size?.decay) : 0;
  const multipliers = {
    initStd: at(rule.init),
    lr,
    // torch's Muon decays by the rate before the factor: undo what the factor took from it.
    weightDecay: optimizer === 'muon' && decay !== 0 ? decay * (at(rule.rate, size?.rate) / lr) : decay,
    eps: at(rule.eps, size?.eps),
    forward: at(rule.forward),
  };
  const isVector = ['bias', 'gain', 'qkGain', 'readoutBias'].includes(kind);
  const isUnit = made.rule.absolute || parameter.parametrization === 'ntk';
  const drawn = base.initStd ?? (isUnit ? 1 : 1 / Math.sqrt(sides.baseFanIn));
  return {
    ...{ name: parameter.name, shape: parameter.shape, kind, inBlock, optimizer },
    ...{ fanIn: sides.fanIn, fanOut: sides.fanOut },
    initStd: isVector ? null : drawn * multipliers.initStd,
    initFactor: multipliers.initStd * Math.sqrt(sides.drawnBy),
    ...{ lr: base.learningRate * multipliers.lr, weightDecay: base.weightDecay * multipliers.weightDecay },
    ...{ eps: base.eps * multipliers.eps, forward: multipliers.forward },
    multipliers,
    powers: {
      ...{ initStd: powersText(rule.init), lr: powersText(product(rule.rate, size?.rate ?? {})) },
      weightDecay: powersText(product(rule.decay ?? {}, size?.decay ?? {})),
      ...{ eps: powersText(product(rule.eps, size?.eps ?? {})), forward: powersText(rule.forward) },
    },
    why: why(kind, optimizer, inBlock),
  };
}

interface Sides {
  readonly fanIn: number;
  readonly fanOut: number;
  readonly baseFanIn: number;
  readonly baseFanOut: number;
  /** How much the fan-in grew by which a framework draws this tensor. */
  readonly drawnBy: number;
}

const WIDE_IN: readonly TensorKind[] = ['hidden', 'attention', 'readout'];

/** Sides of a tensor and of its base: which of them grow is what the kind says. */
function sidesOf(place: string, parameter: RuleParameter, kind: TensorKind, widthFactor: number): Sides {
  const { shape, baseShape } = parameter;
  for (const [name, sizes] of [
    ['shape', shape],
    ['baseShape', baseShape ?? shape],
  ] as const) {
    const isShape =
      Array.isArray(sizes) && sizes.length > 0 && sizes.every((n) => Number.isSafeInteger(n) && n > 0);
    if (!isShape)
      throw new RangeError(`${place}: ${name} must list whole numbers >= 1, got ${JSON.stringify(sizes)}.`);
  }
  if (baseShape && baseShape.length !== shape.length)
    throw new RangeError(
      `${place}: baseShape must have as many sizes as shape, got ${baseShape.length} and ${shape.length}.`,
    );
  const isLookup = kind === 'embedding' || kind === 'tied';
  const isVector = !isLookup && !['input', ...WIDE_IN].includes(kind);
  if (shape.length < 2 !== isVector && !(isVector && shape.length === 1))
    throw new RangeError(
      `${place}: a tensor of kind '${kind}' has ${isVector ? 'one size' : 'at least two sizes'}, got [${shape.join(', ')}].`,
    );
  const split = (sizes: readonly number[]): [inputs: number, outputs: number] =>
    isLookup
      ? [1, sizes[1]!]
      : isVector
        ? [1, sizes[0]!]
        : [sizes.slice(1).reduce((all, n) => all * n, 1), sizes[0]!];
  const [fanIn, fanOut] = split(shape);
  const wideIn = WIDE_IN.includes(kind);
  const wideOut = kind !== 'readout' && kind !== 'readoutBias' && kind !== 'qkGain';
  const [baseFanIn, baseFanOut] = baseShape
    ? split(baseShape)
    : [wideIn ? fanIn / widthFactor : fanIn, wideOut ? fanOut / widthFactor : fanOut];
  const { fanIn: behind = 1, baseFanIn: baseBehind = behind } = parameter;
  const grown = wideIn ? fanIn / baseFanIn : behind / baseBehind;
  return { fanIn, fanOut, baseFanIn, baseFanOut, drawnBy: parameter.parametrization === 'ntk' ? 1 : grown };
}

/** A rule in the gauge of a layer that divides by sqrt(fan-in) itself: (a + 1/2, b - 1/2) and the rate that leaves the step alone. */
function shifted(
  rule: ChangedRule,
  { parametrization }: RuleParameter,
  { kind, optimizer, form }: { kind: TensorKind; optimizer: RuleOptimizer; form: DecayForm },
): ChangedRule {
  if (parametrization !== 'ntk' || !WIDE_IN.includes(kind)) return rule;
  const { family } = optimizerRule('scalingTable', optimizer);
  const half = (times: bigint): Powers => ({ fanIn: { num: times, den: 2n, exact: true } });
  const rate = { sgd: half(2n), entrywise: half(1n), spectral: half(1n), relative: {} }[family];
  // Decoupled decay and that of SGD act through the rate; L2 inside a normalised step through weights over gradients.
  const throughRate = form === 'decoupled' || family === 'sgd';
  const decay = form === 'independent' ? {} : throughRate ? inverse(rate) : half(-2n);
  return {
    ...rule,
    init: product(rule.init, half(1n)),
    rate: product(rule.rate, rate),
    eps: product(rule.eps, half(-1n)),
    decay: rule.decay && product(rule.decay, decay),
  };
}

/** What of the wanted rate the factor of the Muon in use does not give by itself. */
function muonShare(
  { muonFactor: factor }: RowContext,
  { shape, baseShape }: RuleParameter,
  sides: Sides,
): number {
  const inputs = shape.slice(1).reduce((all, n) => all * n, 1);
  if (baseShape)
    return muonFactor(factor, baseShape[0]!, sides.baseFanIn) / muonFactor(factor, shape[0]!, inputs);
  return (
    muonFactor(factor, sides.baseFanOut, sides.baseFanIn) / muonFactor(factor, sides.fanOut, sides.fanIn)
  );
}

function positive(where: string, name: string, value: number): number {
  if (typeof value !== 'number' || !(value > 0) || !Number.isFinite(value))
    throw new RangeError(`${where}: ${name} must be a positive, finite number, got ${String(value)}.`);
  return value;
}

function baseOf(where: string, name: string, given: BaseValues | undefined, fallback: Values): Values {
  const values = { ...fallback, ...given };
  for (const key of ['learningRate', 'weightDecay', 'eps', 'initStd'] as const) {
    const value = values[key];
    if (value !== undefined && (typeof value !== 'number' || !(value >= 0) || !Number.isFinite(value)))
      throw new RangeError(`${where}: ${name}.${key} must be a finite number >= 0, got ${String(value)}.`);
  }
  return values;
}

const STEPS = {
  sgd: 'a step of SGD has |dW|_2 of order lr sqrt(fan-in / fan-out)',
  entrywise: 'a step with entries of order 1 has |dW|_2 = lr sqrt(fan-in fan-out)',
  spectral: 'a step U V^T has |dW|_2 = lr',
  relative: 'a step relative to the weights has |dW|_2 = lr RMS(W) sqrt(fan-in fan-out)',
} as const;

function why(kind: TensorKind, optimizer: RuleOptimizer, inBlock: boolean): string {
  const { family } = optimizerRule('scalingTable', optimizer);
  const wanted =
    kind === 'readout' || kind === 'tied'
      ? 'the output must move by an amount of order 1'
      : 'it must be of order sqrt(fan-out / fan-in)';
  return `${STEPS[family]}; ${wanted}${inBlock ? ', shared by all blocks' : ''}.`;
}
