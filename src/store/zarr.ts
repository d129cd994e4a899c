// Zarr v3 arrays of floating-point numbers in a store, chunk by chunk: a chunk is there, whole and checksummed, or it is not.
import * as zarr from 'zarrita';
import type { Tensor } from '../math/tensor.js';
import { useCrc32c } from './checksum.js';
import { DamagedError, StoreError } from './errors.js';
import { getJson, jsonBytes, type Key, type Store } from './store.js';

export interface ArrayPlan {
  readonly shape: readonly number[];
  readonly chunks: readonly number[];
  readonly dtype: 'float32' | 'float64';
  readonly attributes?: Readonly<Record<string, unknown>>;
}

/** An array in a store. Chunks are named by their place in the grid of chunks and given without the padding of edges. */
export interface StoredArray extends ArrayPlan {
  readonly name: string;
  /** The value that holds a chunk. */
  key(at: readonly number[]): Key;
  has(at: readonly number[]): Promise<boolean>;
  /** null: it is not there. DamagedError where its checksum or length is wrong. */
  read(at: readonly number[]): Promise<Tensor | null>;
  write(at: readonly number[], data: Tensor['data']): Promise<void>;
  delete(at: readonly number[]): Promise<void>;
  /** Rows [from, to) of the first axis; StoreError where chunks of them are missing. */
  rows(from: number, to: number): Promise<Tensor>;
}

/** Chunks are little-endian numbers and a checksum; entries that nobody wrote are NaN. No compression: kernels shrink by 6 %. */
const CODECS = [{ name: 'bytes', configuration: { endian: 'little' } }, { name: 'crc32c' }];

/** Makes an array without chunks. */
export async function createArray(store: Store, name: string, plan: ArrayPlan): Promise<StoredArray> {
  const document = {
    zarr_format: 3,
    node_type: 'array',
    shape: plan.shape,
    data_type: plan.dtype,
    chunk_grid: { name: 'regular', configuration: { chunk_shape: plan.chunks } },
    chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
    codecs: CODECS,
    fill_value: 'NaN',
    attributes: plan.attributes ?? {},
  };
  await store.set(`/${name}/zarr.json`, jsonBytes(document));
  return openArray(store, name);
}

/** Makes the store (or a folder of it) a Zarr group, so that readers list its arrays. */
export async function createGroup(
  store: Store,
  attributes: Readonly<Record<string, unknown>>,
): Promise<void> {
  await store.set('/zarr.json', jsonBytes({ zarr_format: 3, node_type: 'group', attributes }));
}

type Native = zarr.Array<'float64', Store>;

