// `dynamics double-descent`: the test error of random features over their number.
import type { Command } from 'commander';
import { doubleDescent, type DoubleDescentPoint } from '../../dynamics/index.js';
import { formatTable, lineFigure, type Figure, type Table } from '../../report/index.js';
import { withReport } from '../report.js';
import { listOf, realNumber, verb, wholeNumber } from '../verb.js';
import { follow, performReport } from './dynamics-shared.js';

interface DescentOptions {
  readonly samples: number;
  readonly dimension: number;
  readonly noise: number;
  readonly ridge: number;
  readonly ratios?: number[];
  readonly repeats: number;
  readonly seed: number;
  readonly out?: string;
}

export function registerDoubleDescent(parent: Command): void {
  verb(
    parent,
    'double-descent',
    'test error of random ReLU features over their number: the peak at as many as samples',
    [
      'infinite-width dynamics double-descent --samples 120 --noise 0.3 --out descent',
      'infinite-width dynamics double-descent --ridge 0.01 --ratios 0.5,1,2,10',
    ],
  )
    .option('--samples <n>', 'train samples', wholeNumber(1), 120)
    .option('--dimension <d>', 'of the inputs', wholeNumber(1), 30)
    .option('--noise <s>', 'standard deviation of the label noise', realNumber(0), 0.3)
    .option('--ridge <r>', 'on the features; 0: the smallest interpolant', realNumber(0), 0)
    .option(
      '--ratios <list>',
      'features per train sample; default 18 values from 0.1 to 40',
      listOf(realNumber(0)),
    )
    .option('--repeats <n>', 'draws per ratio', wholeNumber(1), 20)
    .option('--seed <n>', 'of the draws', wholeNumber(), 0)
    .option('--out <dir>', 'folder for result.json, the figure and report.html')
    .action(
      performReport<DescentOptions>(async (options, context) => {
        const { samples, dimension, noise, ridge, ratios, repeats, seed, out } = options;
        const engine = await context.engine();
        context.progress.start('random features', 1);
        const settings = { samples, dimension, noise, ridge, repeats, ...(ratios ? { ratios } : {}) };
        const points = await doubleDescent(engine, { ...settings, seed }, follow(context));
        context.progress.finish();
        const table: Table = {
          name: 'double-descent',
          title: 'Median squared error over the draws',
          columns: ['features / samples', 'features', 'test', 'lower quartile', 'upper quartile', 'train'],
          rows: points.map((p) => [p.ratio, p.features, p.testMse, ...p.quartiles, p.trainMse]),
        };
        return withReport(
          out,
          { kind: 'double-descent', title: 'Double descent', variant: engine.variant, seed, settings },
          { json: { ...settings, points }, text: formatTable(table) },
          () => [descentFigure(points)],
          [table],
        );
      }),
    );
}

function descentFigure(points: readonly DoubleDescentPoint[]): Figure {
  const x = points.map(({ ratio }) => ratio);
  return lineFigure({
    name: 'double-descent',
    title: 'Random ReLU features: test error over their number',
    caption:
      'Median over the draws, band between the quartiles. The error peaks where there are as many features as train samples, and falls again beyond.',
    panels: [
      {
        x: { label: 'features per train sample', scale: 'log' },
        y: { label: 'squared error', scale: 'log' },
        series: [
          {
            ...{ name: 'test', x, y: points.map(({ testMse }) => testMse), points: true },
            low: points.map(({ quartiles }) => quartiles[0]),
            high: points.map(({ quartiles }) => quartiles[1]),
          },
        ],
        rules: [{ axis: 'x', value: 1, label: 'features = samples' }],
        ...{ width: 460, height: 280 },
      },
    ],
  });
}
