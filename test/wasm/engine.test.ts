import { createEngine, matmul, tensor } from 'infinite-width';
import { describe, expect, it } from 'vitest';

describe('engine', () => {
  it('gives the same bits for 0, 1 and 2 workers', async () => {
    const a = tensor(
      Float64Array.from({ length: 35 }, (_, i) => 1 / (i + 1)),
      [5, 7],
    );
    const b = tensor(
      Float64Array.from({ length: 21 }, (_, i) => 1 / (i + 2)),
      [7, 3],
    );
    const results = [];
    for (const workers of [0, 1, 2]) {
      await using engine = await createEngine({ variant: 'simd', workers });
      results.push((await matmul(engine, a, b)).data);
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  it('rejects bad options', async () => {
    await expect(createEngine({ workers: -1 })).rejects.toThrow('workers');
    await expect(createEngine({ memoryBytes: 0 })).rejects.toThrow('memoryBytes');
  });

  it('stops on abort', async () => {
    await using engine = await createEngine({ variant: 'simd', workers: 1 });
    const abort = new AbortController();
    abort.abort(new Error('enough'));
    const one = tensor(Float64Array.of(1), [1, 1]);
    expect((await matmul(engine, one, one)).data[0]).toBe(1);
  });
});
