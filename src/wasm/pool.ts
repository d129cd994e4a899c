import type { Port } from '../platform/port.js';
import { fromPlainError, type PlainError } from './errors.js';
import type { RunOptions } from './job.js';

/** What main thread and worker say to each other. */
export type ToWorker =
  | {
      readonly type: 'start';
      readonly module: WebAssembly.Module;
      readonly variant: 'simd' | 'relaxed';
      readonly memoryBytes: number;
    }
  | { readonly type: 'run'; readonly job: string; readonly params: unknown };
export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'message'; readonly value: unknown }
  | { readonly type: 'done'; readonly value: unknown }
  | { readonly type: 'failed'; readonly error: PlainError };

interface Task {
  readonly job: string;
  readonly params: unknown;
  readonly onMessage: (value: unknown) => void;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

interface Slot {
  /** null once its worker has ended: the next task starts another, so that one that cannot start is not started for ever. */
  port: Port | null;
  task: Task | null;
}

/** What runs named jobs for an engine. The same parameters must give the same bits wherever they run. */
export interface JobPool {
  /** Jobs that run at a time. */
  readonly workers: number;
  /** Whether it takes jobs of this name; default: all. */
  takes?(job: string): boolean;
  /** Runs `job` once per entry of `list`; results keep the order of `list`. */
  map(job: string, list: readonly unknown[], options: RunOptions): Promise<unknown[]>;
  close(): void;
}

/** A fixed number of workers and a queue. A cancelled task's worker is replaced, so cancelling is immediate. */
export class Pool implements JobPool {
  readonly workers: number;
  readonly #slots: Slot[] = [];
  readonly #queue: Task[] = [];
  readonly #spawn: () => Port;
  readonly #start: ToWorker;
  #closed = false;

  constructor(size: number, spawn: () => Port, start: Extract<ToWorker, { type: 'start' }>) {
    this.workers = size;
    this.#spawn = spawn;
    this.#start = start;
    for (let i = 0; i < size; i++) {
      const slot: Slot = { port: null, task: null };
      this.#open(slot);
      this.#slots.push(slot);
    }
  }

  /** Runs `job` once per entry of `list`; results keep the order of `list`. */
  async map(
    job: string,
    list: readonly unknown[],
    { signal, onMessage, onDone }: RunOptions,
  ): Promise<unknown[]> {
    signal?.throwIfAborted();
    const tasks: Task[] = [];
    let done = 0;
    const all = list.map(
      (params, index) =>
        new Promise<unknown>((resolve, reject) => {
          const task: Task = {
            job,
            params,
            onMessage: (value) => onMessage?.(value, index),
            resolve: (value) => {
              onDone?.(++done, list.length);
              resolve(value);
            },
            reject,
          };
          tasks.push(task);
          this.#queue.push(task);
        }),
    );
    const abort = (): void => this.#cancel(tasks, signal?.reason);
    signal?.addEventListener('abort', abort);
    this.#next();
    try {
      return await Promise.all(all);
    } catch (error) {
      this.#cancel(tasks, error); // one failure makes the rest useless
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  close(): void {
    this.#closed = true;
    const error = new Error('engine: disposed while jobs were running');
    for (const task of this.#queue.splice(0)) task.reject(error);
    for (const slot of this.#slots) {
      slot.task?.reject(error);
      slot.task = null;
      slot.port?.close();
    }
  }

  #open(slot: Slot): Port {
    const port = this.#spawn();
    slot.port = port;
    port.onMessage((message) => slot.port === port && this.#receive(slot, message as FromWorker));
    port.onError((error) => {
      if (slot.port !== port) return;
      const task = slot.task;
      slot.task = null;
      slot.port = null;
      task?.reject(error);
      this.#next();
    });
    port.post(this.#start);
    return port;
  }

  #receive(slot: Slot, message: FromWorker): void {
    const task = slot.task;
    if (!task || message.type === 'ready') return;
    if (message.type === 'message') return task.onMessage(message.value);
    slot.task = null;
    slot.port?.hold(false);
    if (message.type === 'done') task.resolve(message.value);
    else task.reject(fromPlainError(message.error));
    this.#next();
  }

  #next(): void {
    for (const slot of this.#slots) {
      if (slot.task || this.#closed) continue;
      const task = this.#queue.shift();
      if (!task) return;
      slot.task = task;
      try {
        const port = slot.port ?? this.#open(slot);
        port.hold(true);
        port.post({ type: 'run', job: task.job, params: task.params } satisfies ToWorker);
      } catch (error) {
        slot.task = null;
        slot.port?.hold(false);
        task.reject(error);
      }
    }
  }

  #cancel(tasks: readonly Task[], reason: unknown): void {
    const gone = new Set(tasks);
    for (let i = this.#queue.length - 1; i >= 0; i--) {
      if (gone.has(this.#queue[i]!)) this.#queue.splice(i, 1)[0]!.reject(reason);
    }
    for (const slot of this.#slots) {
      if (!slot.task || !gone.has(slot.task)) continue;
      slot.task.reject(reason);
      slot.task = null;
      slot.port?.close();
      slot.port = null;
    }
    this.#next();
  }
}
