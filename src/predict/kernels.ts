// Kernels of a net in f64, as predictions use them.
import { kernel } from '../kernel/index.js';
import type { Tensor } from '../math/tensor.js';
import type { NetDocument } from '../net/document.js';
import type { Engine, RunOptions } from '../wasm/engine.js';

export interface KernelPair {
  readonly nngp: Float64Array;
  readonly ntk: Float64Array;
}

/** NNGP and NTK matrices between two sets of samples; `x2 = null` means x1 as the same samples. */
export async function kernelPair(
  engine: Engine,
  net: NetDocument,
  x1: Tensor,
  x2: Tensor | null,
  { signal }: RunOptions = {},
): Promise<KernelPair> {
  const { nngp, ntk } = await kernel(engine, net, x1, x2, { dtype: 'f64', ...(signal ? { signal } : {}) });
  if (nngp.shape.length !== 2)
    throw new RangeError(
      `predict: the net must end without spatial axes, its kernel has shape [${nngp.shape.join(', ')}]. Add flatten or a global pooling layer.`,
    );
  return { nngp: nngp.data as Float64Array, ntk: ntk.data as Float64Array };
}

/** Samples whose pairs are computed for the sake of their diagonal: few where a pair is dear, more where the call is. */
const blockOf = ({ shape }: Tensor): number => (shape.length === 2 ? 64 : 16);

/** NNGP and NTK of every sample with itself. */
export async function kernelDiagonal(
  engine: Engine,
  net: NetDocument,
  x: Tensor,
  run: RunOptions = {},
): Promise<KernelPair> {
  const count = x.shape[0]!;
  const out = { nngp: new Float64Array(count), ntk: new Float64Array(count) };
  const block = blockOf(x);
  for (let from = 0; from < count; from += block) {
    const size = Math.min(block, count - from);
    const pair = await kernelPair(engine, net, rowsOf(x, from, size), null, run);
    for (let i = 0; i < size; i++) {
      out.nngp[from + i] = pair.nngp[i * size + i]!;
      out.ntk[from + i] = pair.ntk[i * size + i]!;
    }
  }
  return out;
}

/** Samples [from, from + count) as a view. */
export function rowsOf({ data, shape }: Tensor, from: number, count: number): Tensor {
  const size = data.length / shape[0]!;
  return { data: data.subarray(from * size, (from + count) * size), shape: [count, ...shape.slice(1)] };
}
