import type { Command } from 'commander';
import {
  catapult,
  orderChaos,
  spectrum,
  type CatapultTrace,
  type OrderChaos,
  type Spectrum,
} from '../../dynamics/index.js';
import type { LayerDocument } from '../../net/index.js';
import { UsageError } from '../errors.js';
import { readTensor } from '../files.js';
import { heatMap, lineFigure, type Axis, type Figure, type Panel } from '../../report/index.js';
import { withReport } from '../report.js';
import { registerDoubleDescent } from './dynamics-double-descent.js';
import { registerFiniteWidth } from './dynamics-finite-width.js';
import { registerLearningCurve } from './dynamics-learning-curve.js';
import { registerDynamicsOfLimits } from './dynamics-limits.js';
import { registerDynamicsOfNets } from './dynamics-nets.js';
import { registerDynamicsOfRates } from './dynamics-rates.js';
import { registerEnergy } from './dynamics-energy.js';
import { registerTrace } from './dynamics-trace.js';
import { performReport } from './dynamics-shared.js';
import { listOf, realNumber, verb, wholeNumber } from '../verb.js';

export function registerDynamics(program: Command): void {
  const parent = program.command('dynamics').description('training beyond the fixed kernel');
  registerCatapult(parent);
  registerPhases(parent);
  registerSpectrum(parent);
  registerDynamicsOfNets(parent);
  registerDynamicsOfRates(parent);
  registerDynamicsOfLimits(parent);
  registerFiniteWidth(parent);
  registerLearningCurve(parent);
  registerDoubleDescent(parent);
  registerEnergy(parent);
  registerTrace(parent);
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
    .option('--out <dir>', 'folder for result.json, the figure and report.html')
    .action(
      performReport<{ learningRates: number[]; width: number; f0: number; out?: string }>(
        async ({ learningRates, width, f0, out }) => {
          const traces = learningRates.map((learningRate) => ({
            learningRate,
            ...catapult({ learningRate, width, f0 }),
          }));
          const rows = traces.map(
            ({ learningRate, phase, maxLoss, maxLossStep, finalLambda, divergedAt }) => {
              return {
                learningRate,
                phase,
                maxLoss,
                maxLossStep,
                finalLambda: divergedAt === null ? finalLambda : null,
                divergedAt,
              };
            },
          );
          const text = rows.map(({ learningRate, phase, maxLoss, maxLossStep, finalLambda, divergedAt }) =>
            finalLambda === null
              ? `${learningRate}\t${phase}\tdiverged at step ${divergedAt}`
              : `${learningRate}\t${phase}\tmax loss ${maxLoss.toPrecision(4)} at step ${maxLossStep}\tlambda ${finalLambda.toPrecision(4)}`,
          );
          return withReport(
            out,
            { kind: 'catapult', title: 'The catapult map', settings: { width, f0, learningRates } },
            { json: { width, f0, rows }, text: text.join('\n') },
            () => [catapultFigure(traces)],
          );
        },
      ),
    );
}

function catapultFigure(traces: readonly (CatapultTrace & { learningRate: number })[]): Figure {
  const longest = 60;
  type Trace = (typeof traces)[number];
  const panel = (y: Axis, of: (trace: Trace) => ArrayLike<number>, low: number, high: number): Panel => ({
    x: { label: 'step' },
    y,
    series: traces.map((trace) => {
      const values = Array.from(of(trace)).slice(0, longest);
      const kept = values
        .map((_, step) => step)
        .filter((step) => values[step]! >= low && values[step]! < high);
      const name = String(trace.learningRate);
      return { name, x: kept, y: kept.map((step) => values[step]!), style: trace.phase };
    }),
  });
  const curvature = ({ lambda, learningRate }: Trace): Float64Array =>
    lambda.map((value) => value * learningRate);
  return lineFigure({
    name: 'catapult',
    title: 'Gradient descent on the two-layer linear net, by learning rate times curvature',
    caption:
      'Below 2 the loss falls at once. Between 2 and 4 it first grows, until the curvature has fallen below 2 over the learning rate. Above 4 it diverges.',
    panels: [
      panel({ label: 'loss', scale: 'log' }, ({ loss }) => loss, 1e-12, 1e8),
      {
        ...panel({ label: 'learning rate x curvature' }, curvature, 0, 6),
        rules: [{ axis: 'y', value: 2, label: 'stable below 2' }],
      },
    ],
  });
}

function registerPhases(parent: Command): void {
  verb(parent, 'phases', 'order and chaos of infinitely deep nets', [
    'infinite-width dynamics phases --activation tanh --w-stds 0.9,1.5,2.5 --b-stds 0,0.3',
  ])
    .option(
      '--activation <name>',
      `an activation of the format, or its JSON: '{"layer":"leakyRelu","alpha":0.1}'`,
      'tanh',
    )
    .option('--w-stds <list>', 'weight standard deviations', listOf(realNumber(0)), [0.8, 1, 1.5, 2, 3])
    .option('--b-stds <list>', 'bias standard deviations', listOf(realNumber(0)), [0, 0.3])
    .option('--out <dir>', 'folder for result.json, the figure and report.html')
    .action(
      performReport<{ activation: string; wStds: number[]; bStds: number[]; out?: string }>(
        async (options, context) => {
          const engine = await context.engine();
          const activation = activationNamed(options.activation);
          const rows: (OrderChaos & { wStd: number; bStd: number })[] = [];
          const points = options.wStds.flatMap((wStd) => options.bStds.map((bStd) => ({ wStd, bStd })));
          context.progress.start('fixed points', points.length);
          for (const point of points) {
            const { signal } = context;
            rows.push({ ...point, ...(await orderChaos(engine, { activation, ...point, signal })) });
            context.progress.update(rows.length);
          }
          context.progress.finish();
          const text = rows.map(
            ({ wStd, bStd, qStar, cStar, chi1, depthScale, phase }) =>
              `wStd ${wStd}\tbStd ${bStd}\t${phase}\tq* ${qStar.toPrecision(4)}\tc* ${cStar.toPrecision(4)}\tchi1 ${chi1.toPrecision(4)}\tdepth ${depthScale.toPrecision(4)}`,
          );
          const { wStds, bStds } = options;
          return withReport(
            options.out,
            { kind: 'phases', title: 'Order and chaos', settings: { activation, wStds, bStds } },
            { json: { activation, rows }, text: text.join('\n') },
            () => phaseFigures(activation.layer, wStds, bStds, rows),
          );
        },
      ),
    );
}

