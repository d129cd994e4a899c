import { createHash } from 'node:crypto';
import { kernelBytes, type Variant } from '../wasm/engine.js';

/** SHA-256 of texts and arrays, as hexadecimal digits. Texts and arrays of other division give another one. */
export function digest(
  ...parts: readonly (
    | { readonly data: ArrayBufferView; readonly shape: readonly number[] }
    | Uint8Array
    | string
    | null
    | undefined
  )[]
): string {
  const hash = createHash('sha256');
  for (const part of parts) {
    if (part instanceof Uint8Array) hash.update(part);
    else if (typeof part === 'string' || !part) hash.update(part ?? 'none');
    else
      hash
        .update(part.shape.join())
        .update(new Uint8Array(part.data.buffer, part.data.byteOffset, part.data.byteLength));
    hash.update('\n');
  }
  return hash.digest('hex');
}

const wasm = new Map<Variant, Promise<string>>();
/** SHA-256 of the kernels of a variant: what computes bits must be the same on all machines. */
export function kernelsDigest(variant: Variant): Promise<string> {
  let found = wasm.get(variant);
  if (!found) wasm.set(variant, (found = kernelBytes(variant).then((bytes) => digest(bytes))));
  return found;
}
