// The public product: shapes, options, dtypes and refusals, against loops.
import fc from 'fast-check';
import { createEngine, matmul, tensor, type Engine, type Tensor } from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { source } from '../support/matrices.js';

let engines: Engine[];
beforeAll(async () => {
  engines = await Promise.all([0, 1].map((workers) => createEngine({ variant: 'simd', workers })));
});
afterAll(() => engines.forEach((engine) => engine.dispose()));

const matrix = (rows: number, cols: number, seed: number): Tensor<Float64Array> =>
  tensor(Float64Array.from({ length: rows * cols }, source(seed)), [rows, cols]);

describe('matmul', () => {
  it('equals the loops for any transposes and factors, on the main thread and on a worker', async () => {
    const size = fc.integer({ min: 1, max: 30 });
    const shape = fc.record({
      ...{
        m: size,
        n: size,
        k: size,
        ta: fc.boolean(),
        tb: fc.boolean(),
        worker: fc.integer({ max: 1, min: 0 }),
      },
      ...{
        alpha: fc.constantFrom(undefined, 0, -0.5),
        beta: fc.constantFrom(undefined, 0, 1, 2),
        add: fc.boolean(),
      },
    });
    await fc.assert(
      fc.asyncProperty(shape, async ({ m, n, k, ta, tb, worker, alpha, beta, add }) => {
        const a = ta ? matrix(k, m, 1) : matrix(m, k, 1);
        const b = tb ? matrix(n, k, 2) : matrix(k, n, 2);
        const c = matrix(m, n, 3);
        if (beta === 0) c.data.fill(NaN);
        const kept = c.data.slice();
        const got = await matmul(engines[worker]!, a, b, {
          ...{ transposeA: ta, transposeB: tb },
          ...(alpha === undefined ? {} : { alpha }),
          ...(add ? { c, ...(beta === undefined ? {} : { beta }) } : {}),
        });
        expect(got.shape).toEqual([m, n]);
        expect(c.data).toEqual(kept);
        for (let i = 0; i < m; i++)
          for (let j = 0; j < n; j++) {
            let sum = 0;
            for (let t = 0; t < k; t++)
              sum += a.data[ta ? t * m + i : i * k + t]! * b.data[tb ? j * k + t : t * n + j]!;
            const want = (alpha ?? 1) * sum + (add && beta !== 0 ? (beta ?? 1) * kept[i * n + j]! : 0);
            if (!(Math.abs(got.data[i * n + j]! - want) < 1e-13)) throw new Error(`entry ${i}, ${j}`);
          }
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  it('takes vectors', async () => {
    const [engine] = engines as [Engine];
    const a = [
      [1, 2, 3],
      [4, 5, 6],
    ];
    expect(await matmul(engine, a, [1, 0, -1])).toEqual({ data: Float64Array.of(-2, -2), shape: [2] });
    const back = await matmul(engine, a, [1, -1], { transposeA: true, alpha: 2, c: [1, 1, 1] });
    expect(back).toEqual({ data: Float64Array.of(-5, -5, -5), shape: [3] });
    const column = await matmul(engine, a, [[1], [0], [-1]]);
    expect(column).toEqual({ data: Float64Array.of(-2, -2), shape: [2, 1] });
  });

  it('of a matrix with its own transpose is symmetric and has the bits of the full product', async () => {
    for (const engine of engines)
      for (const [rows, cols] of [
        [3, 1],
        [37, 20],
        [70, 131],
      ] as const)
        for (const options of [{ transposeB: true }, { transposeA: true, alpha: -0.3 }]) {
          const x = matrix(rows, cols, rows);
          const copy = tensor(x.data.slice(), x.shape);
          expect(await matmul(engine, x, x, options)).toEqual(await matmul(engine, x, copy, options));
        }
    const empty = tensor(new Float64Array(0), [3, 0]);
    const zeros = { data: new Float64Array(9), shape: [3, 3] };
    expect(await matmul(engines[0]!, empty, empty, { transposeB: true })).toEqual(zeros);
  });

  it('keeps float32 only when everything is', async () => {
    const [engine] = engines as [Engine];
    const single = tensor(Float32Array.of(1, 2, 3, 4), [2, 2]);
    const double = tensor(Float64Array.from(single.data), [2, 2]);
    expect((await matmul(engine, single, single, { c: single })).data).toEqual(
      Float32Array.of(8, 12, 18, 26),
    );
    for (const [a, b, c] of [
      [single, double, single],
      [double, single, single],
      [single, single, double],
    ] as const)
      expect((await matmul(engine, a, b, { c })).data).toEqual(Float64Array.of(8, 12, 18, 26));
  });

  it('refuses what does not fit', async () => {
    const [engine] = engines as [Engine];
    const x = matrix(2, 3, 1);
    const refusals: [Promise<unknown>, RegExp][] = [
      [matmul(engine, x, x), /\(m, k\) and \(k, n\) or \(k\) wanted, got \[2, 3\] and \[2, 3\]/],
      [matmul(engine, x, x, { transposeA: true, transposeB: true }), /\(k, m\) and \(n, k\) wanted/],
      [matmul(engine, [1, 2], x), /got \[2\]/],
      [matmul(engine, x, [1, 2, 3], { transposeB: true }), /\(n, k\)/],
      [matmul(engine, x, x, { transposeB: true, c: x }), /c must have the shape of the product, \[2, 2\]/],
      [matmul(engine, x, x, { transposeB: true, beta: 1 }), /got none with beta = 1/],
      [matmul(engine, x, x, { transposeB: true, alpha: NaN }), /alpha must be a finite number, got NaN/],
      [matmul(engine, x, x, { transposeB: true, c: [[1]], beta: Infinity }), /beta must be a finite number/],
    ];
    for (const [promise, why] of refusals) {
      await expect(promise).rejects.toThrow(RangeError);
      await expect(promise).rejects.toThrow(why);
    }
  });
});
