// The driver's side of the queue: asks for work and waits until it is done. What is done is known from the store; the queue only
// says it sooner. Work that the queue has lost is asked for again.
import type { Job, Queue, QueueEvents } from 'bullmq';
import { fromPlainError, type PlainError } from '../wasm/engine.js';
import { QUEUE, queueAddress } from './connection.js';
import { idOf, type Maker, type Message, type Task } from './message.js';

/** Bytes of a message at most. */
const LARGEST = 2 ** 20;

export interface Request {
  readonly task: Task;
  /** Whether all of it is in the store. */
  done(): Promise<boolean>;
  /** What a running worker says. */
  readonly onMessage?: ((message: unknown) => void) | undefined;
}

interface Waiting extends Request {
  readonly message: Message;
  readonly resolve: (found: { readonly seconds: number | null }) => void;
  readonly reject: (error: unknown) => void;
}

export interface BoardOptions {
  readonly maker: Maker;
  /** Lower numbers first; 0 (default): before all numbers. */
  readonly priority?: number;
  /** Between two looks at what is waited for. */
  readonly pollSeconds?: number;
}

export class Board {
  readonly name: string;
  readonly #queue: Queue;
  readonly #events: QueueEvents;
  readonly #options: BoardOptions;
  readonly #waiting = new Map<string, Waiting>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  private constructor(name: string, queue: Queue, events: QueueEvents, options: BoardOptions) {
    this.name = name;
    this.#queue = queue;
    this.#events = events;
    this.#options = options;
    events.on('completed', ({ jobId, returnvalue }) => this.#settle(jobId, returnvalue));
    events.on('failed', ({ jobId, failedReason }) => this.#fail(jobId, failedReason));
    events.on('progress', ({ jobId, data }) => this.#waiting.get(jobId)?.onMessage?.(data));
    this.#poll();
  }

  static async open(address: string, options: BoardOptions): Promise<Board> {
    const { shown, bull, options: connection, backend } = await queueAddress(address);
    const queue = new bull.Queue(QUEUE, connection, ...backend);
    const events = new bull.QueueEvents(QUEUE, connection, ...backend);
    // Connections come back by themselves; what was missed meanwhile is found by looking.
    queue.on('error', () => {});
    events.on('error', () => {});
    await Promise.all([queue.waitUntilReady(), events.waitUntilReady()]);
    return new Board(shown, queue, events, options);
  }

  /** How many workers wait for work or do it. */
  workers(): Promise<number> {
    return this.#queue.getWorkersCount();
  }

  counts(): Promise<Record<string, number>> {
    return this.#queue.getJobCounts('waiting', 'prioritized', 'active', 'delayed', 'failed');
  }

  /** What failed and why, newest first. */
  async failures(
    most = 20,
  ): Promise<{ readonly id: string; readonly data: unknown; readonly reason: string }[]> {
    const list = await this.#queue.getFailed(0, most - 1);
    return list.map(({ id, data, failedReason }) => ({
      id: id!,
      data: data as unknown,
      reason: reasonOf(failedReason),
    }));
  }

  /** Takes back messages that nobody has begun; returns how many. */
  async cancel(which: (task: Task) => boolean): Promise<number> {
    let gone = 0;
    for (const job of await this.#queue.getJobs(['waiting', 'prioritized', 'delayed'])) {
      if (!which(job.data as Task)) continue;
      await job.remove().catch(() => gone--); // begun meanwhile
      gone++;
    }
    return gone;
  }

  /** Adds work without waiting for it. */
  async ask(task: Task): Promise<void> {
    await this.#add({ ...task, maker: this.#options.maker });
  }

  /** Resolves when the work is done; rejects with the worker's error. Aborting takes it back if nobody has begun it. */
  async run(request: Request, signal?: AbortSignal): Promise<{ readonly seconds: number | null }> {
    signal?.throwIfAborted();
    const message: Message = { ...request.task, maker: this.#options.maker };
    const id = idOf(message);
    const done = new Promise<{ readonly seconds: number | null }>((resolve, reject) => {
      this.#waiting.set(id, { ...request, message, resolve, reject });
    });
    done.catch(() => {}); // whoever awaits it hears it below
    const abort = (): void => {
      this.#waiting.get(id)?.reject(signal!.reason);
      this.#waiting.delete(id);
      void this.#queue.remove(id).catch(() => {});
    };
    signal?.addEventListener('abort', abort);
    try {
      // Where the server is away for a while, the next look adds it.
      await this.#add(message).catch((error: unknown) => {
        if (!isAway(error)) throw error;
      });
      return await done;
    } finally {
      signal?.removeEventListener('abort', abort);
      this.#waiting.delete(id);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const { reject } of this.#waiting.values())
      reject(new Error('queue: closed while work was waited for'));
    await Promise.allSettled([this.#events.close(), this.#queue.close()]);
  }

  async #add(message: Message): Promise<void> {
    const id = idOf(message);
    // A job that failed keeps its name, and adding it again would do nothing.
    const before = await this.#queue.getJob(id);
    if (before && (await before.isFailed())) await before.remove().catch(() => {});
    await this.#queue.add(message.kind, message, {
      jobId: id,
      removeOnComplete: true,
      removeOnFail: { count: 1000 },
      sizeLimit: LARGEST,
      ...(this.#options.priority ? { priority: this.#options.priority } : {}),
    });
  }

  #settle(id: string, value: unknown): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    const { seconds } = (typeof value === 'string' ? JSON.parse(value) : value) as { seconds?: number };
    waiting.resolve({ seconds: seconds ?? null });
  }

  #fail(id: string, reason: string): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.reject(errorOf(reason, id));
  }

  #poll(): void {
    this.#timer = setTimeout(
      () => void this.#look().finally(() => !this.#closed && this.#poll()),
      1000 * (this.#options.pollSeconds ?? 5),
    );
  }

  async #look(): Promise<void> {
    for (const [id, waiting] of this.#waiting) {
      if (this.#closed) return;
      const state = await this.#queue.getJobState(id).catch(() => null);
      if (state === null) return; // not reachable now
      if (state === 'failed') {
        const job = (await this.#queue.getJob(id).catch(() => undefined)) as Job | undefined;
        if (job) this.#fail(id, job.failedReason);
      } else if (state === 'unknown' || state === 'completed') {
        if (await waiting.done().catch(() => false)) {
          this.#waiting.delete(id);
          waiting.resolve({ seconds: null });
        } else if (this.#waiting.has(id)) await this.#add(waiting.message).catch(() => {});
      }
    }
  }
}

/** Whether an error says that the server cannot be reached now. */
function isAway(error: unknown): boolean {
  const { code = '', message } = error as NodeJS.ErrnoException;
  // 57P01 to 57P03: Postgres stops or starts.
  return (
    /^(E(CONN|PIPE|TIMEDOUT|HOST|NET|AI_AGAIN)|57P0|08)/.test(code) || /connection|terminat/i.test(message)
  );
}

/** A message whose workers ended again and again while they had it. */
export class StalledError extends Error {
  override readonly name = 'StalledError';
}

/** The words of a failure for people. */
export const reasonOf = (reason: string): string => {
  try {
    return (JSON.parse(reason) as PlainError).message;
  } catch {
    return reason;
  }
};

/** The error of a worker as it was thrown there. */
function errorOf(reason: string, id: string): Error {
  if (/stalled more than/.test(reason))
    return new StalledError(
      `queue: ${id} ended its workers five times (out of memory?) and is given up. Look at their logs; --resume tries again.`,
    );
  try {
    return fromPlainError(JSON.parse(reason) as PlainError);
  } catch {
    return new Error(reason);
  }
}
