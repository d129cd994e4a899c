import { startBrowserWorker } from './browser-worker.js';
import { builtin } from './builtin.js';
import { unpackInlined } from './inlined.js';
import { startNodeWorker } from './node-worker.js';
import type { Port } from './port.js';

/** Gets what workers need; a function that starts one running the job table at each call, null where there are none. */
export async function workerStarter(): Promise<(() => Port) | null> {
  const threads = builtin('node:worker_threads');
  if (threads?.Worker) {
    const source = await workerScript();
    return () => startNodeWorker(threads.Worker, source);
  }
  return typeof Worker === 'undefined' ? null : () => startBrowserWorker(workerScript);
}

/** `jobs/worker.js` and all it needs, as one classic script. */
async function workerScript(): Promise<string> {
  const { default: base64 } = await import('./worker.binary.js');
  return new TextDecoder().decode(await unpackInlined(base64));
}
