// The verbs of `dynamics` about the distance from infinite width: finite-width, extrapolate, largest-rate.
import { join } from 'node:path';
import type { Command } from 'commander';
import { largestRates } from '../../dynamics/index.js';
import { extrapolateTraining } from '../../extrapolation/index.js';
import { finiteWidthCorrections, planFiniteWidth, sufficientWidth } from '../../finite-width/index.js';
import type { LossName, NetDocument } from '../../net/index.js';
import { formatTable, lineFigure, type Series, type Table } from '../../report/index.js';
import { scalings, type NamedScalings } from '../../scaling/index.js';
import { readJson, readTensor } from '../files.js';
import { withReport } from '../report.js';
import { openRuns } from '../runs.js';
import { listOf, oneOf, realNumber, verb, wholeNumber } from '../verb.js';
import { LOSSES, netVerb, performReport, problemOf, type NetOptions } from './dynamics-shared.js';

export function registerDynamicsOfLimits(parent: Command): void {
  registerFiniteWidth(parent);
  registerExtrapolate(parent);
  registerLargestRate(parent);
}

function registerFiniteWidth(parent: Command): void {
  verb(
    parent,
    'finite-width',
    'how far the kernels of a dense net are from infinite width, to first order in 1/width',
    ['infinite-width dynamics finite-width --net net.json --x x.npy --tolerance 0.05'],
  )
    .requiredOption('--net <file>', 'Net document (JSON): dense layers in NTK parametrisation')
    .requiredOption('--x <file>', 'samples (n, features): a handful, work grows as n^4')
    .option('--tolerance <t>', 'also say how wide is wide enough for this deviation', realNumber(0))
    .option('--out <dir>', 'folder for result.json, the figure and report.html')
    .action(
      performReport<{ net: string; x: string; tolerance?: number; out?: string }>(
        async (options, context) => {
          const net = (await readJson(options.net)) as NetDocument;
          const x = await readTensor(options.x, context);
          const engine = await context.engine();
          const { integrals, bytes } = planFiniteWidth(net, x.shape[0] ?? 0);
          context.progress.start('1/width', 1);
          context.progress.log(`${integrals} integrals, ${Math.ceil(bytes / 2 ** 20)} MiB`);
          const run = {
            signal: context.signal,
            onProgress: ({ done, total }: { done: number; total: number }) =>
              context.progress.update(done / total),
          };
          const layers = (await finiteWidthCorrections(engine, net, x, { ...run, perLayer: true })).layers!;
          const wide =
            options.tolerance === undefined
              ? null
              : await sufficientWidth(engine, net, x, { ...run, tolerance: options.tolerance });
          context.progress.finish();
          const rows = layers.map(
            ({ samples: n, nngp, ntk, nngpShift, ntkShift, nngpVariance, ntkVariance, fourPoint }, l) => {
              const size = (values: ArrayLike<number>): number => Math.hypot(...Array.from(values));
              const spread = (values: ArrayLike<number>): number =>
                Math.sqrt(Array.from(values).reduce((sum, v) => sum + Math.max(v, 0), 0));
              let connected = 0;
              for (let a = 0; a < n; a++)
                connected = Math.max(
                  connected,
                  Math.abs(fourPoint(a, a, a, a)) / nngp.data[a * (n + 1)]! ** 2,
                );
              return {
                layer: l + 1,
                nngpShift: size(nngpShift.data) / size(nngp.data),
                nngpSpread: spread(nngpVariance.data) / size(nngp.data),
                ntkShift: size(ntkShift.data) / size(ntk.data),
                ntkSpread: spread(ntkVariance.data) / size(ntk.data),
                connected,
              };
            },
          );
          const table: Table = {
            name: 'finite-width',
            title: 'Deviation of random nets from infinite width, relative (Frobenius norms)',
            columns: [
              'dense layer',
              'NNGP shift',
              'NNGP spread',
              'NTK shift',
              'NTK spread',
              'four-point / K^2',
            ],
            rows: rows.map((row) => [
              row.layer,
              row.nngpShift,
              row.nngpSpread,
              row.ntkShift,
              row.ntkSpread,
              row.connected,
            ]),
          };
          const last = layers.at(-1)!;
          const text = [
            formatTable(table),
            ...(wide
              ? [
                  `wide enough for ${options.tolerance}: ${wide.widths.join(', ')} (${wide.factor.toPrecision(3)} times the widths given)`,
                ]
              : []),
          ];
          const settings = { tolerance: options.tolerance ?? null };
          const l = rows.map(({ layer }) => layer);
          const line = (name: string, of: (row: (typeof rows)[number]) => number): Series => ({
            name,
            x: l,
            y: rows.map(of),
            points: true,
          });
          return withReport(
            options.out,
            {
              kind: 'finite-width',
              title: 'Distance from infinite width',
              variant: engine.variant,
              settings,
            },
            {
              json: { widths: last.widths, expansion: last.expansion, layers: rows, sufficient: wide },
              text: text.join('\n'),
            },
            () => [
              lineFigure({
                name: 'finite-width',
                title: 'How random the kernels of the net are, layer by layer',
                caption:
                  'Root mean square over random nets of the kernel minus its mean, and of the mean minus the limit, over the limit.',
                panels: [
                  {
                    x: { label: 'dense layer', ticks: l },
                    y: { label: 'relative deviation' },
                    series: [
                      line('NTK spread', (row) => row.ntkSpread),
                      line('NTK shift', (row) => row.ntkShift),
                      line('NNGP spread', (row) => row.nngpSpread),
                      line('NNGP shift', (row) => row.nngpShift),
                    ],
                    ...{ width: 420, height: 260 },
                  },
                ],
              }),
            ],
            [table],
          );
        },
      ),
    );
}

