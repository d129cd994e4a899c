// The tiles of a kernel run: computing, writing, counting and checking them.
import type { TilePlace } from '../kernel/plan.js';
import { mirrorInto } from '../kernel/tiles/pieces.js';
import { tileJob } from '../kernel/tiles/tile.js';
import type { TileParams, TileResult } from '../kernel/tiles/tile-params.js';
import type { Engine } from '../wasm/engine.js';
import { DamagedError } from './errors.js';
import type { KernelRun } from './kernel-run.js';
import type { StoredArray } from './zarr.js';

type Place = readonly number[];

/** Where a tile and its mirror image lie in the grid of chunks. */
function chunksOf(
  { document: { tile, shape, symmetric } }: KernelRun,
  { rows, columns }: TilePlace,
): { own: Place; mirror: Place | null } {
  const [i, j] = [rows[0] / tile, columns[0] / tile];
  const positions = shape.slice(2).map(() => 0);
  return { own: [i, j, ...positions], mirror: symmetric && i !== j ? [j, i, ...positions] : null };
}

/** The chunk that is written last: when it is there, the tile is. */
const commitOf = ({ arrays, document }: KernelRun): StoredArray => arrays.get(document.get.at(-1)!)!;

export const isDone = (run: KernelRun, k: number): Promise<boolean> =>
  commitOf(run).has(chunksOf(run, run.places[k]!).own);

/** The numbers of the tiles that are not there, of those in `from`. */
export async function missingTiles(
  run: KernelRun,
  from: Iterable<number> = run.places.keys(),
): Promise<number[]> {
  const missing: number[] = [];
  for (const k of from) if (!(await isDone(run, k))) missing.push(k);
  return missing;
}

async function paramsOf(run: KernelRun, { rows, columns }: TilePlace): Promise<TileParams> {
  const { x1, x2, pattern1, pattern2 } = run.inputs;
  const same = run.document.symmetric && rows[0] === columns[0];
  const cut = async (array: StoredArray | null, [from, to]: TilePlace['rows']) =>
    array && ((await array.rows(from, to)) as never);
  return {
    ...run.params,
    x1: (await cut(x1, rows))!,
    x2: same ? null : await cut(x2 ?? x1, columns),
    pattern1: await cut(pattern1, rows),
    pattern2: same ? null : await cut(run.document.symmetric ? pattern1 : pattern2, columns),
  };
}

/** Writes a tile: the mirror images first, the last kernel's own chunk last. */
async function writeTile(run: KernelRun, place: TilePlace, result: TileResult): Promise<void> {
  const { own, mirror } = chunksOf(run, place);
  const size = [place.rows[1] - place.rows[0], place.columns[1] - place.columns[0]] as const;
  if (mirror) {
    for (const [name, array] of run.arrays) {
      const values = result[name]!;
      const image = values.slice();
      mirrorInto(image, { at: 0, stride: size[0] }, values, size, run);
      await array.write(mirror, image);
    }
  }
  for (const [name, array] of run.arrays) await array.write(own, result[name]!);
}

/** Computes tile k on the engine and writes it. */
export async function makeTile(
  engine: Engine,
  run: KernelRun,
  k: number,
  signal?: AbortSignal,
): Promise<void> {
  const place = run.places[k]!;
  await writeTile(run, place, await engine.run(tileJob, await paramsOf(run, place), { signal }));
}

/** Entries of a tile that are computed. */
export function areaOf(run: KernelRun, k: number): number {
  const { rows, columns } = run.places[k]!;
  const whole = (rows[1] - rows[0]) * (columns[1] - columns[0]);
  return run.document.symmetric && rows[0] === columns[0] ? whole / 2 : whole;
}

/** Makes tiles, as many at a time as the engine has workers. */
export async function makeTiles(
  engine: Engine,
  run: KernelRun,
  list: readonly number[],
  {
    signal,
    onStart,
    onDone,
  }: {
    readonly signal?: AbortSignal;
    readonly onStart?: (k: number) => void;
    readonly onDone?: (k: number) => void;
  } = {},
): Promise<void> {
  const left = [...list];
  const stop = new AbortController();
  const both = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const lane = async (): Promise<void> => {
    for (let k = left.shift(); k !== undefined; k = left.shift()) {
      both.throwIfAborted();
      onStart?.(k);
      await makeTile(engine, run, k, both);
      onDone?.(k);
    }
  };
  const lanes = Array.from({ length: Math.max(1, engine.workers) }, lane);
  try {
    await Promise.all(lanes);
  } catch (error) {
    stop.abort(error);
    await Promise.allSettled(lanes); // chunks that are being written are whole before the failure is told
    throw error;
  }
}

export interface Verdict {
  readonly tiles: number;
  readonly missing: readonly number[];
  /** Values whose bytes are not what was written, and tiles that they belong to. */
  readonly damaged: readonly { readonly key: string; readonly tile: number; readonly why: string }[];
}

/**
 * Reads every chunk of the tiles in `list` that are there. `repair` deletes those of damaged tiles, the commit first, so that a
 * resumed run makes them again.
 */
export async function verifyTiles(
  run: KernelRun,
  list: Iterable<number>,
  {
    repair = false,
    signal,
    onDone,
  }: { repair?: boolean; signal?: AbortSignal; onDone?: (k: number) => void } = {},
): Promise<Verdict> {
  const missing: number[] = [];
  const damaged: { key: string; tile: number; why: string }[] = [];
  let tiles = 0;
  for (const k of list) {
    signal?.throwIfAborted();
    tiles++;
    const { own, mirror } = chunksOf(run, run.places[k]!);
    if (!(await isDone(run, k))) missing.push(k);
    else {
      const before = damaged.length;
      for (const array of run.arrays.values())
        for (const at of mirror ? [own, mirror] : [own]) {
          const why = await faultOf(array, at);
          if (why) damaged.push({ key: array.key(at), tile: k, why });
        }
      if (repair && damaged.length > before) {
        await commitOf(run).delete(own);
        for (const { key } of damaged.slice(before)) await run.store.delete(key as `/${string}`);
      }
    }
    onDone?.(k);
  }
  return { tiles, missing, damaged };
}

async function faultOf(array: StoredArray, at: Place): Promise<string | null> {
  try {
    const chunk = await array.read(at);
    if (!chunk) return 'it is not there';
    return chunk.data.every(Number.isFinite) ? null : 'it holds numbers that are not finite';
  } catch (error) {
    if (error instanceof DamagedError) return error.message.replace(/^.*is damaged \((.*?)\)\. .*$/, '$1');
    throw error;
  }
}
