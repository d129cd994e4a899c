// `train`: finite nets under scalings, beside their limits, from a config or a preset.
import type { Command } from 'commander';
import { asTensor, type Tensor } from '../../math/tensor.js';
import { createResult, lineFigure, type Table } from '../../report/index.js';
import {
  comparisonPanels,
  compareScalings,
  golikovFigure,
  trainOneHidden,
  type BinaryProblem,
  type Comparison,
  type CompareOptions,
} from '../../scaling/index.js';
import { UsageError } from '../errors.js';
import { outputFolder, readJson, readTensor } from '../files.js';
import { writeReport } from '../report.js';
import { oneOf, perform, verb, type Context, type Outcome } from '../verb.js';
import { scalingNamed } from './scaling.js';
import { xorProblem } from './scaling-runs.js';

interface TrainVerbOptions {
  readonly config?: string;
  readonly preset?: 'golikov-figure-1';
  readonly size: 'ci' | 'paper';
  readonly out: string;
}

/** The config file: the options of `compareScalings` with data and scalings as files, names or numbers. */
interface TrainConfig extends Omit<CompareOptions, 'data' | 'scalings' | 'signal' | 'onProgress'> {
  readonly data: DataConfig;
  readonly scalings: readonly (string | CompareOptions['scalings'][number])[];
  /** Initial weights of a single run: files, `file.npz:member`, or nested lists; needs one scaling and one width. */
  readonly weights?: { readonly input: unknown; readonly output: unknown };
}
type DataConfig =
  | {
      readonly xor: {
        readonly train?: number;
        readonly test?: number;
        readonly features?: number;
        readonly seed?: number;
      };
    }
  | { readonly [K in keyof BinaryProblem]: unknown };

const FIELDS = [
  'data',
  'scalings',
  'weights',
  'widths',
  'baseWidth',
  'seeds',
  'epochs',
  'learningRate',
  'batchSize',
  'shuffle',
  'optimizer',
  'activation',
  'loss',
  'init',
  'dtype',
  'evaluateAt',
  'kernelPoints',
  'keep',
  'limit',
  'particles',
  'keepTraces',
];

/** Fields that hold one of a few values. */
const CHOICES: Readonly<Record<string, readonly unknown[]>> = {
  dtype: ['f32', 'f64'],
  limit: [true, false],
};

export function registerTrain(program: Command): void {
  verb(program, 'train', 'finite nets under scalings, beside their limits', [
    'infinite-width train --config run.json --out run',
    'infinite-width train --preset golikov-figure-1 --size ci --out figure',
  ])
    .option('--config <file>', 'JSON: data, scalings, widths, seeds, epochs, learningRate, ...')
    .option('--preset <name>', 'golikov-figure-1, on the XOR mixture', oneOf('golikov-figure-1'))
    .option('--size <size>', 'of the preset: ci (seconds) or paper (hours)', oneOf('ci', 'paper'), 'ci')
    .requiredOption('--out <dir>', 'folder for result.json, figures and report.html')
    .action(
      perform<TrainVerbOptions>(async (options, context) => {
        if ((options.config === undefined) === (options.preset === undefined))
          throw new UsageError('train: expected either --config or --preset.');
        await outputFolder(options.out);
        context.progress.start('training', 1);
        const follow = {
          signal: context.signal,
          onProgress: ({ done, total }: { done: number; total: number }): void =>
            context.progress.update(done / total),
        };
        if (options.preset) {
          const data = xorProblem(256, 512, 20, 0);
          const comparison = await golikovFigure(await context.engine(), {
            data,
            size: options.size,
            ...follow,
          });
          return write(options, context, comparison, { preset: options.preset, size: options.size });
        }
        const config = await readConfig(options.config!);
        const engine = await context.engine();
        if (config.weights) return replay(options, context, config);
        const { data, scalings, weights: _none, ...rest } = config;
        const comparison = await compareScalings(engine, {
          ...rest,
          data: await readData(data),
          scalings: scalings.map((item) => (typeof item === 'string' ? scalingNamed(item) : item)),
          ...follow,
        });
        return write(options, context, comparison, config as unknown as Record<string, unknown>);
      }),
    );
}

async function readConfig(path: string): Promise<TrainConfig> {
  const document = await readJson(path);
  if (!isRecord(document))
    throw new UsageError(
      `${path}: expected an object { data, scalings, widths, ... }, got ${shown(document)}.`,
    );
  const config = document as unknown as TrainConfig;
  const unknown = Object.keys(config).find((key) => !FIELDS.includes(key));
  if (unknown) throw new UsageError(`${path}: unknown field '${unknown}'. Allowed: ${FIELDS.join(', ')}.`);
  for (const key of ['data', 'scalings', 'widths', 'epochs'] as const) {
    if (config[key] === undefined) throw new UsageError(`${path}: '${key}' is missing.`);
  }
  if (!isRecord(config.data))
    throw new UsageError(`${path}: 'data' must be an object, got ${shown(config.data)}.`);
  for (const key of ['scalings', 'widths', 'seeds'] as const) {
    const list: unknown = config[key];
    const counted = key === 'seeds' && (list === undefined || typeof list === 'number');
    if (!counted && !(Array.isArray(list) && list.length > 0))
      throw new UsageError(`${path}: '${key}' must be a list with at least one entry, got ${shown(list)}.`);
  }
  for (const [key, allowed] of Object.entries(CHOICES)) {
    const value = config[key as keyof TrainConfig];
    if (value !== undefined && !allowed.includes(value))
      throw new UsageError(`${path}: '${key}' must be one of ${allowed.join(', ')}, got ${shown(value)}.`);
  }
  return config;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const shown = (value: unknown): string => JSON.stringify(value).slice(0, 60);

async function readData(data: DataConfig): Promise<BinaryProblem> {
  if ('xor' in data) {
    const { train = 256, test = 512, features = 20, seed = 0 } = data.xor;
    return xorProblem(train, test, features, seed);
  }
  const read = (name: keyof BinaryProblem): Promise<Tensor> => tensorOf(data[name], `data.${name}`);
  return {
    xTrain: await read('xTrain'),
    yTrain: await read('yTrain'),
    xTest: await read('xTest'),
    yTest: await read('yTest'),
  };
}

async function tensorOf(value: unknown, name: string): Promise<Tensor> {
  if (typeof value === 'string') return readTensor(value);
  if (value === undefined) throw new UsageError(`config: '${name}' is missing: a file or nested lists.`);
  return asTensor(value as never, name);
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
  const traces = await trainOneHidden(await context.engine(), {
    ...rest,
    data: await readData(data),
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
  const result = createResult(
    'train',
    { ...traces[0]! },
    { variant: (await context.engine()).variant, settings },
  );
  const { files } = await writeReport(options.out, {
    title: 'Training run',
    result,
    figures: [],
    tables: [],
  });
  return { json: traces[0], text: files.join('\n') };
}

async function write(
  options: TrainVerbOptions,
  context: Context,
  comparison: Comparison,
  settings: Record<string, unknown>,
): Promise<Outcome> {
  context.progress.finish();
  for (const note of comparison.notes) context.progress.log(`note: ${note}`);
  const figure = lineFigure({
    name: 'comparison',
    title: 'Wide nets beside the reference',
    panels: comparisonPanels(comparison),
  });
  const table = finalTable(comparison);
  const { variant } = await context.engine();
  const result = createResult('train', { ...comparison }, { variant, settings });
  const { files } = await writeReport(options.out, {
    title: 'Scalings compared',
    result,
    figures: [figure],
    tables: [table],
  });
  return { json: { ...comparison, files }, text: files.join('\n') };
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
