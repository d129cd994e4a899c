import { depthPower } from '#build/scaling/rules/check-rule.js';
import { toRational } from '#build/scaling/theory/rational.js';
import { expect, it } from 'vitest';

it('the factor of a residual branch is the depth to the power -alpha, thirds included', () => {
  for (const [factor, alpha, wanted] of [
    [8, '2/3', 0.25],
    [8, '1/3', 0.5],
    [16, '3/4', 0.125],
    [4, '1', 0.25],
    [4, '0', 1],
  ] as const)
    expect(depthPower(factor, toRational(alpha, 'alpha'))).toBeCloseTo(wanted, 14);
});
