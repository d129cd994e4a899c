// The verbs of `dynamics` that train nets over widths: extrapolate, largest-rate.
import { join } from 'node:path';
import type { Command } from 'commander';
import { largestRates } from '../../dynamics/index.js';
import { extrapolateTraining } from '../../extrapolation/index.js';
import type { LossName } from '../../net/index.js';
import { formatTable, lineFigure, type Series, type Table } from '../../report/index.js';
import { scalings, type NamedScalings } from '../../scaling/index.js';
import { readTensor } from '../files.js';
import { withReport } from '../report.js';
import { openRuns } from '../runs.js';
import { listOf, oneOf, realNumber, wholeNumber } from '../verb.js';
import { LOSSES, netVerb, performReport, problemOf, type NetOptions } from './dynamics-shared.js';

export function registerDynamicsOfLimits(parent: Command): void {
  registerExtrapolate(parent);
  registerLargestRate(parent);
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
