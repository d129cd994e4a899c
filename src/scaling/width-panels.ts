// The figures of arXiv:2003.05884 as data: how losses, the terms of the logit and the moves of weights depend on width.
import { mean, standardDeviation } from '../math/statistics.js';
import type { ComparedCurve, Comparison } from './compare.js';
import type { Term } from './classify.js';
import { multipliers } from './multipliers.js';
import type { FigurePanel, FigureSeries } from './panels.js';
import type { RunTrace } from './run.js';

const TERMS: readonly Term[] = ['f0', 'fa', 'fw', 'faw'];
const TERM_LABELS = { f0: 'f_0', fa: 'f_a', fw: 'f_w', faw: 'f_aw' } as const;

/** A scaling at one width after training: means over seeds, with standard deviations. */
interface Point {
  readonly mean: number;
  readonly std: number;
}
export interface WidthSummary {
  readonly name: string;
  readonly widths: readonly number[];
  readonly trainLoss: readonly Point[];
  readonly testLoss: readonly Point[];
  readonly trainAccuracy: readonly Point[];
  readonly testAccuracy: readonly Point[];
  /** Variance over test points of each term. */
  readonly terms: { readonly [K in Term]: readonly Point[] };
  /** Increments over the initial standard deviation of a weight: input rows (their length), output weights. */
  readonly inputMove: readonly Point[];
  readonly outputMove: readonly Point[];
}

/** Per scaling, the widths at which every seed finished. Needs kept traces with decomposition and increments. */
export function summariseWidths(
  { curves, baseWidth }: Comparison,
  gain: number = Math.sqrt(1 / 3),
): WidthSummary[] {
  const names = [...new Set(curves.map(({ name }) => name))];
  return names.map((name) => {
    const own = curves.filter(
      (curve) =>
        curve.name === name &&
        curve.traces?.every(({ decomposition, increments }) => decomposition && increments),
    );
    const per = (of: (trace: RunTrace, curve: ComparedCurve) => number): Point[] =>
      own.map((curve) => {
        const values = curve.traces!.map((trace) => of(trace, curve));
        return { mean: mean(values), std: standardDeviation(values, 0) };
      });
    const last = (key: 'trainLoss' | 'testLoss' | 'trainAccuracy' | 'testAccuracy'): Point[] =>
      per((trace) => trace[key].at(-1)!);
    const outputStart = ({ width, scaling }: ComparedCurve): number =>
      (gain / Math.sqrt(width!)) * multipliers(scaling, width! / baseWidth).weights.output;
    return {
      name,
      widths: own.map(({ width }) => width!),
      trainLoss: last('trainLoss'),
      testLoss: last('testLoss'),
      trainAccuracy: last('trainAccuracy'),
      testAccuracy: last('testAccuracy'),
      terms: Object.fromEntries(
        TERMS.map((term) => [term, per((trace) => standardDeviation(trace.decomposition![term], 0) ** 2)]),
      ) as { [K in Term]: Point[] },
      inputMove: per((trace) => trace.increments!.at(-1)!.input / gain), // a row has length gain on average
      outputMove: per((trace, curve) => trace.increments!.at(-1)!.output / outputStart(curve)),
    };
  });
}

/** Three groups of panels: losses and accuracies over width and over training, terms, and increments. */
export function widthPanels(
  comparison: Comparison,
  summaries: readonly WidthSummary[] = summariseWidths(comparison),
): { readonly losses: FigurePanel[]; readonly terms: FigurePanel[]; readonly increments: FigurePanel[] } {
  const x = { label: 'width', scale: 'log' } as const;
  const series = (
    name: string,
    widths: readonly number[],
    points: readonly Point[],
    style?: string,
  ): FigureSeries => ({
    name,
    ...(style === undefined ? {} : { style }),
    x: widths,
    y: points.map((point) => point.mean),
    low: points.map((point) => point.mean - point.std),
    high: points.map((point) => point.mean + point.std),
  });
  const over = (
    title: string,
    label: string,
    scale: 'linear' | 'log',
    keys: readonly [
      'testLoss' | 'trainLoss' | 'testAccuracy' | 'trainAccuracy' | 'inputMove' | 'outputMove',
      string?,
    ][],
    rule?: { value: number; label: string },
  ): FigurePanel => ({
    title,
    x,
    y: { label, scale },
    series: summaries.flatMap((own) =>
      keys.map(([key, style]) => series(own.name, own.widths, own[key], style)),
    ),
    ...(rule ? { rules: [{ axis: 'y', ...rule }] } : {}),
  });
  const widest = Math.max(...comparison.curves.map(({ width }) => width ?? 0));
  return {
    losses: [
      over(
        'Loss after training',
        'cross-entropy',
        'log',
        [
          ['testLoss', 'test'],
          ['trainLoss', 'train'],
        ],
        { value: Math.LN2, label: 'ln 2' },
      ),
      over(
        'Accuracy after training',
        'accuracy',
        'linear',
        [
          ['testAccuracy', 'test'],
          ['trainAccuracy', 'train'],
        ],
        { value: 0.5, label: 'chance' },
      ),
      {
        title: `Test loss in training, d = ${widest}`,
        x: { label: 'epoch + 1', scale: 'log' },
        y: { label: 'cross-entropy', scale: 'log' },
        series: comparison.curves
          .filter(({ width }) => width === widest)
          .map(({ name, epochs, testLoss }) => ({
            name,
            x: epochs.map((e) => e + 1),
            y: testLoss.mean,
            style: 'test',
          })),
      },
    ],
    terms: summaries.map((own) => ({
      title: own.name,
      x,
      y: { label: 'variance over test points', scale: 'log' },
      series: TERMS.map((term) => series(TERM_LABELS[term], own.widths, own.terms[term])),
    })),
    increments: [
      over('Output weights', 'mean |change| / initial size', 'log', [['outputMove']]),
      over('Input weights', 'mean |change of a row| / initial size', 'log', [['inputMove']]),
    ],
  };
}
