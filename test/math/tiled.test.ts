import {
  createEngine,
  tensor,
  tiledCholesky,
  tiledGram,
  tiledSolve,
  type Engine,
  type TiledMatrix,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tiledAddDiagonal, tiledBytes, tiledEntry, tiledMatrix } from '#build/math/tiled.js';
import { source } from '../support/matrices.js';

const WORKERS = [0, 1, 2] as const;
let engines: Engine[];
beforeAll(async () => {
  engines = await Promise.all(WORKERS.map((workers) => createEngine({ variant: 'simd', workers })));
});
afterAll(() => engines.forEach((engine) => engine.dispose()));

function points(n: number, d: number) {
  return tensor(Float64Array.from({ length: n * d }, source(n)), [n, d]);
}
const copies = (matrix: TiledMatrix): Float64Array[] => matrix.tiles.map((tile) => Float64Array.from(tile));

/** X X^T + I by loops. */
function reference(x: Float64Array, n: number, d: number): Float64Array {
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      let sum = i === j ? 1 : 0;
      for (let k = 0; k < d; k++) sum += x[i * d + k]! * x[j * d + k]!;
      a[i * n + j] = sum;
    }
  return a;
}

describe('tiled', () => {
  it.each([
    [1, 1, 4],
    [5, 3, 2],
    [16, 4, 16],
    [50, 7, 16],
    [97, 20, 13],
    [130, 40, 64],
  ])('n = %i, d = %i, tiles of %i: gram, factor, solve against loops', async (n, d, tile) => {
    const x = points(n, d);
    const a = reference(x.data, n, d);
    const matrix = await tiledGram(engines[0]!, x, { tile });
    tiledAddDiagonal(matrix, 1);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++)
        if (!(Math.abs(tiledEntry(matrix, i, j) - a[i * n + j]!) < 1e-13 * d))
          throw new Error(`entry ${i}, ${j}`);
    const { logDeterminant } = await tiledCholesky(engines[0]!, matrix);
    // The factor times its transpose, and the determinant from its diagonal.
    let log = 0;
    for (let i = 0; i < n; i++) {
      log += 2 * Math.log(tiledEntry(matrix, i, i));
      for (let j = 0; j <= i; j++) {
        let sum = 0;
        for (let k = 0; k <= j; k++) sum += tiledEntry(matrix, i, k) * tiledEntry(matrix, j, k);
        if (!(Math.abs(sum - a[i * n + j]!) < 1e-12 * d)) throw new Error(`product ${i}, ${j}`);
      }
    }
    expect(Math.abs(logDeterminant - log)).toBeLessThan(1e-12 * n);
    for (const shape of [[n], [n, 1], [n, 5]]) {
      const b = tensor(Float64Array.from({ length: n * (shape[1] ?? 1) }, source(7)), shape);
      const { data, shape: got } = await tiledSolve(engines[0]!, matrix, b);
      expect(got).toEqual(shape);
      const r = shape[1] ?? 1;
      for (let i = 0; i < n; i++)
        for (let c = 0; c < r; c++) {
          let sum = -b.data[i * r + c]!;
          for (let k = 0; k < n; k++) sum += a[i * n + k]! * data[k * r + c]!;
          if (!(Math.abs(sum) < 1e-10)) throw new Error(`residual ${sum} at ${i}, ${c}`);
        }
    }
  });

  it('gives equal bits for 0, 1 and 2 workers, and announces bytes first', async () => {
    const [n, d, tile] = [310, 30, 24];
    const results = [];
    for (const engine of engines) {
      const seen: { done: number; total: number; bytes: number }[] = [];
      const onProgress = (progress: (typeof seen)[0]) => void seen.push(progress);
      const matrix = await tiledGram(engine, points(n, d), { tile, alpha: 0.5, onProgress });
      tiledAddDiagonal(matrix, 0.1);
      const before = copies(matrix);
      const { logDeterminant } = await tiledCholesky(engine, matrix, { onProgress });
      const b = tensor(Float64Array.from({ length: n * 3 }, source(2)), [n, 3]);
      const { data } = await tiledSolve(engine, matrix, b, { onProgress });
      results.push({ before, after: copies(matrix), logDeterminant, data });
      expect(seen[0]!.done).toBe(0);
      expect(seen[0]!.bytes).toBeGreaterThanOrEqual(tiledBytes(n, tile).matrix);
      expect(seen.filter(({ done, total }) => done === total)).toHaveLength(3);
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  it('reads shared memory where it lies, and says so in the bytes', async () => {
    const [n, d, tile] = [70, 9, 32];
    const x = points(n, d);
    const isShared = typeof SharedArrayBuffer === 'function'; // not in every page
    const lies = new Float64Array(new (isShared ? SharedArrayBuffer : ArrayBuffer)(8 * n * d));
    lies.set(x.data);
    for (const engine of engines) {
      const bytes: number[] = [];
      const run = (data: Float64Array) =>
        tiledGram(engine, tensor(data, [n, d]), { tile, onProgress: (p) => bytes.push(p.bytes) });
      const [copied, inPlace] = [await run(x.data), await run(lies)];
      expect(copies(inPlace)).toEqual(copies(copied));
      expect(bytes[0]! - bytes.at(-1)!).toBe(isShared && engine.workers > 0 ? 8 * n * d : 0);
    }
  });

  it('names the pivot that fails, wherever it lies', async () => {
    for (const engine of engines) {
      for (const at of [0, 17, 39]) {
        const matrix = tiledMatrix(40, 16);
        tiledAddDiagonal(matrix, 1);
        const i = Math.floor(at / 16);
        const height = Math.min(16, 40 - 16 * i);
        matrix.tiles[(i * (i + 1)) / 2 + i]![(at - 16 * i) * (height + 1)] = at === 17 ? NaN : -1;
        await expect(tiledCholesky(engine, matrix)).rejects.toThrow(`pivot ${at} of 40`);
      }
    }
  });

  it('stops on abort', async () => {
    for (const engine of engines) {
      const stop = new AbortController();
      const matrix = tiledMatrix(200, 8);
      tiledAddDiagonal(matrix, 1);
      const onProgress = ({ done }: { done: number }) => void (done === 3 && stop.abort(new Error('enough')));
      await expect(tiledCholesky(engine, matrix, { signal: stop.signal, onProgress })).rejects.toThrow(
        'enough',
      );
    }
  });

  it('takes smaller tiles where the budget of the engine asks for it', async () => {
    await using small = await createEngine({ variant: 'simd', memoryBytes: 2 ** 20 });
    expect((await tiledGram(small, points(300, 3))).tile).toBe(128);
    expect((await tiledGram(small, points(300, 600))).tile).toBe(64);
    expect((await tiledGram(engines[0]!, points(300, 600))).tile).toBe(256);
  });

  it('checks its input', async () => {
    const engine = engines[0]!;
    await expect(tiledGram(engine, [1, 2])).rejects.toThrow('shape');
    await expect(tiledGram(engine, [[1], [NaN]])).rejects.toThrow('entry [1, 0] is NaN');
    await expect(tiledGram(engine, [[1e200]])).rejects.toThrow('norm of row 0 of x overflows');
    await expect(tiledGram(engine, [[1]], { alpha: Infinity })).rejects.toThrow('alpha');
    const matrix = tiledMatrix(3);
    await expect(tiledSolve(engine, matrix, [1, 2])).rejects.toThrow('shape');
    expect(() => tiledMatrix(0)).toThrow('n >= 1');
    expect(() => tiledMatrix(2e6)).toThrow(/\d{14} bytes wanted for n = 2000000/); // 16 TB
    expect(tiledBytes(20_000).matrix).toBeGreaterThan(4 * 20_000 ** 2); // the lower half, in f64
    expect(tiledBytes(20_000).matrix).toBeLessThan(4.3 * 20_000 ** 2);
  });
});
