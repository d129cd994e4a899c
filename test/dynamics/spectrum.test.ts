import { createEngine, spectrum, tensor, type Engine } from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

describe('spectrum', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ variant: 'simd' });
  });
  afterAll(() => engine.dispose());

  const n = 6;
  const kernel = tensor(
    Float64Array.from(
      { length: n * n },
      (_, i) => 1 / (1 + Math.abs(Math.floor(i / n) - (i % n))) + (i % n === Math.floor(i / n) ? 0.2 : 0),
    ),
    [n, n],
  );
  const y = tensor(Float64Array.of(1, -1, 2, 0, 0.5, -0.3), [n]);

  it('predicts the loss curve of gradient flow', async () => {
    const { predictedLoss, maxLearningRate } = await spectrum(engine, kernel, y);
    // many small explicit steps of df/dt = -K (f - y)/n, Richardson-extrapolated in the step
    const euler = (time: number, steps: number): number => {
      let r = Float64Array.from(y.data, (value) => -value);
      for (let step = 0; step < steps; step++) {
        r = r.map((value, i) => {
          let sum = 0;
          for (let j = 0; j < n; j++) sum += kernel.data[i * n + j]! * r[j]!;
          return value - (time / steps / n) * sum;
        });
      }
      return r.reduce((sum, value) => sum + value * value, 0) / (2 * n);
    };
    expect(maxLearningRate).toBeGreaterThan(0);
    for (const time of [0.5, 2, 7]) {
      const [a, b, c] = [euler(time, 1000), euler(time, 2000), euler(time, 4000)];
      const extrapolated = (8 * c - 6 * b + a) / 3; // removes the errors of order h and h^2
      expect(Math.abs(predictedLoss(time) - extrapolated)).toBeLessThan(1e-8);
    }
    const energy = y.data.reduce((sum, value) => sum + value * value, 0);
    expect(predictedLoss(0)).toBeCloseTo(energy / (2 * n), 14);
    expect(predictedLoss(Infinity)).toBeLessThan(1e-15);
  });

  it('has the sums that do not depend on the eigenvectors', async () => {
    const result = await spectrum(engine, kernel, y);
    const trace = Array.from({ length: n }, (_, i) => kernel.data[i * n + i]!).reduce((a, b) => a + b);
    expect(result.values.reduce((a, b) => a + b)).toBeCloseTo(trace, 12);
    expect([...result.values]).toEqual([...result.values].sort((a, b) => b - a));
    expect(result.cumulativeEnergy.at(-1)).toBeCloseTo(1, 14);
    let quadratic = 0;
    let square = 0;
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        quadratic += y.data[i]! * kernel.data[i * n + j]! * y.data[j]!;
        square += kernel.data[i * n + j]! ** 2;
      }
    }
    const energy = y.data.reduce((sum, value) => sum + value * value, 0);
    expect(result.alignment).toBeCloseTo(quadratic / Math.sqrt(square) / energy, 13);
    expect(result.effectiveDimension(1e-12)).toBeCloseTo(n, 9);
    expect(result.effectiveDimension(1e12)).toBeCloseTo(0, 9);
    expect(result.condition).toBeCloseTo(result.values[0]! / result.values[n - 1]!, 12);
  });

  it('lets null directions stand for ever', async () => {
    const ones = tensor(new Float64Array(4).fill(1), [2, 2]);
    const result = await spectrum(engine, ones, [[1], [-1]]);
    expect(result.predictedLoss(Infinity)).toBeCloseTo(0.5, 12);
  });

  it('names what does not fit', async () => {
    await expect(spectrum(engine, kernel, [1, 2])).rejects.toThrow('(6)');
    await expect(
      spectrum(
        engine,
        [
          [1, 2],
          [3, 4],
        ],
        [1, 2],
      ),
    ).rejects.toThrow(RangeError);
  });
});