type ScalingName = Exclude<keyof NamedScalings, 'intermediate'>;
const SCALINGS = Object.keys(scalings).filter((name) => name !== 'intermediate') as ScalingName[];

interface ExtrapolateVerb extends NetOptions {
  readonly xTest?: string;
  readonly widths: number[];
  readonly baseWidth: number;
  readonly scaling?: ScalingName;
  readonly seeds: number;
  readonly learningRate: number;
  readonly loss: LossName;
  readonly records: number;
}

function registerExtrapolate(parent: Command): void {
  netVerb(
    parent,
    'extrapolate',
    'training at infinite width, from nets of a few widths, with error bars',
    '--widths 32,64,128 --scaling muP --out limit',
    100,
  )
    .option('--x-test <file>', 'points whose outputs are wanted; default: the train samples')
    .option('--widths <list>', 'at least three', listOf(wholeNumber(1)), [32, 64, 128, 256])
    .option('--base-width <d>', 'the width written in the net', wholeNumber(1), 64)
    .option('--scaling <name>', `of ${SCALINGS.join(', ')}; default: as the net says`, oneOf(...SCALINGS))
    .option('--seeds <n>', 'nets at the largest width; more at smaller ones', wholeNumber(2), 8)
    .option('--learning-rate <eta>', 'of gradient descent at the base width', realNumber(0), 0.1)
    .option('--loss <name>', 'mse, logistic or crossEntropy', LOSSES, 'mse')
    .option('--records <n>', 'moments of training, evenly spaced', wholeNumber(1), 5)
    .action(
      performReport<ExtrapolateVerb>(async (options, context) => {
        const { net, x, y } = await problemOf(options, context);
        const xTest = options.xTest === undefined ? x : await readTensor(options.xTest, context);
        const { widths, baseWidth, scaling, seeds, learningRate, loss, steps, records, out } = options;
        const recordAt = [
          ...new Set(
            Array.from({ length: records }, (_, i) => Math.max(1, Math.round((steps * (i + 1)) / records))),
          ),
        ];
        const engine = await context.engine();
        if (out !== undefined)
          context.keeps(`finished nets in ${join(out, 'runs')}; the same command goes on`);
        context.progress.start('training', 1);
        const finished = out === undefined ? null : await openRuns(out, context);
        const found = await extrapolateTraining(engine, net, {
          ...{ x, y, xTest, widths, baseWidth, seeds, learningRate, loss, steps, recordAt },
          ...(scaling === undefined ? {} : { scaling: scalings[scaling] }),
          ...(finished ? { finished } : {}),
          signal: context.signal,
          onProgress: ({ done, total }) => context.progress.update(done / total),
        });
        context.progress.finish();
        const { outputs, standardErrors, nets, pValue, scatterPower } = found;
        const points = Math.min(4, outputs.data.length / recordAt.length);
        const each = outputs.data.length / recordAt.length;
        const table: Table = {
          name: 'extrapolate',
          title: `Outputs at infinite width (fit p = ${pValue.toPrecision(2)}, scatter over seeds as width^${scatterPower.toFixed(2)})`,
          columns: ['step', ...Array.from({ length: points }, (_, i) => [`output ${i}`, '+-']).flat()],
          rows: recordAt.map((step, r) => [
            step,
            ...Array.from({ length: points }, (_, i) => [
              outputs.data[r * each + i]!,
              standardErrors.data[r * each + i]!,
            ]).flat(),
          ]),
        };
        const line = (
          name: string,
          values: ArrayLike<number>,
          spread: ArrayLike<number>,
          reference: boolean,
        ): Series => {
          const y = recordAt.map((_, r) => values[r * each]!);
          const error = recordAt.map((_, r) => spread[r * each]!);
          return {
            name,
            x: recordAt,
            y,
            low: y.map((v, r) => v - error[r]!),
            high: y.map((v, r) => v + error[r]!),
            points: true,
            reference,
          };
        };
        const settings = {
          widths,
          baseWidth,
          seeds,
          learningRate,
          loss,
          steps,
          recordAt,
          scaling: scaling ?? null,
        };
        const outcome = await withReport(
          out,
          { kind: 'extrapolate', title: 'Training at infinite width', variant: engine.variant, settings },
          { json: { ...found, seeds: found.seeds }, text: formatTable(table) },
          () => [
            lineFigure({
              name: 'extrapolate',
              title: 'The first output while nets train, and its limit',
              caption: 'Nets: mean and standard deviation over seeds. Limit: estimate and standard error.',
              panels: [
                {
                  x: { label: 'step' },
                  y: { label: 'output of the first test point' },
                  series: [
                    ...nets.map((one) => line(`width ${one.width}`, one.mean, one.deviation, false)),
                    line('infinite width', outputs.data, standardErrors.data, true),
                  ],
                  ...{ width: 460, height: 280 },
                },
              ],
            }),
          ],
          [table],
        );
        await finished?.clear();
        return outcome;
      }),
    );
}

