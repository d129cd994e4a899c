// `scaling coord-check` and `scaling transfer`: what practitioners check before they trust a scaling.
import type { Command } from 'commander';
import {
  coordinateCheck,
  learningRateTransfer,
  type CoordinateCheck,
  type OptimizerKind,
  type RateTransfer,
} from '../../scaling/index.js';
import { clustered } from '../cluster.js';
import { listOf, oneOf, perform, realNumber, verb, wholeNumber } from '../verb.js';
import { pointOf, withPoint, type PointOptions } from './scaling-point.js';
import {
  atLeastDecade,
  fixed,
  OUT,
  overWidth,
  stepsOf,
  trainAndReport,
  type Shown,
} from './scaling-report.js';
import { xorProblem } from './train-data.js';

interface CheckOptions extends PointOptions {
  readonly widths: number[];
  readonly depth: number;
  readonly baseWidth: number;
  readonly seeds: number;
  readonly steps: number;
  readonly optimizer: OptimizerKind;
  readonly out?: string;
}

/** A verb that trains deep nets on the XOR mixture. */
const checkVerb = (
  parent: Command,
  name: string,
  description: string,
  examples: readonly string[],
  { steps, baseWidth, widths, seeds }: { steps: number; baseWidth: number; widths: number[]; seeds: number },
): Command =>
  withPoint(clustered(verb(parent, name, description, examples)))
    .option('--widths <list>', 'widths, at least three', listOf(wholeNumber(1)), widths)
    .option('--depth <n>', 'hidden layers', wholeNumber(1), 1)
    .option('--base-width <d>', 'width of the reference net', wholeNumber(1), baseWidth)
    .option('--seeds <n>', 'nets per width', wholeNumber(2), seeds)
    .option('--steps <n>', 'training steps', wholeNumber(1), steps)
    .option('--optimizer <name>', 'sgd, rmsprop or adam', oneOf('sgd', 'rmsprop', 'adam'), 'sgd')
    .option(...OUT);

export function registerCoordinates(parent: Command): void {
  checkVerb(
    parent,
    'coord-check',
    'whether coordinates keep their size as nets widen',
    [
      'infinite-width scaling coord-check --scaling muP',
      'infinite-width scaling coord-check --scaling meanField --depth 3 --widths 64,128,256,512 --out check',
    ],
    { steps: 4, baseWidth: 64, widths: [64, 256, 1024, 4096], seeds: 3 },
  )
    .option('--learning-rate <eta>', 'rate of the reference net', realNumber(0), 0.3)
    .action(
      perform<CheckOptions & { learningRate: number }>(async (options, context) =>
        trainAndReport(
          options,
          context,
          { kind: 'coordinates', title: 'Coordinate check' },
          async (follow) => {
            const { widths, depth, baseWidth, seeds, steps, learningRate, optimizer } = options;
            return coordinateCheck(await context.engine(), {
              ...{ widths, baseWidth, seeds, steps, learningRate, optimizer, ...follow },
              scaling: pointOf(options),
              data: xorProblem(64, 64, 20, 0),
              hiddenLayers: depth,
            });
          },
          showCoordinates,
        ),
      ),
    );
}

const COORDINATES = {
  hidden: 'size',
  hiddenChange: 'change',
  output: 'output',
  outputChange: 'change of the output',
} as const;

function showCoordinates({ name, widths, slopes, verdict }: CoordinateCheck): Shown {
  const rows = slopes.map(({ coordinate, layer, step, slope, standardError }) => [
    ...[coordinate, String(layer), step, fixed(slope), fixed(standardError)],
  ]);
  const columns = ['coordinate', 'layer', 'step', 'power', 'error'];
  const keys = [...new Set(slopes.map(({ coordinate, layer }) => `${coordinate} ${layer}`))];
  const panels = keys.map((key) => {
    const own = slopes.filter(({ coordinate, layer }) => `${coordinate} ${layer}` === key);
    const { coordinate, layer } = own[0]!;
    return {
      title: `Layer ${layer}, ${COORDINATES[coordinate]}`,
      x: overWidth(widths),
      y: atLeastDecade(
        'mean |coordinate|',
        own.map(({ values }) => values),
      ),
      series: stepsOf(own, widths),
    };
  });
  return {
    table: { name: 'coordinates', title: `${name}: ${verdict}`, columns, rows },
    panels,
    caption:
      'Mean absolute pre-activations, their change since the start, and outputs: flat lines keep their size as nets widen.',
  };
}

export function registerTransfer(parent: Command): void {
  checkVerb(
    parent,
    'transfer',
    'whether the best learning rate of a small net is that of a large one',
    [
      'infinite-width scaling transfer --scaling muP --depth 3 --out transfer',
      'infinite-width scaling transfer --scaling default --depth 3 --rates 0.1,0.2,0.4,0.8,1.6',
    ],
    { steps: 10, baseWidth: 64, widths: [64, 128, 256, 512], seeds: 5 },
  )
    .option(
      '--rates <list>',
      'rates of the reference net, at least three',
      listOf(realNumber(0)),
      Array.from({ length: 11 }, (_, k) => Number((0.1 * Math.SQRT2 ** k).toPrecision(3))),
    )
    .action(
      perform<CheckOptions & { rates: number[] }>(async (options, context) =>
        trainAndReport(
          options,
          context,
          { kind: 'transfer', title: 'Learning-rate transfer' },
          async (follow) => {
            const { widths, depth, baseWidth, seeds, steps, rates, optimizer } = options;
            return learningRateTransfer(await context.engine(), {
              ...{ widths, baseWidth, seeds, optimizer, ...follow },
              scaling: pointOf(options),
              data: xorProblem(64, 16, 8, 0),
              dtype: 'f32',
              epochs: steps,
              learningRates: rates,
              hiddenLayers: depth,
            });
          },
          showTransfer,
        ),
      ),
    );
}

function showTransfer({ name, widths, learningRates, losses, best, ...found }: RateTransfer): Shown {
  const rows = widths.map((width, w) => {
    const finite = losses[w]!.filter(Number.isFinite);
    return [width, fixed(best[w]!), finite.length > 0 ? Math.min(...finite) : NaN];
  });
  const { shift, standardError, verdict } = found;
  const power =
    shift === null
      ? 'no two optima within the sweep'
      : `best rate like width^${fixed(shift)} ± ${fixed(standardError)}`;
  const most = 10 * Math.max(...losses.map(([first]) => first!));
  const series = widths.map((width, w) => {
    const at = learningRates.map((_, r) => r).filter((r) => losses[w]![r]! <= most);
    return {
      name: `d = ${width}`,
      x: at.map((r) => learningRates[r]!),
      y: at.map((r) => losses[w]![r]!),
      points: true,
    };
  });
  const panel = {
    x: { label: 'learning rate of the reference', scale: 'log' } as const,
    y: { label: 'training loss', scale: 'log' } as const,
    ...{ series, width: 420, height: 260 },
  };
  return {
    table: {
      name: 'transfer',
      title: `${name}: ${verdict}, ${power}`,
      columns: ['width', 'best rate', 'least loss'],
      rows,
    },
    panels: [panel],
    caption:
      'Training loss after the last step over the learning rate; rates at which it rose tenfold or overflowed are left out.',
  };
}
