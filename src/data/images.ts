// Image data sets as they are published: IDX (MNIST and its relatives) and CIFAR binary batches, plain or gzipped.
import { sizeOf, tensor, type Tensor } from '../math/tensor.js';
import { readCifar } from './cifar.js';
import { idxBytes, readIdx } from './idx.js';
import { unpack, UNPACKED_BYTES } from './unpack.js';
import { knownFields } from '../wasm/engine.js';

export interface ImageSet {
  /** Pixels as stored (0..255), (n, height, width, channels). */
  readonly x: Tensor<Float32Array>;
  /** Classes (n); null where no file has any. */
  readonly labels: Tensor<Float64Array> | null;
}

/** A file by name; `read` is called when its turn comes, so that a limit saves reading the rest. */
export interface ImageFile {
  readonly name: string;
  read(): Promise<Uint8Array<ArrayBuffer>>;
}

export type Split = 'train' | 'test';

const SPLITS: Readonly<Record<Split, readonly RegExp[]>> = {
  train: [
    /^train-(images|labels)[.-]idx\d-ubyte(\.gz)?$/,
    /^data_batch_\d+\.bin(\.gz)?$/,
    /^train\.bin(\.gz)?$/,
  ],
  test: [
    /^(t10k|test)-(images|labels)[.-]idx\d-ubyte(\.gz)?$/,
    /^test_batch\.bin(\.gz)?$/,
    /^test\.bin(\.gz)?$/,
  ],
};

/**
 * The files of a data set folder that hold a split, in the order of the data, by the names MNIST, Fashion-MNIST, CIFAR-10
 * and CIFAR-100 are published under. A plain file goes before its gzipped copy. Empty: the folder holds no such set.
 */
export function imageFilesOf(names: readonly string[], split: Split): string[] {
  for (const pattern of SPLITS[split]) {
    const found = names.filter((name) => pattern.test(name)).sort();
    if (found.length > 0)
      return found.filter((name) => !found.includes(name.replace(/\.gz$/, '')) || !name.endsWith('.gz'));
  }
  return [];
}

/**
 * The images and labels of files that belong together: IDX files of images and of labels, or CIFAR batches, told apart by
 * their content. With `limit` only the first images, and no more is unpacked. RangeError for damaged files, labels that do
 * not match, and files or images of more than `memoryBytes` (default 1 GiB).
 */
export async function readImages(
  files: readonly ImageFile[],
  options: { limit?: number; memoryBytes?: number } = {},
): Promise<ImageSet> {
  knownFields('readImages', options, { limit: true, memoryBytes: true });
  const { limit = Infinity, memoryBytes = UNPACKED_BYTES } = options;
  const images: Tensor[] = [];
  const labels: Tensor[] = [];
  const count = (list: readonly Tensor[]): number => list.reduce((sum, { shape }) => sum + shape[0]!, 0);
  for (const file of files) {
    if (count(images) >= limit && count(labels) >= limit) break;
    const left = { images: limit - count(images), labels: limit - count(labels) };
    const { bytes, length } = await gunzip(await file.read(), file.name, left, memoryBytes);
    if (!isIdx(bytes)) {
      const batch = cifar(bytes, length, file.name, left.images);
      images.push(batch.x);
      labels.push(batch.labels);
    } else if (bytes[3] === 1) labels.push(readIdx(bytes, file.name, left.labels, { memoryBytes }));
    else images.push(withChannels(readIdx(bytes, file.name, left.images, { memoryBytes }), file.name));
  }
  const names = files.map(({ name }) => name).join(', ');
  if (images.length === 0)
    throw new RangeError(`readImages: expected a file of images, got ${names || 'no files'}.`);
  const [x, found] = [joined(images, names), labels.length > 0 ? joined(labels, names) : null];
  if (found && found.shape[0] !== x.shape[0]) {
    throw new RangeError(
      `readImages: ${names} hold ${x.shape[0]} images and ${found.shape[0]} labels. Use files of one split.`,
    );
  }
  return {
    x: { data: Float32Array.from(x.data), shape: x.shape },
    labels: found && { data: Float64Array.from(found.data), shape: found.shape },
  };
}

const isIdx = (head: Uint8Array): boolean => head[0] === 0 && head[1] === 0 && head[3]! >= 1 && head[3]! <= 4;

/** Bytes of one image of CIFAR-10 or -100, by the length of the file. */
const cifarRecord = (length: number): 3073 | 3074 =>
  length % 3073 !== 0 && length % 3074 === 0 ? 3074 : 3073;

/** CIFAR-10 or -100 by the length of the whole file, of which `bytes` may be the first part. */
function cifar(bytes: Uint8Array, length: number, name: string, limit: number): ReturnType<typeof readCifar> {
  const record = cifarRecord(length);
  const part = length % record === 0 ? bytes.subarray(0, Math.min(bytes.length, limit * record)) : bytes;
  return readCifar(part, { classes: record === 3074 ? 100 : 10, name });
}

function withChannels({ data, shape }: Tensor, name: string): Tensor {
  if (shape.length < 3) {
    throw new RangeError(
      `${name}: expected images (n, height, width) or labels (n), got shape (${shape.join(', ')}).`,
    );
  }
  return { data, shape: shape.length === 3 ? [...shape, 1] : shape };
}

function joined(parts: readonly Tensor[], names: string): Tensor {
  if (parts.length === 1) return parts[0]!;
  const [first] = parts as [Tensor];
  const sample = first.shape.slice(1);
  if (parts.some(({ shape }) => shape.slice(1).join() !== sample.join()))
    throw new RangeError(`readImages: ${names} hold images of different sizes.`);
  const n = parts.reduce((sum, { shape }) => sum + shape[0]!, 0);
  const data = new Float32Array(n * sizeOf(sample));
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return tensor(data, [n, ...sample]);
}

/**
 * The content of gzipped bytes as far as `left` images or labels want it, and the length of the whole; other bytes as they
 * are. The length is what the end of the gzip data says, modulo 2^32.
 */
async function gunzip(
  bytes: Uint8Array<ArrayBuffer>,
  name: string,
  left: { readonly images: number; readonly labels: number },
  limit: number,
): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly length: number }> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return { bytes, length: bytes.length };
  const length =
    bytes.length < 18 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 4, true);
  const enough = (head: Uint8Array): number => {
    if (!isIdx(head)) return left.images * cifarRecord(length);
    const wanted = head[3] === 1 ? left.labels : left.images;
    // A whole file is read to its end, where its checksum is.
    return wanted === Infinity ? Infinity : idxBytes(head, wanted);
  };
  return { bytes: await unpack(bytes, 'gzip', { name, limit, enough }), length };
}

/** Each channel shifted and scaled to mean 0 and variance 1, by the statistics of `from` (the train images). */
export function standardizeImages(x: Tensor, from: Tensor = x): Tensor {
  const channels = from.shape.at(-1)!;
  if (x.shape.at(-1) !== channels)
    throw new RangeError(`standardizeImages: expected ${channels} channels, got ${x.shape.at(-1)}.`);
  const data = x.data.slice();
  const count = from.data.length / channels;
  for (let c = 0; c < channels; c++) {
    let [mean, square] = [0, 0];
    for (let i = c; i < from.data.length; i += channels) mean += from.data[i]! / count;
    for (let i = c; i < from.data.length; i += channels) square += (from.data[i]! - mean) ** 2 / count;
    const scale = square > 0 ? 1 / Math.sqrt(square) : 0;
    for (let i = c; i < data.length; i += channels) data[i] = (data[i]! - mean) * scale;
  }
  return { data, shape: x.shape };
}
