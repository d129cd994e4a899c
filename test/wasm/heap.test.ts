import { createEngine } from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from 'infinite-width';

describe('heap', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ variant: 'simd' });
  });
  afterAll(() => engine.dispose());

  it('keeps data across growth', () => {
    engine.heap.scope((scope) => {
      const a = scope.put(Float64Array.of(1, 2, 3));
      scope.alloc('f64', 5_000_000);
      expect([...engine.heap.read(a)]).toEqual([1, 2, 3]);
    });
  });

  it('gives back what scopes and regions took', () => {
    const before = engine.heap.usage.used;
    const region = engine.heap.region();
    const kept = region.put(Float32Array.of(7));
    engine.heap.scope((scope) => void scope.alloc('f64', 1000));
    expect(() =>
      engine.heap.scope(() => {
        throw new Error('inside');
      }),
    ).toThrow('inside');
    expect(engine.heap.get(kept, 0)).toBe(7);
    region.dispose();
    expect(engine.heap.usage.used).toBe(before);
  });

  it('names the bytes when it cannot grow', () => {
    expect(() => engine.heap.scope((scope) => void scope.alloc('f64', 2 ** 30))).toThrow(
      /8589934592 bytes wanted/,
    );
  });

  it('refuses asynchronous scopes and reads outside a ticket', () => {
    expect(() => engine.heap.scope(async () => {})).toThrow(TypeError);
    engine.heap.scope((scope) => {
      const a = scope.alloc('f32', 4);
      expect(() => engine.heap.read(a, 2, 3)).toThrow(RangeError);
    });
  });
});
