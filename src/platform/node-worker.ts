import type { Worker as NodeWorker } from 'node:worker_threads';
import type { Port } from './port.js';

/**
 * Workers run the inlined script, which needs no file that a bundler could have moved. They take no flags of this process:
 * some, such as --input-type, are refused by workers, and the script needs none. A worker that has nothing to do does not
 * keep the process alive.
 */
export function startNodeWorker(Worker: typeof NodeWorker, source: string): Port {
  const worker = new Worker(source, { eval: true, execArgv: [], name: 'infinite-width' });
  let held = false;
  const hold = (alive: boolean): void => {
    held = alive;
    if (alive) worker.ref();
    else worker.unref();
  };
  hold(false);
  return {
    post: (message, transfer = []) => worker.postMessage(message, transfer as ArrayBuffer[]),
    onMessage: (handler) => {
      worker.on('message', handler);
      hold(held); // listening holds the process
    },
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
    hold,
    close: () => void worker.terminate(),
  };
}
