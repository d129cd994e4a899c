import { kindOf } from '../wasm/engine.js';

/** A dense array in ordinary JS memory: row-major, samples first, channels last. The array's type is the dtype. */
export interface Tensor<A extends Float64Array | Float32Array = Float64Array | Float32Array> {
  readonly data: A;
  readonly shape: readonly number[];
}

/** Nested arrays of numbers, all of one shape. */
export type NestedArray = number | readonly NestedArray[];
export type TensorLike = Tensor | NestedArray;

/** The number of entries of a shape; RangeError unless every axis is a whole number >= 0. */
export function sizeOf(shape: readonly number[]): number {
  if (!Array.isArray(shape))
    throw new TypeError(`tensor: a shape must be a list of whole numbers, got ${kindOf(shape)}`);
  let size = 1;
  for (const axis of shape) {
    if (!Number.isSafeInteger(axis) || axis < 0) {
      throw new RangeError(
        `tensor: every axis of a shape must be a whole number >= 0, got [${shape.join(', ')}]`,
      );
    }
    size *= axis;
  }
  return size;
}

/** Arrays of whole numbers, such as pixels or labels. */
export type IntegerArray =
  Int8Array | Uint8Array | Uint8ClampedArray | Int16Array | Uint16Array | Int32Array | Uint32Array;

/**
 * A tensor of `shape`, row-major. Float64Array and Float32Array are wrapped, not copied; integer arrays and (nested) lists
 * of numbers are copied into a Float64Array. Default shape: one axis, or that of the nesting. RangeError when the shape has
 * another number of entries than the data.
 *
 *     tensor([1, 2, 3, 4], [2, 2]); // the same as tensor([[1, 2], [3, 4]])
 */
export function tensor<A extends Float64Array | Float32Array>(data: A, shape?: readonly number[]): Tensor<A>;
export function tensor(data: IntegerArray | NestedArray, shape?: readonly number[]): Tensor<Float64Array>;
export function tensor(
  data: Float64Array | Float32Array | IntegerArray | NestedArray,
  shape?: readonly number[],
): Tensor {
  if (data instanceof Float64Array || data instanceof Float32Array) {
    const dims = shape ?? [data.length];
    if (sizeOf(dims) !== data.length) {
      throw new RangeError(
        `tensor: shape [${dims.join(', ')}] has ${sizeOf(dims)} entries, the data ${data.length}`,
      );
    }
    return { data, shape: Object.freeze([...dims]) };
  }
  if (ArrayBuffer.isView(data)) {
    if (!(data[0] === undefined || typeof data[0] === 'number'))
      throw new TypeError(`tensor: the data must be numbers, got ${typeof data[0]}s`);
    return tensor(Float64Array.from(data), shape);
  }
  const nested = fromNested(data, 'tensor');
  return shape === undefined ? nested : tensor(nested.data, shape);
}

/** Accepts a tensor or nested arrays; `name` is what the error calls it. */
export function asTensor(value: TensorLike, name = 'tensor'): Tensor {
  if (typeof value === 'object' && value !== null && 'data' in value && 'shape' in value) {
    if (!(value.data instanceof Float64Array) && !(value.data instanceof Float32Array)) {
      throw new TypeError(`${name}: data must be a Float64Array or Float32Array`);
    }
    return tensor(value.data, value.shape);
  }
  if (typeof value !== 'number' && !Array.isArray(value)) {
    throw new TypeError(
      `${name}: expected a tensor { data, shape } or nested arrays of numbers, got ${kindOf(value)}`,
    );
  }
  return fromNested(value, name);
}

/** More axes than any shape here has: deeper nesting is a mistake, such as an array that holds itself. */
const MOST_AXES = 32;

