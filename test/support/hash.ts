/** FNV-1a (64 bit) of the bytes of an array, as 16 hex digits: what golden values of bits are compared by. */
export function fnv1a(array: ArrayBufferView): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new Uint8Array(array.buffer, array.byteOffset, array.byteLength)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash.toString(16).padStart(16, '0');
}
