// The figures of arXiv:2006.06574 as data: panels of curves over training, for any renderer.
import type { ComparedCurve, Comparison, CurveQuantity } from '../../scaling/experiments/compare.js';
import { discrepancies } from '../../scaling/experiments/discrepancy.js';

/** A curve of a panel. */
export interface FigureSeries {
  readonly name: string;
  readonly style?: string;
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly low?: readonly number[];
  readonly high?: readonly number[];
  readonly reference?: boolean;
}

/** Curves that share axes. */
export interface FigurePanel {
  readonly title: string;
  readonly x: {
    readonly label: string;
    readonly scale: 'linear' | 'log';
    readonly ticks?: readonly number[];
  };
  readonly y: { readonly label: string; readonly scale: 'linear' | 'log' };
  readonly series: readonly FigureSeries[];
  readonly rules?: readonly { readonly axis: 'x' | 'y'; readonly value: number; readonly label?: string }[];
}

export interface PanelOptions {
  /** Curve k is multiplied by this to the power k, so that coinciding curves can be told apart; default 1. */
  readonly displacement?: number;
  /** Steps of an epoch; then curves are drawn over training steps, the first at step 1. */
  readonly stepsPerEpoch?: number;
}

/** A panel of quantities over training: title, label and scale of y, and the quantities with the styles of their lines. */
export type CurvePanel = readonly [
  string,
  string,
  'linear' | 'log',
  readonly (readonly [CurveQuantity, string?])[],
];

/** Losses, accuracies, logits and relative kernels: what finite and infinitely wide nets are shown by. */
export const TRAINING_PANELS: readonly CurvePanel[] = [
  [
    'Loss',
    'cross-entropy',
    'log',
    [
      ['testLoss', 'test'],
      ['trainLoss', 'train'],
    ],
  ],
  [
    'Accuracy',
    'accuracy',
    'linear',
    [
      ['testAccuracy', 'test'],
      ['trainAccuracy', 'train'],
    ],
  ],
  ['Logits', 'mean |f|', 'log', [['meanAbsLogit']]],
  ['Kernel, relative', 'K / K at the start', 'log', [['relativeKernel']]],
];
const KERNEL_PANELS: readonly CurvePanel[] = [
  ['Kernel', 'mean K(x, x)', 'log', [['kernel']]],
  ['Logits over kernel', 'mean |f| / K', 'log', [['logitOverKernel']]],
  ['Over the output layer’s part', 'mean |f| / K_a', 'log', [['logitOverOutputKernel']]],
  ['Over the input layer’s part', 'mean |f| / K_w', 'log', [['logitOverInputKernel']]],
];

/**
 * Figure 1 (right), figure 2 and appendix F: losses, accuracies, logits, relative and absolute kernels, logits over
 * kernels, and, where traces with test logits of more than 3 seeds were kept, the discrepancies from the reference.
 */
export function comparisonPanels(
  comparison: Comparison,
  { displacement = 1, stepsPerEpoch }: PanelOptions = {},
): FigurePanel[] {
  const curves = [comparison.reference, ...comparison.curves];
  const labelOf = labelsOf(comparison);
  const steps = stepsPerEpoch ?? 1;
  const x = { label: stepsPerEpoch ? 'training step' : 'epoch + 1', scale: 'log' } as const;
  const panel = ([title, label, scale, parts]: CurvePanel): FigurePanel => ({
    title,
    x,
    y: { label, scale },
    series: curves.flatMap((curve, k) =>
      parts.map(([quantity, style]) => {
        // Losses and accuracies, two lines a curve, stay where they are.
        const apart = style === undefined ? displacement ** k : 1;
        const series = seriesOf(labelOf(curve), curve, { quantity, style, factor: apart, steps });
        return curve.overflow ? within(series, rangeOf(curves, quantity)) : series;
      }),
    ),
  });
  return [...[...TRAINING_PANELS, ...KERNEL_PANELS].map(panel), ...discrepancyPanels(comparison, x, steps)];
}

