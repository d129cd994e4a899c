import { mean, quantile, rootMeanSquare, slopeFit, standardDeviation } from '#build/math/statistics.js';
import { describe, expect, it } from 'vitest';

describe('statistics', () => {
  it('summaries of a known sample', () => {
    const values = [2, 4, 4, 4, 5, 5, 7, 9];
    expect(mean(values)).toBe(5);
    expect(standardDeviation(values, 0)).toBe(2);
    expect(standardDeviation(values)).toBeCloseTo(Math.sqrt(32 / 7), 14);
    expect(standardDeviation([3])).toBe(0);
    expect(rootMeanSquare([3, 4])).toBeCloseTo(Math.sqrt(12.5), 15);
    expect([0, 0.25, 0.5, 1].map((q) => quantile([4, 1, 3, 2], q))).toEqual([1, 1.75, 2.5, 4]);
  });

  it('the least-squares line and its standard error', () => {
    const fit = slopeFit([1, 2, 3, 4, 5], [2, 4, 5, 4, 5]); // textbook: y = 2.2 + 0.6 x, se 0.2828
    expect(fit.slope).toBeCloseTo(0.6, 14);
    expect(fit.intercept).toBeCloseTo(2.2, 14);
    expect(fit.standardError).toBeCloseTo(0.28284271247461906, 12);
    expect(slopeFit([0, 1], [3, 5])).toEqual({ slope: 2, intercept: 3, standardError: 0 });
  });

  it('refuses samples without an answer', () => {
    expect(() => mean([])).toThrow(RangeError);
    expect(() => quantile([1], 2)).toThrow('between 0 and 1');
    expect(() => slopeFit([1, 1], [0, 1])).toThrow('two different');
    expect(() => slopeFit([1, 2], [1])).toThrow('equally long');
  });
});
