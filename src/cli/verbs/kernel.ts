import { dirname, extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { standardizeImages } from '../../data/images.js';
import { readNpy } from '../../data/npy.js';
import { readNpz } from '../../data/npz.js';
import { planKernel, type KernelName, type KernelOptions } from '../../kernel/index.js';
import type { ActivationDefinition } from '../../layers/index.js';
import type { Tensor } from '../../math/index.js';
import { defineActivation, parseNet, toJson, type NetDocument } from '../../net/index.js';
import { version } from '../../version.js';
import { queueTiles } from '../../queue/tiles.js';
import { beginKernelRun, type KernelRun, type NewRun } from '../../store/kernel-run.js';
import { missingTiles } from '../../store/kernel-tiles.js';
import { openStore } from '../../store/open.js';
import type { Engine } from '../../wasm/engine.js';
import { UsageError } from '../errors.js';
import { outputFile, outputFolder, readBytes, readJson, readTensor } from '../files.js';
import { isImagePath, readImageSet } from '../images.js';
import { writeKernelFigures } from '../kernel-figure.js';
import { boardOf, clustered, runPlace, type ClusterOptions } from '../cluster.js';
import { finishTiles, partsOf, tileReporter, writeKernel, type FileRun } from '../kernel-file.js';
import { partOf, shardFromEnvironment, shardOf, type Shard } from '../shard.js';
import { layerLines, writeLayers } from './kernel-layers.js';
import { oneOf, perform, realNumber, verb, wholeNumber, type CommonOptions, type Context } from '../verb.js';

interface Options extends ClusterOptions {
  readonly net: string;
  readonly x: string;
  readonly x2?: string;
  readonly split: 'train' | 'test';
  readonly split2: 'train' | 'test';
  readonly limit?: number;
  readonly limit2?: number;
  readonly pixels: 'unit' | 'raw' | 'standard';
  readonly functions?: string;
  readonly get: string;
  readonly dtype?: 'f32' | 'f64';
  readonly maskConstant?: number;
  readonly pattern1?: string;
  readonly pattern2?: string;
  readonly diagonalSpatial?: boolean;
  readonly tile?: number;
  readonly plan?: boolean;
  readonly out?: string;
  readonly resume?: boolean;
  readonly shard?: Shard | 'auto';
  readonly frozen?: string;
  readonly perLayer?: boolean;
  readonly figure?: boolean;
  readonly labels?: string;
}

/** `infinite-width kernel`: kernels of a net between arrays or images in files, written while they are computed. */
export function registerKernel(program: Command): void {
  clustered(
    verb(program, 'kernel', 'infinite-width NNGP and NTK of a net between data sets', [
      'infinite-width kernel --net net.json --x a.npy --out k.npz',
      'infinite-width kernel --net net.json --x train.npy --x2 test.npy --get ntk --dtype f32 --out k.npz',
      'infinite-width kernel --net cnn.json --x fashion-mnist/ --limit 500 --figure --out k.npz',
      'infinite-width kernel --net cnn.json --x cifar-10/ --x2 cifar-10/ --split2 test --get ntk --out k.npy --resume',
      'infinite-width kernel --net cnn.json --x cifar-10/ --out k.zarr --shard 0/8',
      'infinite-width kernel --net net.json --x images.npy --plan',
      'infinite-width kernel --net net.json --x a.npy --frozen layers.0,layers.2 --out k.npz',
      'infinite-width kernel --net net.json --x a.npy --per-layer --out layers.npz',
    ]),
  )
    .requiredOption('--net <file>', 'the net, as JSON')
    .requiredOption(
      '--x <path>',
      'samples (n, ...spatial, channels): .npy, .npz, .csv, IDX, CIFAR .bin, or a folder with the files of an image set',
    )
    .option('--x2 <path>', 'other samples; without it, x with itself')
    .option('--split <name>', 'train or test files of a folder', oneOf('train', 'test'), 'train')
    .option('--split2 <name>', 'the same for --x2', oneOf('train', 'test'), 'test')
    .option('--limit <n>', 'the first n samples of --x', wholeNumber(1))
    .option('--limit2 <n>', 'the first n samples of --x2', wholeNumber(1))
    .option(
      '--pixels <how>',
      'of images: unit (0..1), raw (0..255) or standard (mean 0, variance 1 by channel of --x)',
      oneOf('unit', 'raw', 'standard'),
      'unit',
    )
    .option(
      '--functions <file>',
      'a module whose exports { fn, ... } are the activations of elementwise layers',
    )
    .option('--get <names>', 'nngp, ntk or both, comma-separated', 'nngp,ntk')
    .option('--dtype <name>', 'f32 or f64 (default: as the input)', oneOf('f32', 'f64'))
    .option('--mask-constant <value>', 'input entries equal to it are masked', realNumber())
    .option('--pattern1 <file>', 'edge weights (n, v, v) of aggregate layers')
    .option('--pattern2 <file>', 'the same for --x2')
    .option('--diagonal-spatial', 'same positions only, for nets that end with spatial axes')
    .option('--tile <n>', 'samples per side of a tile (default: from the memory budget)', wholeNumber(1))
    .option('--frozen <paths>', 'layers whose weights are not trained, comma-separated: layers.0,layers.2')
    .option(
      '--per-layer',
      'kernels after every layer (<path>.nngp, <path>.ntk), and the NTK of the weights of each (<path>.part)',
    )
    .option('--plan', 'print bytes, operations and tiles, and compute nothing')
    .option(
      '--out <file>',
      'what to write: .npz with nngp, ntk, meta; .npy for one kernel (meta in .json); or NAME.zarr, also s3://bucket/NAME.zarr',
    )
    .option('--resume', 'continue an unfinished run with the same options')
    .option(
      '--shard <i/n>',
      "with .zarr: compute part i of n only, from 0; 'auto': as Slurm, Kubernetes or GNU parallel say",
      shardOf,
    )
    .option('--figure', 'also a heat map, ordered by class where labels are known (.svg and Vega-Lite .json)')
    .option('--labels <file>', 'classes of --x, for the figure')
    .action(perform<Options>(run));
}

interface Said {
  readonly json: unknown;
  readonly text: string;
}

/** What all ways to run the verb start from. */
interface Call extends Inputs {
  readonly net: NetDocument;
  readonly dtype: 'f32' | 'f64';
  readonly frozen: readonly string[];
}

async function run(options: Options & CommonOptions, context: Context): Promise<Said> {
  const net = (await readJson(options.net)) as NetDocument;
  if (options.functions !== undefined) await defineFunctions(options.functions);
  const given = await inputs(options, context);
  const dtype = options.dtype ?? (given.x1.data instanceof Float32Array ? 'f32' : 'f64');
  const frozen = options.frozen === undefined ? [] : options.frozen.split(',').map((path) => path.trim());
  const call: Call = { ...given, net, dtype, frozen };
  return options.plan ? planned(options, call, context) : computed(options, call, context);
}

function planned(options: Options, { net, x1, x2, dtype, frozen }: Call, context: Context): Said {
  const { memoryBytes } = context;
  const plan = planKernel({ memoryBytes }, net, x1.shape, x2 && x2.shape, {
    dtype,
    diagonalSpatial: options.diagonalSpatial ?? false,
    frozen,
    masked: options.maskConstant !== undefined,
    ...(options.tile === undefined ? {} : { tile: options.tile }),
  });
  return { json: plan, text: JSON.stringify(plan, null, 2) };
}

async function computed(options: Options & CommonOptions, given: Call, context: Context): Promise<Said> {
  const { net, x1, x2, dtype, frozen } = given;
  const get = options.get.split(',') as KernelName[];
  const { perLayer = false, resume = false, figure = false, diagonalSpatial = false } = options;
  if (perLayer && (resume || figure || options.tile !== undefined))
    throw new UsageError('--per-layer: expected no --resume, --figure or --tile, it runs in one tile.');
  const out = await checkedOut(options, get);
  if (options.queue !== undefined && options.shard !== undefined)
    throw new UsageError('--shard: expected no --queue beside it, the queue divides the work itself.');
  const engine = await context.engine(isZarr(out) ? 'here' : undefined);
  const start = performance.now();
  const seconds = (): number => (performance.now() - start) / 1000;
  const call: KernelOptions = {
    dtype,
    diagonalSpatial,
    frozen,
    signal: context.signal,
    ...(options.tile === undefined ? {} : { tile: options.tile }),
    ...(options.maskConstant === undefined ? {} : { maskConstant: options.maskConstant }),
    ...(options.pattern1 === undefined ? {} : { pattern1: await readTensor(options.pattern1, context) }),
    ...(options.pattern2 === undefined ? {} : { pattern2: await readTensor(options.pattern2, context) }),
  };
  const provenance = { net: toJson(parseNet(net)), variant: engine.variant, dtype, version };
  if (perLayer) {
    const all = { ...call, onProgress: progressOf(context) };
    const layers = await writeLayers(engine, { net, x1, x2, get, options: all, out }, () => ({
      ...provenance,
      frozen,
      seconds: seconds(),
    }));
    const json = { out: options.out, kernels: get, layers, ...provenance, frozen, seconds: seconds() };
    return { json, text: [`${options.out}: ${seconds().toFixed(2)} s`, ...layerLines(layers)].join('\n') };
  }
  const functions =
    options.functions === undefined ? '' : new TextDecoder().decode(await readBytes(options.functions));
  const warn = (line: string): void => context.progress.log(line);
  const job: FileRun = {
    net,
    x1,
    x2,
    get,
    options: call,
    functions,
    out,
    resume,
    onProgress: progressOf(context),
    warn,
  };
  if (isZarr(out)) return stored(engine, options, job, context);
  context.keeps(`the finished tiles in ${partsOf(options.out!)}; continue with --resume`);
  const { shape, resumed, tiles } = await writeKernel(engine, job, () => ({
    ...provenance,
    seconds: seconds(),
    ...{ x1: x1.shape, x2: x2 && x2.shape },
  }));
  context.progress.finish();
  const figures = figure ? await writeFigures(out, get, given.labels, x2 === null) : [];
  const parts = { out: options.out, shape, kernels: get, tiles, resumed, figures };
  return {
    json: { ...parts, ...provenance, seconds: seconds() },
    text: [
      `${options.out}: ${get.join(', ')} of shape (${shape.join(', ')}), ${seconds().toFixed(2)} s${fromBefore(resumed, tiles)}`,
      ...figures,
    ].join('\n'),
  };
}

const isZarr = (out: string): boolean => out.endsWith('.zarr');
const fromBefore = (resumed: number, tiles: number): string =>
  resumed > 0 ? `, ${resumed} of ${tiles} tiles from the run before` : '';

/** Makes tiles here, or through the queue; returns how many were there. */
async function madeTiles(
  engine: Engine,
  { queue, store, variant, priority }: Options & CommonOptions,
  job: FileRun,
  { run, list }: { readonly run: KernelRun; readonly list: readonly number[] },
  { signal }: Context,
): Promise<number> {
  if (queue === undefined) return finishTiles(engine, run, job, list);
  const missing = await missingTiles(run, list);
  const { name } = await runPlace(job.out, store);
  const board = await boardOf(queue, variant, priority);
  try {
    await queueTiles(board, engine, run, {
      name,
      signal,
      onDone: tileReporter(run, missing, job.onProgress),
    });
  } finally {
    await board.close();
  }
  return list.length - missing.length;
}

/** The tiles of a kernel in a store, or those of a shard. */
async function stored(
  engine: Engine,
  options: Options & CommonOptions,
  job: FileRun,
  context: Context,
): Promise<Said> {
  const shard = options.shard === 'auto' ? shardFromEnvironment() : options.shard;
  const start = performance.now();
  const store = await openStore(job.out);
  // Shards begin the run together: one makes it, the others join.
  const begun: NewRun = shard ? { ...job, resume: true } : job;
  const run = await beginKernelRun(engine, store, begun);
  context.keeps(`the finished tiles in ${options.out!}; continue with --resume`);
  const list = shard ? partOf(shard, run.places.length) : [...run.places.keys()];
  const resumed = await madeTiles(engine, options, job, { run, list }, context);
  context.progress.finish();
  const seconds = (performance.now() - start) / 1000;
  const { shape, variant, dtype, version } = run.document;
  const parts = { out: options.out, shape, kernels: job.get, tiles: list.length, resumed };
  const what = shard ? `tiles of shard ${shard.index} of ${shard.count}` : 'all tiles';
  return {
    json: { ...parts, ...(shard ? { shard } : {}), variant, dtype, version, seconds },
    text: `${options.out}: ${job.get.join(', ')} of shape (${shape.join(', ')}), ${what}, ${seconds.toFixed(2)} s${fromBefore(resumed, list.length)}`,
  };
}

function progressOf({ progress }: Context): NonNullable<KernelOptions['onProgress']> {
  let running = false;
  return ({ done, total, entriesPerSecond }) => {
    if (!running) progress.start('kernel entries', total);
    running = true;
    progress.update(done, `${Math.round(entriesPerSecond)} per second`);
  };
}

/** A folder of a store: its parent must be there and writable. */
async function checkedFolder(out: string): Promise<string> {
  if (out.startsWith('s3://')) return out;
  await outputFolder(dirname(resolve(out)));
  return resolve(out);
}

async function checkedOut(
  { out, perLayer = false, figure = false, shard }: Options,
  get: readonly KernelName[],
): Promise<string> {
  if (out === undefined) throw new UsageError('kernel: expected --out FILE.npz (or --plan).');
  const kind = extname(out);
  if (kind !== '.npz' && kind !== '.npy' && kind !== '.zarr')
    throw new UsageError(`--out: expected a name ending with .npz, .npy or .zarr, got ${out}.`);
  if (out.startsWith('s3://') && kind !== '.zarr')
    throw new UsageError(`--out: expected a name ending with .zarr in a bucket, got ${out}.`);
  if (kind !== '.zarr' && shard)
    throw new UsageError(`--shard: expected --out NAME.zarr, which many processes can write, got ${out}.`);
  if (kind === '.zarr' && (perLayer || figure))
    throw new UsageError('--out: --per-layer and --figure need a .npz file, got .zarr.');
  if (kind === '.zarr') return checkedFolder(out);
  if (kind === '.npy' && perLayer)
    throw new UsageError(`--out: --per-layer writes many arrays, expected FILE.npz, got ${out}.`);
  if (kind === '.npy' && get.length > 1)
    throw new UsageError('--out: a .npy file holds one kernel. Add --get ntk (or nngp), or write .npz.');
  return outputFile(out);
}

/** Both sides, scaled, with the classes of the first where they are known. */
interface Inputs {
  readonly x1: Tensor;
  readonly x2: Tensor | null;
  readonly labels: Tensor | null;
}

async function inputs(options: Options, { memoryBytes }: Context): Promise<Inputs> {
  const first = await side(options.x, options.split, options.limit, memoryBytes);
  const second =
    options.x2 === undefined ? null : await side(options.x2, options.split2, options.limit2, memoryBytes);
  const scaled = ({ x, image }: Side): Tensor => {
    if (!image || options.pixels === 'raw') return x;
    if (options.pixels === 'standard') return standardizeImages(x, first.x);
    return { data: x.data.map((value) => value / 255) as Tensor['data'], shape: x.shape };
  };
  const labels =
    options.labels === undefined ? first.labels : await readTensor(options.labels, { memoryBytes });
  const [n] = first.x.shape;
  if (labels && labels.data.length < n!) {
    throw new UsageError(`--labels: expected a class for each of ${n} samples, got ${labels.data.length}.`);
  }
  return {
    x1: scaled(first),
    x2: second && scaled(second),
    labels: labels && { data: labels.data.subarray(0, n) as Tensor['data'], shape: [n!] },
  };
}

interface Side {
  readonly x: Tensor;
  readonly labels: Tensor | null;
  readonly image: boolean;
}

async function side(
  path: string,
  split: 'train' | 'test',
  limit: number | undefined,
  memoryBytes: number,
): Promise<Side> {
  if (await isImagePath(path)) {
    const set = await readImageSet(path, { split, limit, memoryBytes });
    return { ...set, image: true };
  }
  const x = await readTensor(path, { memoryBytes });
  const n = x.shape[0] ?? 0;
  if (limit === undefined || limit >= n) return { x, labels: null, image: false };
  const data = x.data.slice(0, (x.data.length / n) * limit) as Tensor['data'];
  return { x: { data, shape: [limit, ...x.shape.slice(1)] }, labels: null, image: false };
}

/** Every export of a module is the activation of its name. */
async function defineFunctions(path: string): Promise<void> {
  let module: Record<string, unknown>;
  try {
    module = (await import(pathToFileURL(resolve(path)).href)) as Record<string, unknown>;
  } catch (error) {
    throw new UsageError(`--functions: ${path} cannot be loaded (${(error as Error).message}).`);
  }
  const entries = Object.entries(module).filter(([name]) => name !== 'default');
  if (entries.length === 0)
    throw new UsageError(`--functions: ${path} exports nothing. Write export const name = { fn }.`);
  for (const [name, definition] of entries) defineActivation(name, definition as ActivationDefinition);
}

/** Heat maps of the kernels in `out`, read back from it. */
async function writeFigures(
  out: string,
  get: readonly KernelName[],
  labels: Tensor | null,
  same: boolean,
): Promise<string[]> {
  const bytes = await readBytes(out);
  const arrays = out.endsWith('.npz')
    ? (await readNpz(bytes, out)).arrays
    : { [get[0]!]: readNpy(bytes, out) };
  const kernels = get.map((name) => [name, arrays[name]!] as const);
  return writeKernelFigures(out, kernels, { labels, correlation: same });
}
