// `dynamics trace`: one net in training, with its kernels and their alignment at chosen steps.
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Tensor } from '../../math/index.js';
import { adam, momentum, nesterov, rmsprop, sgd, type LossName } from '../../net/index.js';
import { formatTable, lineFigure, type Figure, type Table } from '../../report/index.js';
import {
  trainJob,
  type TrainJobParams,
  type TrainJobResult,
  type TrainJobState,
} from '../../training/index.js';
import { digest } from '../../store/digest.js';
import { version } from '../../version.js';
import { UsageError } from '../errors.js';
import { writeNpzFile } from '../files.js';
import { withReport } from '../report.js';
import { openRuns } from '../runs.js';
import { listOf, oneOf, realNumber, wholeNumber, type Context } from '../verb.js';
import {
  LOSSES,
  modelOf,
  netVerb,
  performReport,
  problemOf,
  type NetOptions,
  type Problem,
} from './dynamics-shared.js';

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
  readonly checkpointEvery: number;
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
    .option(
      '--checkpoint-every <seconds>',
      'with --out: at most how often a record is kept, from which a stopped call goes on',
      realNumber(0),
      120,
    )
    .action(
      performReport<TraceOptions>(async (options, context) => {
        const { steps, seed, loss, learningRate, optimizer, batch, kernels, save = false, out } = options;
        if (save && out === undefined)
          throw new UsageError('trace: --save needs --out, the folder for kernels.npz.');
        const beyond = options.recordAt?.find((step) => step > steps);
        if (beyond !== undefined)
          throw new UsageError(`trace: --record-at must name steps up to --steps ${steps}, got ${beyond}.`);
        const job = jobOf(options, await problemOf(options, context));
        const { result, drop } = await kept(options, context, job);
        const rows = rowsOf(result, kernels);
        const samples = (job.train.x as Tensor).shape[0]!;
        const settings = {
          ...{ steps, loss, optimizer, learningRate, batch: batch ?? samples, kernels },
          probe: Math.min(options.probe, samples),
        };
        const table = tableOf(rows, kernels);
        const { variant } = await context.engine();
        const outcome = await withReport(
          out,
          { kind: 'trace', title: 'A net in training', variant, seed, settings },
          { json: { ...settings, trace: rows }, text: formatTable(table) },
          () => [traceFigure(rows, kernels)],
          [table],
        );
        const file = join(out ?? '.', 'kernels.npz');
        if (save) await writeNpzFile(file, keptKernels(result));
        await drop();
        if (!save) return outcome;
        return { json: { ...(outcome.json as object), kernelFile: file }, text: `${outcome.text}\n${file}` };
      }),
    );
}

/** The run that the options name. */
function jobOf(options: TraceOptions, { net, x, y }: Problem): TrainJobParams {
  const { steps, seed, loss, learningRate, optimizer, batch, kernels, save = false } = options;
  const samples = x.shape[0]!;
  const probed = Math.min(options.probe, samples);
  const head = (t: Tensor): Tensor => {
    const size = (t.data.length / samples) * probed;
    return { data: t.data.subarray(0, size), shape: [probed, ...t.shape.slice(1)] } as Tensor;
  };
  return {
    net,
    model: { ...modelOf({ net, x, y }, seed), dtype: x.data instanceof Float32Array ? 'f32' : 'f64' },
    train: {
      ...{ x, y, loss, steps, optimizer: RULES[optimizer](learningRate), seed },
      ...(batch === undefined ? {} : { batchSize: batch }),
      ...(options.recordAt
        ? { recordAt: options.recordAt }
        : { recordEvery: Math.max(1, Math.floor(steps / 20)) }),
      evaluate: { train: { x, y } },
      probe: { x: head(x), ...(y.shape[0] === samples ? { y: head(y) } : {}), kernels, keep: save },
    },
  };
}

/** The result of a run that, with `--out`, is kept at its records, and goes on from there until `drop`. */
async function kept(
  { out, steps, checkpointEvery }: TraceOptions,
  context: Context,
  job: TrainJobParams,
): Promise<{ result: TrainJobResult; drop: () => Promise<void> }> {
  const { engine, signal, progress, keeps } = context;
  const runs = out === undefined ? null : await openRuns(out, context);
  const name = nameOf(job, (await engine()).variant);
  const from = ((await runs?.load(name)) ?? null) as TrainJobState | null;
  if (from) progress.log(`goes on at step ${from.checkpoint.step} of ${steps}`);
  if (runs) keeps(`the last record in ${runs.folder}; the same call goes on from there`);
  progress.start('training', steps);
  const writing: Promise<void>[] = [];
  const stop = new AbortController();
  const run = {
    signal: AbortSignal.any([signal, stop.signal]),
    onMessage: (message: unknown): void => {
      const { step, state } = message as { step?: number; state?: TrainJobState };
      if (step !== undefined) return progress.update(step);
      const written = runs!.keep(name, state);
      written.catch((error: unknown) => stop.abort(error)); // a full disk ends the run in one line
      writing.push(written);
    },
  };
  const params = runs ? { ...job, checkpointSeconds: checkpointEvery, ...(from ? { from } : {}) } : job;
  const result = await (await engine()).run(trainJob, params, run);
  await Promise.all(writing);
  progress.finish();
  return { result, drop: async () => runs?.drop(name) };
}

/** Names everything that the result depends on. */
function nameOf({ net, model, train }: TrainJobParams, variant: string): string {
  const { x, y } = train as { x: Tensor; y: Tensor };
  const settings = { ...train, x: 0, y: 0, evaluate: 0, probe: 0 };
  const { kernels, keep, x: probe } = train.probe!;
  const texts = [JSON.stringify([version, variant, net, model, settings]), JSON.stringify([kernels, keep])];
  return `trace-${digest(...texts, x, y, probe as Tensor).slice(0, 32)}`;
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
