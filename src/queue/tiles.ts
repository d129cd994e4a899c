// The tiles of a kernel run through the queue: each message is a range of tiles that keeps a worker busy for a while.
import { isDone, makeTile, missingTiles } from '../store/kernel-tiles.js';
import type { KernelRun } from '../store/kernel-run.js';
import type { Key } from '../store/store.js';
import type { Engine } from '../wasm/engine.js';
import { StalledError, type Board } from './board.js';
import type { TilesMessage } from './message.js';

export interface QueuedTilesOptions {
  /** The name of the run in the workers' store. */
  readonly name: Key;
  /** How long one message keeps a worker busy, about; default 30. */
  readonly seconds?: number;
  readonly signal?: AbortSignal;
  readonly onDone?: (k: number) => void;
}

/** Messages that wait or run at a time: enough for all workers, few enough for the queue's memory. */
const AHEAD = 4;
const LEAST = 64;
const MOST = 4096;

/**
 * Groups of missing tiles. One tile is computed here for its time: a group then takes about `seconds` of one core, but all
 * workers get some.
 */
export async function groupTiles(
  engine: Engine,
  run: KernelRun,
  workers: number,
  { name, seconds = 30, signal, onDone }: QueuedTilesOptions,
): Promise<TilesMessage[]> {
  const missing = await missingTiles(run);
  const sample = missing.findIndex((k) => run.places[k]!.rows[0] !== run.places[k]!.columns[0]);
  const [first] = missing.splice(Math.max(0, sample), 1);
  if (first === undefined) return [];
  const start = performance.now();
  await makeTile(engine, run, first, signal);
  onDone?.(first);
  const each = (performance.now() - start) / 1000;
  const share = Math.ceil(missing.length / (AHEAD * workers));
  const size = Math.max(1, Math.min(Math.round(seconds / Math.max(each, 1e-3)), share, MOST));
  return Array.from({ length: Math.ceil(missing.length / size) }, (_, i) => ({
    kind: 'tiles' as const,
    run: name,
    tiles: missing.slice(i * size, (i + 1) * size),
  }));
}

/**
 * Has all missing tiles made by workers. A message that fails does not stop the others: the first error is thrown when all are
 * through, and the tiles that are there stay.
 */
export async function queueTiles(
  board: Board,
  engine: Engine,
  run: KernelRun,
  options: QueuedTilesOptions,
): Promise<void> {
  const workers = Math.max(1, await board.workers());
  const groups = await groupTiles(engine, run, workers, options);
  const failures: unknown[] = [];
  const { signal, onDone } = options;
  const lane = async (): Promise<void> => {
    for (let task = groups.shift(); task; task = groups.shift()) {
      signal?.throwIfAborted();
      const { tiles } = task;
      const done = async (): Promise<boolean> => (await missingTiles(run, tiles)).length === 0;
      try {
        await board.run({ task, done }, signal);
      } catch (error) {
        if (signal?.aborted) throw error;
        const left = await missingTiles(run, tiles);
        // The one that ends its workers is found by asking for each alone; the others are not lost with it.
        if (error instanceof StalledError && (tiles.length > 1 || left.length === 0))
          groups.push(...left.map((k) => ({ ...task!, tiles: [k] })));
        else failures.push(named(error, tiles));
      }
      for (const k of tiles) if (await isDone(run, k)) onDone?.(k);
    }
  };
  await Promise.all(Array.from({ length: Math.min(groups.length, Math.max(LEAST, AHEAD * workers)) }, lane));
  if (failures.length > 0) throw failures[0];
}

/** What ended its workers is named. */
function named(error: unknown, tiles: readonly number[]): unknown {
  if (!(error instanceof StalledError)) return error;
  return new StalledError(
    `queue: tile ${tiles.join(', ')} ended its workers five times (out of memory?) and is given up; the others are done. Look at their logs; --resume tries again.`,
  );
}
