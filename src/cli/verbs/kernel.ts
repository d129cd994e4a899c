import type { Command } from 'commander';
import { kernel, planKernel, type KernelName, type KernelOptions } from '../../kernel/index.js';
import { parseNet, toJson, type NetDocument } from '../../net/index.js';
import { version } from '../../version.js';
import { UsageError } from '../errors.js';
import { outputFile, readJson, readTensor, writeNpzFile } from '../files.js';
import { oneOf, perform, realNumber, verb } from '../verb.js';

interface Options {
  readonly net: string;
  readonly x: string;
  readonly x2?: string;
  readonly get: string;
  readonly dtype?: 'f32' | 'f64';
  readonly maskConstant?: number;
  readonly pattern1?: string;
  readonly pattern2?: string;
  readonly diagonalSpatial?: boolean;
  readonly plan?: boolean;
  readonly out?: string;
}

/** `infinite-width kernel`: kernels of a net between arrays in files, written as .npz. */
export function registerKernel(program: Command): void {
  verb(program, 'kernel', 'infinite-width NNGP and NTK of a net between data sets', [
    'infinite-width kernel --net net.json --x a.npy --out k.npz',
    'infinite-width kernel --net net.json --x train.npy --x2 test.npy --get ntk --dtype f32 --out k.npz',
    'infinite-width kernel --net net.json --x images.npy --plan',
  ])
    .requiredOption('--net <file>', 'the net, as JSON')
    .requiredOption('--x <file>', 'samples (n, ...spatial, channels): .npy, .npz, .csv or IDX')
    .option('--x2 <file>', 'other samples; without it, x with itself')
    .option('--get <names>', 'nngp, ntk or both, comma-separated', 'nngp,ntk')
    .option('--dtype <name>', 'f32 or f64 (default: as the input)', oneOf('f32', 'f64'))
    .option('--mask-constant <value>', 'input entries equal to it are masked', realNumber())
    .option('--pattern1 <file>', 'edge weights (n, v, v) of aggregate layers')
    .option('--pattern2 <file>', 'the same for --x2')
    .option('--diagonal-spatial', 'same positions only, for nets that end with spatial axes')
    .option('--plan', 'print bytes, operations and tiles, and compute nothing')
    .option('--out <file>', 'the .npz file to write: nngp, ntk, meta')
    .action(
      perform<Options>(async (options, context) => {
        const net = (await readJson(options.net)) as NetDocument;
        const x1 = await readTensor(options.x);
        const x2 = options.x2 === undefined ? null : await readTensor(options.x2);
        const { diagonalSpatial = false } = options;
        const dtype = options.dtype ?? (x1.data instanceof Float32Array ? 'f32' : 'f64');
        if (options.plan) {
          const plan = planKernel(net, x1.shape, x2 && x2.shape, { dtype, diagonalSpatial });
          return { json: plan, text: JSON.stringify(plan, null, 2) };
        }
        if (options.out === undefined) throw new UsageError('kernel: expected --out FILE.npz (or --plan).');
        const out = await outputFile(options.out);
        const engine = await context.engine();
        const start = performance.now();
        let running = false;
        const call: KernelOptions = {
          get: options.get.split(',') as KernelName[],
          dtype,
          diagonalSpatial,
          signal: context.signal,
          ...(options.maskConstant === undefined ? {} : { maskConstant: options.maskConstant }),
          ...(options.pattern1 === undefined ? {} : { pattern1: await readTensor(options.pattern1) }),
          ...(options.pattern2 === undefined ? {} : { pattern2: await readTensor(options.pattern2) }),
          onProgress: ({ done, total, entriesPerSecond }) => {
            if (!running) context.progress.start('kernel entries', total);
            running = true;
            context.progress.update(done, `${Math.round(entriesPerSecond)} per second`);
          },
        };
        const result = await kernel(engine, net, x1, x2, call);
        context.progress.finish();
        const seconds = (performance.now() - start) / 1000;
        const meta = { net: toJson(parseNet(net)), variant: engine.variant, dtype, version, seconds };
        await writeNpzFile(out, { ...result }, meta);
        const shape = Object.values(result)[0]!.shape as readonly number[];
        return {
          json: { out: options.out, shape, kernels: Object.keys(result), ...meta },
          text: `${options.out}: ${Object.keys(result).join(', ')} of shape (${shape.join(', ')}), ${seconds.toFixed(2)} s`,
        };
      }),
    );
}
