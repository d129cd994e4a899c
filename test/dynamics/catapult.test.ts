import { catapult } from 'infinite-width';
import { describe, expect, it } from 'vitest';

describe('catapult', () => {
  // learning rate, largest loss, its step, final curvature; f0 = lambda0 = 1, n = 1000
  const table: [number, number, number, number][] = [
    [1.0, 0.5, 0, 0.997],
    [1.9, 0.5, 0, 0.9818],
    [2.1, 1.105, 7, 0.8826],
    [2.5, 13.58, 5, 0.5072],
    [3.0, 46.45, 4, 0.0597],
    [3.5, 73.26, 3, 0.2552],
    [3.9, 117, 3, 0.0622],
  ];
  it.each(table)('learning rate %f', (learningRate, maxLoss, step, lambda) => {
    const trace = catapult({ learningRate, width: 1000 });
    expect(trace.converged).toBe(true);
    expect(Math.abs(trace.maxLoss / maxLoss - 1)).toBeLessThan(1e-3);
    expect(trace.maxLossStep).toBe(step);
    expect(Math.abs(trace.finalLambda - lambda)).toBeLessThan(1e-4);
    expect(learningRate * trace.finalLambda).toBeLessThan(2);
  });

  it('diverges above 4 and says when', () => {
    const trace = catapult({ learningRate: 4.1, width: 1000 });
    expect(trace.phase).toBe('divergent');
    expect(trace.divergedAt).toBeLessThanOrEqual(9);
  });

  it('peaks later for wider nets, as log n', () => {
    const peaks = [1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8].map(
      (width) => catapult({ learningRate: 3, width }).maxLossStep,
    );
    expect(peaks).toEqual([2, 4, 6, 7, 9, 11, 12]);
  });

  it('is what gradient descent on the two-layer linear net does', () => {
    const n = 512;
    const learningRate = 2.7;
    let u = Float64Array.from({ length: n }, (_, i) => (((i * 7919) % 1009) / 504.5 - 1) * 1.2);
    let v = Float64Array.from({ length: n }, (_, i) => (((i * 104729) % 1013) / 506.5 - 1) * 1.2);
    const state = (): { f: number; lambda: number } => {
      let f = 0;
      let lambda = 0;
      for (let i = 0; i < n; i++) {
        f += u[i]! * v[i]!;
        lambda += u[i]! ** 2 + v[i]! ** 2;
      }
      return { f: f / Math.sqrt(n), lambda: lambda / n };
    };
    const { f: f0, lambda: lambda0 } = state();
    const trace = catapult({ learningRate, width: n, f0, lambda0, steps: 60, tolerance: 0 });
    for (let step = 0; step <= 60; step++) {
      const { f, lambda } = state();
      expect(Math.abs(f - trace.f[step]!)).toBeLessThan(1e-11 * Math.max(1, Math.abs(f)) + 1e-11);
      expect(Math.abs(lambda / trace.lambda[step]! - 1)).toBeLessThan(1e-11);
      const g = (learningRate * f) / Math.sqrt(n);
      [u, v] = [u.map((value, i) => value - g * v[i]!), v.map((value, i) => value - g * u[i]!)];
    }
  });

  it('rejects arguments without meaning', () => {
    expect(() => catapult({ learningRate: -1, width: 10 })).toThrow('learningRate');
    expect(() => catapult({ learningRate: 1, width: 0 })).toThrow('width');
    expect(() => catapult({ learningRate: 1, width: 10, f0: NaN })).toThrow('f0');
  });
});
