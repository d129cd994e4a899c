import { instantiate } from '@assemblyscript/loader';
import { unpackInlined } from '../platform/inlined.js';
import type { Kernels } from './abi/index.js';
import { chooseVariant, type Variant } from './features.js';
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

/** The module of a variant; it is fetched only here. Needs no support of the variant on this runtime. */
export async function kernelBytes(variant: Variant): Promise<Uint8Array<ArrayBuffer>> {
  const binary = variant === 'simd' ? await import('./binary.simd.js') : await import('./binary.relaxed.js');
  return unpackInlined(binary.default);
}

/** Compiles the chosen variant. `simd` and `relaxed` have the same exports. */
export async function compileKernels(
  wish: Variant | 'auto',
): Promise<{ variant: Variant; module: WebAssembly.Module }> {
  const variant = chooseVariant(wish);
  return { variant, module: await WebAssembly.compile(await kernelBytes(variant)) };
}

export async function createCore({ variant, memoryBytes, module }: CoreOptions): Promise<Core> {
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 65536 });
  const { exports } = await instantiate<Record<string, unknown>>(module, { env: { memory } });
  const kernels = exports as unknown as Kernels;
  return { variant, kernels, heap: new Heap(memory, kernels.heapBase()), memoryBytes };
}
