// A worker: takes messages from the queue, reads what they name from the store, computes on the threads of an engine, and writes
// results to their place. The queue's client has this thread for itself, so that locks are renewed while jobs compute.
import type { Job, Worker } from 'bullmq';
import { jobs } from '../jobs/table.js';
import { checkMaker, openKernelRun, type KernelRun } from '../store/kernel-run.js';
import { makeTiles, missingTiles } from '../store/kernel-tiles.js';
import { encodeRecord } from '../store/record.js';
import { within, type Key, type Store } from '../store/store.js';
import { toPlainError, type Engine } from '../wasm/engine.js';
import { QUEUE, queueAddress } from './connection.js';
import {
  makerOf,
  parseMessage,
  type JobsMessage,
  type Message,
  type ProductMessage,
  type TilesMessage,
} from './message.js';
import { Objects } from './objects.js';
import { storedProduct } from './product.js';

export interface WorkerOptions {
  readonly queue: string;
  readonly store: Store;
  readonly engine: Engine;
  /** A worker that was not heard of for so long has lost its job; default 30. */
  readonly lockSeconds?: number;
  /** What happens, a line each. */
  readonly onEvent?: (event: WorkerEvent) => void;
}

export interface WorkerEvent {
  readonly what: 'ready' | 'start' | 'done' | 'skip' | 'failed' | 'refused' | 'back' | 'error';
  readonly id?: string;
  readonly detail?: string;
  readonly seconds?: number;
}

/** A message for other versions, variants or kernels: the worker must stop, and others take it. */
export class OtherMaker extends Error {
  override readonly name = 'OtherMaker';
}

/** Messages of jobs of at most so many bytes go through the queue; longer ones are dropped: they are checkpoints of the driver. */
const MESSAGE = 2 ** 18;

/** Starts working. `closed` rejects when the worker must not go on, for example with another version of the package. */
export async function startWorker(
  options: WorkerOptions,
): Promise<{ close(): Promise<void>; readonly closed: Promise<void> }> {
  const { queue, store, engine, lockSeconds = 30, onEvent = () => {} } = options;
  const { bull, options: connection, backend } = await queueAddress(queue);
  const maker = await makerOf(engine.variant);
  const objects = new Objects(store);
  const runs = new Map<Key, Promise<KernelRun>>();
  const stop = new AbortController();
  let end: { resolve: () => void; reject: (error: unknown) => void };
  const closed = new Promise<void>((resolve, reject) => (end = { resolve, reject }));
  closed.catch(() => {});

  const runAt = async (name: Key): Promise<KernelRun> => {
    const opened = runs.get(name) ?? openKernelRun(within(store, name));
    runs.set(name, opened);
    try {
      const run = await opened;
      await checkMaker(run, engine);
      return run;
    } catch (error) {
      runs.delete(name);
      throw error;
    }
  };
  const tiles = async (message: TilesMessage): Promise<void> => {
    const run = await runAt(message.run);
    const beyond = message.tiles.find((k) => k >= run.places.length);
    if (beyond !== undefined)
      throw new RangeError(
        `queue: the run ${message.run} has ${run.places.length} tiles, tile ${beyond} was asked for.`,
      );
    const missing = await missingTiles(run, message.tiles);
    for (const k of message.tiles) if (!missing.includes(k)) onEvent({ what: 'skip', detail: `tile ${k}` });
    await makeTiles(engine, run, missing, {
      signal: stop.signal,
      onStart: (k) => onEvent({ what: 'start', detail: `tile ${k}` }),
      onDone: (k) => onEvent({ what: 'done', detail: `tile ${k}` }),
    });
  };
  const table = async (message: JobsMessage, job: Job): Promise<void> => {
    const todo = [...message.keys.entries()];
    const lane = async (): Promise<void> => {
      for (let item = todo.shift(); item; item = todo.shift()) {
        const [at, key] = item;
        if (await objects.hasResult(key)) continue;
        const params = await objects.params(message.job, key);
        onEvent({ what: 'start', detail: `${message.job} ${key.slice(0, 12)}` });
        const value = await engine.run(jobs.get(message.job)!, params, {
          signal: stop.signal,
          onMessage: (said) => void tell(job, at, said),
        });
        await objects.keepResult(key, value);
        onEvent({ what: 'done', detail: `${message.job} ${key.slice(0, 12)}` });
      }
    };
    await Promise.all(Array.from({ length: Math.max(1, engine.workers) }, lane));
  };
  const product = async (message: ProductMessage): Promise<void> =>
    storedProduct(engine, await runAt(message.run), objects, message, stop.signal);

  const work = async (message: Message, job: Job): Promise<void> => {
    if (message.kind === 'tiles') return tiles(message);
    if (message.kind === 'product') return product(message);
    return table(message, job);
  };
  const process = async (job: Job, token?: string): Promise<{ seconds: number }> => {
    const start = performance.now();
    const back = async (): Promise<never> => {
      await job.moveToDelayed(Date.now() + 500, token);
      throw new bull.DelayedError();
    };
    if (stop.signal.aborted) return back();
    try {
      const message = parseMessage(job.data);
      for (const name of ['version', 'variant', 'wasm'] as const)
        if (message.maker[name] !== maker[name])
          throw new OtherMaker(
            `queue: this worker has ${name} ${maker[name]}, the work is for ${message.maker[name].slice(0, 40)}. Start workers of the same package and --variant.`,
          );
      await work(message, job);
    } catch (error) {
      if (error instanceof OtherMaker) {
        stop.abort(error);
        void close().then(() => end.reject(error));
      }
      if (stop.signal.aborted) return back();
      const plain = toPlainError(error);
      onEvent({
        what: error instanceof TypeError ? 'refused' : 'failed',
        ...idOf(job),
        detail: plain.message.split('\n', 1)[0]!,
      });
      throw new bull.UnrecoverableError(JSON.stringify({ ...plain, stack: undefined }));
    }
    return { seconds: (performance.now() - start) / 1000 };
  };
  const worker: Worker = new bull.Worker(
    QUEUE,
    process,
    {
      ...connection,
      concurrency: 1,
      lockDuration: 1000 * lockSeconds,
      stalledInterval: 500 * lockSeconds,
      maxStalledCount: 5,
      drainDelay: 2,
    },
    ...backend,
  );
  worker.on('error', (error) => onEvent({ what: 'error', detail: error.message }));
  const close = async (): Promise<void> => {
    stop.abort(stop.signal.reason ?? new Error('queue: the worker stops'));
    await worker.close();
  };
  await worker.waitUntilReady();
  onEvent({ what: 'ready' });
  return { close: () => close().then(() => end.resolve()), closed };
}

const idOf = ({ id }: Job): { id?: string } => (id === undefined ? {} : { id });

/** Passes on what a running job says. */
async function tell(job: Job, at: number, said: unknown): Promise<void> {
  const bytes = await encodeRecord(said);
  if (bytes.length > MESSAGE) return;
  await job.updateProgress({ at, record: Buffer.from(bytes).toString('base64') }).catch(() => {});
}
