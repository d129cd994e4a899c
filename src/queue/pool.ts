// A pool whose workers are other processes, on any machines: the jobs of an engine go through the queue, their arrays and
// results through the store.
import { openStore } from '../store/open.js';
import type { Store } from '../store/store.js';
import { type JobPool, type RunOptions, type Variant } from '../wasm/engine.js';
import { Board, StalledError } from './board.js';
import { makerOf } from './message.js';
import { Objects } from './objects.js';
import { decodeRecord } from '../store/record.js';

export interface QueuePoolOptions {
  /** `redis(s)://...` or `postgres://...`. */
  readonly queue: string;
  /** Folder or `s3://bucket/prefix` that workers reach too. */
  readonly store: string | Store;
  readonly variant?: Variant;
  /** Expected number of workers; default: those that are there when a call begins. */
  readonly workers?: number;
  /** How long one message keeps a worker busy, about; default 30. */
  readonly seconds?: number;
  readonly priority?: number;
  readonly pollSeconds?: number;
}

/** Linear algebra of the driver: too short to travel. */
const NEAR = /^(math|predict)\//;
/** Jobs whose results serve for a moment: nobody resumes from them. */
const PASSING = new Set(['kernel/multiply']);
/** Jobs that wait or run at a time, for each worker. */
const AHEAD = 2;

/**
 * A pool for `createEngine({ pool })`: everything that runs as jobs then runs on the workers of `infinite-width work`, with the
 * same bits. Results stay in the store under the name of their content, so that a call that is made again does not compute them
 * again.
 *
 *     const pool = await queuePool({ queue: 'redis://localhost:6379', store: '/shared/store' });
 *     await using engine = await createEngine({ pool, variant: 'simd' });
 *     const k = await kernel(engine, net, x);
 */
export async function queuePool(options: QueuePoolOptions): Promise<JobPool> {
  const { seconds = 30, variant = 'simd', priority, pollSeconds } = options;
  const store = typeof options.store === 'string' ? await openStore(options.store) : options.store;
  const objects = new Objects(store);
  const board = await Board.open(options.queue, {
    maker: await makerOf(variant),
    ...(priority === undefined ? {} : { priority }),
    ...(pollSeconds === undefined ? {} : { pollSeconds }),
  });
  const workers = Math.max(1, options.workers ?? (await board.workers()));

  const map = async (job: string, list: readonly unknown[], run: RunOptions): Promise<unknown[]> => {
    const results = new Array<unknown>(list.length);
    const stop = new AbortController();
    const signal = run.signal ? AbortSignal.any([run.signal, stop.signal]) : stop.signal;
    let [next, done] = [0, 0];
    let each = null as number | null; // seconds of one job
    const finished = (index: number, value: unknown): void => {
      results[index] = value;
      run.onDone?.(++done, list.length);
    };
    /** So many jobs that a worker is busy for the time wanted, and that all workers have some. */
    const size = (): number => {
      if (each === null) return 1;
      const share = Math.ceil((list.length - next) / (AHEAD * workers));
      return Math.max(1, Math.min(Math.round(seconds / Math.max(each, 1e-3)), share, 1000));
    };
    const lane = async (): Promise<void> => {
      while (next < list.length) {
        signal.throwIfAborted();
        const from = next;
        const to = Math.min(list.length, from + size());
        next = to;
        const keys: string[] = [];
        for (let i = from; i < to; i++) keys.push(await objects.put(job, list[i]));
        const missing: number[] = [];
        for (const [i, key] of keys.entries()) if (!(await objects.hasResult(key))) missing.push(i);
        if (missing.length > 0) {
          const wanted = missing.map((i) => keys[i]!);
          const took = await alone(missing.length, () =>
            board.run(
              {
                task: { kind: 'jobs', job, keys: wanted },
                done: async () =>
                  (await Promise.all(wanted.map((key) => objects.hasResult(key)))).every(Boolean),
                onMessage: (said) =>
                  void heard(said, (at, value) => run.onMessage?.(value, from + missing[at]!)),
              },
              signal,
            ),
          );
          if (took.seconds !== null) each = took.seconds / missing.length;
        }
        for (const [i, key] of keys.entries()) finished(from + i, await taken(key, job, list[from + i]));
      }
    };
    /** A message of several jobs that ended its workers: each of them is asked for alone, below. */
    const alone = (
      count: number,
      work: () => Promise<{ seconds: number | null }>,
    ): Promise<{ seconds: number | null }> =>
      work().catch((error: unknown) => {
        if (error instanceof StalledError && count > 1) return { seconds: null };
        throw error;
      });
    /** The result of a key; made again where it was damaged. */
    const taken = async (key: string, job: string, params: unknown): Promise<unknown> => {
      for (let turn = 0; turn < 3; turn++) {
        const found = await objects.result(key);
        if (found) {
          if (PASSING.has(job)) await objects.forget(key);
          return found.value;
        }
        await objects.put(job, params);
        await board.run(
          { task: { kind: 'jobs', job, keys: [key] }, done: () => objects.hasResult(key) },
          signal,
        );
      }
      throw new Error(`queue: the result ${key} was damaged three times. Is the store sound?`);
    };
    try {
      await Promise.all(Array.from({ length: Math.min(list.length, AHEAD * workers) }, lane));
    } catch (error) {
      stop.abort(error); // one failure makes the rest useless
      throw error;
    }
    return results;
  };
  return { workers, takes: (job) => !NEAR.test(job), map, close: () => void board.close() };
}

/** A message of a running job: its place in the list of keys, and a record. */
async function heard(said: unknown, tell: (at: number, value: unknown) => void): Promise<void> {
  const { at, record } = said as { at?: number; record?: string };
  if (typeof at !== 'number' || typeof record !== 'string') return;
  const value = await decodeRecord(Uint8Array.from(Buffer.from(record, 'base64'))).catch(() => undefined);
  if (value !== undefined) tell(at, value);
}
