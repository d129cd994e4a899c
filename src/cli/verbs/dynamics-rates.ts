// The verbs of `dynamics` that turn a dial of training: scan over learning rates, dial from rich to lazy.
import type { Command } from 'commander';
import { lazyDial, scanLearningRates } from '../../dynamics/index.js';
import type { LossName } from '../../net/index.js';
import { formatTable, lineFigure, type Table } from '../../report/index.js';
import { withReport } from '../report.js';
import { listOf, realNumber, wholeNumber } from '../verb.js';
import {
  follow,
  LOSSES,
  netVerb,
  performReport,
  positive,
  trained,
  type NetOptions,
} from './dynamics-shared.js';

export function registerDynamicsOfRates(parent: Command): void {
  registerScan(parent);
  registerDial(parent);
}

function registerScan(parent: Command): void {
  netVerb(parent, 'scan', 'gradient descent of a net over learning rates: lazy, catapult, divergent', '', 400)
    .option(
      '--multiples <list>',
      'learning rates in units of n/lambda_max(Theta_0)',
      listOf(realNumber(0)),
      [1.9, 2.1, 2.5, 3, 3.5, 3.9, 4.2, 5],
    )
    .option('--taylor <k>', 'train the Taylor model of this order instead', wholeNumber(0, 8))
    .action(
      performReport<NetOptions & { multiples: number[]; taylor?: number }>(async (options, context) => {
        const { multiples, steps, seed, taylor } = options;
        const settings = { multiples, steps, ...(taylor === undefined ? {} : { taylor }) };
        const { found: points, variant } = await trained(options, context, settings, (engine, net, data) =>
          scanLearningRates(engine, net, data, follow(context)),
        );
        const table: Table = {
          name: 'scan',
          title: 'Learning rates in units of 1/lambda_max(Theta_0/n)',
          columns: ['multiple', 'max loss', 'at step', 'final loss', 'lambda end/start', 'diverged at'],
          rows: points.map(({ multiple, maxLoss, maxLossStep, finalLoss, sharpnessRatio, divergedAt }) => [
            ...[multiple, maxLoss, maxLossStep, finalLoss],
            ...[sharpnessRatio ?? '-', divergedAt ?? '-'],
          ]),
        };
        const series = points.map(({ multiple, loss, divergedAt }) => {
          const steps = [...loss.keys()].filter((i) => i < 100 && loss[i]! > 1e-10 && loss[i]! < 1e8);
          const style = divergedAt === null ? 'stays finite' : 'diverges';
          return { name: String(multiple), x: steps, y: steps.map((i) => loss[i]!), style };
        });
        const panel = { x: { label: 'step' }, y: { label: 'loss', scale: 'log' } as const, series };
        return withReport(
          options.out,
          { kind: 'scan', title: 'Learning rates of a net', variant, seed, settings },
          { json: { ...settings, points }, text: formatTable(table) },
          () => [
            lineFigure({
              name: 'scan',
              title: 'Loss of one net, by learning rate times initial curvature',
              caption:
                'Below 2 the loss falls at once; between 2 and about 4 it grows first and then falls in a flatter place; above it diverges. Values outside 1e-10 to 1e8 are left out.',
              panels: [{ ...panel, width: 420, height: 260 }],
            }),
          ],
          [table],
        );
      }),
    );
}

function registerDial(parent: Command): void {
  netVerb(parent, 'dial', 'lazy or rich: training alpha (f - f0) on loss/alpha^2', '--alphas 0.3,1,10', 200)
    .option(
      '--alphas <list>',
      'small is rich, large is lazy',
      listOf(realNumber(0)),
      [0.1, 0.3, 1, 3, 10, 30],
    )
    .option('--learning-rate <eta>', 'of gradient descent', realNumber(0), 0.5)
    .option('--loss <name>', 'mse, logistic or crossEntropy', LOSSES, 'mse')
    .action(
      performReport<NetOptions & { alphas: number[]; learningRate: number; loss: LossName }>(
        async (options, context) => {
          const { alphas, steps, learningRate, loss, seed } = options;
          const settings = { alphas, steps, learningRate, loss };
          const { found: points, variant } = await trained(options, context, settings, (engine, net, data) =>
            lazyDial(engine, net, data, follow(context)),
          );
          const table: Table = {
            name: 'dial',
            title: 'From rich to lazy',
            columns: ['alpha', 'final loss', 'change of the kernel', 'change of the parameters'],
            rows: points.map((point) => [
              ...[point.alpha, point.loss.at(-1)!, point.kernelChange, point.parameterChange],
            ]),
          };
          const changes = [
            ['kernel', points.map(({ kernelChange }) => kernelChange)],
            ['parameters', points.map(({ parameterChange }) => parameterChange)],
          ] as const;
          const panel = {
            x: { label: 'alpha', scale: 'log' } as const,
            y: { label: 'relative change', scale: 'log' } as const,
            series: changes.map(([name, values]) => positive(name, alphas, values, true)),
          };
          return withReport(
            options.out,
            { kind: 'dial', title: 'The lazy-to-rich dial', variant, seed, settings },
            { json: { ...settings, points }, text: formatTable(table) },
            () => [
              lineFigure({
                name: 'dial',
                title: 'How far training moves a net, by the scale of its outputs',
                caption:
                  'Small alpha: features move (rich). Large alpha: the net trains as its linearisation (lazy).',
                panels: [{ ...panel, width: 420, height: 260 }],
              }),
            ],
            [table],
          );
        },
      ),
    );
}
