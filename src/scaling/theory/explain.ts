import { classify, type Classification, type Line } from './classify.js';
import { multiplierPowers, multipliers, type Multipliers, type OptimizerKind } from './multipliers.js';
import { format } from './rational.js';
import { scaling, type Scaling, type ScalingSpec } from './scalings.js';
import { knownFields, type Fields } from '../../wasm/engine.js';

export interface ExplainOptions {
  /** Width of the reference net, default 128. */
  readonly baseWidth?: number;
  /** Default: the base width times 1, 4, 32 and 512. */
  readonly widths?: readonly number[];
  /** Rate of the reference net, default 0.02. */
  readonly learningRate?: number;
  /** Inputs of the first layer, for its standard deviation; default 784. */
  readonly inputSize?: number;
  readonly optimizer?: OptimizerKind;
  /** Standard deviation of a weight times sqrt(fan-in); default 1/sqrt(3), of U(-1, 1)/sqrt(fan-in). */
  readonly gain?: number;
}

/** Initial standard deviation and learning rate of each layer at one width. */
export interface WidthRow {
  readonly width: number;
  readonly multipliers: Multipliers;
  readonly std: { readonly input: number; readonly hidden: number; readonly output: number };
  readonly rate: { readonly input: number; readonly hidden: number; readonly output: number };
}

export interface Explanation {
  readonly scaling: Scaling;
  readonly classification: Classification;
  readonly rows: readonly WidthRow[];
  /** What will happen, sentence by sentence. */
  readonly words: readonly string[];
  /** All of it as text for a terminal. */
  readonly text: string;
}

const EXPLAIN_OPTIONS: Fields<ExplainOptions> = {
  baseWidth: true,
  widths: true,
  learningRate: true,
  inputSize: true,
  optimizer: true,
  gain: true,
};

/**
 * What a scaling sets at each width and what will happen as the width grows. RangeError as of `scaling`, and for
 * widths that are none.
 */
export function explain(spec: ScalingSpec, options: ExplainOptions = {}): Explanation {
  knownFields('explain', options, EXPLAIN_OPTIONS);
  const {
    baseWidth = 128,
    learningRate = 0.02,
    inputSize = 784,
    optimizer = 'sgd',
    gain = Math.sqrt(1 / 3),
  } = options;
  for (const [name, value] of Object.entries({ baseWidth, inputSize })) {
    if (!Number.isInteger(value) || value < 1)
      throw new RangeError(`explain: ${name} must be a whole number >= 1, got ${value}`);
  }
  const widths = options.widths ?? [1, 4, 32, 512].map((factor) => factor * baseWidth);
  const classification = classify(spec);
  const rows = widths.map((width): WidthRow => {
    if (!Number.isInteger(width) || width < baseWidth) {
      throw new RangeError(
        `explain: widths must be whole numbers from the base width ${baseWidth} on, got ${width}`,
      );
    }
    const factors = multipliers(spec, width / baseWidth, { optimizer });
    const fan = gain / Math.sqrt(width);
    return {
      width,
      multipliers: factors,
      std: {
        input: (gain / Math.sqrt(inputSize)) * factors.weights.input,
        hidden: fan * factors.weights.hidden,
        output: fan * factors.weights.output,
      },
      rate: {
        input: learningRate * factors.rates.input,
        hidden: learningRate * factors.rates.hidden,
        output: learningRate * factors.rates.output,
      },
    };
  });
  const full = scaling(spec);
  const words = [
    ...describe(classification, full.initCorrection !== 'none'),
    'wf is the width over that of the reference net.',
  ];
  const text = layout(full, spec, optimizer, { baseWidth, rows, words });
  return { scaling: full, classification, rows, words, text };
}

const grows = (power: number): string =>
  power === 0 ? 'stays finite' : `${power > 0 ? 'grows' : 'vanishes'} like wf^${round(power)}`;
const round = (value: number): string => String(Math.round(value * 1e4) / 1e4);

