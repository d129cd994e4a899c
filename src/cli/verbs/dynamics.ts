import type { Command } from 'commander';
import { catapult, orderChaos, spectrum } from '../../dynamics/index.js';
import { hierarchyJob } from '../../dynamics/hierarchy.js';
import { type LayerDocument, type NetDocument } from '../../net/index.js';
import { readJson, readTensor } from '../files.js';
import { listOf, perform, realNumber, verb, wholeNumber } from '../verb.js';

export function registerDynamics(program: Command): void {
  const parent = program.command('dynamics').description('training beyond the fixed kernel');
  registerCatapult(parent);
  registerPhases(parent);
  registerSpectrum(parent);
  registerHierarchy(parent);
}

function registerCatapult(parent: Command): void {
  verb(parent, 'catapult', 'the exact two-variable map over learning rates', [
    'infinite-width dynamics catapult --learning-rates 1,1.9,2.1,3,3.9,4.1 --width 1000',
  ])
    .option(
      '--learning-rates <list>',
      'in units of 1/lambda0',
      listOf(realNumber(0)),
      [1, 1.9, 2.1, 2.5, 3, 3.5, 3.9, 4.1],
    )
    .option('--width <n>', 'hidden units', wholeNumber(1), 1000)
    .option('--f0 <f>', 'output at the start', realNumber(), 1)
    .action(
      perform<{ learningRates: number[]; width: number; f0: number }>(
        async ({ learningRates, width, f0 }) => {
          const rows = learningRates.map((learningRate) => {
            const { phase, maxLoss, maxLossStep, finalLambda, divergedAt } = catapult({
              learningRate,
              width,
              f0,
            });
            return {
              learningRate,
              phase,
              maxLoss,
              maxLossStep,
              finalLambda: divergedAt === null ? finalLambda : null,
              divergedAt,
            };
          });
          const text = rows.map(({ learningRate, phase, maxLoss, maxLossStep, finalLambda, divergedAt }) =>
            finalLambda === null
              ? `${learningRate}\t${phase}\tdiverged at step ${divergedAt}`
              : `${learningRate}\t${phase}\tmax loss ${maxLoss.toPrecision(4)} at step ${maxLossStep}\tlambda ${finalLambda.toPrecision(4)}`,
          );
          return { json: { width, f0, rows }, text: text.join('\n') };
        },
      ),
    );
}

function registerPhases(parent: Command): void {
  verb(parent, 'phases', 'order and chaos of infinitely deep nets', [
    'infinite-width dynamics phases --activation tanh --w-stds 0.9,1.5,2.5 --b-stds 0,0.3',
  ])
    .option('--activation <name>', 'an activation of the format', 'tanh')
    .option('--w-stds <list>', 'weight standard deviations', listOf(realNumber(0)), [0.8, 1, 1.5, 2, 3])
    .option('--b-stds <list>', 'bias standard deviations', listOf(realNumber(0)), [0, 0.3])
    .action(
      perform<{ activation: string; wStds: number[]; bStds: number[] }>(async (options, context) => {
        const engine = await context.engine();
        const activation: LayerDocument = { layer: options.activation };
        const rows = [];
        for (const wStd of options.wStds) {
          for (const bStd of options.bStds) {
            context.signal.throwIfAborted();
            rows.push({ wStd, bStd, ...(await orderChaos(engine, { activation, wStd, bStd })) });
          }
        }
        const text = rows.map(
          ({ wStd, bStd, qStar, cStar, chi1, depthScale, phase }) =>
            `wStd ${wStd}\tbStd ${bStd}\t${phase}\tq* ${qStar.toPrecision(4)}\tc* ${cStar.toPrecision(4)}\tchi1 ${chi1.toPrecision(4)}\tdepth ${depthScale.toPrecision(4)}`,
        );
        return { json: { activation, rows }, text: text.join('\n') };
      }),
    );
}

function registerSpectrum(parent: Command): void {
  verb(parent, 'spectrum', 'what the eigenvalues of a train kernel say about training', [
    'infinite-width dynamics spectrum --kernel k.npz:ntk --y y.npy',
  ])
    .requiredOption('--kernel <file>', 'train kernel (n, n)')
    .requiredOption('--y <file>', 'targets (n) or (n, outputs)')
    .option('--times <list>', 'times at which to predict the loss', listOf(realNumber(0)), [1, 10, 100, 1000])
    .option('--ridge <r>', 'ridge of the effective dimension', realNumber(0), 1e-3)
    .action(
      perform<{ kernel: string; y: string; times: number[]; ridge: number }>(async (options, context) => {
        const result = await spectrum(
          await context.engine(),
          await readTensor(options.kernel),
          await readTensor(options.y),
        );
        const { values, energy, cumulativeEnergy, learningTimes, alignment, condition, maxLearningRate } =
          result;
        const losses = options.times.map((time) => ({ time, loss: result.predictedLoss(time) }));
        const effectiveDimension = result.effectiveDimension(options.ridge);
        const lists = { values, energy, cumulativeEnergy, learningTimes };
        const json = {
          ...{ alignment, condition, maxLearningRate, effectiveDimension, losses },
          ...Object.fromEntries(Object.entries(lists).map(([name, list]) => [name, [...list]])),
        };
        const text = [
          `alignment ${alignment.toPrecision(4)}, condition ${condition.toPrecision(4)}, largest stable learning rate ${maxLearningRate.toPrecision(4)}`,
          `effective dimension ${effectiveDimension.toPrecision(4)} of ${values.length}`,
          ...losses.map(({ time, loss }) => `predicted loss at time ${time}: ${loss.toPrecision(4)}`),
        ];
        return { json, text: text.join('\n') };
      }),
    );
}

function registerHierarchy(parent: Command): void {
  verb(parent, 'hierarchy', 'gradient flow beside its kernel hierarchy truncated at orders 2, 3, 4', [
    'infinite-width dynamics hierarchy --net net.json --x x.npy --y y.npy --time 10',
  ])
    .requiredOption('--net <file>', 'dense layers with one activation between them')
    .requiredOption('--x <file>', 'a handful of samples (n, inputs)')
    .requiredOption('--y <file>', 'targets (n, outputs)')
    .option('--time <t>', 'end of the flow', realNumber(0), 10)
    .option('--steps <n>', 'Runge-Kutta steps', wholeNumber(1), 200)
    .option('--seed <n>', 'of the parameters', wholeNumber(), 0)
    .action(
      perform<{ net: string; x: string; y: string; time: number; steps: number; seed: number }>(
        async (options, context) => {
          const x = await readTensor(options.x);
          const y = await readTensor(options.y);
          const net = (await readJson(options.net)) as NetDocument;
          const { time, steps, seed } = options;
          context.progress.start('integrating', 1);
          const { times, outputs, truncations, size } = await (
            await context.engine()
          ).run(
            hierarchyJob,
            { net, model: { inputShape: x.shape.slice(1), seed }, x, y, time, steps },
            { signal: context.signal, onMessage: (done) => context.progress.update(done as number) },
          );
          context.progress.finish();
          const P = outputs.data.length / times.length;
          const errors = truncations.map((truncation) => {
            let sum = 0;
            for (let p = steps * P; p < (steps + 1) * P; p++)
              sum += (truncation.outputs.data[p]! - outputs.data[p]!) ** 2;
            return { order: truncation.order, rms: Math.sqrt(sum / P) };
          });
          const output = outputs.data.slice(steps * P);
          const text = errors.map(({ order, rms }) => `order ${order}: output error ${rms.toExponential(3)}`);
          return { json: { time, steps, size, output: [...output], errors }, text: text.join('\n') };
        },
      ),
    );
}
