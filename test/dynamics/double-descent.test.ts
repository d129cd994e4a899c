import { createEngine, doubleDescent, type Engine } from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

describe('double descent', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ variant: 'simd' });
  });
  afterAll(() => engine.dispose());

  it('peaks at P = n and descends below the first valley', async () => {
    const points = await doubleDescent(engine, {
      ratios: [0.1, 0.5, 0.8, 1, 1.2, 2, 4],
      repeats: 11,
      seed: 3,
    });
    const mse = new Map(points.map((point) => [point.ratio, point.testMse]));
    expect(mse.get(1)!).toBeGreaterThan(10 * mse.get(0.5)!);
    expect(mse.get(1)!).toBeGreaterThan(10 * mse.get(2)!);
    expect(mse.get(4)!).toBeLessThan(0.6 * mse.get(0.5)!);
    // medians of 60 repetitions of the same experiment by numpy's least squares
    for (const [ratio, value] of [
      [0.1, 0.857],
      [0.5, 0.496],
      [2, 0.244],
      [4, 0.126],
    ] as const) {
      expect(Math.abs(Math.log(mse.get(ratio)! / value))).toBeLessThan(0.25);
    }
    // more features than samples interpolate the training set
    for (const { ratio, trainMse } of points) {
      if (ratio > 1) expect(trainMse).toBeLessThan(1e-12);
      else if (ratio < 1) expect(trainMse).toBeGreaterThan(1e-4);
    }
  });

  it('has no peak with a ridge', async () => {
    const points = await doubleDescent(engine, { ratios: [0.5, 1, 2], repeats: 9, seed: 3, ridge: 0.02 });
    expect(points[1]!.testMse).toBeLessThan(2 * Math.max(points[0]!.testMse, points[2]!.testMse));
  });

  it('rejects impossible sizes', async () => {
    await expect(doubleDescent(engine, { ratios: [0] })).rejects.toThrow('at least one feature');
    await expect(doubleDescent(engine, { samples: 0 })).rejects.toThrow('samples');
    await expect(doubleDescent(engine, { noise: NaN })).rejects.toThrow('noise');
  });
});
