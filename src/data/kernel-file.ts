// Kernels in files with where they come from: `.npz` with nngp, ntk and the JSON member meta, as the verb `kernel` writes.
import type { KernelResult } from '../kernel/index.js';
import type { Tensor } from '../math/tensor.js';
import { toJson, type LayerDocument, type NetDocument } from '../net/index.js';
import { version } from '../version.js';
import { readNpz, writeNpz } from './npz.js';
import { knownFields } from '../wasm/engine.js';

/** What a kernel file says of itself. */
export interface KernelProvenance {
  readonly net: LayerDocument;
  readonly variant: string;
  readonly dtype: string;
  readonly version: string;
  readonly seconds?: number;
}

export interface SavedKernel extends Partial<KernelResult> {
  readonly meta: KernelProvenance;
}

/** The bytes of an `.npz` with kernels and their provenance; `meta` adds fields of the caller, such as seconds. */
export function saveKernel(
  result: Partial<KernelResult>,
  {
    net,
    variant,
    ...meta
  }: { readonly net: NetDocument; readonly variant: string; readonly [field: string]: unknown },
): Promise<Uint8Array<ArrayBuffer>> {
  const arrays = Object.fromEntries(Object.entries(result).filter(([, array]) => array)) as Record<
    string,
    Tensor
  >;
  const [first] = Object.values(arrays);
  if (!first) throw new RangeError('saveKernel: expected nngp, ntk or both, got neither.');
  const dtype = first.data instanceof Float32Array ? 'f32' : 'f64';
  return writeNpz(arrays, { ...meta, net: toJson(net), variant, dtype, version });
}

/**
 * Kernels from such a file. RangeError when it is damaged, holds no kernel, says nothing of its origin, or was made by
 * another net than `net`.
 */
export async function loadKernel(
  bytes: Uint8Array,
  options: { readonly net?: NetDocument; readonly name?: string } = {},
): Promise<SavedKernel> {
  knownFields('loadKernel', options, { net: true, name: true });
  const { net, name = 'kernel' } = options;
  const { arrays, meta } = await readNpz(bytes, name);
  const found = meta as KernelProvenance | undefined;
  if (!found?.net || typeof found.variant !== 'string')
    throw new RangeError(
      `${name}: expected a kernel file with the member 'meta' (net, variant), got none. Write it with saveKernel.`,
    );
  const { nngp, ntk } = arrays;
  const [first, second] = [nngp ?? ntk, ntk ?? nngp];
  if (!first || first.shape.length < 2 || first.shape.join() !== second!.shape.join()) {
    throw new RangeError(
      `${name}: expected nngp and ntk of one shape (n1, n2, ...), got [${Object.keys(arrays).join(', ')}].`,
    );
  }
  if (net && JSON.stringify(toJson(net)) !== JSON.stringify(toJson(found.net)))
    throw new RangeError(
      `${name}: it holds kernels of another net. Compare its meta.net with the net given.`,
    );
  return { ...(nngp && { nngp }), ...(ntk && { ntk }), meta: found };
}
