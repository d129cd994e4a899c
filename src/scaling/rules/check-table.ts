// The static check: two sizes of one net as an optimiser's own groups have them, against maximal update. It needs no
// training, and finds at once what coordinate checks miss in their first steps: decay, epsilon, factors applied twice.
import type { DecayForm } from '../../net/optimizers.js';
import { log } from '../../math/elementary.js';
import { knownFields } from '../../wasm/engine.js';
import type { Exponent } from '../theory/rational.js';
import { tensorKind, type TensorKind } from './layer-rules.js';
import { optimizerRule, type RuleOptimizer, type UpdateFamily } from './optimizers.js';
import { valueAt } from './powers.js';
import { chosen, tensorRule } from './rule.js';

/** A parameter at two sizes of the net, with the values that training really uses. Left out: not checked. */
export interface CheckedParameter {
  readonly name: string;
  readonly kind: TensorKind;
  readonly inBlock?: boolean;
  readonly base: CheckedValues;
  readonly target: CheckedValues;
}

export interface CheckedValues {
  readonly fanIn: number;
  readonly fanOut: number;
  readonly lr: number;
  readonly weightDecay?: number;
  readonly eps?: number;
  /** Standard deviation of the entries at the start. */
  readonly initStd?: number;
  /** What multiplies the layer's output; default 1. */
  readonly forward?: number;
}

export interface TableFinding {
  readonly parameter: string;
  readonly check: 'init' | 'rate' | 'decay' | 'eps';
  /** Ratio of target to base, a forward factor counted in, and the ratio that maximal update has. */
  readonly got: number;
  readonly wanted: number;
  /** got over wanted as a power of the width factor; null where the width is the same. */
  readonly power: number | null;
  readonly ok: boolean;
  readonly text: string;
}

export interface TableCheck {
  readonly verdict: 'ok' | 'fails';
  readonly checked: number;
  /** Those that fail, decay first. */
  readonly failures: readonly TableFinding[];
  readonly findings: readonly TableFinding[];
}

export interface TableCheckOptions {
  readonly optimizer: RuleOptimizer;
  readonly decay?: DecayForm;
  readonly parameters: readonly CheckedParameter[];
  /** Depth of the target over that of the base, and the power on its residual branches; default 1. */
  readonly depthFactor?: number;
  readonly alpha?: Exponent;
  /** Relative; default 1e-12. */
  readonly tolerance?: number;
}

const CHECKS = ['decay', 'eps', 'rate', 'init'] as const;
const VALUES = {
  fanIn: true,
  fanOut: true,
  lr: true,
  weightDecay: true,
  eps: true,
  initStd: true,
  forward: true,
} as const;

/**
 * Checks the values of two sizes of a net against maximal update: rate times decay must keep its size, epsilon must follow
 * the gradient, rates and initial sizes must be those of the spectral condition. RangeError for values that are none.
 *
 *     checkTable({ optimizer: 'adamw', parameters: [{
 *       name: 'fc.weight', kind: 'hidden',
 *       base: { fanIn: 64, fanOut: 64, lr: 1e-3, weightDecay: 0.1 }, target: { fanIn: 256, fanOut: 256, lr: 2.5e-4, weightDecay: 0.1 },
 *     }] }).failures[0].check; // 'decay': 0.1 should be 0.4
 */
