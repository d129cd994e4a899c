// Figures of table predictions: are the announced probabilities or intervals true, and where are the errors?
import type { Metrics, PartialDependence, TablePrediction } from '../predict/index.js';
import { numberOf } from '../predict/table/csv.js';
import { calibrationFigure, lineFigure, type Figure, type LineFigure } from '../report/index.js';
import { COLOURS } from '../report/theme.js';

const DRAWN = 10_000; // points of a figure; of more rows every so many-th is drawn

/** Calibration, and for numbers the residuals over the predictions. `truth` are the true cells, row by row. */
export function tableFigures(
  prediction: TablePrediction,
  metrics: Metrics,
  truth: readonly string[],
): Figure[] {
  if (metrics.task === 'classification') {
    const bins = metrics.reliability.filter((bin) => bin.count > 0);
    return [
      calibrationFigure({
        name: 'calibration',
        title: 'Reliability of probabilities',
        caption:
          'Rows grouped by the probability of their predicted class; on the diagonal it is the share of hits. Band: 95 % interval of that share from the rows of the group.',
        curves: [
          {
            name: 'predicted class',
            expected: bins.map((bin) => bin.confidence),
            observed: bins.map((bin) => bin.accuracy),
            counts: bins.map((bin) => bin.count),
          },
        ],
      }),
    ];
  }
  const { mean, deviation } = prediction as Required<TablePrediction>;
  const residuals = truth.map((value, i) => numberOf(value) - mean[i]!); // NaN: the target is missing
  const order = [...mean.keys()]
    .filter((i) => !Number.isNaN(residuals[i]))
    .sort((a, b) => mean[a]! - mean[b]!)
    .filter((_, i, all) => i % Math.ceil(all.length / DRAWN) === 0);
  return [
    calibrationFigure({
      name: 'calibration',
      title: 'Coverage of the intervals',
      caption: 'Share of targets inside the interval of each level.',
      curves: [
        {
          name: 'intervals',
          expected: metrics.coverage.map((entry) => entry.level),
          observed: metrics.coverage.map((entry) => entry.share),
        },
      ],
      xLabel: 'level of the interval',
      yLabel: 'share of targets inside',
    }),
    withPoints(
      order.map((i) => ({ x: mean[i]!, y: residuals[i]! })),
      {
        name: 'residuals',
        title: 'Errors over predictions',
        caption:
          'Target minus prediction, with two predicted standard deviations up and down. At most 10,000 rows are drawn, evenly over the predictions.',
        panels: [
          {
            x: { label: 'prediction' },
            y: { label: 'target - prediction' },
            series: [
              {
                name: '±2 predicted deviations',
                x: order.map((i) => mean[i]!),
                y: order.map(() => 0),
                low: order.map((i) => -2 * deviation[i]!),
                high: order.map((i) => 2 * deviation[i]!),
              },
            ],
          },
        ],
      },
    ),
  ];
}

/** What the columns that matter most do to predictions: a panel for each column of numbers. */
export function dependenceFigures(dependence: readonly PartialDependence[], target: string): Figure[] {
  const curves = dependence.filter(({ values }) => values !== null && values.length > 1);
  if (curves.length === 0) return [];
  return [
    lineFigure({
      name: 'dependence',
      title: `What columns do to predictions of ${target}`,
      caption:
        'Mean prediction when all rows have the same value in one column. Band: from the tenth to the ninetieth per cent of the rows.',
      panels: curves.map(({ column, values, mean, low, high }) => ({
        x: { label: column },
        y: { label: `prediction of ${target}` },
        series: [{ name: 'mean prediction', x: values!, y: mean, low, high }],
      })),
    }),
  ];
}

/** A line figure with single points over it. */
function withPoints(points: readonly { x: number; y: number }[], figure: LineFigure): Figure {
  const drawn = lineFigure(figure);
  const layer = drawn.spec['layer'] as readonly object[];
  const scatter = {
    data: { values: points },
    mark: { type: 'point', filled: true, size: 14, opacity: 0.6, color: COLOURS[1] },
    encoding: { x: { field: 'x', type: 'quantitative' }, y: { field: 'y', type: 'quantitative' } },
  };
  return { ...drawn, spec: { ...drawn.spec, layer: [...layer, scatter] } };
}
