import type { Tensor } from '../math/tensor.js';
import { readNpy, writeNpy } from './npy.js';
import { UNPACKED_BYTES } from './unpack.js';
import { listZip, writeZip } from './zip.js';

export interface Npz {
  readonly arrays: Readonly<Record<string, Tensor>>;
  /** The parsed JSON of the member `meta` (text stored as uint8), when there is one. */
  readonly meta?: unknown;
}

const META = 'meta';

export interface ReadNpzOptions {
  /** Bytes the arrays may take, announced and unpacked; default 1 GiB. */
  readonly memoryBytes?: number;
  /** Read these members only; the others are not unpacked. */
  readonly only?: readonly string[];
}

/** The names of the arrays in an `.npz` file; none is unpacked. RangeError when its directory is damaged. */
export function npzNames(bytes: Uint8Array, name = 'npz'): string[] {
  return listZip(bytes, name)
    .map((entry) => keyOf(entry))
    .filter((key) => key !== META);
}

const keyOf = (entry: { readonly name: string }): string => entry.name.replace(/\.npy$/, '');

/**
 * The arrays of an `.npz` file (`numpy.savez` or `savez_compressed`) by name. RangeError when it is damaged, has no such
 * member, or would take more than `memoryBytes`: before anything is unpacked, and while it is.
 */
export async function readNpz(
  bytes: Uint8Array,
  name = 'npz',
  { memoryBytes = UNPACKED_BYTES, only }: ReadNpzOptions = {},
): Promise<Npz> {
  const entries = listZip(bytes, name).filter((entry) => only?.includes(keyOf(entry)) ?? true);
  const missing = only?.find((key) => !entries.some((entry) => keyOf(entry) === key));
  if (missing !== undefined) {
    throw new RangeError(
      `${name}: there is no member '${missing}'. Members: ${npzNames(bytes, name).join(', ')}.`,
    );
  }
  const announced = entries.reduce((sum, { size }) => sum + size, 0);
  if (announced > Math.max(memoryBytes, bytes.length)) {
    throw new RangeError(
      `${name}: its arrays unpack to ${announced} bytes, the limit is ${memoryBytes}. Name one member, or raise memoryBytes (--memory) if you trust the file.`,
    );
  }
  const arrays: [string, Tensor][] = [];
  let meta: unknown;
  for (const entry of entries) {
    const key = keyOf(entry);
    const array = readNpy(await entry.read(Math.max(memoryBytes, bytes.length)), `${name}:${key}`, {
      memoryBytes,
    });
    if (key === META) meta = parseMeta(array, name);
    else arrays.push([key, array]);
  }
  const found = { arrays: Object.fromEntries(arrays) };
  return meta === undefined ? found : { ...found, meta };
}

function parseMeta({ data }: Tensor, name: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(data)));
  } catch {
    throw new RangeError(`${name}: member 'meta' must be JSON text stored as uint8. Rename the array.`);
  }
}

/** Arrays as an `.npz` file, not compressed; `meta` is stored as JSON text in the uint8 member `meta`. */
export async function writeNpz(
  arrays: Readonly<Record<string, Tensor>>,
  meta?: unknown,
): Promise<Uint8Array<ArrayBuffer>> {
  const members = Object.entries(arrays).map(([name, array]) => {
    if (name === META || name === '' || /[/\\]/.test(name)) {
      throw new RangeError(`writeNpz: expected a plain array name other than 'meta', got '${name}'.`);
    }
    return { name: `${name}.npy`, bytes: writeNpy(array) };
  });
  if (meta !== undefined) {
    const text = new TextEncoder().encode(JSON.stringify(meta));
    members.push({ name: `${META}.npy`, bytes: writeNpy(text) });
  }
  return writeZip(members);
}
