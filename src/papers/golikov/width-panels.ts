// The figures of arXiv:2003.05884 as data: how losses, the terms of the logit and the moves of weights depend on width.
import { mean, standardDeviation } from '../../math/statistics.js';
import type { ComparedCurve, Comparison } from '../../scaling/experiments/compare.js';
import type { Term } from '../../scaling/theory/classify.js';
import { multipliers } from '../../scaling/theory/multipliers.js';
import type { FigurePanel, FigureSeries } from './panels.js';
import type { RunTrace } from '../../scaling/one-hidden/run.js';

const TERMS: readonly Term[] = ['f0', 'fa', 'fw', 'faw'];

/** A scaling at one width after training: means over seeds, with standard deviations. */
export interface Point {
  readonly mean: number;
  readonly std: number;
}
export const pointOf = (values: readonly number[]): Point => ({
  mean: mean(values),
  std: standardDeviation(values, 0),
});
export interface WidthSummary {
  readonly name: string;
  readonly widths: readonly number[];
  readonly trainLoss: readonly Point[];
  readonly testLoss: readonly Point[];
  readonly trainAccuracy: readonly Point[];
  readonly testAccuracy: readonly Point[];
  /** Variance over test points of each term: f0, fa, fw, faw; with hidden matrices fv, fav, fvw, favw too. */
  readonly terms: Readonly<Record<string, readonly Point[]>>;
  /** Increments over the initial size of a weight: input rows (their length), output weights, hidden weights if any. */
  readonly inputMove: readonly Point[];
  readonly hiddenMove?: readonly Point[];
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
      own.map((curve) => pointOf(curve.traces!.map((trace) => of(trace, curve))));
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
      ),
      inputMove: per((trace) => trace.increments!.at(-1)!.input / gain), // a row has length gain on average
      outputMove: per((trace, curve) => trace.increments!.at(-1)!.output / outputStart(curve)),
    };
  });
}

/** Three groups of panels: losses and accuracies over width and over training, terms, and increments. */
export interface WidthPanels {
  readonly losses: FigurePanel[];
  readonly terms: FigurePanel[];
  readonly increments: FigurePanel[];
}

/** How the test loss of the widest nets falls. */
export interface WidestCurve {
  readonly name: string;
  readonly width: number;
  readonly epochs: readonly number[];
  readonly testLoss: readonly number[];
}

/** The panels of nets with one hidden layer. */
export function widthPanels(
  comparison: Comparison,
  summaries: readonly WidthSummary[] = summariseWidths(comparison),
): WidthPanels {
  const widest = Math.max(...comparison.curves.map(({ width }) => width ?? 0));
  const curves = comparison.curves.filter(({ width }) => width === widest);
  return panelsOver(
    summaries,
    curves.map(({ name, epochs, testLoss }) => ({ name, width: widest, epochs, testLoss: testLoss.mean })),
  );
}

/** The panels of nets of any depth. */
export function panelsOver(
  summaries: readonly WidthSummary[],
  training: readonly WidestCurve[],
): WidthPanels {
  const ticks = [...new Set(summaries.flatMap(({ widths }) => widths))];
  const x = { label: 'width', scale: 'log', ticks } as const;
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
      'testLoss' | 'trainLoss' | 'testAccuracy' | 'trainAccuracy' | 'inputMove' | 'hiddenMove' | 'outputMove',
      string?,
    ][],
    rule?: { value: number; label: string },
  ): FigurePanel => ({
    title,
    x,
    y: { label, scale },
    series: summaries.flatMap((own) =>
      keys.map(([key, style]) => series(own.name, own.widths, own[key]!, style)),
    ),
    ...(rule ? { rules: [{ axis: 'y', ...rule }] } : {}),
  });
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
        title: `Test loss in training, d = ${training[0]?.width}`,
        x: { label: 'epoch + 1', scale: 'log' },
        y: { label: 'cross-entropy', scale: 'log' },
        series: training.map(({ name, epochs, testLoss }) => ({
          name,
          x: epochs.map((e) => e + 1),
          y: testLoss,
          style: 'test',
        })),
      },
    ],
    terms: summaries.map((own) => ({
      title: own.name,
      x,
      y: { label: 'variance over test points', scale: 'log' },
      series: Object.entries(own.terms).map(([term, points]) => {
        // Colour: output and input matrices. Dashes: hidden ones, where there are any.
        const name = `f_${term.slice(1).replace('v', '') || '0'}`;
        const style = term.includes('v') ? 'hidden increments' : 'hidden start';
        return series(name, own.widths, points, own.hiddenMove ? style : undefined);
      }),
    })),
    increments: [
      over('Output weights', 'mean |change| / initial size', 'log', [['outputMove']]),
      ...(summaries[0]?.hiddenMove
        ? [over('Hidden weights', 'mean |change| / initial size', 'log', [['hiddenMove']])]
        : []),
      over('Input weights', 'mean |change of a row| / initial size', 'log', [['inputMove']]),
    ],
  };
}
