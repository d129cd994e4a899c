import type { Port } from './port.js';

const CANNOT_START =
  'engine: the worker script could not be loaded. Serve the package so that jobs/worker.js beside it can be fetched, allow ' +
  '`worker-src blob:` in the content security policy, or use createEngine({ workers: 0 }).';

/** Set when the file of the worker could not be loaded: the next workers begin with the inlined script. */
let fileFails = false;

/**
 * A worker from its own file, which bundlers see and a strict content security policy allows. Where that file is not there
 * (one-file bundles, some development servers), from the inlined script. Messages wait until one of the two has said that
 * it runs, because what is posted to a script that cannot be loaded is lost.
 */
class BrowserWorker implements Port {
  #worker: Worker | null = null;
  #waiting: (readonly [unknown, readonly ArrayBuffer[]])[] | null = [];
  #closed = false;
  #message: (message: unknown) => void = () => {};
  #error: (error: Error) => void = () => {};

  readonly #script: () => Promise<string>;

  constructor(script: () => Promise<string>) {
    this.#script = script;
    if (fileFails) void this.#startInlined();
    else {
      try {
        const worker = new Worker(new URL('../jobs/worker.js', import.meta.url), { type: 'module' });
        this.#adopt(worker, () => this.#startInlined());
      } catch {
        void this.#startInlined(); // another origin, or no such file in this bundle
      }
    }
  }

  post(message: unknown, transfer: readonly ArrayBuffer[] = []): void {
    if (this.#waiting) this.#waiting.push([message, transfer]);
    else this.#worker!.postMessage(message, transfer as ArrayBuffer[]);
  }

  onMessage(handler: (message: unknown) => void): void {
    this.#message = handler;
  }

  onError(handler: (error: Error) => void): void {
    this.#error = handler;
  }

  hold(): void {}

  close(): void {
    this.#closed = true;
    this.#worker?.terminate();
  }

  async #startInlined(): Promise<void> {
    fileFails = true;
    this.#worker?.terminate();
    this.#worker = null;
    try {
      const script = new Blob([await this.#script()], { type: 'text/javascript' });
      if (this.#closed) return;
      const url = URL.createObjectURL(script);
      this.#adopt(
        new Worker(url),
        (message) => this.#error(new Error(`${CANNOT_START} (${message})`)),
        () => URL.revokeObjectURL(url),
      );
    } catch (error) {
      this.#error(new Error(`${CANNOT_START} (${String(error)})`));
    }
  }

  #adopt(worker: Worker, onFailure: (message: string) => void, onRunning: () => void = () => {}): void {
    this.#worker = worker;
    worker.addEventListener('error', (event) => {
      if (worker !== this.#worker) return;
      if (this.#waiting) onFailure(event.message || 'no message');
      else this.#error(new Error(event.message || 'the worker failed'));
    });
    worker.addEventListener('messageerror', () =>
      this.#error(new Error('engine: a message of the worker could not be read. Run the call again.')),
    );
    worker.addEventListener('message', (event) => {
      if (worker !== this.#worker) return;
      if (!this.#waiting) return this.#message(event.data);
      onRunning();
      const waiting = this.#waiting;
      this.#waiting = null;
      for (const [message, transfer] of waiting) worker.postMessage(message, transfer as ArrayBuffer[]);
    });
  }
}

/** Starts a worker; `script` gives the inlined one where its own file cannot be loaded. */
export function startBrowserWorker(script: () => Promise<string>): Port {
  return new BrowserWorker(script);
}
