// `train`: finite nets under scalings, beside their limits, from a config or a preset.
import type { Command } from 'commander';
import { createResult, lineFigure, type Figure, type Table } from '../../report/index.js';
import {
  comparisonPanels,
  compareScalings,
  golikovFigure,
  golikovWidths,
  summariseWidths,
  trainOneHidden,
  widthPanels,
  type BinaryProblem,
  type Comparison,
  type LongCall,
} from '../../scaling/index.js';
import { UsageError } from '../errors.js';
import { outputFolder } from '../files.js';
import { folderJournal } from '../journal.js';
import { writeReport } from '../report.js';
import {
  listOf,
  oneOf,
  perform,
  realNumber,
  verb,
  wholeNumber,
  type Context,
  type Outcome,
} from '../verb.js';
import { scalingNamed } from './scaling-point.js';
import { readConfig, readData, tensorOf, type TrainConfig } from './train-config.js';
import { imageProblem, xorProblem } from './train-data.js';

interface TrainVerbOptions {
  readonly config?: string;
  readonly preset?: 'golikov-figure-1' | 'golikov-widths';
  readonly size: 'ci' | 'paper';
  readonly data?: string;
  readonly classes?: number[];
  readonly examples?: number;
  readonly batch?: number;
  readonly width?: number;
  readonly seeds?: number;
  readonly steps?: number;
  readonly learningRate?: number;
  readonly checkpointEvery: number;
  readonly out: string;
}

export function registerTrain(program: Command): void {
  verb(program, 'train', 'finite nets under scalings, beside their limits', [
    'infinite-width train --config run.json --out run',
    'infinite-width train --preset golikov-figure-1 --size ci --out figure',
    'infinite-width train --preset golikov-figure-1 --data fashion-mnist --batch 64 --out appendix',
    'infinite-width train --preset golikov-figure-1 --size paper --data cifar-10-batches-bin --out paper',
    'infinite-width train --preset golikov-widths --out widths',
  ])
    .option('--config <file>', 'JSON: data, scalings, widths, seeds, epochs, learningRate, ...')
    .option(
      '--preset <name>',
      'golikov-figure-1 (figures 1 and 2, appendix F of arXiv:2006.06574) or golikov-widths (arXiv:2003.05884)',
      oneOf('golikov-figure-1', 'golikov-widths'),
    )
    .option('--size <size>', 'of the preset: ci (seconds) or paper (hours)', oneOf('ci', 'paper'), 'ci')
    .option('--data <folder>', 'of the preset: MNIST, Fashion-MNIST or CIFAR-10 files (default: XOR mixture)')
    .option(
      '--classes <a,b>',
      'two classes of the images (default: 0,1 in colour, else 0,6)',
      listOf(wholeNumber(0)),
    )
    .option('--examples <n>', 'training examples (default: 256; 1024 images at size paper)', wholeNumber(2))
    .option('--batch <n>', 'examples per step (default: all)', wholeNumber(1))
    .option('--width <d>', 'of the wide nets of golikov-figure-1', wholeNumber(128))
    .option('--seeds <n>', 'nets per curve', wholeNumber(1))
    .option('--steps <n>', 'training steps', wholeNumber(1))
    .option('--learning-rate <eta>', 'of the reference net (default: 0.3, images 0.02)', realNumber(0))
    .option('--checkpoint-every <seconds>', 'how often a run saves where it is', realNumber(0), 120)
    .requiredOption(
      '--out <dir>',
      'folder for result.json, figures and report.html; a stopped call goes on from it',
    )
    .action(
      perform<TrainVerbOptions>(async (options, context) => {
        if ((options.config === undefined) === (options.preset === undefined))
          throw new UsageError('train: expected either --config or --preset.');
        const config = options.config === undefined ? null : await readConfig(options.config);
        if (config?.weights) return replay(options, context, config);
        const journal = await folderJournal(options.out, {
          everySeconds: options.checkpointEvery,
          warn: (line) => context.progress.log(line),
        });
        context.keeps(`finished runs and checkpoints in ${options.out}; the same call goes on from there`);
        const follow = {
          signal: context.signal,
          journal,
          onPlan: (plan: { runs: number; left: number; bytes: number }): void => {
            const { begun } = journal.found;
            const resumed = begun.length > 0 ? `, begun ones at epochs ${begun.join(', ')}` : '';
            context.progress.log(
              `${plan.left} of ${plan.runs} runs to do${resumed}; at most ${Math.ceil(plan.bytes / 2 ** 20)} MiB per worker`,
            );
            context.progress.start('training', 1);
          },
          onProgress: ({ done, total }: { done: number; total: number }): void =>
            context.progress.update(done / Math.max(1, total)),
        };
        const outcome = config
          ? await fromConfig(options, context, config, follow)
          : await fromPreset(options, context, follow);
        await journal.clear();
        return outcome;
      }),
    );
}

