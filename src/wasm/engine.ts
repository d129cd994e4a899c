// The face of wasm/: everything outside this folder imports from here only.
import { cores } from '../platform/machine.js';
import { workerStarter } from '../platform/worker-start.js';
import type { Port } from '../platform/port.js';
import { compileKernels } from './binaries.js';
import { createCore, type Core } from './core.js';
import { UnsupportedError } from './errors.js';
import type { Variant } from './features.js';
import { breather, type Job, type JobContext, type RunOptions } from './job.js';
import { knownFields, type Fields } from './options.js';
import { Pool, type JobPool } from './pool.js';

export type { Core } from './core.js';
export type { Kernels } from './abi/index.js';
export { kernelBytes } from './binaries.js';
export { supportedVariants, type Variant } from './features.js';
export {
  bytesPerElement,
  dtypeOf,
  Heap,
  Region,
  slice,
  type Allocator,
  type DType,
  type DTypes,
  type FloatType,
  type Ptr,
  type Ticket,
} from './heap.js';
export {
  breather,
  defineJob,
  drain,
  drainNow,
  RUN_OPTIONS,
  type AnyJob,
  type Job,
  type JobContext,
  type RunOptions,
} from './job.js';
export {
  fromPlainError,
  NumericalError,
  toPlainError,
  UnsupportedError,
  type NumericalDetails,
  type PlainError,
} from './errors.js';
export type { JobPool } from './pool.js';
export {
  kindOf,
  knownFields,
  knownWord,
  meant,
  nearest,
  onlyFields,
  wholeNumber,
  type Fields,
} from './options.js';

export interface EngineOptions {
  /** `simd`: equal bits everywhere. `relaxed`: fused multiply-add, faster. `auto` (default): the fastest here. */
  readonly variant?: Variant | 'auto';
  /** Workers of the pool; 0 (default) runs everything inline; `'auto'`: one per core. Results do not depend on it. */
  readonly workers?: number | 'auto';
  /** Bytes one operation may use before it tiles; default 1 GiB. */
  readonly memoryBytes?: number;
  /**
   * A compiled module, for hosts that take imported modules only and compile no bytes. `infinite-width kernels --out
   * simd.wasm` writes the file to import; with `--variant relaxed`, say `variant: 'relaxed'` here too.
   */
  readonly wasm?: WebAssembly.Module;
  /**
   * Workers elsewhere, such as `queuePool` of 'infinite-width/cluster': they run the jobs that the pool takes, with the same
   * bits; the others run here, on `workers`. The engine closes it when it is disposed.
   */
  readonly pool?: JobPool;
}

/** Compiled kernels, their memory and a worker pool. Make one, use it for everything, `dispose()` it. */
export interface Engine extends Core {
  readonly workers: number;
  /** Runs a job on a worker, or inline when there are none. */
  run<P, R>(job: Job<P, R>, params: P, options?: RunOptions): Promise<R>;
  /** Runs a job once per entry, in parallel; results in the order of `list`, bit-equal for any number of workers. */
  map<P, R>(job: Job<P, R>, list: readonly P[], options?: RunOptions): Promise<R[]>;
  /** Ends the workers; afterwards every call that needs the engine is refused. */
  dispose(): void;
  [Symbol.dispose](): void;
  [Symbol.asyncDispose](): Promise<void>;
}

const ENGINE_OPTIONS: Fields<EngineOptions> = {
  variant: true,
  workers: true,
  memoryBytes: true,
  wasm: true,
  pool: true,
};

/** Compiles the kernels and starts the workers. Throws `UnsupportedError` without WebAssembly SIMD. */
export async function createEngine(options: EngineOptions = {}): Promise<Engine> {
  knownFields('createEngine', options, ENGINE_OPTIONS);
  const workers = workerCount(options.workers ?? 0);
  const memoryBytes = positive('memoryBytes', options.memoryBytes ?? 2 ** 30);
  const { variant, module } = options.wasm
    ? {
        variant: options.variant === 'relaxed' ? ('relaxed' as const) : ('simd' as const),
        module: options.wasm,
      }
    : await compileKernels(options.variant ?? 'auto');
  const core = await createCore({ variant, memoryBytes, module });
  const far = options.pool;
  const near =
    workers > 0 ? new Pool(workers, await spawner(), { type: 'start', module, variant, memoryBytes }) : null;

  const map = async <P, R>(job: Job<P, R>, list: readonly P[], run: RunOptions = {}): Promise<R[]> => {
    core.heap.assertOpen();
    const pool = far?.takes?.(job.name) === false ? near : (far ?? near);
    return pool && !list.some((params) => job.stays?.(params))
      ? ((await pool.map(job.name, list, run)) as R[])
      : inline(core, job, list, run);
  };
  const dispose = (): void => {
    core.heap.close();
    near?.close();
    far?.close();
  };
  return {
    ...core,
    workers: Math.max(workers, far?.workers ?? 0),
    map,
    run: async (job, params, run) => (await map(job, [params], run))[0]!,
    dispose,
    [Symbol.dispose]: dispose,
    [Symbol.asyncDispose]: async () => dispose(),
  };
}

async function inline<P, R>(
  core: Core,
  job: Job<P, R>,
  list: readonly P[],
  options: RunOptions,
): Promise<R[]> {
  const results: R[] = [];
  const { signal } = options;
  const breathe = breather(signal);
  for (const [index, params] of list.entries()) {
    signal?.throwIfAborted();
    const context: JobContext = {
      send: (message) => options.onMessage?.(message, index),
      signal,
      breathe,
    };
    results.push(await job.run(core, params, context));
    options.onDone?.(index + 1, list.length);
    if (index + 1 < list.length) await breathe();
  }
  return results;
}

async function spawner(): Promise<() => Port> {
  const spawn = await workerStarter();
  if (spawn) return spawn;
  throw new UnsupportedError(
    'Worker',
    'Use createEngine({ workers: 0 }), the default, which computes on the calling thread.',
  );
}

function workerCount(workers: number | 'auto'): number {
  if (workers === 'auto') return cores();
  if (!Number.isInteger(workers) || workers < 0 || workers > 256) {
    throw new RangeError(
      `createEngine: workers must be 'auto' or a whole number from 0 to 256, got ${workers}`,
    );
  }
  return workers;
}

function positive(name: string, value: number): number {
  if (!(value > 0) || !Number.isFinite(value))
    throw new RangeError(`createEngine: ${name} must be positive, got ${value}`);
  return value;
}
