// The config file of `train`: the options of `compareScalings` with data, weights and scalings as files, names or numbers.
import { asTensor, type Tensor } from '../../math/tensor.js';
import type { BinaryProblem, CompareOptions } from '../../scaling/index.js';
import type { Engine } from '../../wasm/engine.js';
import { UsageError } from '../errors.js';
import { readJson, readTensor } from '../files.js';
import { imageProblem, xorProblem, type ImagePair } from './train-data.js';

/** The config file: the options of `compareScalings` with data and scalings as files, names or numbers. */
export interface TrainConfig extends Omit<
  CompareOptions,
  'data' | 'scalings' | 'signal' | 'onProgress' | 'journal' | 'onPlan'
> {
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
  | ImagePair
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
  'space',
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

export async function readConfig(path: string): Promise<TrainConfig> {
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

/** The problem of a config: the XOR mixture, two classes of images, or files and lists. */
export async function readData(engine: Engine, data: DataConfig): Promise<BinaryProblem> {
  if ('xor' in data) {
    const { train = 256, test = 512, features = 20, seed = 0 } = data.xor;
    return xorProblem(train, test, features, seed);
  }
  if ('images' in data) return imageProblem(engine, data);
  const read = (name: keyof BinaryProblem): Promise<Tensor> => tensorOf(data[name], `data.${name}`);
  return {
    xTrain: await read('xTrain'),
    yTrain: await read('yTrain'),
    xTest: await read('xTest'),
    yTest: await read('yTest'),
  };
}

/** A file's array, or nested lists. */
export async function tensorOf(value: unknown, name: string): Promise<Tensor> {
  if (typeof value === 'string') return readTensor(value);
  if (value === undefined) throw new UsageError(`config: '${name}' is missing: a file or nested lists.`);
  return asTensor(value as never, name);
}
