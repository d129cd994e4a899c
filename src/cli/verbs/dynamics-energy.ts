// `dynamics energy`: the energy of mean-field training beside what the flow of its particles loses.
import type { Command } from 'commander';
import { meanFieldEnergy, type MeanFieldEnergy } from '../../dynamics/index.js';
import type { LossName } from '../../net/index.js';
import { lineFigure, type Figure } from '../../report/index.js';
import { withReport } from '../report.js';
import { realNumber } from '../verb.js';
import { LOSSES, netVerb, performReport, trained, type NetOptions } from './dynamics-shared.js';

export function registerEnergy(parent: Command): void {
  netVerb(
    parent,
    'energy',
    'mean-field training: does the energy fall as its flow says?',
    '--decay 0.01',
    200,
  )
    .option('--learning-rate <h>', "step of the particles' time", realNumber(0), 0.1)
    .option('--loss <name>', 'mse, logistic or crossEntropy', LOSSES, 'mse')
    .option('--decay <d>', 'weight of |theta|^2 / 2 in the energy', realNumber(0), 0)
    .action(
      performReport<NetOptions & { learningRate: number; loss: LossName; decay: number }>(
        async (options, context) => {
          const { steps, learningRate, loss, decay, seed } = options;
          const settings = { steps, learningRate, loss, decay };
          const { found: result, variant } = await trained(options, context, settings, (engine, net, data) =>
            meanFieldEnergy(engine, net, data, {
              signal: context.signal,
              onMessage: (done) => context.progress.update(done as number),
            }),
          );
          return withReport(
            options.out,
            {
              kind: 'energy',
              title: 'Energy of mean-field training',
              variant,
              seed,
              settings,
            },
            { json: { ...settings, ...result }, text: textOf(result) },
            () => [energyFigure(result, learningRate)],
          );
        },
      ),
    );
}

function textOf({ energy, predicted, rises, movement }: MeanFieldEnergy): string {
  const [from, to, flow] = [energy[0]!, energy.at(-1)!, predicted.at(-1)!];
  return [
    `energy ${from.toPrecision(4)} -> ${to.toPrecision(4)}; the flow predicts ${flow.toPrecision(4)}`,
    `${rises} of ${energy.length - 1} steps raised it; particles moved by ${movement.toPrecision(4)} (root mean square)`,
  ].join('\n');
}

function energyFigure({ energy, predicted, dissipation }: MeanFieldEnergy, h: number): Figure {
  const time = Array.from(energy, (_, step) => step * h);
  const axis = { label: 'time' };
  const size = { width: 420, height: 220 };
  return lineFigure({
    name: 'energy',
    title: 'Energy of mean-field training',
    caption:
      'The energy of the trained particles and what the dissipation of their flow predicts for it; both agree where the step is small.',
    panels: [
      {
        x: axis,
        y: { label: 'energy' },
        series: [
          { name: 'energy', x: time, y: Array.from(energy), style: 'trained' },
          { name: 'predicted', x: time, y: Array.from(predicted), reference: true, style: 'flow' },
        ],
        ...size,
      },
      {
        x: axis,
        y: { label: 'dissipation' },
        series: [{ name: 'dissipation', x: time, y: Array.from(dissipation), style: 'trained' }],
        ...size,
      },
    ],
  });
}
