// Kernel matrices in files: a run beside the output holds the tiles while they are computed, and the output appears under its
// name when all are there. A killed command continues from the run.
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { npyHeader } from '../data/npy.js';
import { crc32, zipFrame } from '../data/zip.js';
import { folderStore } from '../store/folder.js';
import { beginKernelRun, type KernelRun, type NewRun } from '../store/kernel-run.js';
import { areaOf, makeTiles, missingTiles, verifyTiles } from '../store/kernel-tiles.js';
import { acquire } from '../store/lock.js';
import type { StoredArray } from '../store/zarr.js';
import type { KernelProgress } from '../kernel/index.js';
import type { Engine } from '../wasm/engine.js';
import { writeFileAtomic } from './files.js';

export interface FileRun extends NewRun {
  /** The output file: .npz, or .npy for one kernel. */
  readonly out: string;
  readonly onProgress?: (progress: KernelProgress) => void;
  readonly warn?: (line: string) => void;
}

export interface KernelFile {
  readonly shape: readonly number[];
  /** Tiles an earlier run had done, and all. */
  readonly resumed: number;
  readonly tiles: number;
}

/** Where an unfinished run keeps its tiles. */
export const partsOf = (out: string): string => `${out}.parts`;

/** Computes a kernel into `out`; memory holds tiles only. `meta` is called at the end. */
export async function writeKernel(engine: Engine, file: FileRun, meta: () => unknown): Promise<KernelFile> {
  const folder = partsOf(file.out);
  const store = folderStore(folder);
  const run = await beginKernelRun(engine, store, file);
  const lock = await acquire(store);
  let resumed = 0;
  try {
    resumed = await finishTiles(engine, run, file);
    await assemble(run, folder, file.out, meta());
  } catch (error) {
    if ((await missingTiles(run).catch(() => [])).length === run.places.length)
      await rm(folder, { recursive: true, force: true }); // nothing to continue
    throw error;
  } finally {
    await lock.release().catch(() => {});
  }
  await rm(folder, { recursive: true, force: true });
  return { shape: run.document.shape, resumed, tiles: run.places.length };
}

/**
 * Makes what is missing of the tiles in `list`, and what an earlier run left damaged; returns how many of them were there, and
 * are sound.
 */
export async function finishTiles(
  engine: Engine,
  run: KernelRun,
  { options: { signal }, onProgress, warn }: Pick<FileRun, 'options' | 'onProgress' | 'warn'>,
  list: readonly number[] = [...run.places.keys()],
): Promise<number> {
  const { damaged } = await verifyTiles(run, list, { repair: true, ...(signal ? { signal } : {}) });
  for (const { key, why } of damaged)
    warn?.(`${run.store.name}${key}: damaged (${why}); its tile is made again`);
  const missing = await missingTiles(run, list);
  await makeTiles(engine, run, missing, {
    ...(signal ? { signal } : {}),
    onDone: tileReporter(run, missing, onProgress),
  });
  return list.length - missing.length;
}

/** Progress in entries of the tiles in `list`. */
export function tileReporter(
  run: KernelRun,
  list: readonly number[],
  onProgress: FileRun['onProgress'],
): (k: number) => void {
  const total = list.reduce((sum, k) => sum + areaOf(run, k), 0);
  const start = performance.now();
  let done = 0;
  return (k) => {
    done += areaOf(run, k);
    const entriesPerSecond = done / Math.max(1e-3, (performance.now() - start) / 1000);
    onProgress?.({ done, total, entriesPerSecond, secondsLeft: (total - done) / entriesPerSecond });
  };
}

/** The tiles become the output, under its name only when whole. */
async function assemble(run: KernelRun, folder: string, out: string, meta: unknown): Promise<void> {
  const whole = join(folder, 'whole');
  const file = await open(whole, 'w');
  try {
    if (out.endsWith('.npy')) await writeArray(file, 0, [...run.arrays.values()][0]!);
    else await writeZip(file, run, meta);
    await file.sync();
  } finally {
    await file.close();
  }
  if (out.endsWith('.npy')) await writeFileAtomic(`${out.slice(0, -4)}.json`, JSON.stringify(meta, null, 2));
  await rename(whole, out);
}

const headOf = ({ dtype, shape }: StoredArray): Uint8Array =>
  npyHeader(dtype === 'float32' ? '<f4' : '<f8', shape);

/** Writes an array in the format of .npy from byte `at` on, some rows at a time; returns its CRC-32. */
async function writeArray(file: FileHandle, at: number, array: StoredArray): Promise<number> {
  let crc = 0;
  let to = at;
  const put = async (bytes: Uint8Array): Promise<void> => {
    crc = crc32(bytes, crc);
    await file.write(bytes, 0, bytes.length, to);
    to += bytes.length;
  };
  await put(headOf(array));
  const [n] = array.shape as [number];
  const step = array.chunks[0]!;
  for (let from = 0; from < n; from += step) {
    const { data } = await array.rows(from, Math.min(n, from + step));
    await put(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return crc;
}

async function writeZip(file: FileHandle, run: KernelRun, meta: unknown): Promise<void> {
  const text = new TextEncoder().encode(JSON.stringify(meta));
  const head = npyHeader('|u1', [text.length]);
  const last = new Uint8Array(head.length + text.length);
  last.set(head);
  last.set(text, head.length);
  const members = [...run.arrays].map(([name, array]) => {
    const numbers = array.shape.reduce((size, n) => size * n, array.dtype === 'float32' ? 4 : 8);
    return { name: `${name}.npy`, size: headOf(array).length + numbers, crc: 0 };
  });
  members.push({ name: 'meta.npy', size: last.length, crc: crc32(last) });
  // Heads hold the checksums of what follows them, and are as long without: they are written last.
  const { heads } = zipFrame(members);
  const starts: number[] = [];
  let at = 0;
  for (const [i, { size }] of members.entries()) {
    starts.push(at);
    at += heads[i]!.length + size;
  }
  for (const [i, array] of [...run.arrays.values()].entries())
    members[i]!.crc = await writeArray(file, starts[i]! + heads[i]!.length, array);
  const { heads: final, tail } = zipFrame(members);
  for (const [i, head] of final.entries()) await file.write(head, 0, head.length, starts[i]);
  await file.write(last, 0, last.length, starts.at(-1)! + final.at(-1)!.length);
  await file.write(tail, 0, tail.length, at);
}
