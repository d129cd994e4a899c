// Compressed bytes, unpacked by the platform's own inflater as a stream, with a limit: a few bytes may stand for gigabytes.

/** What one file may unpack to where the caller names no limit: 1 GiB, as `memoryBytes` of an engine. */
export const UNPACKED_BYTES: number = 2 ** 30;

/**
 * The content of `bytes`. It stops once `enough` bytes are there, and is an error beyond `limit`, which `announced` is
 * checked against before anything is unpacked. RangeError when the data is damaged; `name` is what errors call it.
 */
export async function unpack(
  bytes: Uint8Array,
  format: 'gzip' | 'deflate-raw',
  {
    name,
    announced = 0,
    limit,
    enough = () => Infinity,
  }: {
    readonly name: string;
    readonly announced?: number;
    readonly limit: number;
    /** How many bytes are wanted, given those unpacked so far. */
    readonly enough?: (head: Uint8Array) => number;
  },
): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = (size: string): RangeError =>
    new RangeError(
      `${name}: it unpacks to ${size} bytes, the limit is ${limit}. Raise memoryBytes (--memory) if you trust the file.`,
    );
  if (announced > limit) throw tooLarge(String(announced));
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream();
  const reader = stream.pipeThrough(new DecompressionStream(format)).getReader();
  let whole = new Uint8Array(Math.min(limit, announced || 2 ** 16));
  let filled = 0;
  try {
    for (let wanted = Infinity; filled < wanted;) {
      const part = await reader.read();
      if (part.done) break;
      if (filled + part.value.length > limit) throw tooLarge(`more than ${limit}`);
      whole = withRoom(whole, filled + part.value.length, limit);
      whole.set(part.value, filled);
      filled += part.value.length;
      wanted = enough(whole.subarray(0, filled));
    }
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw new RangeError(
      `${name}: the compressed data is damaged (${(error as Error).message}). Copy the file again.`,
    );
  } finally {
    await reader.cancel().catch(() => {}); // a stream that failed says so a second time
  }
  return whole.subarray(0, filled);
}

/** The same content with room for `size` bytes. */
function withRoom(bytes: Uint8Array<ArrayBuffer>, size: number, limit: number): Uint8Array<ArrayBuffer> {
  if (size <= bytes.length) return bytes;
  const larger = new Uint8Array(Math.max(size, Math.min(limit, 2 * bytes.length)));
  larger.set(bytes);
  return larger;
}
