// The figures of arXiv:2006.06574 as data: panels of curves and shapes of the plane, for any renderer.
import { compareScalings, type ComparedCurve, type Comparison, type CurveQuantity } from './compare.js';
import { classify } from './classify.js';
import { discrepancies, klNoiseFloor } from './discrepancy.js';
import type { BinaryProblem, LongCall } from './onehidden.js';
import { exponentsOf, scalings, type ScalingSpec } from './scalings.js';
import { toNumber } from './rational.js';
import type { Engine } from '../wasm/engine.js';

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
  readonly x: { readonly label: string; readonly scale: 'linear' | 'log' };
  readonly y: { readonly label: string; readonly scale: 'linear' | 'log' };
  readonly series: readonly FigureSeries[];
  readonly rules?: readonly { readonly axis: 'x' | 'y'; readonly value: number; readonly label?: string }[];
}

export interface PanelOptions {
  /** Curve k is multiplied by this to the power k, so that coinciding curves can be told apart; default 1. */
  readonly displacement?: number;
}

/**
 * Figure 1 (right) and figure 2: losses, accuracies, logits, relative and absolute kernels over steps, and, where
 * traces with test logits of more than 3 seeds were kept, the KL divergence from the reference with its noise floor.
 */
export function comparisonPanels(
  comparison: Comparison,
  { displacement = 1 }: PanelOptions = {},
): FigurePanel[] {
  const curves = [comparison.reference, ...comparison.curves];
  const x = { label: 'epoch + 1', scale: 'log' } as const;
  const panel = (
    title: string,
    label: string,
    scale: 'linear' | 'log',
    parts: readonly [CurveQuantity, string?][],
    apart = 1,
  ): FigurePanel => ({
    title,
    x,
    y: { label, scale },
    series: curves.flatMap((curve, k) =>
      parts.map(([quantity, style]) => seriesOf(curve, quantity, style, apart ** k)),
    ),
  });
  return [
    panel('Loss', 'cross-entropy', 'log', [
      ['testLoss', 'test'],
      ['trainLoss', 'train'],
    ]),
    panel('Accuracy', 'accuracy', 'linear', [
      ['testAccuracy', 'test'],
      ['trainAccuracy', 'train'],
    ]),
    panel('Logits', 'mean |f|', 'log', [['meanAbsLogit']], displacement),
    panel('Kernel, relative', 'K / K at the start', 'log', [['relativeKernel']], displacement),
    panel('Kernel', 'mean K(x, x)', 'log', [['kernel']], displacement),
    ...klPanel(comparison, x),
  ];
}

function seriesOf(
  curve: ComparedCurve,
  quantity: CurveQuantity,
  style: string | undefined,
  factor: number,
): FigureSeries {
  const { mean, std } = curve[quantity];
  const scaled = (fn: (value: number, i: number) => number): number[] =>
    mean.map((value, i) => factor * fn(value, i));
  return {
    name: labelOf(curve),
    ...(style === undefined ? {} : { style }),
    x: curve.epochs.map((epoch) => epoch + 1),
    y: scaled((value) => value),
    low: scaled((value, i) => value - std[i]!),
    high: scaled((value, i) => value + std[i]!),
    ...(curve.kind === 'reference' ? { reference: true } : {}),
  };
}

const labelOf = ({ name, kind, width }: ComparedCurve): string =>
  kind === 'finite' ? `${name}, d = ${width}` : name;

function klPanel({ reference, curves }: Comparison, x: FigurePanel['x']): FigurePanel[] {
  const usable = curves.filter(
    ({ traces, seeds }) => seeds > 3 && traces?.every(({ testLogits }) => testLogits),
  );
  if (!reference.traces || reference.seeds <= 3 || usable.length === 0) return [];
  const series = usable.map((curve): FigureSeries => {
    const length = Math.min(curve.epochs.length, reference.epochs.length);
    const y = Array.from({ length }, (_, at) => {
      const group = (traces: ComparedCurve['traces']): Float64Array[] =>
        traces!.map(({ testLogits }) => testLogits![at]!);
      return discrepancies(group(curve.traces), group(reference.traces)).logit.mean;
    });
    return { name: labelOf(curve), x: curve.epochs.slice(0, length).map((epoch) => epoch + 1), y };
  });
  return [
    {
      title: 'Distance to the reference',
      x,
      y: { label: 'KL of logits over seeds', scale: 'log' },
      series,
      rules: [{ axis: 'y', value: klNoiseFloor(reference.seeds), label: 'no difference' }],
    },
  ];
}

