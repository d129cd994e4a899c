// Reads the reference values in test/reference in Node and in the browser.

export interface ReferenceArray {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}
export interface Tolerance {
  readonly rtol: number;
  readonly atolOverMax: number;
}

async function bytesOf(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  if (url.protocol !== 'file:') return new Uint8Array(await (await fetch(url)).arrayBuffer());
  const { readFile } = await import(/* @vite-ignore */ 'node:fs/promises');
  return new Uint8Array(await readFile(url));
}

/** The parsed content of `test/reference/<path>.json.gz`. */
export async function loadReference<T>(path: string): Promise<T> {
  const here = import.meta.url; // a name of its own: bundlers rewrite `new URL(pattern, import.meta.url)`
  const bytes = await bytesOf(new URL(`../reference/${path}.json.gz`, here));
  const packed = bytes[0] === 0x1f && bytes[1] === 0x8b; // a server may already have unpacked it
  const stream = new Blob([bytes]).stream();
  const text = await new Response(
    packed ? stream.pipeThrough(new DecompressionStream('gzip')) : stream,
  ).text();
  return JSON.parse(text) as T;
}

/** `{ shape, data }` with infinities given as strings, as numbers. */
export function toArray(value: { shape: number[]; data: (number | string)[] }): ReferenceArray {
  return { shape: value.shape, data: Float64Array.from(value.data, Number) };
}

/** The first entry outside `rtol*|want| + atolOverMax*max|want|`, as text; null when all agree. */
export function mismatch(
  got: ArrayLike<number>,
  want: ReferenceArray,
  { rtol, atolOverMax }: Tolerance,
): string | null {
  if (got.length !== want.data.length) return `length ${got.length}, wanted ${want.data.length}`;
  let max = 0;
  for (const value of want.data) if (Number.isFinite(value)) max = Math.max(max, Math.abs(value));
  for (let i = 0; i < got.length; i++) {
    const value = want.data[i]!;
    if (got[i] === value) continue;
    if (!(Math.abs(got[i]! - value) <= rtol * Math.abs(value) + atolOverMax * max)) {
      return `entry ${i}: got ${got[i]}, wanted ${value} (relative ${Math.abs(got[i]! - value) / Math.max(Math.abs(value), 1e-300)})`;
    }
  }
  return null;
}
