// How kernels and targets of any shape become matrices. Kernels are "zipped": for the axes d0, d1, ... of y that
// are not traced they have the axes (d0, d0', d1, d1', ...). On a traced axis the kernel is `Theta (x) I`, so these
// axes of y become extra right-hand-side columns.
import { asTensor, assertFinite, sizeOf, type Tensor, type TensorLike } from '../math/tensor.js';
import { NumericalError } from '../wasm/engine.js';

export interface Layout {
  readonly yShape: readonly number[];
  /** Axes of y that index rows of the kernel matrix, ascending; the first is always 0. */
  readonly rowAxes: readonly number[];
  readonly tracedAxes: readonly number[];
  readonly rows: number;
  readonly columns: number;
}

/** Default of `traceAxes`: the last axis, except for a vector of targets. */
export function layoutOf(
  name: string,
  yShape: readonly number[],
  traceAxes: readonly number[] = yShape.length > 1 ? [-1] : [],
): Layout {
  const rank = yShape.length;
  if (rank === 0) throw new RangeError(`${name}: y must have at least one axis (the samples), got a number`);
  const traced = new Set<number>();
  for (const axis of traceAxes) {
    if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
      throw new RangeError(`${name}: traceAxes must be axes of y (${rank} of them), got ${axis}`);
    }
    traced.add(axis < 0 ? axis + rank : axis);
  }
  if (traced.has(0))
    throw new RangeError(`${name}: the samples axis 0 of y cannot be traced; traceAxes: [${traceAxes}]`);
  const axes = yShape.map((_, axis) => axis);
  const rowAxes = axes.filter((axis) => !traced.has(axis));
  const tracedAxes = axes.filter((axis) => traced.has(axis));
  const product = (list: readonly number[]): number => sizeOf(list.map((axis) => yShape[axis]!));
  const layout = { yShape, rowAxes, tracedAxes, rows: product(rowAxes), columns: product(tracedAxes) };
  if (layout.rows === 0 || layout.columns === 0)
    throw new RangeError(`${name}: y is empty, shape [${yShape.join(', ')}]`);
  return layout;
}

/** The shape of targets for `samples` samples. */
export function targetShape(layout: Layout, samples: number): readonly number[] {
  return [samples, ...layout.yShape.slice(1)];
}

/** Targets `(samples, ...o)` as a matrix (rows, columns); a number is broadcast. */
export function toMatrix(layout: Layout, value: TensorLike, samples: number, name: string): Float64Array {
  const shape = targetShape(layout, samples);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new RangeError(`${name}: expected finite numbers, got ${value}`);
    return new Float64Array(sizeOf(shape)).fill(value);
  }
  const given = asTensor(value, name);
  if (given.shape.length !== shape.length || given.shape.some((size, axis) => size !== shape[axis])) {
    throw new RangeError(`${name}: expected shape [${shape.join(', ')}], got [${given.shape.join(', ')}]`);
  }
  assertFinite(given, name);
  return permute(given.data, shape, [...layout.rowAxes, ...layout.tracedAxes]);
}

/** The inverse of `toMatrix`, for answers: NumericalError where they left the range of float64. */
export function fromMatrix(layout: Layout, data: Float64Array, samples: number): Tensor<Float64Array> {
  const shape = targetShape(layout, samples);
  const bad = data.find((value) => !Number.isFinite(value));
  if (bad !== undefined)
    throw new NumericalError(
      `predict: an output came out as ${bad}: targets or kernels are too large for float64. Scale them down.`,
    );
  const order = [...layout.rowAxes, ...layout.tracedAxes];
  const back = order.map((_, axis) => order.indexOf(axis));
  return {
    data: permute(
      data,
      order.map((axis) => shape[axis]!),
      back,
    ),
    shape,
  };
}

/**
 * A zipped kernel as a matrix in f64, the array given where it is one already: read it only. `rowSamples` null: whatever
 * it has. Returns the number of its row samples.
 */
export function kernelMatrix(
  layout: Layout,
  kernel: TensorLike,
  name: string,
  rowSamples: number | null,
): { data: Float64Array; samples: number } {
  const given = asTensor(kernel, name);
  const axes = layout.rowAxes.length;
  const samples = rowSamples ?? given.shape[0] ?? 0;
  const wanted = layout.rowAxes.flatMap((axis, i) => {
    const size = layout.yShape[axis]!;
    return i === 0 ? [samples, size] : [size, size];
  });
  if (given.shape.length !== 2 * axes || given.shape.some((size, axis) => size !== wanted[axis])) {
    throw new RangeError(
      `${name}: y of shape [${layout.yShape.join(', ')}] with traced axes [${layout.tracedAxes.join(', ')}] needs a kernel of shape [${[rowSamples === null ? 'rows' : samples, ...wanted.slice(1)].join(', ')}], got [${given.shape.join(', ')}]. Is traceAxes what the kernel was computed with?`,
    );
  }
  assertFinite(given, name);
  return { data: unzip(given, axes), samples };
}

/** The test-test kernel as a matrix: both sides have `samples` samples. */
export function testKernelMatrix(
  layout: Layout,
  kernel: TensorLike,
  name: string,
  samples: number,
): Float64Array {
  const yShape = targetShape(layout, samples);
  return kernelMatrix({ ...layout, yShape }, kernel, name, samples).data;
}

/** A covariance matrix back in zipped axes. */
export function zipped(layout: Layout, data: Float64Array, samples: number): Tensor<Float64Array> {
  const sizes = layout.rowAxes.map((axis, i) => (i === 0 ? samples : layout.yShape[axis]!));
  const shape = sizes.flatMap((size) => [size, size]);
  if (sizes.length === 1) return { data, shape };
  const order = sizes.flatMap((_, i) => [i, i + sizes.length]);
  return { data: permute(data, [...sizes, ...sizes], order), shape };
}

function unzip({ data, shape }: Tensor, axes: number): Float64Array {
  const order = [...shape.keys()].filter((axis) => axis % 2 === 0);
  if (axes === 1) return data instanceof Float64Array ? data : new Float64Array(data);
  return permute(data, shape, [...order, ...order.map((axis) => axis + 1)]);
}

/** A copy with axis i of the result being axis `order[i]` of the input. */
function permute(data: ArrayLike<number>, shape: readonly number[], order: readonly number[]): Float64Array {
  if (order.every((axis, i) => axis === i)) return new Float64Array(data);
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const out = new Float64Array(data.length);
  const index = order.map(() => 0);
  let from = 0;
  for (let to = 0; to < out.length; to++) {
    out[to] = data[from]!;
    for (let axis = order.length - 1; axis >= 0; axis--) {
      const stride = strides[order[axis]!]!;
      const size = shape[order[axis]!]!;
      from += stride;
      if (++index[axis]! < size) break;
      index[axis] = 0;
      from -= stride * size;
    }
  }
  return out;
}

/** A list of times of any shape, flattened; null means infinity. */
export type Times = TensorLike | null;

export function timesOf(name: string, t: Times): { values: Float64Array; shape: readonly number[] } {
  const given = t === null ? Infinity : t;
  const { data, shape } = typeof given === 'number' ? { data: [given], shape: [] } : asTensor(given, name);
  for (const value of data)
    if (!(value >= 0)) throw new RangeError(`${name}: times must be >= 0 or Infinity, got ${value}`);
  return { values: Float64Array.from(data), shape };
}
