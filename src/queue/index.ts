export { queuePool, type QueuePoolOptions } from './pool.js';
export { startWorker, type WorkerEvent, type WorkerOptions } from './worker.js';
export { openStore } from '../store/open.js';
export { StoreError } from '../store/errors.js';
export type { Key, Store } from '../store/store.js';
export { createArray, openArray, type ArrayPlan, type StoredArray } from '../store/zarr.js';
