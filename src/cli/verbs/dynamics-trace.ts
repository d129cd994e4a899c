// `dynamics trace`: one net in training, with its kernels and their alignment at chosen steps.
import { join } from 'node:path';
import type { Command } from 'commander';
import { adam, momentum, nesterov, rmsprop, sgd, type LossName, type Optimizer } from '../../net/index.js';
import { formatTable, lineFigure, type Figure, type Table } from '../../report/index.js';
import { trainJob, type TrainJobResult } from '../../training/index.js';
import { writeNpzFile } from '../files.js';
import { withReport } from '../report.js';
import { listOf, oneOf, realNumber, wholeNumber } from '../verb.js';
import { LOSSES, modelOf, netVerb, performReport, problemOf, type NetOptions } from './dynamics-shared.js';

const RULES = { sgd, momentum, nesterov, rmsprop, adam };
type Kernels = ('ntk' | 'nngp')[];

interface TraceOptions extends NetOptions {
  readonly recordAt?: number[];
  readonly kernels: Kernels;
  readonly probe: number;
  readonly save?: boolean;
  readonly learningRate: number;
  readonly optimizer: keyof typeof RULES;
  readonly batch?: number;
  readonly loss: LossName;
}

export function registerTrace(parent: Command): void {
  const description = 'one net in training: loss, movement, kernels and their alignment at chosen steps';
  netVerb(parent, 'trace', description, '--kernels ntk,nngp --out trace', 100)
    .option(
      '--record-at <list>',
      'steps to record, beside the first and last (default: 20 of them)',
      listOf(wholeNumber()),
    )
    .option('--kernels <list>', 'of ntk, nngp', listOf(oneOf('ntk', 'nngp')), ['ntk'])
    .option('--probe <n>', 'kernels are those of the first n samples', wholeNumber(1), 200)
    .option('--save', 'with --out, also the kernels themselves (kernels.npz)')
    .option('--learning-rate <eta>', 'of the optimizer', realNumber(0), 0.1)
    .option(
      '--optimizer <name>',
      Object.keys(RULES).join(', '),
      oneOf(...(Object.keys(RULES) as 'sgd'[])),
      'sgd',
    )
    .option('--batch <n>', 'samples per step (default: all)', wholeNumber(1))
    .option('--loss <name>', 'mse, logistic or crossEntropy', LOSSES, 'mse')
    .action(
      performReport<TraceOptions>(async (options, context) => {
        const { net, x, y } = await problemOf(options);
        const { steps, seed, loss, learningRate, optimizer, batch, kernels, save = false, out } = options;
        const every = Math.max(1, Math.floor(steps / 20));
        const samples = x.shape[0]!;
        const probed = Math.min(options.probe, samples);
        const head = (t: typeof x): typeof x => {
          const size = (t.data.length / samples) * probed;
          return { data: t.data.subarray(0, size), shape: [probed, ...t.shape.slice(1)] } as typeof x;
        };
        const rule: Optimizer = RULES[optimizer](learningRate);
        const engine = await context.engine();
        context.progress.start('training', steps);
        const result = await engine.run(
          trainJob,
          {
            net,
            model: { ...modelOf({ net, x, y }, seed), dtype: x.data instanceof Float32Array ? 'f32' : 'f64' },
            train: {
              ...{ x, y, loss, steps, optimizer: rule, seed },
              ...(batch === undefined ? {} : { batchSize: batch }),
              ...(options.recordAt ? { recordAt: options.recordAt } : { recordEvery: every }),
              evaluate: { train: { x, y } },
              probe: { x: head(x), ...(y.shape[0] === samples ? { y: head(y) } : {}), kernels, keep: save },
            },
          },
          {
            signal: context.signal,
            onMessage: (message) => context.progress.update((message as { step: number }).step),
          },
        );
        context.progress.finish();
        const rows = rowsOf(result, kernels);
        const settings = {
          steps,
          loss,
          optimizer,
          learningRate,
          batch: batch ?? samples,
          kernels,
          probe: probed,
        };
        const table = tableOf(rows, kernels);
        const outcome = await withReport(
          out,
          { kind: 'trace', title: 'A net in training', variant: engine.variant, seed, settings },
          { json: { ...settings, trace: rows }, text: formatTable(table) },
          () => [traceFigure(rows, kernels)],
          [table],
        );
        if (!save || out === undefined) return outcome;
        const file = join(out, 'kernels.npz');
        await writeNpzFile(file, keptKernels(result));
        return { json: { ...(outcome.json as object), kernelFile: file }, text: `${outcome.text}\n${file}` };
      }),
    );
}

/** What the records say beside the kernels themselves. */
function rowsOf({ trace, losses, accuracies }: TrainJobResult, names: Kernels) {
  return trace.map(({ step, movement, kernels }, i) => ({
    step,
    loss: losses['train']![i] as number,
    accuracy: accuracies['train']![i]!,
    movement,
    kernels: names.map((name) => {
      const { kernel: _, ...numbers } = kernels![name]!;
      return { name, ...numbers };
    }),
  }));
}
type Row = ReturnType<typeof rowsOf>[number];

const keptKernels = ({ trace }: TrainJobResult) =>
  Object.fromEntries(
    trace.flatMap(({ step, kernels }) =>
      Object.entries(kernels!).flatMap(([name, { kernel }]) => (kernel ? [[`${name}-${step}`, kernel]] : [])),
    ),
  );

function tableOf(rows: readonly Row[], names: Kernels): Table {
  return {
    name: 'trace',
    title: 'Records of training',
    columns: [
      ...['step', 'loss', 'accuracy'],
      ...names.flatMap((name) => [`${name} change`, `${name} with start`, `${name} with targets`]),
    ],
    rows: rows.map(({ step, loss, accuracy, kernels }) => [
      ...[step, loss, accuracy],
      ...kernels.flatMap(({ change, alignmentWithStart, targetAlignment }) => [
        ...[change, alignmentWithStart, targetAlignment ?? '-'],
      ]),
    ]),
  };
}

function traceFigure(rows: readonly Row[], names: Kernels): Figure {
  const steps = rows.map(({ step }) => step);
  const x = { label: 'step' };
  const size = { width: 360, height: 220 };
  const of = (name: string, pick: (kernel: Row['kernels'][number]) => number) =>
    rows.map(({ kernels }) => pick(kernels.find((kernel) => kernel.name === name)!));
  const hasTargets = rows[0]!.kernels[0]!.targetAlignment !== null;
  const alignment = names.flatMap((name) => [
    { name: `${name} with its start`, x: steps, y: of(name, (k) => k.alignmentWithStart), points: true },
    ...(hasTargets
      ? [{ name: `${name} with targets`, x: steps, y: of(name, (k) => k.targetAlignment!), points: true }]
      : []),
  ]);
  return lineFigure({
    name: 'trace',
    title: 'A net in training, and its kernels',
    caption:
      'Loss on the training set; relative change of the kernels since the start; cosines of the kernels with the first one and with y y^T.',
    columns: 3,
    panels: [
      {
        ...{ x, ...size },
        y: { label: 'loss' },
        series: [{ name: 'loss', x: steps, y: rows.map(({ loss }) => loss), points: true }],
      },
      {
        ...{ x, ...size },
        y: { label: 'change of the kernel' },
        series: names.map((name) => ({ name, x: steps, y: of(name, (k) => k.change), points: true })),
      },
      { ...{ x, ...size }, y: { label: 'alignment' }, series: alignment },
    ],
  });
}
