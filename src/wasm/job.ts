import type { Fields } from './options.js';
import type { Core } from './core.js';

/** What a running job may use beside its parameters. */
export interface JobContext {
  /** Sends an intermediate value to the caller's `onMessage`. */
  send(message: unknown): void;
  /** The caller's, where the job runs on the calling thread. A worker is replaced instead. */
  readonly signal?: AbortSignal | undefined;
  /**
   * To be awaited in long loops. On the calling thread it lets timers, input and aborts through every 30 ms and rejects
   * once the signal is aborted; in a worker it does nothing.
   */
  breathe(): Promise<void> | undefined;
}

/** A `breathe` for the thread it is called on. */
export function breather(signal?: AbortSignal): () => Promise<void> | undefined {
  let last = performance.now();
  return () => {
    signal?.throwIfAborted();
    if (performance.now() - last < 30) return undefined;
    return new Promise<void>((resolve) => setTimeout(resolve)).then(() => {
      last = performance.now();
      signal?.throwIfAborted();
    });
  };
}

/** Runs a generator to its end, breathing at every value it yields. */
export async function drain<R>(work: Generator<void, R>, breathe: JobContext['breathe']): Promise<R> {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
    try {
      await breathe();
    } catch (error) {
      work.return(undefined as never); // its memory is freed
      throw error;
    }
  }
}

/** The same at once. */
export function drainNow<R>(work: Generator<void, R>): R {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/**
 * A named pure function of plain data (JSON values and typed arrays), the only unit of parallelism. The same
 * parameters give the same bits whichever worker runs it. Every job must be listed in jobs/table.ts.
 */
export interface Job<P, R> {
  readonly name: string;
  readonly run: (core: Core, params: P, context: JobContext) => R | Promise<R>;
  /** Parameters for which it must run on the calling thread: they name functions that workers do not have. */
  readonly stays?: ((params: P) => boolean) | undefined;
}

export function defineJob<P, R>(name: string, run: Job<P, R>['run'], stays?: Job<P, R>['stays']): Job<P, R> {
  return { name, run, stays };
}

export interface RunOptions {
  /** Aborting rejects with the signal's reason and stops the work at once. */
  readonly signal?: AbortSignal | undefined;
  /** Values a job sends while it runs; `index` is its place in the list given to `map`. */
  readonly onMessage?: ((message: unknown, index: number) => void) | undefined;
  /** Called in completion order as results arrive. */
  readonly onDone?: ((done: number, total: number) => void) | undefined;
}

/** @internal */
export const RUN_OPTIONS: Fields<RunOptions> = { signal: true, onMessage: true, onDone: true };

/** A job of unknown parameters, as tables hold it. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyJob = Job<any, any>;
