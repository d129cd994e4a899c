import type { Command } from 'commander';
import { readNpz } from '../../data/index.js';
import type { Outputs } from '../../empirical/index.js';
import { kernelsJob, type KernelsMessage } from '../../empirical/kernels-job.js';
import type { LayerParametersLike, NetDocument } from '../../net/index.js';
import { clustered } from '../cluster.js';
import { UsageError } from '../errors.js';
import { outputFile, readBytes, readJson, readTensor, writeNpzFile } from '../files.js';
import { writeKernelFigures } from '../kernel-figure.js';
import { oneOf, perform, verb, wholeNumber, type Context, type Outcome } from '../verb.js';

interface EmpiricalOptions {
  readonly net: string;
  readonly params?: string;
  readonly x: string;
  readonly x2?: string;
  readonly outputs: Outputs;
  readonly seed: number;
  readonly out: string;
  readonly figure?: boolean;
}

export function registerEmpirical(program: Command): void {
  clustered(
    verb(program, 'empirical', 'NTK and NNGP of one finite net with given or drawn parameters', [
      'infinite-width empirical --net net.json --params p.npz --x a.npy --out theta.npz',
      'infinite-width empirical --net net.json --x a.npy --figure --out theta.npz',
      'infinite-width empirical --net net.json --seed 3 --x a.npy --outputs full --out theta.npz',
    ]),
  )
    .requiredOption('--net <file>', 'Net document (JSON)')
    .option('--params <file>', 'parameters: .json list or .npz with members layers.0.w, layers.0.b, ...')
    .requiredOption('--x <file>', 'inputs: .npy, .npz or .csv')
    .option('--x2 <file>', 'second inputs')
    .option(
      '--outputs <kind>',
      'trace (mean over outputs), diagonal or full',
      oneOf('trace', 'full', 'diagonal'),
      'trace',
    )
    .option('--seed <n>', 'draws the parameters where none are given', wholeNumber(), 0)
    .requiredOption('--out <file>', 'where the .npz goes: nngp, ntk, meta')
    .option('--figure', 'also heat maps of both kernels (.svg and Vega-Lite .json); with --outputs trace')
    .action(perform<EmpiricalOptions>(run));
}

async function run(options: EmpiricalOptions, context: Context): Promise<Outcome> {
  if (options.figure && options.outputs !== 'trace')
    throw new UsageError(
      `--figure: expected --outputs trace, got ${options.outputs}. A heat map is of one matrix.`,
    );
  const out = await outputFile(options.out);
  const net = (await readJson(options.net)) as NetDocument;
  const x = await readTensor(options.x, context);
  const x2 = options.x2 === undefined ? null : await readTensor(options.x2, context);
  for (const [name, value] of Object.entries({ x, ...(x2 ? { x2 } : {}) })) {
    if (value.data.length === 0 || value.shape.length < 2)
      throw new UsageError(
        `empirical: ${name} must have samples and channels, (n, ...spatial, channels), got shape [${value.shape.join(', ')}]. Give one sample as (1, d).`,
      );
  }
  const parameters =
    options.params === undefined ? undefined : await readParameters(options.params, context.memoryBytes);
  const dtype: 'f32' | 'f64' = x.data instanceof Float32Array ? 'f32' : 'f64';
  const start = performance.now();
  const model = {
    inputShape: x.shape.slice(1),
    seed: options.seed,
    dtype,
    ...(parameters ? { parameters } : {}),
  };
  const { outputs } = options;
  const engine = await context.engine();
  const {
    ntk,
    nngp,
    parameters: count,
  } = await engine.run(
    kernelsJob,
    { net, model, x, x2, outputs },
    { signal: context.signal, onMessage: follow(context) },
  );
  context.progress.finish();
  const seconds = (performance.now() - start) / 1000;
  const meta = { net, outputs, variant: engine.variant, dtype, seconds };
  await writeNpzFile(out, { nngp, ntk }, meta);
  const named = Object.entries({ nngp, ntk });
  const figures = options.figure
    ? await writeKernelFigures(out, named, { labels: null, correlation: x2 === null })
    : [];
  const json = { out, shape: ntk.shape, parameters: count, figures, ...meta };
  return { json, text: [`${out}: nngp and ntk of shape (${ntk.shape.join(', ')})`, ...figures].join('\n') };
}

/** Says the bytes before the first tile, then the tiles. */
function follow({ progress }: Context): (message: unknown) => void {
  return (message) => {
    const { bytes, tile, done, total } = message as KernelsMessage;
    if (done > 0) return progress.update(done / total);
    progress.log(`empirical: ${(bytes / 1e6).toFixed(1)} MB for tiles of ${tile} samples`);
    progress.start('empirical kernels', 1);
  };
}

/** A JSON list as in the format, or the members `<path>.w`, `<path>.b` of an .npz in layer order. */
async function readParameters(path: string, memoryBytes: number): Promise<LayerParametersLike[]> {
  if (path.endsWith('.json')) {
    const list = await readJson(path);
    if (!Array.isArray(list))
      throw new UsageError(`${path}: expected a list of { w, b }, one per layer with weights. See --help.`);
    return list as LayerParametersLike[];
  }
  if (!path.endsWith('.npz')) throw new UsageError(`--params: expected a .json or .npz file, got ${path}.`);
  const { arrays } = await readNpz(await readBytes(path), path, { memoryBytes });
  const names = Object.keys(arrays);
  const isParameter = (name: string): boolean =>
    /\.[wb]$/.test(name) && names.includes(`${name.slice(0, -1)}w`);
  if (names.length === 0 || !names.every(isParameter))
    throw new UsageError(
      `${path}: expected members <layer>.w and <layer>.b such as layers.0.w, got [${names.join(', ')}]. Save one pair per layer with weights.`,
    );
  return Object.entries(arrays)
    .filter(([name]) => name.endsWith('.w'))
    .map(([name, w]) => {
      const layer = name.slice(0, -2);
      const b = arrays[`${layer}.b`];
      return { path: layer, w, ...(b ? { b } : {}) };
    });
}