type Follow = LongCall & Pick<Parameters<typeof compareScalings>[1], 'journal' | 'onPlan'>;

async function fromConfig(
  options: TrainVerbOptions,
  context: Context,
  config: TrainConfig,
  follow: Follow,
): Promise<Outcome> {
  const engine = await context.engine();
  const { data, scalings, weights: _none, ...rest } = config;
  const comparison = await compareScalings(engine, {
    ...rest,
    data: await readData(engine, data),
    scalings: scalings.map((item) => (typeof item === 'string' ? scalingNamed(item) : item)),
    ...follow,
  });
  return write(options, context, comparison, config as unknown as Record<string, unknown>);
}

async function fromPreset(options: TrainVerbOptions, context: Context, follow: Follow): Promise<Outcome> {
  const { preset, size, data: images, classes, batch, width, seeds, steps, learningRate } = options;
  const engine = await context.engine();
  const examples = options.examples ?? (images !== undefined && size === 'paper' ? 1024 : 256);
  const data: BinaryProblem =
    images === undefined
      ? xorProblem(examples, 512, 20, 0)
      : await imageProblem(engine, { images, train: examples, ...(classes ? { classes } : {}) });
  const stepsPerEpoch = Math.ceil(examples / (batch ?? examples));
  const wanted =
    steps ?? { 'golikov-figure-1': { ci: 100, paper: 2000 }[size], 'golikov-widths': 50 }[preset!];
  const shared = {
    data,
    size,
    epochs: Math.ceil(wanted / stepsPerEpoch),
    learningRate: learningRate ?? (images === undefined ? 0.3 : 0.02),
    ...(batch === undefined ? {} : { batchSize: batch }),
    ...(seeds === undefined ? {} : { seeds }),
    ...follow,
  };
  const settings = {
    preset,
    size,
    data: images ?? 'xor',
    classes,
    examples,
    batch,
    width,
    seeds,
    steps: wanted,
  };
  if (preset === 'golikov-widths')
    return writeWidths(options, context, await golikovWidths(engine, shared), settings);
  const comparison = await golikovFigure(engine, { ...shared, ...(width === undefined ? {} : { width }) });
  return write(options, context, comparison, settings, stepsPerEpoch);
}

/** One run from explicit initial weights. */
async function replay(options: TrainVerbOptions, context: Context, config: TrainConfig): Promise<Outcome> {
  const {
    data,
    scalings,
    widths,
    weights,
    limit: _l,
    particles: _p,
    keepTraces: _k,
    seeds: _s,
    ...rest
  } = config;
  if (scalings.length !== 1 || widths.length !== 1)
    throw new UsageError('config: explicit weights need one scaling and one width.');
  const [item] = scalings;
  await outputFolder(options.out);
  const engine = await context.engine();
  const traces = await trainOneHidden(engine, {
    ...rest,
    data: await readData(engine, data),
    scaling: typeof item === 'string' ? scalingNamed(item) : item!,
    width: widths[0]!,
    weights: {
      input: await tensorOf(weights!.input, 'weights.input'),
      output: await tensorOf(weights!.output, 'weights.output'),
    },
    keep: { testLogits: true, ...rest.keep },
    signal: context.signal,
  });
  context.progress.finish();
  const settings = config as unknown as Record<string, unknown>;
  const result = createResult('train', { ...traces[0]! }, { variant: engine.variant, settings });
  const { files } = await writeReport(options.out, {
    title: 'Training run',
    result,
    figures: [],
    tables: [],
  });
  return { json: traces[0], text: files.join('\n') };
}