function fromNested(value: NestedArray, name: string): Tensor<Float64Array> {
  const shape = shapeOfNested(value, name);
  const size = sizeOf(shape);
  const what = `${name}: an array of shape [${shape.join(', ')}]`;
  const data = allocate('f64', size, what, 'Give fewer entries.') as Float64Array<ArrayBuffer>;
  let next = 0;
  const walk = (level: unknown, depth: number): void => {
    if (depth === shape.length) {
      if (isRow(level)) {
        throw new RangeError(
          `${name}: nested arrays must all have the same shape, got a list at ${indexOf(next, shape)}`,
        );
      }
      if (typeof level !== 'number') throw noNumber(name, level, indexOf(next, shape));
      data[next++] = level;
      return;
    }
    if (!isRow(level) || level.length !== shape[depth]) {
      throw new RangeError(
        `${name}: nested arrays must all have the same shape; expected ${shape[depth]} entries at depth ${depth}, got ${isRow(level) ? level.length : kindOf(level)}`,
      );
    }
    for (let i = 0; i < level.length; i++) walk(level[i], depth + 1); // holes of sparse arrays are undefined
  };
  walk(value, 0);
  return { data, shape };
}

/** The lengths along the first entries. */
function shapeOfNested(value: unknown, name: string): number[] {
  const shape: number[] = [];
  let level = value;
  while (isRow(level)) {
    if (shape.length === MOST_AXES) {
      throw new RangeError(
        `${name}: nested arrays have at most ${MOST_AXES} axes, got more. Does an array hold itself?`,
      );
    }
    shape.push(level.length);
    if (level.length === 0) return shape;
    level = level[0];
  }
  if (typeof level !== 'number') throw noNumber(name, level, `[${shape.map(() => 0).join(', ')}]`);
  return shape;
}

/** A list of rows or numbers; typed arrays of numbers are rows too. */
function isRow(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

function noNumber(name: string, value: unknown, at: string): TypeError {
  return new TypeError(
    `${name}: expected numbers, got ${kindOf(value)} at ${at}. Convert it to a number, or remove or impute missing values.`,
  );
}

/** Most bytes of one array; below what every engine can address. */
const LARGEST_ARRAY = 2 ** 34;

/** Zeros for a result; RangeError names the bytes wanted and the limit. `what` is 'function: thing', `remedy` a sentence. */
export function allocate(
  dtype: 'f32' | 'f64',
  length: number,
  what: string,
  remedy: string,
  limit: number = LARGEST_ARRAY,
): Float64Array<ArrayBuffer> | Float32Array<ArrayBuffer> {
  const bytes = length * (dtype === 'f32' ? 4 : 8);
  const gib = (count: number): string => `${(count / 2 ** 30).toFixed(1)} GiB`;
  if (!(bytes <= limit)) {
    throw new RangeError(
      `${what} needs ${bytes} bytes (${gib(bytes)}), the limit is ${limit} (${gib(limit)}). ${remedy}`,
    );
  }
  try {
    return dtype === 'f32' ? new Float32Array(length) : new Float64Array(length);
  } catch {
    throw new RangeError(`${what} needs ${bytes} bytes (${gib(bytes)}), more than is free here. ${remedy}`);
  }
}

/** RangeError naming the first NaN or infinite entry of `value`. */
export function assertFinite({ data, shape }: Tensor, name: string): void {
  // x - x is 0 for finite x and NaN otherwise; four sums, because an addition waits for the one before, and no array of
  // the four numbers, which engines would build (6 times slower).
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let at = 0;
  for (; at + 3 < data.length; at += 4) {
    const w = data[at]!;
    const x = data[at + 1]!;
    const y = data[at + 2]!;
    const z = data[at + 3]!;
    s0 += w - w;
    s1 += x - x;
    s2 += y - y;
    s3 += z - z;
  }
  for (; at < data.length; at++) s0 += data[at]! - data[at]!;
  if (s0 + s1 + s2 + s3 === 0) return;
  const i = data.findIndex((x) => !Number.isFinite(x));
  throw new RangeError(
    `${name}: entry ${indexOf(i, shape)} is ${data[i]}. Remove or impute missing values first.`,
  );
}

function indexOf(flat: number, shape: readonly number[]): string {
  const index: number[] = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index.unshift(flat % shape[axis]!);
    flat = Math.floor(flat / shape[axis]!);
  }
  return `[${index.join(', ')}]`;
}
