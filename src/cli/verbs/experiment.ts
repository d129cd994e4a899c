// `experiment`: the figures of papers, from their data to result.json.
import { join } from 'node:path';
import type { Command } from 'commander';
import { createResult, formatTable } from '../../report/index.js';
import {
  ARCHITECTURES,
  digitsData,
  imageData,
  improvedStandardStudy,
  STUDY_PARTS,
  STUDY_SIZES,
  studyFigures,
  studyTables,
  summary,
  type Architecture,
  type StudyData,
  type StudyPart,
  type StudySizes,
} from '../../papers/parametrization/index.js';
import { clustered } from '../cluster.js';
import { UsageError } from '../errors.js';
import { outputFolder } from '../files.js';
import { readImageSet } from '../images.js';
import { digest } from '../../store/digest.js';
import { writeReport } from '../report.js';
import { folderMemory } from '../study-memory.js';
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

interface ExperimentOptions {
  readonly list?: boolean;
  readonly size: 'ci' | 'paper';
  readonly data?: string;
  readonly architectures: readonly Architecture[];
  readonly parts: readonly StudyPart[];
  readonly train?: number;
  readonly test?: number;
  readonly seeds?: number;
  readonly steps?: number;
  readonly seed: number;
  readonly checkpointEvery: number;
  readonly out?: string;
}

const EXPERIMENTS: readonly (readonly [name: string, what: string])[] = [
  ['2001.07301', 'NTK against improved standard parametrisation: kernels, tuned widths, trained nets'],
  ['golikov-figure-1', 'scalings of width, arXiv:2006.06574; options of train --preset golikov-figure-1'],
  ['golikov-widths', 'learning rates by layer, arXiv:2003.05884; options of train --preset golikov-widths'],
];

/** `experiment golikov-... options` is `train --preset golikov-... options`. */
export function presetOfTrain([verbName, name, ...rest]: readonly string[]): string[] {
  return verbName === 'experiment' && name?.startsWith('golikov-')
    ? ['train', '--preset', name, ...rest]
    : [verbName, name, ...rest].filter((word) => word !== undefined);
}

export function registerExperiment(program: Command): void {
  clustered(
    verb(program, 'experiment', 'figures of papers: kernels and trained nets of both parametrisations', [
      'infinite-width experiment --list',
      'infinite-width experiment 2001.07301 --size ci --out study',
      'infinite-width experiment golikov-figure-1 --size ci --out figure',
      'infinite-width experiment 2001.07301 --size paper --data cifar-10-batches-bin --architectures FC --out study',
    ]),
  )
    .argument('[name]', 'which one; see --list')
    .option('--list', 'name the experiments')
    .option(
      '--size <size>',
      'ci (minutes on the digits) or paper (hours to weeks, resumes)',
      oneOf('ci', 'paper'),
      'ci',
    )
    .option('--data <path>', 'folder or file of CIFAR-10 or IDX images; default: the embedded digits')
    .option(
      '--architectures <list>',
      `of ${ARCHITECTURES.join(',')}`,
      listOf(oneOf(...ARCHITECTURES)),
      ARCHITECTURES,
    )
    .option('--parts <list>', `of ${STUDY_PARTS.join(',')}`, listOf(oneOf(...STUDY_PARTS)), STUDY_PARTS)
    .option('--train <n>', 'at most so many train images', wholeNumber(20))
    .option('--test <n>', 'at most so many test images', wholeNumber(10))
    .option('--seeds <n>', 'trained nets per point, and draws of random widths', wholeNumber(1))
    .option('--steps <n>', 'training steps of figure 3, and at most so many of the tuning', wholeNumber(1))
    .option('--seed <n>', 'of the split and of random widths', wholeNumber(), 0)
    .option('--checkpoint-every <seconds>', 'how often training saves where it is', realNumber(1e-3), 60)
    .option('--out <dir>', 'folder for result.json, figures and report.html')
    .action(
      perform<ExperimentOptions>(async (options, context, [name]) => {
        if (options.list)
          return {
            json: EXPERIMENTS.map(([id, what]) => ({ name: id, what })),
            text: EXPERIMENTS.map(([id, what]) => `${id.padEnd(18)}${what}`).join('\n'),
          };
        if (name !== '2001.07301')
          throw new UsageError(
            `experiment: expected the name of an experiment that runs here (2001.07301), got ${name ?? 'none'}. See --list.`,
          );
        if (options.out === undefined)
          throw new UsageError('experiment: --out is missing: a folder for the results.');
        return run(options, options.out, context);
      }),
    );
}

async function run(options: ExperimentOptions, out: string, context: Context): Promise<Outcome> {
  const { architectures, seed, parts } = options;
  await outputFolder(out);
  const sizes = smaller(STUDY_SIZES[options.size], options);
  const [train, test] = [
    Math.min(options.train ?? Infinity, sizes.train),
    Math.min(options.test ?? Infinity, sizes.test),
  ];
  const engine = await context.engine();
  const data = options.data
    ? await imagesAt(options.data, train, test)
    : await digitsData(engine, Math.min(train, 1297), Math.min(test, 500), seed);
  const settings = {
    size: options.size,
    data: data.name,
    train: data.trainLabels.length,
    test: data.testLabels.length,
    architectures,
    sizes,
  };
  const identity = { settings, seed, variant: engine.variant, pixels: digest(data.xTrain, data.xTest) };
  const memory = await folderMemory(out, identity, options.checkpointEvery, context);
  context.keeps(`finished parts and checkpoints in ${join(out, 'runs')}; the same command goes on`);
  const [n, m] = [settings.train, settings.test];
  const bytes = 8 * 3 * n * (n + m);
  context.progress.start('study', 1);
  context.progress.log(`kernels hold ${Math.ceil(bytes / 2 ** 20)} MiB, beside the engine's tiles`);
  const result = await improvedStandardStudy(engine, data, {
    sizes,
    architectures,
    seed,
    parts,
    memory,
    signal: context.signal,
    onProgress: ({ done, total, name }) => context.progress.update(done / (total || 1), name),
  });
  context.progress.finish();
  const said = result.errors.length > 0 ? summary(result.errors) : null;
  const [figures, tables] = [studyFigures(result), studyTables(result)];
  const { files } = await writeReport(out, {
    title: 'NTK and improved standard parametrisation (arXiv:2001.07301)',
    lead: `Data: ${data.name}.${said ? ` ${said}` : ''}`,
    result: createResult('experiment 2001.07301', { ...result }, { variant: engine.variant, seed, settings }),
    figures,
    tables,
  });
  const text = [...tables.map((table) => formatTable(table)), ...files].join('\n');
  return { json: { ...result, summary: said, files }, text };
}

/** Fewer nets, draws and steps. */
function smaller(sizes: StudySizes, { seeds, steps }: ExperimentOptions): StudySizes {
  return {
    ...sizes,
    draws: seeds ?? sizes.draws,
    tune: { ...sizes.tune, maxSteps: Math.min(steps ?? Infinity, sizes.tune.maxSteps) },
    training: sizes.training.map((part) => ({
      ...part,
      nets: seeds ?? part.nets,
      steps: steps ?? part.steps,
    })),
  };
}

async function imagesAt(path: string, train: number, test: number): Promise<StudyData> {
  const read = (split: 'train' | 'test', limit: number): ReturnType<typeof readImageSet> =>
    readImageSet(path, { split, limit });
  return imageData(path, await read('train', train), await read('test', test));
}
