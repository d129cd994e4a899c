import type { Tensor } from '../math/tensor.js';
import { readNpy, writeNpy } from './npy.js';
import { readZip, writeZip } from './zip.js';

export interface Npz {
  readonly arrays: Readonly<Record<string, Tensor>>;
  /** The parsed JSON of the member `meta` (text stored as uint8), when there is one. */
  readonly meta?: unknown;
}

const META = 'meta';

/** The arrays of an `.npz` file (`numpy.savez` or `savez_compressed`) by name. RangeError when it is damaged. */
export async function readNpz(bytes: Uint8Array, name = 'npz'): Promise<Npz> {
  const arrays: Record<string, Tensor> = {};
  let meta: unknown;
  for (const member of await readZip(bytes, name)) {
    const key = member.name.replace(/\.npy$/, '');
    const array = readNpy(member.bytes, `${name}:${key}`);
    if (key === META) meta = parseMeta(array, name);
    else arrays[key] = array;
  }
  return meta === undefined ? { arrays } : { arrays, meta };
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
