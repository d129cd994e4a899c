import type { Command } from 'commander';
import { readNpz } from '../../data/index.js';
import { empiricalNngp, empiricalNtk, planEmpiricalNtk, type Outputs } from '../../empirical/index.js';
import { createModel, type LayerParametersLike, type NetDocument } from '../../net/index.js';
import { UsageError } from '../errors.js';
import { outputFile, readBytes, readJson, readTensor, writeNpzFile } from '../files.js';
import { oneOf, perform, verb, wholeNumber } from '../verb.js';

interface EmpiricalOptions {
  readonly net: string;
  readonly params?: string;
  readonly x: string;
  readonly x2?: string;
  readonly outputs: Outputs;
  readonly seed: number;
  readonly out: string;
}

export function registerEmpirical(program: Command): void {
  verb(program, 'empirical', 'NTK and NNGP of one finite net with given or drawn parameters', [
    'infinite-width empirical --net net.json --params p.npz --x a.npy --out theta.npz',
    'infinite-width empirical --net net.json --seed 3 --x a.npy --outputs full --out theta.npz',
  ])
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
    .action(perform<EmpiricalOptions>(async (options, context) => run(options, await context.engine())));
}

async function run(options: EmpiricalOptions, engine: Parameters<typeof createModel>[0]) {
  const out = await outputFile(options.out);
  const net = (await readJson(options.net)) as NetDocument;
  const x = await readTensor(options.x);
  const x2 = options.x2 === undefined ? null : await readTensor(options.x2);
  for (const [name, value] of Object.entries({ x, ...(x2 ? { x2 } : {}) })) {
    if (value.data.length === 0 || value.shape.length < 2)
      throw new UsageError(
        `empirical: ${name} must have samples and channels, (n, ...spatial, channels), got shape [${value.shape.join(', ')}]. Give one sample as (1, d).`,
      );
  }
  const parameters = options.params === undefined ? undefined : await readParameters(options.params);
  const dtype = x.data instanceof Float32Array ? 'f32' : 'f64';
  const start = performance.now();
  using model = createModel(engine, net, {
    inputShape: x.shape.slice(1),
    seed: options.seed,
    dtype,
    ...(parameters ? { parameters } : {}),
  });
  const [n1, n2] = [x.shape[0]!, (x2 ?? x).shape[0]!];
  const { outputs } = options;
  const plan = planEmpiricalNtk(model, n1, n2, { outputs });
  process.stderr.write(`empirical: ${(plan.bytes / 1e6).toFixed(1)} MB for tiles of ${plan.tile} samples\n`);
  const ntk = empiricalNtk(model, x, x2, { outputs });
  const nngp = empiricalNngp(model, x, x2, { outputs });
  const seconds = (performance.now() - start) / 1000;
  const meta = { net, outputs, variant: engine.variant, dtype, seconds };
  await writeNpzFile(out, { nngp, ntk }, meta);
  const json = { out, shape: ntk.shape, parameters: model.parameterCount, ...meta };
  return { json, text: `${out}: nngp and ntk of shape (${ntk.shape.join(', ')})` };
}

/** A JSON list as in the format, or the members `<path>.w`, `<path>.b` of an .npz in layer order. */
async function readParameters(path: string): Promise<LayerParametersLike[]> {
  if (path.endsWith('.json')) {
    const list = await readJson(path);
    if (!Array.isArray(list))
      throw new UsageError(`${path}: expected a list of { w, b }, one per layer with weights. See --help.`);
    return list as LayerParametersLike[];
  }
  if (!path.endsWith('.npz')) throw new UsageError(`--params: expected a .json or .npz file, got ${path}.`);
  const { arrays } = await readNpz(await readBytes(path), path);
  return Object.entries(arrays)
    .filter(([name]) => name.endsWith('.w'))
    .map(([name, w]) => {
      const layer = name.slice(0, -2);
      const b = arrays[`${layer}.b`];
      return { path: layer, w, ...(b ? { b } : {}) };
    });
}
