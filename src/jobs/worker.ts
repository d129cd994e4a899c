// What runs inside a worker: one core, one job at a time.
import { workerPort } from '../platform/worker-port.js';
import { createCore, type Core } from '../wasm/core.js';
import { toPlainError } from '../wasm/errors.js';
import type { FromWorker, ToWorker } from '../wasm/pool.js';
import { jobs } from './table.js';

const port = workerPort();
let core: Promise<Core> | null = null;

port.onMessage((message) => {
  const order = message as ToWorker;
  if (order.type === 'start') {
    core = createCore(order);
    core.catch(() => {}); // reported by the first job
  } else void run(order.job, order.params);
});
port.post({ type: 'ready' } satisfies FromWorker); // the script could be loaded

async function run(name: string, params: unknown): Promise<void> {
  const send = (message: FromWorker, transfer: ArrayBuffer[] = []): void => port.post(message, transfer);
  try {
    const job = jobs.get(name);
    if (!job || !core) throw new TypeError(`worker: unknown job '${name}'. List it in jobs/table.ts.`);
    const value = await job.run(await core, params, {
      send: (message) => send({ type: 'message', value: message }),
      breathe: () => undefined,
    });
    send({ type: 'done', value }, buffersOf(value));
  } catch (error) {
    send({ type: 'failed', error: toPlainError(error) });
  }
}

/** The buffers of a result, which the worker hands over instead of copying; not empty ones, which may be constants used again. */
function buffersOf(result: unknown): ArrayBuffer[] {
  const found = new Set<ArrayBuffer>();
  const visit = (value: unknown): void => {
    if (ArrayBuffer.isView(value)) {
      if (value.buffer instanceof ArrayBuffer && value.buffer.byteLength > 0) found.add(value.buffer);
    } else if (value && typeof value === 'object') for (const item of Object.values(value)) visit(item);
  };
  visit(result);
  return [...found];
}
