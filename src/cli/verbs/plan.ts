// `plan`: what a kernel will take before it is begun: entries, bytes, processor hours, and the time on 1 to 1000 workers.
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import type { KernelName } from '../../kernel/index.js';
import type { NetDocument } from '../../net/index.js';
import { estimateKernel } from '../../queue/estimate.js';
import { formatTable } from '../../report/index.js';
import { openStore } from '../../store/open.js';
import { UsageError } from '../errors.js';
import { readJson, readTensor } from '../files.js';
import { duration } from '../progress.js';
import {
  listOf,
  oneOf,
  perform,
  verb,
  wholeNumber,
  type CommonOptions,
  type Context,
  type Outcome,
} from '../verb.js';

interface PlanOptions extends CommonOptions {
  readonly net: string;
  readonly x?: string;
  readonly shape?: number[];
  readonly get: KernelName[];
  readonly dtype: 'f32' | 'f64';
  readonly tile?: number;
  readonly diagonalSpatial?: boolean;
  readonly out?: string;
}

export function registerPlan(program: Command): void {
  verb(program, 'plan', 'what a kernel takes on 1 to 1000 workers, from a calibration of seconds', [
    'infinite-width plan --net cnn.json --x images.npy --out k.zarr',
    'infinite-width plan --net cnn.json --shape 50000,32,32,3 --get ntk --out s3://bucket/k.zarr',
  ])
    .requiredOption('--net <file>', 'the net, as JSON')
    .option('--x <path>', 'the samples, for their shape')
    .option(
      '--shape <list>',
      'the shape of the samples instead: n,height,width,channels',
      listOf(wholeNumber(1)),
    )
    .option('--get <names>', 'nngp, ntk or both, comma-separated', listOf(oneOf('nngp', 'ntk')), [
      'nngp',
      'ntk',
    ])
    .option('--dtype <name>', 'f32 or f64', oneOf('f32', 'f64'), 'f64')
    .option('--tile <n>', 'samples per side of a tile', wholeNumber(1))
    .option('--diagonal-spatial', 'same positions only, for nets that end with spatial axes')
    .option('--out <place>', 'where the kernel will lie: its free space and bandwidth are measured')
    .action(perform<PlanOptions>(plan));
}

async function plan(options: PlanOptions, context: Context): Promise<Outcome> {
  if ((options.x === undefined) === (options.shape === undefined))
    throw new UsageError('plan: expected either --x FILE or --shape n,...,channels.');
  const net = (await readJson(options.net)) as NetDocument;
  const shape = options.shape ?? (await readTensor(options.x!)).shape;
  const { get, dtype, tile, diagonalSpatial = false, out } = options;
  const around = out?.startsWith('s3://') ? out.replace(/\/[^/]*\/?$/, '') : out && dirname(resolve(out));
  context.progress.start('calibration', 1);
  const found = await estimateKernel(await context.engine(), net, shape, {
    ...{ get, dtype, diagonalSpatial, signal: context.signal },
    ...(tile === undefined ? {} : { tile }),
    ...(around === undefined ? {} : { store: await openStore(around) }),
  });
  context.progress.finish();
  if (found.free !== null && found.bytes > found.free)
    throw new UsageError(
      `plan: ${out} would need ${found.bytes} bytes, the limit is ${found.free} (free). Use fewer samples, f32, one kernel or another place.`,
    );
  const table = {
    name: 'plan',
    title: 'Time until the last tile is there',
    columns: ['workers', 'time', 'to the store', 'messages/s', 'recompute below'],
    rows: found.on.map((row) => [
      row.workers,
      duration(row.seconds),
      `${sized(row.bytesPerSecond)}/s`,
      row.messagesPerSecond.toPrecision(2),
      row.recomputeBelowMicroseconds === null ? '-' : `${row.recomputeBelowMicroseconds.toPrecision(2)} us`,
    ]),
  };
  const lines = [
    `${found.entries} entries of (${shape.join(', ')}), ${found.tiles} tiles of ${found.tile}, ${sized(found.bytes)} in the store${found.free === null ? '' : ` of ${sized(found.free)} free`}`,
    `${found.secondsPerTile.toPrecision(3)} s per tile and thread, ${found.microsecondsPerEntry.toPrecision(3)} us per entry, ${found.cpuHours.toPrecision(3)} processor hours`,
    ...(found.storeWrite === null
      ? []
      : [`store: ${sized(found.storeWrite)}/s written, ${sized(found.storeRead!)}/s read by one process`]),
    formatTable(table),
  ];
  return { json: { net: options.net, shape, get, dtype, ...found }, text: lines.join('\n') };
}

/** `33.5 MB`. */
function sized(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let unit = 0;
  for (; bytes >= 1000 && unit < units.length - 1; unit++) bytes /= 1000;
  return `${bytes.toPrecision(3)} ${units[unit]}`;
}