function describe(classification: Classification, corrected: boolean): string[] {
  const { status, name, exponents, dominantTerms, nearestSymmetric } = classification;
  if (status === 'stagnating') {
    return [
      `This point stagnates: a training step changes the logits by wf^${round(exponents.C)} of what they are at initialisation.`,
      'In the limit training does nothing. Raise the learning-rate exponents (qSigma + qTilde >= -1/2).',
    ];
  }
  if (status === 'unstable') {
    const growth = exponents.u + exponents.v;
    return [
      `This point is unstable: the two layers push each other up (u + v = ${round(growth)} > 0), and the power of the logits rises with every step.`,
      'There is no limit. Lower the learning-rate exponents (qSigma + their mean <= 0).',
    ];
  }
  return [
    `Stable limit: ${name}.`,
    propertiesOf(classification),
    corrected
      ? 'Logits at initialisation stay finite and random.'
      : `The size of the logits at initialisation ${grows(exponents.A)}; after the first step it ${grows(exponents.logits)}.`,
    ...kernelWords(classification),
    exponents.logits > 0
      ? 'Logits diverge, so only their signs matter: the limit corrects misclassified points like a perceptron and then stops.'
      : exponents.logits < 0
        ? 'Logits vanish, so the loss gradient never changes from its value at zero.'
        : 'Logits stay finite, so the limit minimises the real loss.',
    `Terms of the logit that survive: ${dominantTerms.map((term) => TERM_NAMES[term]).join(', ')}.`,
    ...(nearestSymmetric
      ? [
          `Equal rates with the same u + v: (${nearestSymmetric.qSigma}, ${nearestSymmetric.qTilde}), cell ${nearestSymmetric.cell ?? 'none'}.`,
        ]
      : []),
  ];
}

function propertiesOf({ properties: p }: Classification): string {
  const held = [
    p.logitsFiniteAtInit && 'logits finite at initialisation',
    p.kernelsFiniteAtInit && 'kernels finite at initialisation',
    p.kernelsAndLogitsOfSameOrder && 'both of the same order',
    p.kernelsEvolve && 'kernels that evolve',
  ].filter((property) => property !== false);
  return `Of the four properties of finite nets it keeps ${held.length}${held.length > 0 ? `: ${held.join(', ')}` : ''}.`;
}

/** What becomes of the tangent kernel and of the weights of either layer. */
function kernelWords({ exponents: e, symmetric, properties, distances }: Classification): string[] {
  const layers = symmetric
    ? `The tangent kernel at initialisation ${grows(e.B)}.`
    : `Of the tangent kernel at initialisation the output layer's part ${grows(e.outputKernelAtInit)}, the input layer's ${grows(e.inputKernelAtInit)}; later they go like wf^${round(e.outputKernel)} and wf^${round(e.inputKernel)}.`;
  const moves = `A step moves output weights by wf^${round(e.u)} of their size at the start, input weights by wf^${round(e.v)}`;
  const near = Object.entries(distances).filter(
    ([, distance]) => distance !== 0 && Math.abs(distance) <= 0.2,
  );
  return [
    layers,
    properties.kernelsEvolve
      ? `${moves}: the tangent kernel evolves from the first step on, features are learned.`
      : `${moves}: the tangent kernel stays what it was, lazy training with a fixed kernel.`,
    ...near.map(
      ([line, distance]) =>
        `It is only ${round(Math.abs(distance))} away from where ${LINE_NAMES[line as Line]}: for what tells the two apart to grow tenfold takes a width factor of about 10^${round(1 / Math.abs(distance))}.`,
    ),
  ];
}

const LINE_NAMES = {
  A: 'logits are finite at initialisation',
  B: 'kernels are finite at initialisation',
  C: 'kernels and logits are of the same order',
  D: 'kernels evolve',
} as const;

const TERM_NAMES = {
  f0: 'f_0 (initial weights)',
  fa: 'f_a (output moved)',
  fw: 'f_w (input moved)',
  faw: 'f_aw (both moved)',
} as const;

function layout(
  full: Scaling,
  spec: ScalingSpec,
  optimizer: OptimizerKind,
  {
    baseWidth,
    rows,
    words,
  }: { readonly baseWidth: number; readonly rows: readonly WidthRow[]; readonly words: readonly string[] },
): string {
  const powers = multiplierPowers(spec, optimizer);
  const cell = (value: number): string => value.toPrecision(4).padStart(11);
  const lines = rows.map(({ width, std, rate }) =>
    [
      String(width).padStart(8),
      ...[std.input, std.hidden, std.output, rate.input, rate.hidden, rate.output].map(cell),
    ].join(' '),
  );
  const power = ({ input, hidden, output }: typeof powers.rates): string =>
    `input wf^${format(input)}, hidden wf^${format(hidden)}, output wf^${format(output)}`;
  return [
    `${full.name}: qSigma ${full.qSigma}, qTilde output ${full.qTildeA}, input ${full.qTildeW}`,
    `With one hidden layer, wf = width / ${baseWidth}:`,
    ...words.slice(0, -1).map((sentence) => `  ${sentence}`),
    `Multiply initial weights by: ${power(powers.weights)}`,
    `Multiply learning rates (${optimizer}) by: ${power(powers.rates)}`,
    '         initial standard deviation of       learning rate of',
    '   width       input      hidden      output       input      hidden      output',
    ...lines,
  ].join('\n');
}
