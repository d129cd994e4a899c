// Optimisers as plain data. Their updates: optimizer-state.ts.
import { knownFields, knownWord, type Fields } from '../wasm/engine.js';
import { MUON_FACTORS, type MuonFactor } from './muon.js';

/**
 * How weight decay acts. `coupled`: added to the gradient (L2), as in torch's SGD and Adam. `decoupled`: weights shrink by
 * rate times decay per step, as in AdamW. `independent`: they shrink by the decay itself, whatever the rate (a schedule
 * still multiplies it).
 */
export type DecayForm = 'coupled' | 'decoupled' | 'independent';

export interface Decay {
  /** Default 0. */
  readonly weightDecay?: number;
  /** Default: `coupled` for sgd, momentum, nesterov, rmsprop and adam, `decoupled` for adamw, lion and muon. */
  readonly decayForm?: DecayForm;
}

export interface SgdOptimizer extends Decay {
  readonly kind: 'sgd';
  readonly learningRate: number;
}
export interface MomentumOptimizer extends Decay {
  readonly kind: 'momentum' | 'nesterov';
  readonly learningRate: number;
  readonly momentum: number;
}
export interface RmspropOptimizer extends Decay {
  readonly kind: 'rmsprop';
  readonly learningRate: number;
  readonly decay: number;
  readonly eps: number;
}
export interface AdamOptimizer extends Decay {
  readonly kind: 'adam';
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
}
export interface LionOptimizer extends Decay {
  readonly kind: 'lion';
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
}
export interface MuonOptimizer extends Decay {
  readonly kind: 'muon';
  readonly learningRate: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  /** Newton-Schulz steps. */
  readonly iterations: number;
  /** Least Frobenius norm by which the averaged gradient is divided. */
  readonly eps: number;
  /** On U V^T, by the sides of the matrix. */
  readonly factor: MuonFactor;
  /** Which matrices; all other tensors go to `others`. */
  readonly matrices: 'hidden' | 'all';
  readonly others: EntrywiseOptimizer;
}

/** Optimisers that treat every entry alike. */
export type EntrywiseOptimizer =
  SgdOptimizer | MomentumOptimizer | RmspropOptimizer | AdamOptimizer | LionOptimizer;
export type Optimizer = EntrywiseOptimizer | MuonOptimizer;

const decayed = ({ weightDecay, decayForm }: Decay, form?: DecayForm): Decay =>
  weightDecay === undefined && decayForm === undefined
    ? {}
    : { weightDecay: weightDecay ?? 0, ...((decayForm ?? form) ? { decayForm: decayForm ?? form! } : {}) };
const DECAY: Fields<Decay> = { weightDecay: true, decayForm: true };

/** p -= learningRate g. */
export function sgd(learningRate: number, options: Decay = {}): SgdOptimizer {
  knownFields('sgd', options, DECAY);
  return { kind: 'sgd', learningRate, ...decayed(options) };
}
/** v = momentum v + g; p -= learningRate v. */
export function momentum(learningRate: number, mass = 0.9, options: Decay = {}): MomentumOptimizer {
  knownFields('momentum', options, DECAY);
  return { kind: 'momentum', learningRate, momentum: mass, ...decayed(options) };
}
/** v = momentum v + g; p -= learningRate (g + momentum v). */
export function nesterov(learningRate: number, mass = 0.9, options: Decay = {}): MomentumOptimizer {
  knownFields('nesterov', options, DECAY);
  return { kind: 'nesterov', learningRate, momentum: mass, ...decayed(options) };
}
/** s = decay s + (1 - decay) g^2; p -= learningRate g/(sqrt(s) + eps). */
export function rmsprop(
  learningRate: number,
  options: { readonly decay?: number; readonly eps?: number } & Decay = {},
): RmspropOptimizer {
  knownFields('rmsprop', options, { decay: true, eps: true, ...DECAY });
  const { decay = 0.99, eps = 1e-8 } = options;
  return { kind: 'rmsprop', learningRate, decay, eps, ...decayed(options) };
}

interface AdamOptions extends Decay {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly eps?: number;
}
/** Bias-corrected (Kingma & Ba 2015); eps is added outside the root. */
export function adam(learningRate: number, options: AdamOptions = {}): AdamOptimizer {
  knownFields('adam', options, { beta1: true, beta2: true, eps: true, ...DECAY });
  const { beta1 = 0.9, beta2 = 0.999, eps = 1e-8 } = options;
  return { kind: 'adam', learningRate, beta1, beta2, eps, ...decayed(options) };
}
/** `adam` with decoupled decay (Loshchilov & Hutter, arXiv:1711.05101): p *= 1 - learningRate weightDecay; default 0.01. */
export function adamw(learningRate: number, options: AdamOptions = {}): AdamOptimizer {
  const { weightDecay = 0.01, decayForm = 'decoupled' } = options;
  return adam(learningRate, { ...options, weightDecay, decayForm });
}
/**
 * p -= learningRate sign(beta1 m + (1 - beta1) g); m = beta2 m + (1 - beta2) g (arXiv:2302.06675). With `beta1` 0 it is sign
 * descent. Decay is decoupled.
 */
