// `experiment`: the figures of papers, from their data to result.json.
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { foldIn, randomKey } from '../../math/random.js';
import { createResult, formatTable } from '../../report/index.js';
import { jsonText } from '../../report/result.js';
import {
  ARCHITECTURES,
  digitsData,
  imageData,
  improvedStandardStudy,
  STUDY_SIZES,
  studyFigures,
  studyTables,
  summary,
  type Architecture,
  type StudyData,
} from '../../study/index.js';
import { UsageError } from '../errors.js';
import { outputFolder, writeFileAtomic } from '../files.js';
import { readImageSet } from '../images.js';
import { writeReport } from '../report.js';
import { listOf, oneOf, perform, verb, wholeNumber, type Context, type Outcome } from '../verb.js';

interface ExperimentOptions {
  readonly list?: boolean;
  readonly size: 'ci' | 'paper';
  readonly data?: string;
  readonly architectures: readonly Architecture[];
  readonly train?: number;
  readonly test?: number;
  readonly seed: number;
  readonly out?: string;
}

const EXPERIMENTS: readonly (readonly [name: string, what: string])[] = [
  ['2001.07301', 'NTK against improved standard parametrisation: kernels, tuned widths, trained nets'],
  ['golikov-figure-1', 'scalings of width; run it with: infinite-width train --preset golikov-figure-1'],
];

export function registerExperiment(program: Command): void {
  verb(program, 'experiment', 'figures of papers: kernels and trained nets of both parametrisations', [
    'infinite-width experiment --list',
    'infinite-width experiment 2001.07301 --size ci --out study',
    'infinite-width experiment 2001.07301 --size paper --data cifar-10-batches-bin --architectures FC --out study',
  ])
    .argument('[name]', 'which one; see --list')
    .option('--list', 'name the experiments')
    .option(
      '--size <size>',
      'ci (a minute on the digits) or paper (hours to weeks, resumes)',
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
    .option('--train <n>', 'at most so many train images', wholeNumber(20))
    .option('--test <n>', 'at most so many test images', wholeNumber(10))
    .option('--seed <n>', 'of the split and of random widths', wholeNumber(), 0)
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
  const { architectures, seed } = options;
  await outputFolder(out);
  const sizes = STUDY_SIZES[options.size];
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
  const kept = await folderMemory(out, { settings, seed, variant: engine.variant, pixels: digest(data) });
  context.keeps(`finished parts in ${join(out, 'runs')}; the same command goes on`);
  context.progress.start('study', 1);
  const bytes = 8 * 3 * train * (train + test);
  context.progress.log(`kernels hold ${(bytes / 2 ** 20).toFixed(0)} MiB, beside the engine's tiles`);
  const result = await improvedStandardStudy(engine, data, {
    sizes,
    architectures,
    seed,
    remember: kept,
    signal: context.signal,
    onProgress: ({ done, total, name }) => context.progress.update(done / total, name),
  });
  context.progress.finish();
  const [figures, tables] = [studyFigures(result), studyTables(result)];
  const { files } = await writeReport(out, {
    title: 'NTK and improved standard parametrisation (arXiv:2001.07301)',
    lead: `Data: ${data.name}. ${summary(result.errors)}`,
    result: createResult('experiment 2001.07301', { ...result }, { variant: engine.variant, seed, settings }),
    figures,
    tables,
  });
  const text = [...tables.map((table) => formatTable(table)), ...files].join('\n');
  return { json: { ...result, summary: summary(result.errors), files }, text };
}

async function imagesAt(path: string, train: number, test: number): Promise<StudyData> {
  const read = (split: 'train' | 'test', limit: number): ReturnType<typeof readImageSet> =>
    readImageSet(path, { split, limit });
  return imageData(path, await read('train', train), await read('test', test));
}

/** 16 hexadecimal digits of what the data are. */
function digest({ xTrain, xTest }: StudyData): string {
  const key = foldIn(
    randomKey(0),
    [...xTrain.data.subarray(0, 4096), ...xTest.data.subarray(0, 4096)].join(),
  );
  return [...key].map((word) => word.toString(16).padStart(8, '0')).join('');
}

/** Finished parts as files of the output folder, under names that change with the settings. */
async function folderMemory(
  out: string,
  settings: unknown,
): Promise<<T>(name: string, compute: () => Promise<T>) => Promise<T>> {
  const folder = join(out, 'runs');
  await mkdir(folder, { recursive: true });
  const [high, low] = foldIn(randomKey(0), JSON.stringify(settings));
  const mark = [high, low].map((word) => word.toString(16).padStart(8, '0')).join('');
  return async (name, compute) => {
    const file = join(folder, `${name}-${mark}.json`);
    try {
      return JSON.parse(await readFile(file, 'utf8')) as never;
    } catch {
      const value = await compute();
      await writeFileAtomic(file, jsonText(value));
      return value;
    }
  };
}
