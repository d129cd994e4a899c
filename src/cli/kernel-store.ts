// Kernel matrices on disk while they are computed: tiles go to their place in .npy files beside the output, a journal lists
// those that are done, and the output appears under its name when all are. A killed run continues from the journal.
import { createHash } from 'node:crypto';
import { appendFile, open, readFile, rename, rm, stat, statfs, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { npyHeader } from '../data/npy.js';
import { crc32, zipFrame } from '../data/zip.js';
import { kernelTiles, type KernelName, type KernelOptions, type KernelTile } from '../kernel/index.js';
import { transposedSheets } from '../kernel/tiles/tile.js';
import type { Tensor } from '../math/index.js';
import type { NetDocument } from '../net/index.js';
import type { Engine } from '../wasm/engine.js';
import { UsageError } from './errors.js';
import { makeFolder, writeFileAtomic } from './files.js';

export interface KernelCall {
  readonly net: NetDocument;
  readonly x1: Tensor;
  readonly x2: Tensor | null;
  readonly get: readonly KernelName[];
  /** Everything the numbers depend on beside the arrays, as text: a run resumes only where all of it agrees. */
  readonly identity: Readonly<Record<string, string>>;
  readonly options: KernelOptions;
  /** The output file: .npz, or .npy for one kernel. */
  readonly out: string;
  readonly resume: boolean;
}

export interface KernelFile {
  readonly shape: readonly number[];
  /** Tiles an earlier run had done, and all. */
  readonly resumed: number;
  readonly tiles: number;
}

/** A short text for bytes that must be the same when a run resumes. */
export function digest(...parts: readonly (Tensor | string | null | undefined)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) {
    if (typeof part === 'string' || !part) hash.update(part ?? 'none');
    else
      hash
        .update(part.shape.join())
        .update(new Uint8Array(part.data.buffer, part.data.byteOffset, part.data.byteLength));
    hash.update('\n');
  }
  return hash.digest('hex').slice(0, 32);
}

/** Where an unfinished run keeps its tiles. */
export const partsOf = (out: string): string => `${out}.parts`;
const PLAN = 'run.json';

/** Computes a kernel into `out`; memory holds tiles only. `meta` is called at the end. */
export async function writeKernel(engine: Engine, run: KernelCall, meta: () => unknown): Promise<KernelFile> {
  const folder = partsOf(run.out);
  const { done, at } = await begin(folder, run);
  const journal = join(folder, 'tiles.txt');
  const key = (rows: readonly number[], columns: readonly number[]): string =>
    `${rows.join('-')} ${columns.join('-')}`;
  const files = new Map<KernelName, FileHandle>();
  let [shape, tiles] = [at, done.size];
  try {
    const options = {
      ...run.options,
      get: run.get,
      skip: (...place: [readonly number[], readonly number[]]) => done.has(key(...place)),
    };
    for await (const tile of kernelTiles(engine, run.net, run.x1, run.x2, options)) {
      shape ??= await allocateFiles(folder, run, tile);
      for (const name of run.get) {
        if (!files.has(name)) files.set(name, await open(join(folder, `${name}.npy`), 'r+'));
        await placeTile(files.get(name)!, tile, name, shape, run);
      }
      await appendFile(journal, `${key(tile.rows, tile.columns)}\n`);
      tiles++;
    }
  } catch (error) {
    if (tiles === 0) await rm(folder, { recursive: true, force: true }); // nothing to continue
    throw error;
  } finally {
    for (const file of files.values()) await file.close();
  }
  await finish(folder, run, meta());
  return { shape: shape!, resumed: done.size, tiles };
}

/** What an earlier run left in the folder of parts; UsageError where that is the start of another run. */
async function begin(
  folder: string,
  run: KernelCall,
): Promise<{ done: Set<string>; at: readonly number[] | null }> {
  const known = await readFile(join(folder, PLAN), 'utf8').catch(() => null);
  if (known === null) return { done: new Set(), at: null };
  if (!run.resume) {
    throw new UsageError(
      `--out: ${folder} holds the tiles of an unfinished run. Continue it with --resume, or delete the folder.`,
    );
  }
  const before = JSON.parse(known) as Record<string, string>;
  const names = [...new Set([...Object.keys(before), ...Object.keys(run.identity)])];
  const changed = names.filter((name) => before[name] !== run.identity[name]);
  if (changed.length > 0) {
    throw new UsageError(
      `--resume: the unfinished run in ${folder} differs in ${changed.join(', ')}. Give the same options and files, or delete the folder.`,
    );
  }
  const shape = await readFile(join(folder, 'shape.json'), 'utf8').catch(() => null);
  if (shape === null) return { done: new Set(), at: null };
  const lines = (await readFile(join(folder, 'tiles.txt'), 'utf8').catch(() => '')).split('\n');
  lines.pop(); // empty, or cut off by the kill
  return { done: new Set(lines), at: JSON.parse(shape) as number[] };
}

