import { cos, exp, expm1, log1p, sin } from '#build/predict/elementary.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const cases = [
  ['exp', exp, Math.exp, -745, 709.7],
  ['exp near 0', exp, Math.exp, -1, 1],
  ['expm1', expm1, Math.expm1, -40, 40],
  ['expm1 near 0', expm1, Math.expm1, -0.5, 0.5],
  ['log1p', log1p, Math.log1p, -0.999, 100],
  ['log1p near 0', log1p, Math.log1p, -1e-3, 1e-3],
] as const;

describe('scalar functions', () => {
  for (const [name, own, builtIn, min, max] of cases) {
    it(`${name} within 5 units in the last place`, () => {
      fc.assert(
        fc.property(fc.double({ min, max, noNaN: true }), (x) => {
          const want = builtIn(x);
          expect(Math.abs(own(x) - want)).toBeLessThanOrEqual(5 * 2 ** -52 * Math.abs(want) + 5e-324);
        }),
        { seed: 3, numRuns: 2000 },
      );
    });
  }
  it('sin and cos to 1e-15 absolutely, to 1e-10 at a million', () => {
    for (let i = -4000; i < 4000; i++) {
      const x = i * 0.037;
      expect(Math.abs(sin(x) - Math.sin(x))).toBeLessThan(1e-15);
      expect(Math.abs(cos(x) - Math.cos(x))).toBeLessThan(1e-15);
    }
    expect(Math.abs(cos(1e6 + 0.1) - Math.cos(1e6 + 0.1))).toBeLessThan(1e-10);
  });
  it('ends', () => {
    expect([exp(-Infinity), exp(Infinity), exp(-800), exp(800), exp(0)]).toEqual([
      0,
      Infinity,
      0,
      Infinity,
      1,
    ]);
    expect(exp(NaN)).toBeNaN();
    expect(expm1(-Infinity)).toBe(-1);
    expect(exp(-740)).toBeGreaterThan(0);
  });
});