/** A thousand times beyond the curves that did not overflow: what lies outside would hide them. */
function rangeOf(curves: readonly ComparedCurve[], quantity: CurveQuantity): [number, number] {
  const sound = curves
    .filter(({ overflow }) => !overflow)
    .flatMap((curve) => curve[quantity].mean.filter((value) => value > 0 && value < Infinity));
  return sound.length > 0 ? [Math.min(...sound) / 1000, 1000 * Math.max(...sound)] : [0, Infinity];
}

function within(series: FigureSeries, [low, high]: [number, number]): FigureSeries {
  const kept = series.y.flatMap((value, i) => (value >= low && value <= high ? [i] : []));
  const pick = (values: readonly number[]): number[] => kept.map((i) => values[i]!);
  const band = series.low && series.high ? { low: pick(series.low), high: pick(series.high) } : {};
  return { ...series, x: pick(series.x), y: pick(series.y), ...band };
}

function seriesOf(
  name: string,
  curve: ComparedCurve,
  {
    quantity,
    style,
    factor,
    steps,
  }: {
    readonly quantity: CurveQuantity;
    readonly style: string | undefined;
    readonly factor: number;
    readonly steps: number;
  },
): FigureSeries {
  const { mean, std } = curve[quantity];
  const scaled = (fn: (value: number, i: number) => number): number[] =>
    mean.map((value, i) => factor * fn(value, i));
  return {
    name,
    ...(style === undefined ? {} : { style }),
    x: curve.epochs.map((epoch) => steps * (epoch + 1)),
    y: scaled((value) => value),
    low: scaled((value, i) => value - std[i]!),
    high: scaled((value, i) => value + std[i]!),
    ...(curve.kind === 'reference' ? { reference: true } : {}),
  };
}

/** Names of curves, with their widths where there are several. */
function labelsOf({ curves }: Comparison): (curve: ComparedCurve) => string {
  const several = new Set(curves.flatMap(({ width }) => width ?? [])).size > 1;
  return ({ name, kind, width }) => (kind === 'finite' && several ? `${name}, d = ${width}` : name);
}

const DISCREPANCIES = [
  ['logit', 'KL of logits over seeds', 'log'],
  ['prob', 'KL of probabilities, Beta laws', 'log'],
  ['class', 'difference of class shares', 'linear'],
] as const;

function discrepancyPanels(comparison: Comparison, x: FigurePanel['x'], steps: number): FigurePanel[] {
  const { reference, curves } = comparison;
  const labelOf = labelsOf(comparison);
  const usable = curves.filter(
    ({ traces, seeds }) => seeds > 3 && traces?.every(({ testLogits }) => testLogits),
  );
  if (!reference.traces || reference.seeds <= 3 || usable.length === 0) return [];
  const found = usable.map((curve) => {
    const length = Math.min(curve.epochs.length, reference.epochs.length);
    const group = (traces: ComparedCurve['traces'], at: number): Float64Array[] =>
      traces!.map(({ testLogits }) => testLogits![at]!);
    return Array.from({ length }, (_, at) =>
      discrepancies(group(curve.traces, at), group(reference.traces, at)),
    );
  });
  return DISCREPANCIES.map(([kind, label, scale]) => ({
    title: `Distance to the reference: ${kind === 'prob' ? 'probabilities' : kind === 'class' ? 'classes' : 'logits'}`,
    x,
    y: { label, scale },
    series: usable.map((curve, k) => ({
      name: labelOf(curve),
      x: found[k]!.map((_, at) => steps * (curve.epochs[at]! + 1)),
      y: found[k]!.map((row) => row[kind].mean),
    })),
    ...(kind === 'logit'
      ? { rules: [{ axis: 'y' as const, value: found[0]![0]!.noiseFloor, label: 'two groups of one law' }] }
      : {}),
  }));
}
