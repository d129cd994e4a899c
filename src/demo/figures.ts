// The pictures of the main job.
import {
  calibrationFigure,
  intervalCoverage,
  lineFigure,
  type Figure,
  type Panel,
  type Series,
} from '../report/index.js';
import type { ComparedCurve, CurveQuantity } from '../scaling/index.js';
import type { ClassifierResult } from './classifiers.js';
import type { RegressionResult } from './regression.js';

/** What people call the scalings. */
export const LABELS: Readonly<Record<string, string>> = {
  meanField: 'mean-field',
  icMeanField: 'IC mean-field',
  ntk: 'NTK',
  symDefault: 'sym-default',
  default: 'default',
};

/** Figure 1 (right) of Golikov (2020) on the digits: reference, wide nets, limits. */
export function scalingFigure({ pair, comparison }: ClassifierResult): Figure {
  const { reference, curves, baseWidth } = comparison;
  const widest = Math.max(...curves.map((curve) => curve.width ?? 0));
  const shown = curves.filter((curve) => curve.kind === 'limit' || curve.width === widest);
  const series = (quantity: CurveQuantity): Series[] =>
    [reference, ...shown].map((curve) => seriesOf(curve, quantity, `width ${widest}`));
  const x = { label: 'epoch + 1', scale: 'log' as const };
  const sizes = [reference, ...shown.filter((curve) => curve.kind === 'finite')].flatMap(
    (curve) => curve.meanAbsLogit.mean,
  );
  const logits = [Math.min(...sizes) / 2, Math.max(...sizes) * 1.3] as const;
  const panels: Panel[] = [
    { title: 'test loss (cross-entropy)', x, y: { label: 'nats', scale: 'log' }, series: series('testLoss') },
    { title: 'test accuracy', x, y: { label: 'share right', format: '.0%' }, series: series('testAccuracy') },
    {
      title: 'mean |logit|',
      x, // The mean-field limit starts at zero: an axis down to its rounding would show nothing else.
      y: { label: 'test set', scale: 'log', domain: logits },
      series: series('meanAbsLogit'),
    },
    {
      title: 'tangent kernel over its start',
      x,
      y: { label: 'mean K(x, x) ratio', scale: 'log' },
      series: series('relativeKernel'),
    },
  ];
  return lineFigure({
    name: 'scalings',
    title: `Digits ${pair[0]} against ${pair[1]}: one training run, five ways to make it wide`,
    caption:
      `One hidden layer of leaky ReLUs. Black: the reference net of width ${baseWidth}. Solid: width ${widest}, mean and spread over seeds. Dashed: the infinitely wide net itself. ` +
      'Mean-field nets change their kernel as the reference does, NTK nets keep it; sym-default and default start with kernels that grow with width.',
    panels,
  });
}

function seriesOf(curve: ComparedCurve, quantity: CurveQuantity, wide: string): Series {
  const { mean, std } = curve[quantity];
  const name = curve.kind === 'reference' ? 'reference' : (LABELS[curve.scaling.name] ?? curve.scaling.name);
  return {
    name,
    x: curve.epochs.map((epoch) => epoch + 1),
    y: mean,
    ...(curve.kind === 'finite'
      ? { low: mean.map((value, i) => value - std[i]!), high: mean.map((value, i) => value + std[i]!) }
      : {}),
    ...(curve.kind === 'reference' ? { reference: true } : {}),
    style: curve.kind === 'limit' ? 'limit' : wide,
  };
}

/** How the exact predictions learn, and how finite nets come close to them. */
export function regressionFigures(result: RegressionResult): Figure[] {
  const { exact, widths, slope, test } = result;
  const finite = exact.filter((row) => Number.isFinite(row.time));
  const curve = (
    method: 'ntk' | 'nngp',
    value: 'accuracy' | 'rmse' | 'std',
  ): { x: number[]; y: number[] } => {
    const rows = finite.filter((row) => row.method === method);
    return { x: rows.map((row) => row.time), y: rows.map((row) => row[value]) };
  };
  const x = { label: 'time (gradient descent steps)', scale: 'log' as const };
  const all = { ntk: 'all layers trained (NTK)', nngp: 'last layer trained (NNGP)' };
  const both = (value: 'accuracy' | 'rmse' | 'std'): Series[] =>
    (['ntk', 'nngp'] as const).map((method) => ({
      name: all[method],
      ...curve(method, value),
      points: true,
    }));
  const fit = (width: number): number => 2 ** (slope.intercept + slope.slope * Math.log2(width));
  return [
    lineFigure({
      name: 'exact-training',
      title: `An infinitely wide ReLU net learns ten digits: exact solution, ${test} test images`,
      caption:
        'No net is trained here: mean and spread over all initialisations follow from the kernels in closed form.',
      columns: 3,
      panels: [
        {
          title: 'test accuracy',
          x,
          y: { label: 'share right', format: '.0%' },
          series: both('accuracy'),
          width: 220,
        },
        {
          title: 'root mean square error',
          x,
          y: { label: 'target units', scale: 'log' },
          series: both('rmse'),
          width: 220,
        },
        {
          title: 'predictive standard deviation',
          x,
          y: { label: 'target units', scale: 'log' },
          series: both('std'),
          width: 220,
        },
      ],
    }),
    lineFigure({
      name: 'convergence',
      title: 'Trained finite nets approach the exact answer',
      caption: `Left: distance of the mean of ${widths[0]!.nets} trained nets from the exact mean; fitted slope ${slope.slope.toFixed(2)} ± ${slope.standardError.toFixed(2)}. Right: their variance over the exact one.`,
      panels: [
        {
          title: '|mean of nets - exact| / |exact|',
          x: { label: 'width', scale: 'log', base: 2, ticks: widths.map((row) => row.width) },
          y: { label: 'relative distance', scale: 'log' },
          series: [
            {
              name: 'nets',
              x: widths.map((row) => row.width),
              y: widths.map((row) => row.gap),
              points: true,
            },
            {
              name: 'fit',
              x: widths.map((row) => row.width),
              y: widths.map((row) => fit(row.width)),
              reference: true,
              style: 'fit',
            },
          ],
        },
        {
          title: 'variance over nets / exact variance',
          x: { label: 'width', scale: 'log', base: 2, ticks: widths.map((row) => row.width) },
          y: { label: 'ratio', domain: [0, 1.2] },
          series: [
            {
              name: 'nets',
              x: widths.map((row) => row.width),
              y: widths.map((row) => row.varianceRatio),
              points: true,
            },
          ],
          rules: [{ axis: 'y', value: 1, label: 'exact' }],
        },
      ],
    }),
    calibrationFigure({
      name: 'calibration',
      title: 'Intervals of the Gaussian-process posterior',
      caption:
        'Share of test targets inside the central intervals of each level; the scale of the prior is fitted to the train targets.',
      curves: [{ name: 'NNGP posterior', ...intervalCoverage(result.standardised) }],
      xLabel: 'nominal level',
      yLabel: 'targets inside',
    }),
  ];
}
