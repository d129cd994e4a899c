// Products of a stored kernel with blocks of vectors through the queue: block rows, each under a name made of everything it
// depends on.
import { digest } from '../store/digest.js';
import type { KernelRun } from '../store/kernel-run.js';
import { blockRow } from '../store/solve.js';
import type { Key } from '../store/store.js';
import type { Engine } from '../wasm/engine.js';
import type { Board } from './board.js';
import type { ProductMessage } from './message.js';
import type { Objects } from './objects.js';

const keyOf = (
  run: KernelRun,
  { kernel, vectors }: Pick<ProductMessage, 'kernel' | 'vectors'>,
  row: number,
): string => digest('product', run.document.data, run.document.params, kernel, vectors, String(row));

/** The worker's side: computes block rows that are not there yet, and keeps each. */
export async function storedProduct(
  engine: Engine,
  run: KernelRun,
  objects: Objects,
  message: ProductMessage,
  signal?: AbortSignal,
): Promise<void> {
  const raw = await objects.array(message.vectors);
  const b = new Float64Array(raw.slice().buffer);
  const left = [...message.rows];
  const lane = async (): Promise<void> => {
    for (let row = left.shift(); row !== undefined; row = left.shift()) {
      const key = keyOf(run, message, row);
      if (await objects.hasResult(key)) continue;
      await objects.keepResult(key, await blockRow(engine, run, message.kernel, [b, row], signal));
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, engine.workers) }, lane));
}

/** The driver's side: K B, the block rows divided among the workers. Vectors and parts are deleted when they have served. */
export function queueMultiply(
  board: Board,
  run: KernelRun,
  objects: Objects,
  {
    name,
    kernel,
    workers,
    signal,
  }: { name: Key; kernel: 'nngp' | 'ntk'; workers: number; signal?: AbortSignal },
): (b: Float64Array) => Promise<Float64Array> {
  const { tile, shape } = run.document;
  const count = Math.ceil(shape[0]! / tile);
  const size = Math.max(1, Math.ceil(count / workers));
  return async (b) => {
    const vectors = await objects.putArray(b);
    const out = new Float64Array(b.length);
    const r = b.length / shape[0]!;
    const message = { kind: 'product' as const, run: name, kernel, vectors };
    const part = async (rows: number[]): Promise<void> => {
      const keys = rows.map((row) => keyOf(run, message, row));
      const done = async (): Promise<boolean> =>
        (await Promise.all(keys.map((key) => objects.hasResult(key)))).every(Boolean);
      if (!(await done())) await board.run({ task: { ...message, rows }, done }, signal);
      for (const [i, key] of keys.entries()) {
        const found = await objects.result(key);
        // Damaged since it was written: asked for once more.
        if (!found) return part(rows);
        out.set(found.value as Float64Array, rows[i]! * tile * r);
      }
      for (const key of keys) await objects.forget(key);
    };
    const rows = Array.from({ length: count }, (_, i) => i);
    await Promise.all(
      Array.from({ length: Math.ceil(count / size) }, (_, g) => part(rows.slice(g * size, (g + 1) * size))),
    );
    await objects.forgetArray(vectors);
    return out;
  };
}