function activationNamed(text: string): LayerDocument {
  if (!text.trimStart().startsWith('{')) return { layer: text };
  try {
    return JSON.parse(text) as LayerDocument;
  } catch (error) {
    throw new UsageError(`--activation: expected a name or JSON, got ${(error as Error).message}.`);
  }
}

/** chi_1 over the grid, or as curves when one side has a single value. */
function phaseFigures(
  activation: string,
  wStds: readonly number[],
  bStds: readonly number[],
  rows: readonly OrderChaos[],
): Figure[] {
  const title = `chi_1 of infinitely deep ${activation} nets`;
  const caption =
    'chi_1 is the slope of the correlation map at 1. Below 1 inputs grow alike with depth (order), above 1 they part (chaos); deep nets train near 1.';
  const ascending = (list: readonly number[]): boolean =>
    list.every((value, i) => i === 0 || value > list[i - 1]!);
  if (wStds.length > 1 && bStds.length > 1 && ascending(wStds) && ascending(bStds)) {
    const z = bStds.flatMap((_, j) => wStds.map((__, i) => rows[i * bStds.length + j]!.chi1));
    return [
      heatMap({
        ...{ name: 'phases', title, caption, z, zLabel: 'chi_1' },
        x: { label: 'weight standard deviation', values: wStds },
        y: { label: 'bias standard deviation', values: bStds },
      }),
    ];
  }
  const series = bStds.map((bStd, j) => ({
    name: `bStd ${bStd}`,
    x: wStds,
    y: wStds.map((_, i) => rows[i * bStds.length + j]!.chi1),
    points: true,
  }));
  const rules = [{ axis: 'y', value: 1, label: 'critical' }] as const;
  const panel = { x: { label: 'weight standard deviation' }, y: { label: 'chi_1' }, series, rules };
  return [lineFigure({ name: 'phases', title, caption, panels: [panel] })];
}

function registerSpectrum(parent: Command): void {
  verb(parent, 'spectrum', 'what the eigenvalues of a train kernel say about training', [
    'infinite-width dynamics spectrum --kernel k.npz:ntk --y y.npy',
  ])
    .requiredOption('--kernel <file>', 'train kernel (n, n)')
    .requiredOption('--y <file>', 'targets (n) or (n, outputs)')
    .option('--times <list>', 'times at which to predict the loss', listOf(realNumber(0)), [1, 10, 100, 1000])
    .option('--ridge <r>', 'ridge of the effective dimension', realNumber(0), 1e-3)
    .option('--out <dir>', 'folder for result.json, the figure and report.html')
    .action(
      performReport<{ kernel: string; y: string; times: number[]; ridge: number; out?: string }>(
        async (options, context) => {
          const [kernel, y] = [
            await readTensor(options.kernel, context),
            await readTensor(options.y, context),
          ];
          const engine = await context.engine();
          context.progress.start(`eigenvalues of ${kernel.shape[0]} samples`, 1);
          const result = await spectrum(engine, kernel, y, { signal: context.signal });
          context.progress.finish();
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
          const { times, ridge } = options;
          return withReport(
            options.out,
            { kind: 'spectrum', title: 'The spectrum of a kernel', settings: { times, ridge } },
            { json, text: text.join('\n') },
            () => [spectrumFigure(result)],
          );
        },
      ),
    );
}

function spectrumFigure({ values, cumulativeEnergy, learningTimes, predictedLoss }: Spectrum): Figure {
  const modes = [...values].map((_, j) => j + 1);
  const positive = modes.filter((mode) => Number.isFinite(learningTimes[mode - 1]!));
  const times = positive.map((mode) => learningTimes[mode - 1]!);
  const decades = 60;
  const [first, last] = [Math.min(...times) / 10, Math.max(...times) * 10];
  const grid = Array.from({ length: decades + 1 }, (_, i) => first * (last / first) ** (i / decades));
  const mode = { label: 'mode, largest eigenvalue first', scale: 'log' } as const;
  return lineFigure({
    name: 'spectrum',
    title: 'What the eigenvalues of the kernel say about training',
    caption:
      'Gradient flow learns mode after mode: a mode takes the time n over its eigenvalue. Targets whose energy lies in the first modes are learned early.',
    panels: [
      {
        x: mode,
        y: { label: 'eigenvalue', scale: 'log' },
        series: [{ name: 'kernel', x: positive, y: positive.map((j) => values[j - 1]!), points: true }],
      },
      {
        x: mode,
        y: { label: 'share of target energy so far', domain: [0, 1] },
        series: [{ name: 'kernel', x: modes, y: cumulativeEnergy }],
      },
      {
        x: { label: 'time (steps x learning rate)', scale: 'log' },
        y: { label: 'predicted training loss' },
        series: [{ name: 'kernel', x: grid, y: grid.map((time) => predictedLoss(time)) }],
      },
    ],
    columns: 3,
  });
}
