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
  const { default: base64 } = await import('./binary.js');
  const bytes = await unpackInlined(base64);
  // Both variants, slice by slice (`.ci/build.mjs` says why), behind their lengths and the number of slices.
  const head = new DataView(bytes.buffer);
  const lengths = [head.getUint32(0, true), head.getUint32(4, true)];
  const slices = head.getUint32(8, true);
  const wanted = variant === 'simd' ? 0 : 1;
  const module = new Uint8Array(lengths[wanted]!);
  let from = 12;
  for (let i = 0; i < slices; i++) {
    for (const [which, length] of lengths.entries()) {
      const start = Math.floor((length * i) / slices);
      const end = from + Math.floor((length * (i + 1)) / slices) - start;
      if (which === wanted) module.set(bytes.subarray(from, end), start);
      from = end;
    }
  }
  return module;
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
