// The verbs of `dynamics` about a net and its approximations: hierarchy, taylor, widths. They run as jobs, so Ctrl-C stops
// them at once.
import type { Command } from 'commander';
import { hierarchyJob } from '../../dynamics/hierarchy.js';
import {
  measureWidthLaws,
  taylorErrors,
  type HierarchyResult,
  type WidthLaws,
} from '../../dynamics/index.js';
import type { LossName } from '../../net/index.js';
import { formatTable, lineFigure, type Figure, type Table } from '../../report/index.js';
import { withReport } from '../report.js';
import { listOf, realNumber, wholeNumber } from '../verb.js';
import {
  follow,
  LOSSES,
  modelOf,
  netVerb,
  performReport,
  positive,
  problemOf,
  trained,
  type NetOptions,
} from './dynamics-shared.js';

export function registerDynamicsOfNets(parent: Command): void {
  registerHierarchy(parent);
  registerTaylor(parent);
  registerWidths(parent);
}

function registerHierarchy(parent: Command): void {
  const description = 'gradient flow beside its kernel hierarchy truncated at orders 2, 3, 4';
  netVerb(parent, 'hierarchy', description, '--time 10', 200)
    .option('--time <t>', 'end of the flow', realNumber(0), 10)
    .action(
      performReport<NetOptions & { time: number }>(async (options, context) => {
        const problem = await problemOf(options, context);
        const { time, steps, seed } = options;
        const engine = await context.engine();
        context.progress.start('integrating', 1);
        const result = await engine.run(
          hierarchyJob,
          { ...problem, model: modelOf(problem, seed), time, steps },
          { signal: context.signal, onMessage: (done) => context.progress.update(done as number) },
        );
        context.progress.finish();
        const curves = errorCurves(result);
        const errors = curves.map(({ order, rms }) => ({ order, rms: rms.at(-1)! }));
        const P = result.outputs.data.length / result.times.length;
        const output = [...result.outputs.data.slice(steps * P)];
        const text = errors.map(({ order, rms }) => `order ${order}: output error ${rms.toExponential(3)}`);
        return withReport(
          options.out,
          {
            ...{ kind: 'hierarchy', title: 'The kernel hierarchy', variant: engine.variant, seed },
            settings: { time, steps },
          },
          { json: { time, steps, size: result.size, output, errors }, text: text.join('\n') },
          () => [hierarchyFigure(result, curves)],
        );
      }),
    );
}

/** Root mean square of every truncation's outputs minus those of the net, at every time. */
function errorCurves({ times, outputs, truncations }: HierarchyResult) {
  const P = outputs.data.length / times.length;
  return truncations.map(({ order, outputs: { data } }) => ({
    order,
    rms: [...times].map((_, k) => {
      let sum = 0;
      for (let p = k * P; p < (k + 1) * P; p++) sum += (data[p]! - outputs.data[p]!) ** 2;
      return Math.sqrt(sum / P);
    }),
  }));
}

const FROZEN = { 2: 'kernel frozen', 3: 'O3 frozen', 4: 'O4 frozen' } as const;

function hierarchyFigure({ times }: HierarchyResult, curves: ReturnType<typeof errorCurves>): Figure {
  const series = curves.map(({ order, rms }) => positive(FROZEN[order], [...times], rms));
  return lineFigure({
    name: 'hierarchy',
    title: 'Distance from the net, by order of truncation',
    caption:
      'Root mean square of the outputs minus those of the net under gradient flow. O3 and O4 are both of order 1/width: only keeping both gains an order.',
    panels: [
      {
        x: { label: 'time' },
        y: { label: 'error of the outputs', scale: 'log' },
        series,
        width: 420,
        height: 260,
      },
    ],
  });
}

interface TaylorVerbOptions {
  readonly orders: number[];
  readonly learningRate: number;
  readonly loss: LossName;
  readonly batchSize?: number;
  readonly momentum: number;
  readonly decayEvery?: number;
  readonly decayFactor: number;
}

