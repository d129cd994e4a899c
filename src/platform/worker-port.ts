import { builtin } from './builtin.js';
import type { Port } from './port.js';

/** The worker's own end; only inside a worker. */
export function workerPort(): Pick<Port, 'post' | 'onMessage'> {
  const port = builtin('node:worker_threads')?.parentPort;
  if (port) {
    return {
      post: (message, transfer = []) => port.postMessage(message, transfer as ArrayBuffer[]),
      onMessage: (handler) => void port.on('message', handler),
    };
  }
  const scope = globalThis as unknown as Worker;
  return {
    post: (message, transfer = []) => scope.postMessage(message, transfer as ArrayBuffer[]),
    onMessage: (handler) => scope.addEventListener('message', (event) => handler(event.data)),
  };
}
