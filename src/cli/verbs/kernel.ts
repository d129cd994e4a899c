import { extname, resolve } from 'node:path';
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
import type { Engine } from '../../wasm/engine.js';
import { UsageError } from '../errors.js';
import { outputFile, readBytes, readJson, readTensor } from '../files.js';
import { isImagePath, readImageSet } from '../images.js';
import { writeKernelFigures } from '../kernel-figure.js';
import { digest, partsOf, writeKernel, type KernelCall } from '../kernel-store.js';
import { layerLines, writeLayers } from './kernel-layers.js';
import { oneOf, perform, realNumber, verb, wholeNumber, type Context } from '../verb.js';

interface Options {
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
  readonly frozen?: string;
  readonly perLayer?: boolean;
  readonly figure?: boolean;
  readonly labels?: string;
}

/** `infinite-width kernel`: kernels of a net between arrays or images in files, written while they are computed. */
export function registerKernel(program: Command): void {
  verb(program, 'kernel', 'infinite-width NNGP and NTK of a net between data sets', [
    'infinite-width kernel --net net.json --x a.npy --out k.npz',
    'infinite-width kernel --net net.json --x train.npy --x2 test.npy --get ntk --dtype f32 --out k.npz',
    'infinite-width kernel --net cnn.json --x fashion-mnist/ --limit 500 --figure --out k.npz',
    'infinite-width kernel --net cnn.json --x cifar-10/ --x2 cifar-10/ --split2 test --get ntk --out k.npy --resume',
    'infinite-width kernel --net net.json --x images.npy --plan',
    'infinite-width kernel --net net.json --x a.npy --frozen layers.0,layers.2 --out k.npz',
    'infinite-width kernel --net net.json --x a.npy --per-layer --out layers.npz',
  ])
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
      'the file to write: .npz with nngp, ntk, meta, or .npy for one kernel (meta in .json)',
    )
    .option('--resume', 'continue an unfinished run with the same options')
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

async function run(options: Options, context: Context): Promise<Said> {
  const net = (await readJson(options.net)) as NetDocument;
  if (options.functions !== undefined) await defineFunctions(options.functions);
  const given = await inputs(options);
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

async function computed(options: Options, given: Call, context: Context): Promise<Said> {
  const { net, x1, x2, dtype, frozen } = given;
  const get = options.get.split(',') as KernelName[];
  const { perLayer = false, resume = false, figure = false, diagonalSpatial = false } = options;
  if (perLayer && (resume || figure || options.tile !== undefined))
    throw new UsageError('--per-layer: expected no --resume, --figure or --tile, it runs in one tile.');
  const out = await checkedOut(options.out, get, perLayer);
  const engine = await context.engine();
  const start = performance.now();
  const seconds = (): number => (performance.now() - start) / 1000;
  const call: KernelOptions = {
    dtype,
    diagonalSpatial,
    frozen,
    signal: context.signal,
    ...(options.tile === undefined ? {} : { tile: options.tile }),
    ...(options.maskConstant === undefined ? {} : { maskConstant: options.maskConstant }),
    ...(options.pattern1 === undefined ? {} : { pattern1: await readTensor(options.pattern1) }),
    ...(options.pattern2 === undefined ? {} : { pattern2: await readTensor(options.pattern2) }),
    onProgress: progressOf(context),
  };
  const provenance = { net: toJson(parseNet(net)), variant: engine.variant, dtype, version };
  if (perLayer) {
    const layers = await writeLayers(engine, { net, x1, x2, get, options: call, out }, () => ({
      ...provenance,
      frozen,
      seconds: seconds(),
    }));
    const json = { out: options.out, kernels: get, layers, ...provenance, frozen, seconds: seconds() };
    return { json, text: [`${options.out}: ${seconds().toFixed(2)} s`, ...layerLines(layers)].join('\n') };
  }
  const identity = await identityOf(options, given, call, engine);
  context.keeps(`the finished tiles in ${partsOf(options.out!)}; continue with --resume`);
  const job: KernelCall = { net, x1, x2, get, identity, options: call, out, resume };
  const sizes = { x1: x1.shape, x2: x2 && x2.shape, data: identity.data };
  const { shape, resumed, tiles } = await writeKernel(engine, job, () => ({
    ...provenance,
    seconds: seconds(),
    ...sizes,
  }));
  context.progress.finish();
  const figures = figure ? await writeFigures(out, get, given.labels, x2 === null) : [];
  const parts = { out: options.out, shape, kernels: get, tiles, resumed, figures };
  const from = resumed > 0 ? `, ${resumed} of ${tiles} tiles from the run before` : '';
  return {
    json: { ...parts, ...provenance, seconds: seconds() },
    text: [
      `${options.out}: ${get.join(', ')} of shape (${shape.join(', ')}), ${seconds().toFixed(2)} s${from}`,
      ...figures,
    ].join('\n'),
  };
}

/** What must be the same where a run goes on. */
async function identityOf(
  options: Options,
  { net, x1, x2, dtype, frozen }: Call,
  call: KernelOptions,
  engine: Engine,
): Promise<KernelCall['identity'] & { readonly data: string }> {
  const functions =
    options.functions === undefined ? '' : new TextDecoder().decode(await readBytes(options.functions));
  const settings = {
    get: options.get.split(','),
    diagonalSpatial: options.diagonalSpatial ?? false,
    ...(frozen.length === 0 ? {} : { frozen }),
    maskConstant: options.maskConstant,
    tile: options.tile,
    memoryBytes: engine.memoryBytes,
  };
  return {
    net: JSON.stringify(toJson(parseNet(net))),
    data: digest(x1, x2, call.pattern1 as Tensor | undefined, call.pattern2 as Tensor | undefined, functions),
    options: JSON.stringify(settings),
    kernels: `${engine.variant} ${dtype} ${version}`,
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

async function checkedOut(
  out: string | undefined,
  get: readonly KernelName[],
  perLayer: boolean,
): Promise<string> {
  if (out === undefined) throw new UsageError('kernel: expected --out FILE.npz (or --plan).');
  const kind = extname(out);
  if (kind !== '.npz' && kind !== '.npy')
    throw new UsageError(`--out: expected a name ending with .npz or .npy, got ${out}.`);
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

async function inputs(options: Options): Promise<Inputs> {
  const first = await side(options.x, options.split, options.limit);
  const second = options.x2 === undefined ? null : await side(options.x2, options.split2, options.limit2);
  const scaled = ({ x, image }: Side): Tensor => {
    if (!image || options.pixels === 'raw') return x;
    if (options.pixels === 'standard') return standardizeImages(x, first.x);
    return { data: x.data.map((value) => value / 255) as Tensor['data'], shape: x.shape };
  };
  const labels = options.labels === undefined ? first.labels : await readTensor(options.labels);
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

async function side(path: string, split: 'train' | 'test', limit: number | undefined): Promise<Side> {
  if (await isImagePath(path)) {
    const set = await readImageSet(path, { split, ...(limit === undefined ? {} : { limit }) });
    return { ...set, image: true };
  }
  const x = await readTensor(path);
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