/**
 * Makes the folder of parts, with the files in full length, so that a full disk shows at the start: at the first tile, when
 * the inputs are known to be right. Returns the shape of the whole.
 */
async function allocateFiles(folder: string, run: KernelCall, tile: KernelTile): Promise<readonly number[]> {
  const { shape, data } = tile[run.get[0]!];
  const whole = [run.x1.shape[0]!, (run.x2 ?? run.x1).shape[0]!, ...shape.slice(2)];
  const size = whole.reduce((product, n) => product * n, data.BYTES_PER_ELEMENT);
  await checkSpace(run.out, size * run.get.length);
  await rm(folder, { recursive: true, force: true });
  await makeFolder(folder);
  await writeFileAtomic(join(folder, PLAN), JSON.stringify(run.identity, null, 1));
  const head = npyHeader(data instanceof Float32Array ? '<f4' : '<f8', whole);
  for (const name of run.get) {
    const file = await open(join(folder, `${name}.npy`), 'w');
    try {
      await file.write(head);
      await file.truncate(head.length + size);
    } finally {
      await file.close();
    }
  }
  await writeFileAtomic(join(folder, 'shape.json'), JSON.stringify(whole));
  return whole;
}

/** Files made in full length take no space yet, so a disk that is too small would show after hours of work. */
async function checkSpace(out: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(out));
  if (bytes > bavail * bsize) {
    throw new UsageError(
      `--out: needs ${bytes} bytes on disk, the limit is ${bavail * bsize} (free). Use fewer samples, f32 or one kernel.`,
    );
  }
}

/** Writes a tile row by row, and its mirror image where x2 is x1. */
async function placeTile(
  file: FileHandle,
  { rows, columns, ...kernels }: KernelTile,
  name: KernelName,
  whole: readonly number[],
  { x2, options }: KernelCall,
): Promise<void> {
  const { data } = kernels[name];
  const positions = whole.slice(2);
  const size = positions.reduce((product, n) => product * n, 1);
  const [height, width] = [rows[1] - rows[0], columns[1] - columns[0]];
  const bytes = data.BYTES_PER_ELEMENT;
  const start = npyHeader(bytes === 4 ? '<f4' : '<f8', whole).length;
  const put = async (values: Tensor['data'], row: number, column: number): Promise<void> => {
    const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    await file.write(raw, 0, raw.length, start + (row * whole[1]! + column) * size * bytes);
  };
  for (let i = 0; i < height; i++)
    await put(data.subarray(i * width * size, (i + 1) * width * size), rows[0] + i, columns[0]);
  if (x2 || rows[0] === columns[0]) return;
  const swap = transposedSheets(
    positions.filter((_, axis) => axis % 2 === 0),
    !options.diagonalSpatial,
  );
  const line = data.slice(0, height * size);
  for (let j = 0; j < width; j++) {
    for (let i = 0; i < height; i++) {
      for (let e = 0; e < size; e++)
        line[i * size + e] = data[(i * width + j) * size + (swap ? swap[e]! : e)]!;
    }
    await put(line, columns[0] + j, rows[0]);
  }
}

/** The parts become the output, under its name only when whole. */
async function finish(folder: string, { out, get }: KernelCall, meta: unknown): Promise<void> {
  if (out.endsWith('.npy')) {
    await writeFileAtomic(`${out.slice(0, -4)}.json`, JSON.stringify(meta, null, 2));
    await rename(join(folder, `${get[0]!}.npy`), out);
  } else {
    await zip(folder, out, get, meta);
  }
  await rm(folder, { recursive: true, force: true });
}

const CHUNK = 1 << 22;

async function* chunks(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path);
  try {
    for (;;) {
      const { bytesRead, buffer } = await file.read(new Uint8Array(CHUNK), 0, CHUNK);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

async function zip(folder: string, out: string, get: readonly KernelName[], meta: unknown): Promise<void> {
  const text = new TextEncoder().encode(JSON.stringify(meta));
  const head = npyHeader('|u1', [text.length]);
  const last = new Uint8Array(head.length + text.length);
  last.set(head);
  last.set(text, head.length);
  const members = [];
  for (const name of get) {
    const path = join(folder, `${name}.npy`);
    let crc = 0;
    for await (const chunk of chunks(path)) crc = crc32(chunk, crc);
    members.push({ name: `${name}.npy`, size: (await stat(path)).size, crc });
  }
  const { heads, tail } = zipFrame([...members, { name: 'meta.npy', size: last.length, crc: crc32(last) }]);
  const whole = join(folder, 'whole.npz');
  const file = await open(whole, 'w');
  try {
    for (const [i, { name }] of members.entries()) {
      await file.write(heads[i]!);
      for await (const chunk of chunks(join(folder, name))) await file.write(chunk);
    }
    await file.write(heads.at(-1)!);
    await file.write(last);
    await file.write(tail);
  } finally {
    await file.close();
  }
  await rename(whole, out);
}
