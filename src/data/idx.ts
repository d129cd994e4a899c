// The IDX format of MNIST and its relatives: big-endian, http://yann.lecun.com/exdb/mnist/
import { sizeOf, tensor, type Tensor } from '../math/tensor.js';

const BYTES: Readonly<Record<number, number>> = { 0x08: 1, 0x09: 1, 0x0b: 2, 0x0c: 4, 0x0d: 4, 0x0e: 8 };

/**
 * The array in an IDX file (not gzipped), as float64 (float32 files stay float32). Pixels keep their range 0..255.
 * With `limit` only the first entries of the first axis. RangeError for other files and truncated ones.
 */
export function readIdx(bytes: Uint8Array, name = 'idx', limit: number = Infinity): Tensor {
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
  if (bytes.length - start !== wanted) {
    throw new RangeError(
      `${name}: shape (${shape.join(', ')}) needs ${wanted} bytes, the file holds ${bytes.length - start}. Copy it again.`,
    );
  }
  if (limit < shape[0]!) shape[0] = limit;
  const size = sizeOf(shape);
  const data = bytes[2] === 0x0d ? new Float32Array(size) : new Float64Array(size);
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
