// `train`: finite nets under scalings, beside their limits, from a config or a preset.
import type { Command } from 'commander';
import { createResult } from '../../report/index.js';
import { compareScalings, trainOneHidden } from '../../scaling/index.js';
import { clustered } from '../cluster.js';
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
import type { Follow, TrainVerbOptions } from './train-options.js';
import { fromPreset } from './train-preset.js';
import { writeComparison } from './train-report.js';

export function registerTrain(program: Command): void {
  clustered(
    verb(program, 'train', 'finite nets under scalings, beside their limits', [
      'infinite-width train --config run.json --out run',
      'infinite-width train --preset golikov-figure-1 --size ci --out figure',
      'infinite-width train --preset golikov-figure-1 --data fashion-mnist --batch 64 --out appendix',
      'infinite-width train --preset golikov-figure-1 --size paper --data cifar-10-batches-bin --out paper',
      'infinite-width train --preset golikov-widths --out widths',
      'infinite-width train --preset golikov-widths --depth 3 --optimizer rmsprop --out deep',
    ]),
  )
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
    .option('--depth <n>', 'hidden layers of golikov-widths', wholeNumber(1, 10), 1)
    .option(
      '--optimizer <name>',
      'of golikov-widths with --depth above 1: sgd, rmsprop or adam',
      oneOf('sgd', 'rmsprop', 'adam'),
    )
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
        const journal = await folderJournal(options.out, options.checkpointEvery, context);
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
  return writeComparison(options, context, comparison, config as unknown as Record<string, unknown>);
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
