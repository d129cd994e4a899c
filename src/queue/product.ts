// Products of a stored kernel with blocks of vectors: K B by block rows, each a sum over its chunks in their order, so that the
// bits do not depend on who computes which.
import { matmul } from '../math/matmul.js';
import { StoreError } from '../store/errors.js';
import type { KernelRun } from '../store/kernel-run.js';
import type { Engine } from '../wasm/engine.js';
import { digest } from '../store/digest.js';
import type { ProductMessage } from './message.js';
import type { Objects } from './objects.js';

/** The name of the result of a block row. */
export const productKey = (
  { run, kernel, vectors }: Omit<ProductMessage, 'rows' | 'kind'>,
  row: number,
): string => digest('product', run, kernel, vectors, String(row));

/** Rows of block row i of K B, B of `r` columns. */
export async function blockRow(
  engine: Engine,
  run: KernelRun,
  kernel: 'nngp' | 'ntk',
  b: Float64Array,
  i: number,
  signal?: AbortSignal,
): Promise<Float64Array> {
  const array = run.arrays.get(kernel);
  const [n1, n2] = run.document.shape as [number, number];
  if (!array || run.document.shape.length > 2)
    throw new StoreError(
      `store: ${run.store.name} holds no matrix ${kernel}. Compute it with --get ${kernel}.`,
    );
  const { tile } = run.document;
  const r = b.length / n2;
  const out = new Float64Array(Math.min(tile, n1 - i * tile) * r);
  for (let j = 0; j * tile < n2; j++) {
    signal?.throwIfAborted();
    const chunk = await array.read([i, j]);
    if (!chunk)
      throw new StoreError(
        `store: ${run.store.name}${array.key([i, j])} is not there. Resume the run first.`,
      );
    const part = b.subarray(j * tile * r, Math.min(n2, (j + 1) * tile) * r);
    const right = { data: part as Float64Array<ArrayBuffer>, shape: [part.length / r, r] };
    const { data } = await matmul(engine, { data: Float64Array.from(chunk.data), shape: chunk.shape }, right);
    for (let k = 0; k < out.length; k++) out[k]! += data[k]!;
  }
  return out;
}

/** Computes block rows that are not there yet, and keeps each under its name. */
export async function storedProduct(
  engine: Engine,
  run: KernelRun,
  objects: Objects,
  message: ProductMessage,
  signal?: AbortSignal,
): Promise<void> {
  const raw = await objects.array(message.vectors);
  const b = new Float64Array(raw.slice().buffer);
  for (const row of message.rows) {
    const key = productKey(message, row);
    if (await objects.hasResult(key)) continue;
    await objects.keepResult(key, await blockRow(engine, run, message.kernel, b, row, signal));
  }
}