/** An array that is there, of this package or another program (any codecs of zarrita). StoreError where it is none. */
export async function openArray(store: Store, name: string): Promise<StoredArray> {
  useCrc32c();
  const document = await getJson(store, `/${name}/zarr.json`);
  if (document === undefined)
    throw new StoreError(
      `store: ${store.name} holds no array ${name} (no ${name}/zarr.json). Is the path right?`,
    );
  const location = zarr.root(store).resolve(name);
  const whole = await opened(store, location, name);
  const { shape, dtype, attrs: attributes } = whole;
  const chunks = [...whole.chunks];
  if (dtype !== ('float32' as string) && dtype !== 'float64')
    throw new StoreError(
      `store: ${store.name}/${name} holds ${dtype}, expected float32 or float64. Convert it.`,
    );
  // A grid of whole chunks: zarrita then replaces the chunks at the edges without reading them first.
  const padded = shape.map((n, axis) => Math.ceil(n / chunks[axis]!) * chunks[axis]!);
  const edges = new zarr.Array(store, location.path, {
    ...(document as zarr.ArrayMetadata<'float64'>),
    shape: padded,
  }) as Native;
  const key = (at: readonly number[]): Key => `/${name}/c/${at.join('/')}`;
  const damaged = (where: string, error: unknown): Error => {
    const { cause, message } = error as Error;
    if (error instanceof StoreError) return error;
    return new DamagedError(store.name, where, cause instanceof Error ? cause.message : message);
  };
  const sizes = (at: readonly number[]): number[] =>
    at.map((i, axis) => Math.min(chunks[axis]!, shape[axis]! - i * chunks[axis]!));
  return {
    ...{ name, shape, chunks, attributes, key },
    dtype: dtype as 'float32' | 'float64',
    has: (at) => store.has(key(at)),
    delete: (at) => store.delete(key(at)),
    async read(at) {
      if (!(await store.has(key(at)))) return null;
      try {
        const { data } = await whole.getChunk([...at]);
        return cropped(data as Float64Array<ArrayBuffer>, chunks, sizes(at));
      } catch (error) {
        throw damaged(key(at), error);
      }
    },
    async write(at, data) {
      const full = padChunk(data, sizes(at), chunks);
      const place = at.map((i, axis) => zarr.slice(i * chunks[axis]!, (i + 1) * chunks[axis]!));
      await zarr.set(edges, place, {
        data: full as Float64Array,
        shape: chunks,
        stride: strides(chunks),
      } as never);
    },
    async rows(from, to) {
      const first = Math.floor(from / chunks[0]!);
      for (let i = first; i * chunks[0]! < to; i++)
        for (const rest of places(shape.slice(1), chunks.slice(1)))
          if (!(await store.has(key([i, ...rest]))))
            throw new StoreError(
              `store: ${store.name}${key([i, ...rest])} is not there: the array is not finished. Resume its run.`,
            );
      try {
        const { data } = await zarr.get(whole, [zarr.slice(from, to), ...shape.slice(1).map(() => null)]);
        return { data: data as Float64Array<ArrayBuffer>, shape: [to - from, ...shape.slice(1)] };
      } catch (error) {
        throw damaged(`/${name}`, error);
      }
    },
  };
}

async function opened(store: Store, location: zarr.Location<Store>, name: string): Promise<Native> {
  try {
    return (await zarr.open(location, { kind: 'array' })) as Native;
  } catch (error) {
    throw new StoreError(
      `store: ${store.name}/${name}/zarr.json describes no Zarr v3 array (${(error as Error).message}).`,
    );
  }
}

/** The places of all chunks. */
export function* places(shape: readonly number[], chunks: readonly number[]): Generator<number[]> {
  const [n, ...rest] = shape;
  if (n === undefined) return yield [];
  for (let i = 0; i * chunks[0]! < n; i++)
    for (const others of places(rest, chunks.slice(1))) yield [i, ...others];
}

const product = (list: readonly number[]): number => list.reduce((size, n) => size * n, 1);
const strides = (shape: readonly number[]): number[] =>
  shape.map((_, axis) => product(shape.slice(axis + 1)));

/** Copies the block `sizes` between arrays in which rows are `from` and `to` long. */
function copyBlock(
  source: Tensor['data'],
  from: readonly number[],
  target: Tensor['data'],
  to: readonly number[],
  sizes: readonly number[],
): void {
  const [a, b] = [strides(from), strides(to)];
  const line = sizes.at(-1)!;
  const last = sizes.length - 1;
  const visit = (axis: number, p: number, q: number): void => {
    if (axis === last) return target.set(source.subarray(p, p + line), q);
    for (let i = 0; i < sizes[axis]!; i++) visit(axis + 1, p + i * a[axis]!, q + i * b[axis]!);
  };
  visit(0, 0, 0);
}

const like = (data: Tensor['data'], length: number): Tensor['data'] =>
  data instanceof Float32Array ? new Float32Array(length) : new Float64Array(length);

function cropped(data: Tensor['data'], chunks: readonly number[], sizes: number[]): Tensor {
  if (sizes.every((n, axis) => n === chunks[axis])) return { data, shape: sizes };
  const out = like(data, product(sizes));
  copyBlock(data, chunks, out, sizes, sizes);
  return { data: out, shape: sizes };
}

function padChunk(data: Tensor['data'], sizes: number[], chunks: readonly number[]): Tensor['data'] {
  if (data.length !== product(sizes))
    throw new RangeError(`store: a chunk of shape [${sizes}] was expected, got ${data.length} numbers.`);
  if (sizes.every((n, axis) => n === chunks[axis])) return data;
  const out = like(data, product(chunks)).fill(NaN);
  copyBlock(data, sizes, out, chunks, sizes);
  return out;
}
