import { instantiate } from '../vendor/assemblyscript-loader.js';
import type { Kernels } from './abi/index.js';
import type { Variant } from './features.js';
import { Heap } from './heap.js';

/** One instance of the kernels with its own memory: what a job runs on, in a worker or inline. */
export interface Core {
  readonly variant: Variant;
  readonly kernels: Kernels;
  readonly heap: Heap;
  /** Bytes a single operation may use before it has to tile. */
  readonly memoryBytes: number;
}

export interface CoreOptions {
  readonly variant: Variant;
  readonly memoryBytes: number;
  readonly module: WebAssembly.Module;
}

export async function createCore({ variant, memoryBytes, module }: CoreOptions): Promise<Core> {
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 65536 });
  const { exports } = await instantiate<Record<string, unknown>>(module, { env: { memory } });
  const kernels = exports as unknown as Kernels;
  return { variant, kernels, heap: new Heap(memory, kernels.heapBase()), memoryBytes };
}
