// Leaving one out in closed form, and the slope of class probabilities.
import { FINE, fitLink, leaveOneOut, profiledScale } from '#build/predict/table/loo.js';
import { describe, expect, it } from 'vitest';
import { noise, times } from './support.js';

describe('leave-one-out', () => {
  it('is what refitting without each sample gives', () => {
    const next = noise(4);
    const n = 6;
    const a = Float64Array.from({ length: n * n }, next);
    const m = times(
      a,
      Float64Array.from(a, (_, i) => a[(i % n) * n + Math.floor(i / n)]!),
      n,
      n,
      n,
    );
    for (let i = 0; i < n; i++) m[i * n + i]! += 0.5;
    const y = Float64Array.from({ length: n }, next);
    const inverse = invert(m, n);
    const loo = leaveOneOut(
      times(inverse, y, n, 1, n),
      Float64Array.from({ length: n }, (_, i) => inverse[i * n + i]!),
      1,
    );
    for (let left = 0; left < n; left++) {
      const keep = [...Array(n).keys()].filter((i) => i !== left);
      const part = invert(Float64Array.from(keep.flatMap((i) => keep.map((j) => m[i * n + j]!))), n - 1);
      const cross = Float64Array.from(keep, (i) => m[left * n + i]!);
      const w = times(
        part,
        Float64Array.from(keep, (i) => y[i]!),
        n - 1,
        1,
        n - 1,
      );
      const mean = times(cross, w, 1, 1, n - 1)[0]!;
      expect(loo.residual[left]).toBeCloseTo(y[left]! - mean, 10);
      const explained = times(cross, times(part, cross, n - 1, 1, n - 1), 1, 1, n - 1)[0]!;
      expect(loo.variance[left]).toBeCloseTo(m[left * n + left]! - explained, 10);
    }
    expect(profiledScale(loo, 1)[0]).toBeGreaterThan(0);
  });

  it('finds the slope that generated the labels', () => {
    const next = noise(8);
    const n = 4000;
    const mean = new Float64Array(2 * n);
    const labels = Array.from({ length: n }, (_, i) => {
      mean[2 * i] = next();
      return (next() + 1) / 2 < 1 / (1 + Math.exp(-5 * mean[2 * i]!)) ? 0 : 1;
    });
    const { link } = fitLink(mean, new Float64Array(n), labels, [0.5, 0.5], FINE);
    expect(link.slope).toBeGreaterThan(4.4);
    expect(link.slope).toBeLessThan(5.6);
  });
});

function invert(matrix: Float64Array, n: number): Float64Array {
  const rows = Array.from({ length: n }, (_, i) => [
    ...matrix.subarray(i * n, (i + 1) * n),
    ...Array.from({ length: n }, (__, j) => +(i === j)),
  ]);
  for (let p = 0; p < n; p++) {
    const pivot = rows[p]![p]!;
    rows[p] = rows[p]!.map((v) => v / pivot);
    for (let i = 0; i < n; i++)
      if (i !== p) {
        const factor = rows[i]![p]!;
        rows[i] = rows[i]!.map((v, k) => v - factor * rows[p]![k]!);
      }
  }
  return Float64Array.from(rows.flatMap((row) => row.slice(n)));
}
