import { createEngine, matmul, supportedVariants, tensor, UnsupportedError } from 'infinite-width';
import { jobs } from '#build/jobs/table.js';
import { gemmJob } from '#build/math/matmul.js';
import { fromPlainError, NumericalError, toPlainError } from '#build/wasm/errors.js';
import { defineJob } from '#build/wasm/engine.js';
import { describe, expect, it } from 'vitest';

const square = (n: number) =>
  tensor(
    Float64Array.from({ length: n * n }, (_, i) => 1 / (i + 1)),
    [n, n],
  );

describe('engine', () => {
  it('gives the same bits for 0, 1 and 2 workers', async () => {
    const results = [];
    for (const workers of [0, 1, 2]) {
      await using engine = await createEngine({ variant: 'simd', workers });
      results.push((await matmul(engine, square(37), square(37))).data);
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  it('keeps the order of a list and reports each result', async () => {
    for (const workers of [0, 2]) {
      await using engine = await createEngine({ variant: 'simd', workers });
      const list = [64, 1, 32, 2].map((n) => ({ a: square(n), b: square(n) }));
      const seen: number[] = [];
      const results = await engine.map(gemmJob, list, { onDone: (done, total) => seen.push(done / total) });
      expect(results.map((result) => result.shape[0])).toEqual([64, 1, 32, 2]);
      expect(seen).toEqual([0.25, 0.5, 0.75, 1]);
    }
  });

  it('gives jobs to a pool of the caller, and keeps those that it does not take', async () => {
    await using own = await createEngine({ variant: 'simd' });
    const taken: string[] = [];
    let closed = false;
    const map = async (job: string, list: readonly unknown[]): Promise<unknown[]> => {
      taken.push(job);
      return own.map(jobs.get(job)!, list);
    };
    const close = (): void => void (closed = true);
    for (const takes of [undefined, (job: string): boolean => !job.startsWith('math/')]) {
      const pool = { workers: 3, map, close, ...(takes ? { takes } : {}) };
      const engine = await createEngine({ variant: 'simd', pool });
      expect(engine.workers).toBe(3);
      const product = await matmul(engine, square(9), square(9));
      expect(product.data).toEqual((await matmul(own, square(9), square(9))).data);
      engine.dispose();
      expect(closed).toBe(true);
    }
    expect(taken).toEqual(['math/matmul']);
  });

  it('rejects bad options and unsupported variants', async () => {
    await expect(createEngine({ workers: -1 })).rejects.toThrow('workers');
    await expect(createEngine({ workers: 1.5 })).rejects.toThrow('workers');
    await expect(createEngine({ memoryBytes: 0 })).rejects.toThrow('memoryBytes');
    if (!supportedVariants().includes('relaxed')) {
      await expect(createEngine({ variant: 'relaxed' })).rejects.toThrow(UnsupportedError);
    }
  });

  it('stops running and queued work on abort, and goes on working', async () => {
    await using engine = await createEngine({ variant: 'simd', workers: 1 });
    const abort = new AbortController();
    const heavy = { a: square(1200), b: square(1200) };
    const running = engine.map(gemmJob, [heavy, heavy, heavy, heavy], { signal: abort.signal });
    setTimeout(() => abort.abort(new Error('enough')), 5);
    await expect(running).rejects.toThrow('enough');
    expect((await matmul(engine, square(2), square(2))).shape).toEqual([2, 2]);
  });

  it('rejects at once when the signal is already aborted', async () => {
    for (const workers of [0, 1]) {
      await using engine = await createEngine({ variant: 'simd', workers });
      await expect(
        engine.run(
          gemmJob,
          { a: square(2), b: square(2) },
          { signal: AbortSignal.abort(new Error('before')) },
        ),
      ).rejects.toThrow('before');
    }
  });

  it('carries errors out of workers with their class', async () => {
    await using engine = await createEngine({ variant: 'simd', workers: 1 });
    const huge = { data: new Float64Array(0), shape: [2 ** 16, 2 ** 16] };
    await expect(engine.run(gemmJob, { a: huge, b: huge })).rejects.toThrow(RangeError);
    await expect(
      engine.run(
        defineJob('nowhere', () => 0),
        null,
      ),
    ).rejects.toThrow("unknown job 'nowhere'");
    const revived = fromPlainError(toPlainError(new NumericalError('singular', { minEigenvalue: -1 })));
    expect(revived).toBeInstanceOf(NumericalError);
    expect((revived as NumericalError).details).toEqual({ minEigenvalue: -1 });
  });

  it('rejects what is running when disposed', async () => {
    const engine = await createEngine({ variant: 'simd', workers: 1 });
    const running = engine.run(gemmJob, { a: square(1200), b: square(1200) });
    engine.dispose();
    await expect(running).rejects.toThrow('disposed');
    await expect(engine.run(gemmJob, { a: square(1), b: square(1) })).rejects.toThrow('dispose');
  });
});
