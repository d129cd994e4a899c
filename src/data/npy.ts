// NumPy's .npy format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
import { allocate, sizeOf, tensor, type Tensor } from '../math/tensor.js';

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // \x93NUMPY
const TEXT: TextDecoder = new TextDecoder();

type Reader = (view: DataView, offset: number, littleEndian: boolean) => number;
interface Kind {
  readonly bytes: number;
  readonly read: Reader;
}

// What numbers may be stored as; float32 stays float32, everything else becomes float64.
const KINDS: Readonly<Record<string, Kind>> = {
  f8: { bytes: 8, read: (view, at, little) => view.getFloat64(at, little) },
  f4: { bytes: 4, read: (view, at, little) => view.getFloat32(at, little) },
  f2: { bytes: 2, read: (view, at, little) => halfToNumber(view.getUint16(at, little)) },
  i8: { bytes: 8, read: (view, at, little) => Number(view.getBigInt64(at, little)) },
  i4: { bytes: 4, read: (view, at, little) => view.getInt32(at, little) },
  i2: { bytes: 2, read: (view, at, little) => view.getInt16(at, little) },
  i1: { bytes: 1, read: (view, at) => view.getInt8(at) },
  u8: { bytes: 8, read: (view, at, little) => Number(view.getBigUint64(at, little)) },
  u4: { bytes: 4, read: (view, at, little) => view.getUint32(at, little) },
  u2: { bytes: 2, read: (view, at, little) => view.getUint16(at, little) },
  u1: { bytes: 1, read: (view, at) => view.getUint8(at) },
  b1: { bytes: 1, read: (view, at) => view.getUint8(at) },
};

interface Header {
  readonly descr: string;
  readonly fortran: boolean;
  readonly shape: readonly number[];
  readonly start: number;
}

/**
 * The array in a `.npy` file: float32 stays float32, every other real number type becomes float64 (integers beyond
 * 2^53 are rounded). `name` is what errors call it. RangeError when the file is truncated or not what it says, or when
 * numbers stored in fewer bytes would take more than `memoryBytes` (default: as much as there is).
 */
export function readNpy(
  bytes: Uint8Array,
  name = 'npy',
  { memoryBytes = Infinity }: { readonly memoryBytes?: number } = {},
): Tensor {
  const { descr, fortran, shape, start } = readHeader(bytes, name);
  const kind = KINDS[descr.slice(1)];
  if (!kind || !'<>|='.includes(descr[0]!)) {
    throw new RangeError(
      `${name}: expected real numbers (${Object.keys(KINDS).join(', ')}), got dtype '${descr}'. Save with .astype('float64').`,
    );
  }
  const size = sizeOf(shape);
  const wanted = size * kind.bytes;
  if (bytes.length - start !== wanted) {
    const problem = bytes.length - start < wanted ? 'truncated' : 'longer than its header says';
    throw new RangeError(
      `${name}: shape (${shape.join(', ')}) of ${descr} needs ${wanted} bytes, the file holds ${bytes.length - start}. It is ${problem}: write or copy it again.`,
    );
  }
  const single = descr.endsWith('f4');
  const values = allocate(
    single ? 'f32' : 'f64',
    size,
    `${name}: the array`,
    'Raise memoryBytes (--memory), or store fewer numbers.',
    kind.bytes < (single ? 4 : 8) ? Math.max(memoryBytes, bytes.length) : undefined,
  );
  readValues(bytes.subarray(start), values, kind, descr);
  return tensor(fortran ? toRowMajor(values, shape) : values, shape);
}

function readValues(
  bytes: Uint8Array,
  values: Float64Array | Float32Array,
  { bytes: step, read }: Kind,
  descr: string,
): void {
  const little = descr[0] !== '>';
  if (descr === '<f4' || descr === '<f8') {
    new Uint8Array(values.buffer).set(bytes); // JavaScript's own byte order on every platform that runs this
    return;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < values.length; i++) values[i] = read(view, i * step, little);
}

function readHeader(bytes: Uint8Array, name: string): Header {
  if (bytes.length < 10 || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw new RangeError(
      `${name}: expected a .npy file (it starts with \\x93NUMPY), got ${bytes.length === 0 ? 'an empty file' : 'something else'}. Write it with numpy.save.`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const major = bytes[6]!;
  const wide = major >= 2;
  const from = wide ? 12 : 10;
  const length = bytes.length < from ? Infinity : wide ? view.getUint32(8, true) : view.getUint16(8, true);
  if (major < 1 || major > 3 || from + length > bytes.length) {
    throw new RangeError(`${name}: the .npy header is damaged or truncated. Write or copy the file again.`);
  }
  const text = TEXT.decode(bytes.subarray(from, from + length));
  const descr = /'descr'\s*:\s*'([^']+)'/.exec(text)?.[1];
  const fortran = /'fortran_order'\s*:\s*(True|False)/.exec(text)?.[1];
  const shape = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(text)?.[1];
  if (descr === undefined || fortran === undefined || shape === undefined) {
    throw new RangeError(
      `${name}: the .npy header must name descr, fortran_order and shape of plain numbers, got ${text.trim().slice(0, 80)}. Save with .astype('float64').`,
    );
  }
  const dims = shape
    .split(',')
    .filter((part) => part.trim())
    .map((part) => Number.parseInt(part, 10));
  if (!Number.isSafeInteger(dims.reduce((product, axis) => product * axis, 8))) {
    throw new RangeError(`${name}: shape (${dims.join(', ')}) is beyond any memory. The header is damaged.`);
  }
  return { descr, fortran: fortran === 'True', shape: dims, start: from + length };
}

function toRowMajor<A extends Float64Array | Float32Array>(values: A, shape: readonly number[]): A {
  const result = values.slice() as A;
  const index = shape.map(() => 0);
  for (let flat = 0; flat < values.length; flat++) {
    let from = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) from = from * shape[axis]! + index[axis]!;
    result[flat] = values[from]!;
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0;
  }
  return result;
}

function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  // Subnormals count in units of 2^-24; the others in units of 2^(exponent - 25).
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return (sign * (1024 + fraction) * (1 << exponent)) / 2 ** 25;
}

/**
 * A tensor (or bytes, for text members of a `.npz`) as a `.npy` file, version 1.0, little-endian, row-major.
 * RangeError for data that do not fill the shape.
 */
export function writeNpy(array: Tensor | Uint8Array): Uint8Array<ArrayBuffer> {
  const raw = array instanceof Uint8Array;
  const shape = raw ? [array.length] : array.shape;
  const data = raw ? array : new Uint8Array(array.data.buffer, array.data.byteOffset, array.data.byteLength);
  const descr = raw ? '|u1' : array.data instanceof Float32Array ? '<f4' : '<f8';
  const head = npyHeader(descr, shape);
  const bytes = new Uint8Array(head.length + data.length);
  bytes.set(head);
  bytes.set(data, head.length);
  return bytes;
}

/** What stands before the data. */
export function npyHeader(descr: string, shape: readonly number[]): Uint8Array<ArrayBuffer> {
  const dims = `(${shape.join(', ')}${shape.length === 1 ? ',' : ''})`;
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${dims}, }`;
  // Readers map the data directly, so it starts at a multiple of 64.
  const bytes = new Uint8Array(Math.ceil((10 + text.length + 1) / 64) * 64);
  bytes.set([...MAGIC, 1, 0]);
  new DataView(bytes.buffer).setUint16(8, bytes.length - 10, true);
  bytes.set(new TextEncoder().encode(`${text.padEnd(bytes.length - 11)}\n`), 10);
  return bytes;
}