/** Traces stay out of the files: they are as long as all runs together. */
const withoutTraces = (comparison: Comparison): Comparison => {
  const bare = ({ traces: _traces, ...curve }: Comparison['reference']): Comparison['reference'] => curve;
  return { ...comparison, reference: bare(comparison.reference), curves: comparison.curves.map(bare) };
};

function titleOf({ curves, baseWidth }: Comparison): string {
  const widths = [...new Set(curves.flatMap(({ width }) => width ?? []))];
  return `Nets of width ${widths.join(', ')} beside the reference of width ${baseWidth}`;
}

async function write(
  options: TrainVerbOptions,
  context: Context,
  comparison: Comparison,
  settings: Record<string, unknown>,
  stepsPerEpoch?: number,
): Promise<Outcome> {
  context.progress.finish();
  for (const note of comparison.notes) context.progress.log(`note: ${note}`);
  const figure = lineFigure({
    name: 'comparison',
    title: titleOf(comparison),
    columns: 3,
    panels: comparisonPanels(comparison, stepsPerEpoch === undefined ? {} : { stepsPerEpoch }),
  });
  const table = finalTable(comparison);
  const { variant } = await context.engine();
  const shown = settings['keepTraces'] === true ? comparison : withoutTraces(comparison);
  const result = createResult('train', { ...shown }, { variant, settings });
  const { files } = await writeReport(options.out, {
    title: 'Scalings compared',
    result,
    figures: [figure],
    tables: [table],
  });
  return { json: { ...shown, files }, text: files.join('\n') };
}

function finalTable({ reference, curves }: Comparison): Table {
  return {
    name: 'final',
    title: 'After training',
    columns: ['curve', 'width', 'train loss', 'test loss', 'test accuracy', 'mean |f|', 'K/K0'],
    rows: [reference, ...curves].map((curve) => [
      curve.name,
      curve.width ?? 'limit',
      curve.trainLoss.mean.at(-1) ?? NaN,
      curve.testLoss.mean.at(-1) ?? NaN,
      curve.testAccuracy.mean.at(-1) ?? NaN,
      curve.meanAbsLogit.mean.at(-1) ?? NaN,
      curve.relativeKernel.mean.at(-1) ?? NaN,
    ]),
  };
}

async function writeWidths(
  options: TrainVerbOptions,
  context: Context,
  comparison: Comparison,
  settings: Record<string, unknown>,
): Promise<Outcome> {
  context.progress.finish();
  const summaries = summariseWidths(comparison);
  const { losses, terms, increments } = widthPanels(comparison, summaries);
  const figures: Figure[] = [
    lineFigure({ name: 'losses', title: 'Losses over width', panels: losses, columns: 3 }),
    lineFigure({ name: 'terms', title: 'Terms of the logit over width', panels: terms }),
    lineFigure({ name: 'increments', title: 'Moves of the weights over width', panels: increments }),
  ];
  const { variant } = await context.engine();
  const data = {
    baseWidth: comparison.baseWidth,
    learningRate: comparison.learningRate,
    scalings: summaries,
  };
  const result = createResult('train-widths', data, { variant, settings });
  const report = { title: 'Scalings over width', result, figures, tables: [] };
  const { files } = await writeReport(options.out, report);
  return { json: { ...data, files }, text: files.join('\n') };
}