function registerTaylor(parent: Command): void {
  netVerb(parent, 'taylor', 'a net beside its Taylor models, all trained alike', '--orders 1,2,3', 100)
    .option('--orders <list>', 'orders of the models', listOf(wholeNumber(0, 8)), [1, 2, 3])
    .option('--learning-rate <eta>', 'of gradient descent', realNumber(0), 1)
    .option('--loss <name>', 'mse, logistic or crossEntropy', LOSSES, 'mse')
    .option('--batch-size <n>', 'samples per step; default all', wholeNumber(1))
    .option('--momentum <m>', 'of gradient descent', realNumber(0, 0.9999), 0)
    .option('--decay-every <steps>', 'lower the rate every so many steps', wholeNumber(1))
    .option('--decay-factor <f>', 'by this factor', realNumber(0, 1), 0.5)
    .action(
      performReport<NetOptions & TaylorVerbOptions>(async (options, context) => {
        const { orders, steps, learningRate, loss, seed, batchSize, momentum, decayEvery, decayFactor } =
          options;
        const settings = {
          ...{ orders, steps, learningRate, loss, momentum },
          ...(batchSize === undefined ? {} : { batchSize }),
          ...(decayEvery === undefined
            ? {}
            : { schedule: { kind: 'decay', every: decayEvery, factor: decayFactor } as const }),
        };
        const { found: curves, variant } = await trained(options, context, settings, (engine, net, data) =>
          taylorErrors(engine, net, data, follow(context)),
        );
        const text = curves.map(
          ({ order, error }) => `order ${order}: error ${error.at(-1)!.toExponential(3)}`,
        );
        const step = Array.from({ length: steps + 1 }, (_, i) => i);
        const panel = {
          x: { label: 'step' },
          y: { label: 'error of the outputs', scale: 'log' } as const,
          series: curves.map(({ order, error }) => positive(`order ${order}`, step, error)),
          ...{ width: 420, height: 260 },
        };
        return withReport(
          options.out,
          { kind: 'taylor', title: 'Taylor models of a net', variant, seed, settings },
          { json: { ...settings, curves }, text: text.join('\n') },
          () => [
            lineFigure({
              name: 'taylor',
              title: 'Distance from the net, by the order of the Taylor model',
              caption:
                'Root mean square of the outputs of a Taylor model minus those of the net after equally many steps of both.',
              panels: [panel],
            }),
          ],
        );
      }),
    );
}

function registerWidths(parent: Command): void {
  netVerb(
    parent,
    'widths',
    'how fast kernels, parameters and outputs move, by width',
    '--widths 64,256,1024',
    300,
  )
    .option('--widths <list>', 'widths, at least two', listOf(wholeNumber(1)), [64, 128, 256, 512, 1024])
    .option('--base-width <d>', 'the width written in the net', wholeNumber(1), 64)
    .option('--seeds <n>', 'nets per width', wholeNumber(1), 8)
    .option('--learning-rate <eta>', 'of gradient descent', realNumber(0), 1)
    .option('--loss <name>', 'mse, logistic or crossEntropy', LOSSES, 'mse')
    .option(
      '--threshold <f>',
      'distance from the linearised net that counts as leaving it',
      realNumber(0),
      0.1,
    )
    .action(
      performReport<
        NetOptions & {
          widths: number[];
          baseWidth: number;
          seeds: number;
          learningRate: number;
          loss: LossName;
          threshold: number;
        }
      >(async (options, context) => {
        const { net, x, y } = await problemOf(options, context);
        const { widths, baseWidth, seeds, steps, learningRate, loss, threshold } = options;
        const engine = await context.engine();
        context.progress.start('training', 1);
        const settings = { widths, baseWidth, seeds, steps, learningRate, loss, threshold };
        const laws = await measureWidthLaws(engine, net, {
          ...{ ...settings, x, y, signal: context.signal },
          onProgress: ({ done, total }) => context.progress.update(done / total),
        });
        context.progress.finish();
        const table: Table = {
          name: 'widths',
          title: 'Powers of the width',
          columns: ['quantity', 'power', 'error', 'theory'],
          rows: laws.slopes.map(({ quantity, slope, standardError, theory }) => [
            ...[LABELS[quantity], slope.toFixed(3), standardError === null ? '-' : standardError.toFixed(3)],
            theory === null ? '-' : theory.toFixed(1),
          ]),
        };
        return withReport(
          options.out,
          { kind: 'widths', title: 'Width laws', variant: engine.variant, settings },
          { json: laws, text: formatTable(table) },
          () => [widthFigure(laws)],
          [table],
        );
      }),
    );
}

const LABELS = {
  kernelVelocity: 'kernel velocity',
  kernelChange: 'kernel change',
  featureChange: 'feature change',
  parameterChange: 'parameter change',
  nodeMovement: 'movement per node',
  linearisation: 'net - linearised',
  kernelFluctuation: 'kernel - limit',
  onset: 'step of leaving',
} as const;

function widthFigure({ points, slopes }: WidthLaws): Figure {
  const widths = points.map(({ width }) => width);
  const series = slopes
    .filter(({ quantity }) => quantity !== 'onset')
    .map(({ quantity, slope }) =>
      positive(
        `${LABELS[quantity]}: ${slope.toFixed(2)}`,
        widths,
        points.map((point) => point[quantity]!),
        true,
      ),
    );
  const top = Math.max(...series.flatMap(({ y }) => Array.from(y)));
  const lines = ([-1, -1 / 2] as const).map((power) => ({
    name: power === -1 ? 'power -1 (full)' : 'power -1/2 (broken)',
    x: widths,
    y: widths.map((width) => top * (width / widths[0]!) ** power),
    reference: true,
    style: `width^${power}`,
  }));
  return lineFigure({
    name: 'widths',
    title: 'What training does to a net, by width',
    caption:
      'Relative changes (outputs: absolute), root mean squares over the nets; with the fitted powers; two powers to compare with in black.',
    panels: [
      {
        x: { label: 'width', scale: 'log', base: 2 },
        y: { label: 'size', scale: 'log' },
        series: [...series, ...lines],
        ...{ width: 660, height: 340 },
      },
    ],
  });
}