export function lion(
  learningRate: number,
  options: { readonly beta1?: number; readonly beta2?: number } & Decay = {},
): LionOptimizer {
  knownFields('lion', options, { beta1: true, beta2: true, ...DECAY });
  const { beta1 = 0.9, beta2 = 0.99 } = options;
  return { kind: 'lion', learningRate, beta1, beta2, ...decayed(options, 'decoupled') };
}
/**
 * Hidden matrices move along U V^T of their averaged gradient, found by Newton-Schulz steps (K. Jordan; as torch.optim.Muon,
 * in the model's precision instead of bfloat16). Decay is decoupled and takes the rate before `factor`. All other tensors
 * go to `others`, by default AdamW with a rate of 3e-4.
 */
export function muon(
  learningRate: number,
  options: Partial<Omit<MuonOptimizer, 'kind' | 'learningRate'>> = {},
): MuonOptimizer {
  knownFields<Partial<Omit<MuonOptimizer, 'kind' | 'learningRate'>>>('muon', options, {
    ...{ momentum: true, nesterov: true, iterations: true, eps: true, factor: true, matrices: true },
    ...{ others: true, ...DECAY },
  });
  const { momentum: mass = 0.95, nesterov: looksAhead = true, iterations = 5, eps = 1e-7 } = options;
  const { factor = 'original', matrices = 'hidden', others = adamw(3e-4) } = options;
  return {
    ...{ kind: 'muon', learningRate, momentum: mass, nesterov: looksAhead, iterations, eps },
    ...{ factor, matrices, others, ...decayed(options, 'decoupled') },
  };
}

/** How the rate changes: a factor on the optimiser's learning rate, by step. A pure record. */
export type Schedule =
  | { readonly kind: 'constant' }
  /** Linear from 0 to 1 over `steps`, then 1. */
  | { readonly kind: 'warmup'; readonly steps: number }
  /** From 1 to `final` (default 0) along half a cosine over `steps`. */
  | { readonly kind: 'cosine'; readonly steps: number; readonly final?: number }
  /** Multiplied by `factor` every `every` steps. */
  | { readonly kind: 'decay'; readonly every: number; readonly factor: number };

const KINDS = ['sgd', 'momentum', 'nesterov', 'rmsprop', 'adam', 'lion', 'muon'] as const;
const FORMS: readonly DecayForm[] = ['coupled', 'decoupled', 'independent'];

/** RangeError names the field of a record that is none. */
export function checkOptimizer<O extends Optimizer>(where: string, optimizer: O): O {
  const call = `${where}: optimizer`;
  const wrong = (rule: string, value: unknown): never => {
    throw new RangeError(`${call}: ${rule}, got ${String(value)}.`);
  };
  const one: Optimizer = optimizer;
  const kind = knownWord(call, 'kind', one.kind, KINDS);
  const least = (name: string, value: number): void => {
    if (!(value >= 0) || !Number.isFinite(value)) wrong(`${name} must be >= 0`, value);
  };
  const share = (name: string, value: number): void => {
    if (!(value >= 0 && value < 1)) wrong(`${name} must be >= 0 and < 1`, value);
  };
  least('learningRate', one.learningRate);
  least('weightDecay', one.weightDecay ?? 0);
  if (one.decayForm !== undefined) knownWord(call, 'decayForm', one.decayForm, FORMS);
  const common = { kind: true, learningRate: true, ...DECAY } as const;
  const fields: Record<typeof kind, Fields<object>> = {
    sgd: common,
    momentum: { ...common, momentum: true },
    nesterov: { ...common, momentum: true },
    rmsprop: { ...common, decay: true, eps: true },
    adam: { ...common, beta1: true, beta2: true, eps: true },
    lion: { ...common, beta1: true, beta2: true },
    muon: {
      ...{ ...common, momentum: true, nesterov: true, iterations: true, eps: true, factor: true },
      ...{ matrices: true, others: true },
    } as Fields<object>,
  };
  knownFields<object>(call, one, fields[kind]);
  switch (one.kind) {
    case 'momentum':
    case 'nesterov':
      share('momentum', one.momentum);
      break;
    case 'rmsprop':
      share('decay', one.decay);
      least('eps', one.eps);
      break;
    case 'adam':
    case 'lion':
      if (one.kind === 'adam') least('eps', one.eps);
      share('beta1', one.beta1);
      share('beta2', one.beta2);
      break;
    case 'muon':
      share('momentum', one.momentum);
      least('eps', one.eps);
      if (!Number.isInteger(one.iterations) || one.iterations < 1 || one.iterations >= 100)
        wrong('iterations must be a whole number from 1 to 99', one.iterations);
      if (typeof one.nesterov !== 'boolean') wrong('nesterov must be true or false', one.nesterov);
      knownWord(call, 'factor', one.factor, MUON_FACTORS);
      knownWord(call, 'matrices', one.matrices, ['hidden', 'all'] as const);
      if ((one.others as Optimizer).kind === 'muon') wrong('others must not be muon itself', 'muon');
      checkOptimizer(`${call}: others`, one.others);
      break;
    case 'sgd':
      break;
  }
  return optimizer;
}

/** The form in which an optimiser's decay acts. */
export const decayFormOf = ({ kind, decayForm }: Optimizer): DecayForm =>
  decayForm ?? (kind === 'lion' || kind === 'muon' ? 'decoupled' : 'coupled');

/** Vectors as long as the parameters that an optimiser keeps. */
export function stateCount(optimizer: Optimizer): number {
  if (optimizer.kind === 'muon') return Math.max(1, stateCount(optimizer.others));
  return optimizer.kind === 'sgd' ? 0 : optimizer.kind === 'adam' ? 2 : 1;
}