/** A polygon, segment (two corners) or point of the plane of exponents. */
export interface PlaneElement {
  readonly name: string;
  readonly corners: readonly (readonly [qSigma: number, qTilde: number])[];
  readonly label?: string | null;
  readonly labelAt?: readonly [number, number];
  readonly group: string;
}

/** Figure 1 (left): the stable band, its four lines, the named scalings, and points of your own. */
export function planeElements(points: readonly ScalingSpec[] = []): {
  readonly x: { readonly label: string; readonly domain: readonly [number, number] };
  readonly y: { readonly label: string; readonly domain: readonly [number, number] };
  readonly shapes: readonly PlaneElement[];
} {
  const [left, right] = [-1.6, 0.4];
  const named = [scalings.meanField, scalings.ntk, scalings.symDefault];
  const point = (spec: ScalingSpec, group: string): PlaneElement => {
    const { qSigma, qTildeA, qTildeW } = exponentsOf(spec);
    const x = toNumber(qSigma);
    const y = (toNumber(qTildeA) + toNumber(qTildeW)) / 2;
    const { name: verdict, symmetric } = classify(spec);
    const name = spec.name ?? verdict;
    return {
      name,
      corners: [[x, y]],
      label: symmetric ? name : `${name} (mean of its rates)`,
      labelAt: group === 'named' ? [x + 0.04, y + 0.06] : [x + 0.04, y - 0.07],
      group,
    };
  };
  const shapes: PlaneElement[] = [
    {
      name: 'stable',
      corners: [
        [left, -left],
        [right, -right],
        [right, -0.5 - right],
        [left, -0.5 - left],
      ],
      label: null,
      group: 'stable limits',
    },
    {
      name: 'A = 0',
      corners: [
        [-0.5, -1],
        [-0.5, 1.8],
      ],
      label: 'logits finite at start',
      labelAt: [-0.48, 1.5],
      group: 'A: logits',
    },
    {
      name: 'B = 0',
      corners: [
        [left, -1 - 2 * left],
        [0, -1],
      ].map(([x, y]) => [x!, y!] as const),
      label: 'kernels finite at start',
      labelAt: [-1.05, 1.65],
      group: 'B: kernels',
    },
    {
      name: 'C = 0',
      corners: [
        [left, -0.5 - left],
        [right, -0.5 - right],
      ],
      label: 'kernel and logits of one order',
      labelAt: [-0.1, -0.5],
      group: 'C: ratio',
    },
    {
      name: 'D = 0',
      corners: [
        [left, -left],
        [right, -right],
      ],
      label: 'kernels evolve',
      labelAt: [-0.2, 0.3],
      group: 'D: evolution',
    },
    ...named.map((spec) => point(spec, 'named')),
    ...points.map((spec) => point(spec, 'yours')),
  ];
  return {
    x: { label: 'q_sigma: size of the output at the start', domain: [left, right] },
    y: { label: 'q-tilde: hatted learning rate', domain: [-1, 1.8] },
    shapes,
  };
}

export interface GolikovFigureOptions extends LongCall {
  readonly data: BinaryProblem;
  /** `ci`: width 1024, 3 seeds, 100 steps. `paper`: width 65536, 10 seeds, 2000 steps: hours. */
  readonly size?: 'ci' | 'paper';
  /** Rate of the reference net: 0.3 for the XOR mixture (default), 0.02 for images. */
  readonly learningRate?: number;
  readonly limit?: boolean;
}

/** Figure 1 (right) and 2 of arXiv:2006.06574: a reference of width 128 and six wide nets scaled from it, in f32. */
export async function golikovFigure(engine: Engine, options: GolikovFigureOptions): Promise<Comparison> {
  const { data, size = 'ci', learningRate = 0.3, limit = false, signal, onProgress } = options;
  if (size !== 'ci' && size !== 'paper')
    throw new RangeError(`golikovFigure: size must be 'ci' or 'paper', got '${String(size)}'`);
  const sizes =
    size === 'ci' ? { widths: [1024], seeds: 3, epochs: 100 } : { widths: [65536], seeds: 10, epochs: 2000 };
  return compareScalings(engine, {
    data,
    ...sizes,
    scalings: [
      scalings.meanField,
      scalings.icMeanField,
      scalings.icMeanFieldMask,
      scalings.ntk,
      scalings.symDefault,
      scalings.default,
    ],
    baseWidth: 128,
    learningRate,
    limit,
    dtype: 'f32',
    evaluateAt: 'log',
    keepTraces: size === 'paper',
    keep: { testLogits: size === 'paper' },
    signal,
    onProgress,
  });
}