function registerLargestRate(parent: Command): void {
  netVerb(
    parent,
    'largest-rate',
    'the largest learning rate from which training comes back, over widths',
    '--widths 64,128,256',
    300,
  )
    .option('--widths <list>', 'at least two', listOf(wholeNumber(1)), [64, 128, 256, 512])
    .option('--base-width <d>', 'the width written in the net', wholeNumber(1), 64)
    .option('--seeds <n>', 'nets per width', wholeNumber(1), 3)
    .option('--precision <p>', 'of the multiple', realNumber(1e-3, 0.9), 0.05)
    .action(
      performReport<NetOptions & { widths: number[]; baseWidth: number; seeds: number; precision: number }>(
        async (options, context) => {
          const { net, x, y } = await problemOf(options, context);
          const { widths, baseWidth, seeds, precision, steps, out } = options;
          const engine = await context.engine();
          context.progress.start('training', 1);
          const settings = { widths, baseWidth, seeds, precision, steps };
          const found = await largestRates(engine, net, {
            ...{ ...settings, x, y, signal: context.signal },
            onProgress: ({ done, total }) => context.progress.update(done / total),
          });
          context.progress.finish();
          const { points, slope, standardError } = found;
          const table: Table = {
            name: 'largest-rate',
            title: 'Largest stable learning rate in units of 1/lambda_max(Theta_0/n)',
            columns: ['width', 'multiple', '+-'],
            rows: points.map((point) => [point.width, point.mean, point.deviation]),
          };
          const line = {
            ...{ name: 'nets', x: widths, y: points.map((point) => point.mean), points: true },
            low: points.map((point) => point.mean - point.deviation),
            high: points.map((point) => point.mean + point.deviation),
          };
          return withReport(
            out,
            {
              kind: 'largest-rate',
              title: 'The end of the catapult phase',
              variant: engine.variant,
              settings,
            },
            {
              json: found,
              text: `${formatTable(table)}\nwidth^(${slope.toFixed(3)} +- ${standardError.toFixed(3)})`,
            },
            () => [
              lineFigure({
                name: 'largest-rate',
                title: 'Where the catapult phase ends, by width',
                caption:
                  'Mean and standard deviation over nets. Above 2 the loss first grows; above these multiples it does not come back.',
                panels: [
                  {
                    x: { label: 'width', scale: 'log', base: 2 },
                    y: { label: 'largest stable multiple' },
                    series: [line],
                    rules: [{ axis: 'y', value: 2, label: 'lazy below 2' }],
                  },
                ],
              }),
            ],
            [table],
          );
        },
      ),
    );
}
