// Plain data with typed arrays as bytes: results and parameters of jobs, checkpoints. A JSON document in which arrays are
// places in the bytes behind it, and a checksum at the end. Numbers keep their bits, which JSON alone does not promise.
import { sealed, unsealed } from './checksum.js';

const MAGIC = 0x31525749; // IWR1
const ARRAYS = {
  f64: Float64Array,
  f32: Float32Array,
  i32: Int32Array,
  u32: Uint32Array,
  u8: Uint8Array,
};
type Kind = 'f64' | 'f32' | 'i32' | 'u32' | 'u8';
export type StoredView = Float64Array | Float32Array | Int32Array | Uint32Array | Uint8Array;

const kindOf = (value: ArrayBufferView): Kind | undefined =>
  (Object.keys(ARRAYS) as Kind[]).find((kind) => value instanceof ARRAYS[kind]);

/** A value JSON has no word for: `{ $: [what, ...] }`. */
type Mark =
  | readonly ['array', Kind, number, number]
  | readonly ['object', Kind, string, number]
  | readonly ['number', string]
  | readonly ['none']
  | readonly ['field', unknown];

/** What stands for an array in the document. */
export type PutArray = (view: StoredView, kind: Kind) => unknown;
/** The array that a mark of `PutArray` stands for. */
export type TakeArray = (mark: readonly unknown[]) => StoredView;

/** The value as JSON can hold it; arrays become what `put` returns. TypeError for functions, classes and cycles. */
export function toDocument(value: unknown, put: PutArray): unknown {
  const seen = new Set<unknown>();
  const visit = (item: unknown): unknown => {
    if (typeof item === 'number')
      return Number.isFinite(item) && !Object.is(item, -0)
        ? item
        : { $: ['number', Object.is(item, -0) ? '-0' : String(item)] };
    if (item === undefined) return { $: ['none'] };
    if (item === null || typeof item === 'string' || typeof item === 'boolean') return item;
    if (typeof item !== 'object') throw new TypeError(`record: a ${typeof item} is no plain data.`);
    if (ArrayBuffer.isView(item)) {
      const kind = kindOf(item);
      if (!kind) throw new TypeError(`record: a ${item.constructor.name} is no array of a job.`);
      return { $: put(item as StoredView, kind) };
    }
    if (seen.has(item)) throw new TypeError('record: the data contains itself.');
    seen.add(item);
    const out = Array.isArray(item)
      ? item.map(visit)
      : Object.fromEntries(Object.entries(item).map(([name, part]) => [name, visit(part)]));
    seen.delete(item);
    return !Array.isArray(item) && '$' in item ? { $: ['field', out] } : out;
  };
  return visit(value);
}

/** The value of a document. */
export function fromDocument(document: unknown, take: TakeArray): unknown {
  const visit = (item: unknown): unknown => {
    if (typeof item !== 'object' || item === null) return item;
    if (Array.isArray(item)) return item.map(visit);
    if ('$' in item) return marked(item.$ as Mark);
    return record(item);
  };
  const record = (item: object): unknown =>
    Object.fromEntries(Object.entries(item).map(([name, part]) => [name, visit(part)]));
  const marked = (mark: Mark): unknown => {
    if (!Array.isArray(mark)) throw new TypeError('record: a mark must be a list.');
    if (mark[0] === 'number') return Number(mark[1]);
    if (mark[0] === 'none') return undefined;
    if (mark[0] === 'field') return record(mark[1] as object);
    return take(mark);
  };
  return visit(document);
}

/**
 * The bytes of a value. `refer` may name the bytes of an array that lies elsewhere; undefined: the array is part of the record.
 */
export async function encodeRecord(
  value: unknown,
  refer: (view: StoredView) => string | undefined = () => undefined,
): Promise<Uint8Array> {
  const views: { view: StoredView; at: number }[] = [];
  let end = 0;
  const document = toDocument(value, (view, kind): Mark => {
    const name = refer(view);
    if (name !== undefined) return ['object', kind, name, view.length];
    views.push({ view, at: end });
    const mark: Mark = ['array', kind, end, view.length];
    end += Math.ceil(view.byteLength / 8) * 8;
    return mark;
  });
  const text = new TextEncoder().encode(JSON.stringify(document));
  const start = Math.ceil((8 + text.length) / 8) * 8;
  const bytes = new Uint8Array(start + end);
  const head = new DataView(bytes.buffer);
  head.setUint32(0, MAGIC, true);
  head.setUint32(4, text.length, true);
  bytes.set(text, 8);
  for (const { view, at } of views)
    bytes.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), start + at);
  return sealed(bytes);
}

/**
 * The value in the bytes; Error where they are not those of a record, or damaged. `fetch` gives the bytes of arrays that lie
 * elsewhere.
 */
export async function decodeRecord(
  sealedBytes: Uint8Array,
  fetch: (name: string) => Promise<Uint8Array> = (name) =>
    Promise.reject(new Error(`it names the array ${name}, which lies elsewhere`)),
): Promise<unknown> {
  const bytes = await unsealed(sealedBytes);
  const head = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 8 || head.getUint32(0, true) !== MAGIC) throw new Error('not a record of this package');
  const length = head.getUint32(4, true);
  const start = Math.ceil((8 + length) / 8) * 8;
  const document: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const names = new Set<string>();
  const view = (mark: readonly unknown[], from: (name: unknown, size: number) => Uint8Array): StoredView => {
    const [, kind, where, count] = mark as Mark;
    const Type = Object.hasOwn(ARRAYS, kind as string) ? ARRAYS[kind as Kind] : undefined;
    if (!Type || !Number.isSafeInteger(count) || (count as number) < 0)
      throw new Error('it names an array of no kind');
    return new Type(from(where, (count as number) * Type.BYTES_PER_ELEMENT).slice().buffer);
  };
  fromDocument(document, (mark) => {
    if (mark[0] === 'object' && typeof mark[2] === 'string') names.add(mark[2]);
    return new Uint8Array(0);
  });
  const elsewhere = new Map<unknown, Uint8Array>();
  await Promise.all([...names].map(async (name) => elsewhere.set(name, await fetch(name))));
  const within = (at: unknown, size: number): Uint8Array => {
    const from = start + (Number.isSafeInteger(at) && (at as number) >= 0 ? (at as number) : NaN);
    if (!(from + size <= bytes.length)) throw new Error('it names an array beyond its end');
    return bytes.subarray(from, from + size);
  };
  const outside = (name: unknown, size: number): Uint8Array => {
    const found = elsewhere.get(name);
    if (found?.length !== size) throw new Error('it names an array of another length');
    return found;
  };
  return fromDocument(document, (mark) => {
    if (mark[0] === 'array') return view(mark, within);
    if (mark[0] === 'object') return view(mark, outside);
    throw new Error('it has a mark of no kind');
  });
}