export function checkTable(options: TableCheckOptions): TableCheck {
  const where = 'checkTable';
  knownFields<TableCheckOptions>(where, options, {
    ...{ optimizer: true, decay: true, parameters: true, depthFactor: true, alpha: true, tolerance: true },
  });
  const { optimizer, parameters, depthFactor = 1, tolerance = 1e-12 } = options;
  if (!(depthFactor > 0) || !(tolerance >= 0))
    throw new RangeError(
      `${where}: depthFactor must be > 0 and tolerance >= 0, got ${depthFactor} and ${tolerance}.`,
    );
  const made = chosen(where, {
    optimizer,
    ...(options.decay === undefined ? {} : { decay: options.decay }),
    ...(options.alpha === undefined ? {} : { alpha: options.alpha }),
  });
  if (!Array.isArray(parameters) || parameters.length === 0)
    throw new RangeError(`${where}: parameters must list at least one parameter, got none.`);
  const findings = (parameters as readonly CheckedParameter[]).flatMap((parameter, i) => {
    const place = `${where}: parameters[${i}]`;
    knownFields<CheckedParameter>(place, parameter, {
      ...{ name: true, kind: true, inBlock: true, base: VALUES, target: VALUES },
    });
    const { inBlock = false, base, target } = parameter;
    const kind = tensorKind(place, parameter.kind);
    const [small, large] = [complete(place, 'base', base), complete(place, 'target', target)];
    const factors = {
      ...{ fanIn: large.fanIn / small.fanIn, fanOut: large.fanOut / small.fanOut },
      ...{ depth: depthFactor, batch: 1, tokens: 1 },
    };
    const { rate, init, eps } = tensorRule(place, made, { kind, inBlock });
    const { family, hasEps } = optimizerRule(where, optimizer);
    const wantedRate = valueAt(rate, factors);
    // The size of gradients, which epsilon and L2 stand beside.
    const gradient = valueAt(eps, factors);
    const [got, wanted] = [
      ratios(small, large, family),
      { rate: wantedRate, init: valueAt(init, factors), eps: gradient },
    ];
    const width = factors.fanOut === 1 ? factors.fanIn : factors.fanOut;
    const judge = (check: TableFinding['check'], have: number, want: number): TableFinding[] =>
      Number.isFinite(have) ? [judged(parameter.name, check, { have, want, width, tolerance })] : [];
    return [
      ...(got.decay === null ? [] : judge('decay', shrinkOf(made.decay, family, got, wanted), 1)),
      ...(hasEps && got.eps !== null ? judge('eps', got.eps, wanted.eps) : []),
      ...judge('rate', got.rate, wanted.rate),
      ...(got.init === null ? [] : judge('init', got.init, wanted.init)),
    ];
  });
  const failures = findings
    .filter(({ ok }) => !ok)
    .toSorted((a, b) => CHECKS.indexOf(a.check) - CHECKS.indexOf(b.check));
  return { verdict: failures.length > 0 ? 'fails' : 'ok', checked: findings.length, failures, findings };
}

type Checked = Required<Pick<CheckedValues, 'fanIn' | 'fanOut' | 'lr' | 'forward'>> & CheckedValues;

function complete(place: string, side: string, values: CheckedValues): Checked {
  const filled = { forward: 1, ...values };
  for (const [name, value] of Object.entries(filled)) {
    const isDecay = name === 'weightDecay';
    if (typeof value !== 'number' || !Number.isFinite(value) || !(isDecay ? value >= 0 : value > 0))
      throw new RangeError(
        `${place}.${side}.${name} must be a finite number ${isDecay ? '>= 0' : '> 0'}, got ${String(value)}.`,
      );
  }
  return filled;
}

interface Ratios {
  readonly rate: number;
  readonly decay: number | null;
  readonly eps: number | null;
  readonly init: number | null;
  readonly lr: number;
  readonly forward: number;
}

/** Ratios of target to base with forward factors folded in, so that every gauge reads the same. */
function ratios(small: Checked, large: Checked, family: UpdateFamily): Ratios {
  const forward = large.forward / small.forward;
  const through = { sgd: forward * forward, entrywise: forward, spectral: forward, relative: 1 }[family];
  const of = (key: 'weightDecay' | 'eps' | 'initStd'): number | null =>
    small[key] === undefined || large[key] === undefined ? null : large[key] / small[key];
  const [eps, init] = [of('eps'), of('initStd')];
  const decays = small.weightDecay || large.weightDecay ? of('weightDecay') : null;
  return {
    lr: large.lr / small.lr,
    forward,
    rate: (large.lr / small.lr) * through,
    decay: decays,
    eps: eps === null ? null : eps / forward,
    init: init === null ? null : init * forward,
  };
}

/** Ratio of what a step takes off the weights. */
function shrinkOf(
  form: DecayForm,
  family: UpdateFamily,
  got: Ratios,
  wanted: { readonly eps: number; readonly init: number },
): number {
  const decay = got.decay!;
  if (form === 'independent') return decay;
  if (form === 'decoupled' || family === 'sgd') return decay * got.lr;
  // Weights are larger than folded ones by the forward factor, gradients smaller.
  return (decay * (got.init ?? wanted.init)) / (wanted.eps * got.forward * got.forward);
}

const SAYS = {
  decay: 'what a step takes off the weights (rate times decay) changes with size',
  eps: 'epsilon does not follow the gradient',
  rate: 'the rate is not that of maximal update',
  init: 'the initial size is not that of maximal update',
} as const;

function judged(
  parameter: string,
  check: TableFinding['check'],
  { have, want, width, tolerance }: { have: number; want: number; width: number; tolerance: number },
): TableFinding {
  const off = have / want;
  const ok = Math.abs(off - 1) <= tolerance;
  const power = width === 1 || !(off > 0) ? null : log(off) / log(width);
  return {
    ...{ parameter, check, got: have, wanted: want, power, ok },
    text: ok
      ? `${parameter}: ${check} as wanted.`
      : `${parameter}: ${SAYS[check]}: ${have.toPrecision(4)} of the base value instead of ${want.toPrecision(4)}${power === null ? '' : `, off by width^${power.toFixed(2)}`}.`,
  };
}
