// Kernels of a net in f64, as predictions use them.
import { kernel } from '../kernel/index.js';
import { isMasked } from '../kernel/propagation/input.js';
import { asTensor, assertFinite, type Tensor, type TensorLike } from '../math/tensor.js';
import type { NetDocument } from '../net/document.js';
import type { Engine, RunOptions } from '../wasm/engine.js';

export interface KernelPair {
  readonly nngp: Float64Array;
  readonly ntk: Float64Array;
}

/** One side of a kernel. */
export interface Samples {
  /** (n, ...sample) */
  readonly x: Tensor;
  /** Entries equal to it are masked; the same on both sides. */
  readonly maskConstant?: number | undefined;
  /** One graph per sample for aggregate layers, (n, v, v). */
  readonly pattern?: Tensor | null;
}

/** Checks one side: samples with at least one feature, all of them finite or masked, and a graph for each or none. */
export function samplesOf(
  value: TensorLike,
  name: string,
  maskConstant?: number,
  pattern?: TensorLike | null,
): Samples {
  const x = asTensor(value, name);
  if (x.shape.length < 2 || x.shape.includes(0))
    throw new RangeError(
      `${name}: samples (n, ...) with at least one feature are expected, got [${x.shape}]`,
    );
  if (maskConstant !== undefined && typeof maskConstant !== 'number')
    throw new TypeError(`predict: maskConstant must be a number, got ${typeof maskConstant}`);
  const visible =
    maskConstant === undefined
      ? x
      : { ...x, data: x.data.map((entry) => (isMasked(entry, maskConstant) ? 0 : entry)) };
  assertFinite(visible, name);
  const graphs = pattern === undefined || pattern === null ? null : asTensor(pattern, `${name}: its pattern`);
  if (graphs && graphs.shape[0] !== x.shape[0])
    throw new RangeError(
      `${name}: the pattern must have one graph for each of the ${x.shape[0]} samples, got shape [${graphs.shape}]`,
    );
  return { x, maskConstant, pattern: graphs };
}

/** Test points that fit the train set: of its shape, masked alike, with graphs where it has them. */
export function pointsLike(train: Samples, xTest: TensorLike, pattern2: TensorLike | null = null): Samples {
  const points = samplesOf(xTest, 'predict: xTest', train.maskConstant, pattern2);
  if (points.x.shape.slice(1).join() !== train.x.shape.slice(1).join())
    throw new RangeError(
      `predict: xTest must be samples of shape [${train.x.shape.slice(1).join(', ')}], got [${points.x.shape.join(', ')}]`,
    );
  if (!train.pattern !== !points.pattern)
    throw new RangeError(
      `predict: pattern1 holds the graphs of xTrain and pattern2 those of xTest: give both or none, got ${train.pattern ? 'pattern1' : 'pattern2'} alone`,
    );
  return points;
}

/** Kernel options of two sides; `two` null: one with itself. */
export const sideOptions = (
  one: Samples,
  two: Samples | null,
): { maskConstant?: number; pattern1: Tensor | null; pattern2: Tensor | null } => ({
  ...(one.maskConstant === undefined ? {} : { maskConstant: one.maskConstant }),
  pattern1: one.pattern ?? null,
  pattern2: two?.pattern ?? null,
});

/** NNGP and NTK matrices between two sets of samples; `two = null` means one as the same samples. */
export async function kernelPair(
  engine: Engine,
  net: NetDocument,
  one: Samples,
  two: Samples | null,
  { signal }: RunOptions = {},
): Promise<KernelPair> {
  const options = { dtype: 'f64' as const, ...sideOptions(one, two), ...(signal ? { signal } : {}) };
  const { nngp, ntk } = await kernel(engine, net, one.x, two && two.x, options);
  if (nngp.shape.length !== 2)
    throw new RangeError(
      `predict: the net must end without spatial axes, its kernel has shape [${nngp.shape.join(', ')}]. Add flatten or a global pooling layer.`,
    );
  return { nngp: nngp.data as Float64Array, ntk: ntk.data as Float64Array };
}

/** Samples whose pairs are computed for the sake of their diagonal: few where a pair is dear, more where the call is. */
const blockOf = ({ x: { shape } }: Samples): number => (shape.length === 2 ? 64 : 16);

/** NNGP and NTK of every sample with itself. */
export async function kernelDiagonal(
  engine: Engine,
  net: NetDocument,
  samples: Samples,
  run: RunOptions = {},
): Promise<KernelPair> {
  const count = samples.x.shape[0]!;
  const out = { nngp: new Float64Array(count), ntk: new Float64Array(count) };
  const block = blockOf(samples);
  for (let from = 0; from < count; from += block) {
    const size = Math.min(block, count - from);
    const pair = await kernelPair(engine, net, partOf(samples, from, size), null, run);
    for (let i = 0; i < size; i++) {
      out.nngp[from + i] = pair.nngp[i * size + i]!;
      out.ntk[from + i] = pair.ntk[i * size + i]!;
    }
  }
  return out;
}

/** Samples [from, from + count) as views. */
export function partOf({ x, maskConstant, pattern }: Samples, from: number, count: number): Samples {
  return { x: rowsOf(x, from, count), maskConstant, pattern: pattern ? rowsOf(pattern, from, count) : null };
}

/** These samples, in this order. */
export function pickSamples({ x, maskConstant, pattern }: Samples, indices: readonly number[]): Samples {
  const pick = (from: Tensor): Tensor => {
    const size = from.data.length / from.shape[0]!;
    const data = new Float64Array(indices.length * size);
    indices.forEach((index, i) => data.set(rowsOf(from, index, 1).data, i * size));
    return { data, shape: [indices.length, ...from.shape.slice(1)] };
  };
  return { x: pick(x), maskConstant, pattern: pattern ? pick(pattern) : null };
}

/** Rows [from, from + count) of an array as a view. */
function rowsOf({ data, shape }: Tensor, from: number, count: number): Tensor {
  const size = data.length / shape[0]!;
  return { data: data.subarray(from * size, (from + count) * size), shape: [count, ...shape.slice(1)] };
}
