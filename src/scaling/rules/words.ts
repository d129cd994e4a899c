// A deep classification, sentence by sentence.
import type { DeepClassification } from './deep.js';

/** An inequality that fails. */
export interface Violation {
  /** What goes wrong: sizes at the start, changes of features, or changes of outputs. */
  readonly at: 'start' | 'features' | 'logits';
  /** Number of the matrix, from 1. */
  readonly layer: number;
  readonly rule: string;
  /** The left side's value. */
  readonly got: string;
  /** The power of n with which the quantity grows (below 0: vanishes). */
  readonly power: string;
}

const like = (power: string): string =>
  power === '0' ? 'stays of order 1' : `${power.startsWith('-') ? 'vanishes' : 'grows'} like n^${power}`;
const order = (power: string): string => (power === '0' ? 'of order 1' : `of order n^${power}`);

const SUBJECT = {
  start: (layer: number) => `h_${layer} at initialisation`,
  features: (layer: number) => `the change of h_${layer}`,
  logits: () => 'the change of the output',
} as const;

export function violationWords({ at, layer, rule, got, power }: Violation): string {
  return `${SUBJECT[at](layer)} ${like(power)}: ${rule} fails, the value is ${got}.`;
}

const listed = (layers: readonly number[]): string =>
  layers.length === 1 ? `layer ${layers[0]}` : `layers ${layers.join(', ')}`;

export function deepWords(found: Omit<DeepClassification, 'words'>): string[] {
  const { name, hiddenLayers, logits, changes, learns, violations } = found;
  const what = `${name ? `This is ${name}` : 'A parametrisation without a common name'}, ${hiddenLayers} hidden ${hiddenLayers === 1 ? 'layer' : 'layers'}, ${found.family} updates.`;
  if (violations.length > 0) {
    return [
      what,
      'It is unstable: there is no limit of infinite width.',
      ...violations.map((violation) => sentence(violationWords(violation))),
      'Mend the first of these first; what follows may only be its consequence.',
      ...epsWords(found),
    ];
  }
  const learning = learns.flatMap((does, l) => (does ? [l + 1] : []));
  const body = {
    trivial: [
      `It is stable but trivial: training does nothing in the limit, the output changes by an amount ${order(logits.change)}.`,
      'Raise the rates.',
    ],
    kernel: [
      'It is in the kernel regime: the output learns, but features stay what they were, and the limit is a fixed kernel.',
      `Features change by ${changes.map((power) => `n^${power}`).join(', ')} from the first to the last hidden layer.`,
    ],
    feature: [
      `It learns features: ${listed(learning)} of ${hiddenLayers} change by an amount of order 1.`,
      found.maximal
        ? 'It is the maximal update: every layer moves as much as it can, the readout too.'
        : learning.length < hiddenLayers
          ? 'The layers before the first of these are frozen in the limit.'
          : 'It is not maximal: the readout moves less than it could.',
    ],
    unstable: [],
  }[found.class];
  return [
    what,
    ...body,
    `The output at initialisation ${like(logits.init)}${logits.init === '0' ? ' and is a Gaussian process' : ''}.`,
    ...epsWords(found),
  ];
}

function epsWords({ epsExponents, faithful }: Omit<DeepClassification, 'words'>): string[] {
  if (!epsExponents) return [];
  return [
    `Epsilon stays beside the gradient when it scales like ${epsExponents.map((d) => `n^${negated(d)}`).join(', ')}, matrix by matrix${faithful ? '.' : '; here the optimiser is not faithful: epsilon or the growing readout changes what a step is.'}`,
  ];
}

const negated = (power: string): string =>
  power === '0' ? power : power.startsWith('-') ? power.slice(1) : `-${power}`;
const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
