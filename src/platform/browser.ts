import type { Port } from './port.js';

export const platformName = 'browser';

/** Cores this page may use. */
export function cores(): number {
  return globalThis.navigator?.hardwareConcurrency ?? 1;
}

/** Bytes of memory a page may hope for. Pages are not told what the machine has: more than this none gets. */
export function machineMemory(): number {
  return 2 ** 36;
}

/** Starts a worker that runs the job table. */
export function spawnWorker(): Port {
  const worker = new Worker(new URL('../jobs/worker.js', import.meta.url), { type: 'module' });
  return {
    post: (message, transfer = []) => worker.postMessage(message, transfer as ArrayBuffer[]),
    onMessage: (handler) => worker.addEventListener('message', (event) => handler(event.data)),
    onError: (handler) => {
      worker.addEventListener('error', (event) =>
        handler(new Error(event.message || 'the worker script could not be loaded')),
      );
      worker.addEventListener('messageerror', () =>
        handler(new Error('engine: a message of the worker could not be read. Run the call again.')),
      );
    },
    hold: () => {},
    close: () => worker.terminate(),
  };
}

/** The worker's own end; only inside a worker. */
export function workerPort(): Port {
  const scope = globalThis as unknown as Worker;
  return {
    post: (message, transfer = []) => scope.postMessage(message, transfer as ArrayBuffer[]),
    onMessage: (handler) => scope.addEventListener('message', (event) => handler(event.data)),
    onError: () => {},
    hold: () => {},
    close: () => (globalThis as unknown as { close(): void }).close(),
  };
}
