// Rules that were published or are in use, as data: what each does to a tensor, as a change of maximal update.
import { inverse, powers, product, type Powers } from './powers.js';
import type { LayerRule, ReadoutStyle, TensorKind } from './layer-rules.js';
import type { RuleOptimizer } from './optimizers.js';

export type RuleName =
  | 'maximal'
  | 'mup'
  | 'nanogpt-mup'
  | 'depth-mup'
  | 'completep'
  | 'completedp'
  | 'u-mup'
  | 'megatron-mup'
  | 'muon-jordan'
  | 'muon-spectral'
  | 'muon-moonlight'
  | 'sp'
  | 'sp-1/n'
  | 'ntp'
  | 'wang-aitchison'
  | 'sqrt-decay';

/** Which tensor a rule is asked about. */
export interface RuleTensor {
  readonly kind: TensorKind;
  readonly optimizer: RuleOptimizer;
  readonly inBlock: boolean;
}

export interface NamedRule {
  readonly title: string;
  readonly source: string;
  readonly optimizers: readonly RuleOptimizer[];
  readonly readout: ReadoutStyle;
  /** Power of depth on residual branches, where the rule says one. */
  readonly alpha: string | null;
  /** What differs from maximal update; decay null: none. */
  readonly change: (rule: LayerRule, tensor: RuleTensor) => Partial<ChangedRule>;
  /** The width's factor stands on the step and not in the rate, so decoupled decay does not see it. */
  readonly factorOutsideRate?: boolean;
  /** Sizes themselves count, not their ratio to a base model. */
  readonly absolute?: boolean;
  /** Where the rule and what was measured or derived disagree. */
  readonly notes: readonly string[];
}

/** A rule in which decay may be absent. */
export interface ChangedRule extends Omit<LayerRule, 'decay'> {
  readonly decay: Powers | null;
}

const ALL: readonly RuleOptimizer[] = [
  'sgd',
  'momentum',
  'nesterov',
  'sign',
  'rmsprop',
  'adam',
  'adamw',
  'adamw-independent',
  'lion',
  'adafactor',
  'lamb',
  'lars',
  'shampoo',
  'muon',
];
const ADAM: readonly RuleOptimizer[] = ['adam', 'adamw', 'adamw-independent'];
const NONE: Powers = {};
const isVector = (kind: TensorKind): boolean => ['bias', 'gain', 'qkGain', 'readoutBias'].includes(kind);
const isHidden = (kind: TensorKind): boolean => kind === 'hidden' || kind === 'attention';
const isSgd = (optimizer: RuleOptimizer): boolean => ['sgd', 'momentum', 'nesterov'].includes(optimizer);
const keep = (): Partial<ChangedRule> => ({});
/** Standard parametrisation: every matrix starts at 1/sqrt(fan-in), one epsilon, decay left alone. */
const standard = (kind: TensorKind): Partial<ChangedRule> => ({
  init: isHidden(kind) || kind === 'readout' ? powers({ fanIn: '-1/2' }) : NONE,
  rate: NONE,
  decay: NONE,
  eps: NONE,
});
const perWidth = (kind: TensorKind, power: string): Powers =>
  kind === 'readoutBias'
    ? NONE
    : isHidden(kind) || kind === 'readout'
      ? powers({ fanIn: power })
      : powers({ fanOut: power });

