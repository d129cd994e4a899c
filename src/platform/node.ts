import { availableParallelism, totalmem } from 'node:os';
import { parentPort, Worker } from 'node:worker_threads';
import type { Port } from './port.js';

export const platformName = 'node';

/** Cores this process may use. */
export function cores(): number {
  return availableParallelism();
}

/** Bytes of memory of this machine, or of the part of it this process may use. */
export function machineMemory(): number {
  return Math.min(totalmem(), process.constrainedMemory() || Infinity);
}

/** Starts a worker that runs the job table. */
export function spawnWorker(): Port {
  const worker = new Worker(new URL('../jobs/worker.js', import.meta.url));
  worker.unref();
  return {
    post: (message, transfer = []) => worker.postMessage(message, transfer as ArrayBuffer[]),
    onMessage: (handler) => void worker.on('message', handler),
    onError: (handler) => {
      worker.on('error', handler);
      worker.on('messageerror', handler);
      worker.on('exit', (code) =>
        handler(
          new Error(
            `engine: a worker ended with exit code ${code} while it was in use. If memory ran out, lower memoryBytes or the number of workers; then run again.`,
          ),
        ),
      );
    },
    hold: (alive) => (alive ? worker.ref() : worker.unref()),
    close: () => void worker.terminate(),
  };
}

/** The worker's own end; only inside a worker. */
export function workerPort(): Port {
  const port = parentPort;
  if (!port) throw new TypeError('workerPort: must be called inside a worker');
  return {
    post: (message, transfer = []) => port.postMessage(message, transfer as ArrayBuffer[]),
    onMessage: (handler) => void port.on('message', handler),
    onError: () => {},
    hold: () => {},
    close: () => port.close(),
  };
}
