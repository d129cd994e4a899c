// The IDX format of MNIST and its relatives: big-endian, http://yann.lecun.com/exdb/mnist/
import { allocate, sizeOf, tensor, type Tensor } from '../math/tensor.js';
import { UNPACKED_BYTES } from './unpack.js';

const BYTES: Readonly<Record<number, number>> = { 0x08: 1, 0x09: 1, 0x0b: 2, 0x0c: 4, 0x0d: 4, 0x0e: 8 };

/**
 * The array in an IDX file (not gzipped), as float64 (float32 files stay float32). Pixels keep their range 0..255.
 * With `limit` only the first entries of the first axis, of which the file must hold all; without it must hold nothing else.
 * RangeError for other files, truncated ones, and arrays of more than `memoryBytes` (default 1 GiB).
 */
export function readIdx(
  bytes: Uint8Array,
  name = 'idx',
  limit: number = Infinity,
  { memoryBytes = UNPACKED_BYTES }: { readonly memoryBytes?: number } = {},
): Tensor {
  const width = BYTES[bytes[2] ?? 0];
  const axes = bytes[3] ?? 0;
  const start = 4 + 4 * axes;
  if (bytes[0] !== 0 || bytes[1] !== 0 || !width || axes === 0 || bytes.length < start) {
    const packed = bytes[0] === 0x1f && bytes[1] === 0x8b;
    throw new RangeError(
      `${name}: expected an IDX file, got ${packed ? 'a gzip file. Unpack it first (gunzip)' : 'something else. Is the name right?'}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: axes }, (_, axis) => view.getUint32(4 + 4 * axis));
  const wanted = shape.reduce((product, axis) => product * axis, width);
  const partial = limit < shape[0]!;
  if (partial) shape[0] = limit;
  const size = sizeOf(shape);
  if (bytes.length - start < size * width || (!partial && bytes.length - start !== wanted)) {
    throw new RangeError(
      `${name}: shape (${shape.join(', ')}) needs ${size * width} bytes, the file holds ${bytes.length - start}. Copy it again.`,
    );
  }
  const remedy = 'Read fewer entries (limit), or raise memoryBytes (--memory).';
  const data = allocate(bytes[2] === 0x0d ? 'f32' : 'f64', size, `${name}: the array`, remedy, memoryBytes);
  const read = {
    0x08: (at: number) => view.getUint8(at),
    0x09: (at: number) => view.getInt8(at),
    0x0b: (at: number) => view.getInt16(at),
    0x0c: (at: number) => view.getInt32(at),
    0x0d: (at: number) => view.getFloat32(at),
    0x0e: (at: number) => view.getFloat64(at),
  }[bytes[2]!]!;
  for (let i = 0; i < size; i++) data[i] = read(start + i * width);
  return tensor(data, shape);
}

/** The bytes of an IDX file that its first `limit` entries take, given its first bytes; Infinity where they do not say. */
export function idxBytes(head: Uint8Array, limit: number): number {
  const axes = head[3] ?? 0;
  const start = 4 + 4 * axes;
  if (head.length < start) return Infinity;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  let size = BYTES[head[2]!] ?? Infinity;
  for (let axis = 0; axis < axes; axis++) {
    const length = view.getUint32(4 + 4 * axis);
    size *= axis === 0 ? Math.min(limit, length) : length;
  }
  return start + size;
}