/** The named rules. `maximal` is the one derived here, epsilon and decay included. */
export const RULES: { readonly [K in RuleName]: NamedRule } = {
  maximal: {
    ...{ title: 'maximal update, decay and epsilon included', source: 'arXiv:2310.17813' },
    ...{ optimizers: ALL, readout: 'small', alpha: null, change: keep, notes: [] },
  },
  mup: {
    ...{ title: 'the mup package 1.0.0', source: 'arXiv:2203.03466, microsoft/mup' },
    ...{ optimizers: ['sgd', 'momentum', 'nesterov', ...ADAM], readout: 'forward', alpha: null },
    change: ({ rate }) => ({ eps: NONE, decay: inverse(rate) }),
    notes: [
      'Epsilon is not scaled: once gradients, which fall like 1/width, reach it, steps shrink.',
      'MuAdam (L2 inside the normalised step) multiplies the decay by the width as MuAdamW does; what keeps decay beside the gradient is width^-1/2 for hidden matrices.',
    ],
  },
  'nanogpt-mup': {
    ...{ title: 'nanoGPT-mup', source: 'EleutherAI/nanoGPT-mup' },
    ...{ optimizers: ADAM, readout: 'forward', alpha: null },
    change: () => ({ eps: NONE, decay: NONE }),
    notes: [
      'Decay is not scaled: rate times decay falls like 1/width, wide nets forget more slowly.',
      'Epsilon is not scaled.',
    ],
  },
  'depth-mup': {
    ...{ title: 'Depth-muP', source: 'arXiv:2310.02244, arXiv:2309.16620' },
    ...{ optimizers: ALL, readout: 'forward', alpha: '1/2', change: keep },
    notes: ['Blocks of two and more matrices are lazy: their weights move by depth^-1/2 of their size.'],
  },
  completep: {
    ...{ title: 'CompleteP', source: 'arXiv:2505.01618, EleutherAI/nanoGPT-mup' },
    ...{ optimizers: ['adamw'], readout: 'forward', alpha: '1' },
    change: (_rule, { kind }) => ({
      eps: product(perWidth(kind, '-1'), powers({ depth: -1 })),
      decay: isVector(kind) ? null : isHidden(kind) ? powers({ fanIn: 1 }) : NONE,
    }),
    notes: [
      'Its code gives one epsilon to all groups. Gradients of embedding, readout and last norm do not fall with depth, so their factor 1/depth is not needed.',
    ],
  },
  completedp: {
    ...{ title: 'Complete(d)P', source: 'arXiv:2512.22382, as restated by third-party code' },
    ...{ optimizers: ['adamw'], readout: 'small', alpha: '1', change: keep },
    notes: [
      'The restatement leaves the epsilon of the last norm alone. Its gradients fall like width^-0.94, so the table here uses 1/width.',
      'The paper itself could not be read; batch and token factors are those of arXiv:2205.10287.',
    ],
  },
  'u-mup': {
    ...{ title: 'u-muP', source: 'arXiv:2407.17465, graphcore-research/unit-scaling' },
    ...{ optimizers: ['adam', 'adamw-independent'], readout: 'forward', alpha: '1/2', absolute: true },
    change: ({ forward }, { kind, inBlock }) => {
      const depth = inBlock ? powers({ depth: '-1/2' }) : NONE;
      const isInput = kind === 'input';
      return {
        init: NONE,
        forward: isHidden(kind) || isInput ? powers({ fanIn: '-1/2' }) : forward,
        rate: product(
          isHidden(kind) || isInput
            ? powers({ fanIn: '-1/2' })
            : kind === 'embedding'
              ? powers({ fanOut: '-1/2' })
              : NONE,
          depth,
        ),
        decay: NONE,
        eps: NONE,
      };
    },
    notes: [
      'The embedding rate falls like width^-1/2, so the embedding is frozen in the limit; every other layer is maximal.',
      'Epsilon is not scaled.',
    ],
  },
  'megatron-mup': {
    ...{
      title: 'Megatron-LM, scaling recipe mup',
      source: 'NVIDIA/Megatron-LM, read from copies of its files',
    },
    ...{ optimizers: ['sgd', 'momentum', 'adam', 'adamw'], readout: 'forward', alpha: null },
    change: ({ eps }, { kind, optimizer }) => ({
      eps: isHidden(kind) ? eps : NONE,
      decay: NONE,
      ...(kind === 'readout' && isSgd(optimizer) ? { rate: powers({ fanIn: 1 }) } : {}),
    }),
    notes: [
      'Epsilon of embedding, gains, biases and readout is not scaled, although their gradients fall like 1/width.',
      'Decay is not scaled. Matrices that Muon trains are excluded from the recipe.',
    ],
  },
  'muon-jordan': muon('Muon, the factor of K. Jordan', 'KellerJordan/Muon, torch original', {
    rate: { input: { fanOut: '1/2' } },
    notes: [
      'For matrices that narrow (fan-out below fan-in) the factor is 1, too large by (fanIn/fanOut)^1/2: leave the readout to an entrywise optimiser.',
    ],
  }),
  'muon-spectral': muon(
    'Muon, the spectral factor',
    'arXiv:2310.17813, arXiv:2502.07529, torch spectral_unclamped',
    {
      rate: {
        input: { fanOut: '1/2' },
        hidden: { fanOut: '1/2', fanIn: '-1/2' },
        readout: { fanIn: '-1/2' },
      },
      notes: [],
    },
  ),
  'muon-moonlight': muon('Muon, the factor of Moonlight', 'arXiv:2502.16982, torch match_rms_adamw', {
    rate: { input: { fanOut: '1/2' }, hidden: { fanIn: '1/2' }, readout: { fanIn: '1/2' } },
    notes: [
      'With one rate hidden steps grow like width^1/2; with a rate that falls like 1/width, as for Adam, they vanish like width^-1/2. It needs width^-1/2.',
    ],
  }),
  sp: {
    ...{ title: 'standard parametrisation, one rate', source: 'framework defaults' },
    ...{ optimizers: ALL, readout: 'small', alpha: null, change: (_rule, { kind }) => standard(kind) },
    notes: [],
  },
  'sp-1/n': {
    ...{ title: 'standard parametrisation, rate 1/width everywhere', source: 'in use' },
    ...{ optimizers: ALL, readout: 'small', alpha: null },
    change: (_rule, { kind }) => ({ ...standard(kind), rate: perWidth(kind, '-1') }),
    notes: [
      'With Adam it is often taken for safe; the readout then moves the output by width^1/2 through the features.',
    ],
  },
  ntp: {
    ...{ title: 'NTK parametrisation', source: 'arXiv:1806.07572, arXiv:2011.14522' },
    ...{ optimizers: ALL.filter((name) => !['shampoo', 'muon', 'adafactor', 'lamb', 'lars'].includes(name)) },
    ...{ readout: 'small', alpha: null },
    change: (_rule, { kind, optimizer }) => {
      const isWide = isHidden(kind) || kind === 'readout';
      if (isSgd(optimizer)) return { ...standard(kind), rate: isWide ? powers({ fanIn: -1 }) : NONE };
      const rate = isHidden(kind)
        ? powers({ fanIn: '-3/2' })
        : perWidth(kind, kind === 'readout' ? '-1' : '-1/2');
      return { ...standard(kind), rate };
    },
    notes: [],
  },
  'wang-aitchison': {
    ...{ title: 'constant time scale of decay', source: 'arXiv:2405.13698' },
    ...{ optimizers: ['adamw'], readout: 'forward', alpha: null },
    change: ({ rate }) => ({ eps: NONE, decay: inverse(rate) }),
    notes: ['Epsilon is not scaled.'],
  },
  'sqrt-decay': {
    ...{ title: 'square-root decay', source: 'arXiv:2510.15262' },
    ...{ optimizers: ['adamw'], readout: 'forward', alpha: null },
    change: ({ rate }, { kind }) => ({
      eps: NONE,
      decay: isVector(kind) ? null : isHidden(kind) ? powers({ fanIn: '1/2' }) : inverse(rate),
    }),
    notes: [
      'It keeps the top singular value at equilibrium and not the number of steps in which weights are forgotten, so the static check of decay reports it.',
      'Epsilon is not scaled.',
    ],
  },
};

/** A rule that is a fixed factor on U V^T, with one rate and standard initialisation of hidden matrices. */
function muon(
  title: string,
  source: string,
  {
    rate,
    notes,
  }: {
    readonly rate: { readonly [K in 'input' | 'hidden' | 'readout']?: Parameters<typeof powers>[0] };
    readonly notes: readonly string[];
  },
): NamedRule {
  return {
    ...{ title, source, optimizers: ['muon'], readout: 'small', alpha: null, factorOutsideRate: true },
    change: (_rule, { kind }) => ({
      rate: powers(rate[isHidden(kind) ? 'hidden' : kind === 'readout' ? 'readout' : 'input'] ?? {}),
      // torch decays by the rate before the factor, which is one for all.
      decay: NONE,
    }),
    notes,
  };
}
