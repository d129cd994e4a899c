// The kernels of rows of features.
import type { NetDocument } from '../../net/document.js';
import type { Engine, RunOptions } from '../../wasm/engine.js';
import { kernelDiagonal, kernelPair, type KernelPair } from '../kernels.js';

/** Both kernels between rows of features; `x2 = null`: x1 with itself. */
export function tableKernels(
  engine: Engine,
  net: NetDocument,
  x1: Float64Array,
  x2: Float64Array | null,
  { features, run }: { readonly features: number; readonly run: RunOptions },
): Promise<KernelPair> {
  const rows = (x: Float64Array) => ({ x: { data: x, shape: [x.length / features, features] } });
  return kernelPair(engine, net, rows(x1), x2 && rows(x2), run);
}

/** Both kernels of every row with itself. */
export function tableDiagonal(
  engine: Engine,
  net: NetDocument,
  x: Float64Array,
  features: number,
  run: RunOptions,
): Promise<KernelPair> {
  return kernelDiagonal(engine, net, { x: { data: x, shape: [x.length / features, features] } }, run);
}
