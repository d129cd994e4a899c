import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cells, classify, explain, scaling, scalings } from 'infinite-width';
import { kernelChangePower, powersOf, weightPowers } from '#build/scaling/theory/exponents.js';
import { toNumber } from '#build/scaling/theory/rational.js';

const fraction = fc
  .tuple(fc.integer({ min: -24, max: 24 }), fc.constantFrom(1, 2, 3, 4, 6, 8, 12))
  .map(([num, den]) => ({ num, den }));

describe('classify', () => {
  it('names each of the 13 cells by its example point, and all keys differ', () => {
    expect(new Set(cells.map(({ key }) => key)).size).toBe(13);
    for (const { id, example } of cells) {
      const result = classify({ qSigma: example[0], qTilde: example[1] });
      expect(result.cell, id).toBe(id);
      expect(result.status).toBe('stable');
    }
  });

  it('finds exactly the 13 keys among 10^5 random rationals', () => {
    const seen = new Set<string>();
    let state = 6;
    const integer = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const dens = [1, 2, 3, 4, 6, 8, 12];
    const wrong: string[] = [];
    for (let i = 0; i < 100_000; i++) {
      const q = { num: integer(49) - 24, den: dens[integer(7)]! };
      const t = { num: integer(49) - 24, den: dens[integer(7)]! };
      const exact = q.num * t.den + t.num * q.den; // qSigma + qTilde, times both denominators
      const expected = exact > 0 ? 'unstable' : 2 * exact < -q.den * t.den ? 'stagnating' : 'stable';
      const { status, cell } = classify({ qSigma: q, qTilde: t });
      if (status !== expected || (cell === null) !== (expected !== 'stable'))
        wrong.push(JSON.stringify([q, t]));
      if (cell) seen.add(cell);
    }
    expect(wrong).toEqual([]);
    expect([...seen].sort()).toEqual(cells.map(({ id }) => id).sort());
  });

  it('keeps points on lines that binary numbers miss by a rounding', () => {
    expect(-0.7 + 0.2).not.toBe(-0.5); // the pitfall
    expect(classify({ qSigma: -0.7 + 0.2, qTilde: 0 }).cell).toBe('ntk');
    expect(classify({ qSigma: -2 / 3, qTilde: 2 / 3 }).cell).toBe('meanFieldSymDefault');
    expect(classify({ qSigma: -Math.SQRT1_2, qTilde: Math.SQRT1_2 }).exponents.D).toBe(0);
    expect(classify({ qSigma: '-0.50000000001', qTilde: 0 }).cell).not.toBe('ntk'); // text is exact
    expect(classify({ qSigma: '−1/2', qTilde: 0 }).cell).toBe('ntk'); // a typographic minus
  });

  it('puts sums of decimals, as binary numbers give them, where the exact sums are', () => {
    const tenths = Array.from({ length: 41 }, (_, i) => i - 20);
    let [missed, on] = [0, 0];
    for (const i of tenths)
      for (const j of tenths)
        for (const half of [0, 1]) {
          // Two tenths added up, and a rate that lies on the line D = 0 or C = 0.
          const [a, b] = [i / 10, j / 10];
          const sum = a + b;
          if (sum !== (i + j) / 10) missed++;
          const rate = half ? -0.3 - sum - 0.2 : -a - b;
          const exact = { qSigma: { num: i + j, den: 10 }, qTilde: { num: -(i + j) - 5 * half, den: 10 } };
          const [got, want] = [classify({ qSigma: sum, qTilde: rate }), classify(exact)];
          expect([got.cell, got.exact], `${sum}, ${rate}`).toEqual([want.cell, want.exact]);
          if (want.exponents[half ? 'C' : 'D'] === 0) on++;
        }
    expect(missed).toBeGreaterThan(100);
    expect(on).toBe(2 * 41 * 41);
  });

  it('rejects the mislabelled far point of the published list', () => {
    expect(classify({ qSigma: 10, qTilde: 9.5 }).status).toBe('unstable');
    expect(classify({ qSigma: 10, qTilde: -10.5 }).cell).toBe('preNtk');
    expect(classify({ qSigma: -10, qTilde: 10 }).cell).toBe('postMeanField');
  });

  it('gives properties, distances and crossover widths', () => {
    const ntk = classify(scalings.ntk);
    expect(ntk.properties).toEqual({
      logitsFiniteAtInit: true,
      kernelsFiniteAtInit: true,
      kernelsAndLogitsOfSameOrder: true,
      kernelsEvolve: false,
    });
    expect(ntk.exponents).toMatchObject({ A: 0, B: 0, C: 0, D: -0.5 });
    expect(ntk.crossoverWidthFactor.A).toBeNull();
    expect(ntk.crossoverWidthFactor.D).toBeCloseTo(100, 9);
    expect(classify(scalings.meanField).properties).toMatchObject({
      kernelsFiniteAtInit: true,
      kernelsEvolve: true,
    });
    expect(classify({ qSigma: '-1/2', qTilde: '497/1000' }).distances.D).toBeCloseTo(-0.003, 15);
  });

  it('handles unequal rates: default is stable on the upper edge and is no cell', () => {
    const result = classify(scalings.default);
    expect(result).toMatchObject({ status: 'stable', symmetric: false, cell: null });
    expect(result.exponents).toMatchObject({
      u: 0.5,
      v: -0.5,
      logits: 1,
      outputKernelAtInit: 1,
      inputKernelAtInit: 0,
      outputKernel: 1,
      inputKernel: 1,
    });
    expect(result.properties.kernelsEvolve).toBe(true);
    expect(result.nearestSymmetric).toEqual({ qSigma: '-1/2', qTilde: '1/2', cell: 'symDefault' });
    const features = classify({ qSigma: '-1/2', qTildeA: '1/2', qTildeW: 0 }); // u = 0 > v: random features
    expect(features.status).toBe('stable');
    expect(features.properties.kernelsEvolve).toBe(false);
    expect(features.dominantTerms).toEqual(['fa']);
    const moving = classify({ qSigma: '-1/2', qTildeA: 0, qTildeW: '1/2' }); // v = 0: inputs move
    expect(moving.properties.kernelsEvolve).toBe(true);
    expect(classify({ qSigma: '-1/2', qTildeA: '0.8', qTildeW: '0.4' }).status).toBe('unstable');
    expect(classify(scalings.standardStable).status).toBe('stable');
  });

  it('has a growth recursion bounded exactly where u + v <= 0', () => {
    fc.assert(
      fc.property(fraction, fraction, fraction, (q, a, w) => {
        const powers = powersOf({ qSigma: q, qTildeA: a, qTildeW: w });
        const path = weightPowers(powers, 60).map((step) => toNumber(step.a) + toNumber(step.w));
        const bounded = path[60] === path[30];
        expect(bounded).toBe(toNumber(powers.u) + toNumber(powers.v) <= 0);
        if (bounded) {
          expect(path[60]).toBeCloseTo(toNumber(powers.outputWeights) + toNumber(powers.inputWeights), 12);
        }
      }),
      { numRuns: 2000, seed: 7 },
    );
  });

  it('predicts the relative kernel change of the first step', () => {
    const change = (q: number, t: number, kind: 'smooth' | 'reluLike' = 'reluLike'): number =>
      toNumber(kernelChangePower(powersOf({ qSigma: q, qTilde: t }), kind));
    expect(change(-0.5, 0)).toBe(-0.75);
    expect(change(-0.5, 0, 'smooth')).toBe(-1);
    expect(change(-0.5, 0.25)).toBe(-0.5);
    expect(change(-1, 1)).toBe(0);
    expect(change(-0.66, 0.5)).toBeCloseTo(-0.32, 12);
  });

  it('explains in words, with the numbers of each width', () => {
    const { text, rows } = explain(scalings.meanField, {
      baseWidth: 128,
      widths: [128, 512],
      learningRate: 0.02,
    });
    expect(text).toContain('features are learned');
    expect(rows[1]!.rate).toEqual({ input: 0.08, hidden: 0.02, output: 0.005 });
    expect(rows[1]!.std.output).toBeCloseTo(1 / Math.sqrt(3 * 512) / 2, 15);
    expect(explain(scalings.ntk).text).toContain('fixed kernel');
    expect(explain(scalings.ntk).text).toContain('wf = width / 128');
    expect(explain(scalings.icMeanField).words[1]).toMatch(
      /keeps 4: logits finite at initialisation, kernels/,
    );
    expect(explain({ qSigma: '-2/3', qTilde: '1/2' }).words[1]).toBe(
      'Of the four properties of finite nets it keeps 0.',
    );
    expect(explain({ qSigma: '-1/2', qTilde: '497/1000' }).text).toContain(
      'only 0.003 away from where kernels evolve: for what tells the two apart to grow tenfold takes a width factor of about 10^333.3333',
    );
    // Output weights move by their own size, and still the kernel, of random features, does not.
    const features = explain({ qSigma: '-1/2', qTildeA: '1/2', qTildeW: 0 }).text;
    expect(features).toContain(
      'output weights by wf^0 of their size at the start, input weights by wf^-0.5: the tangent kernel stays',
    );
    expect(explain(scalings.default).text).toContain(
      "the output layer's part grows like wf^1, the input layer's stays finite; later they go like wf^1 and wf^1",
    );
    expect(explain({ qSigma: 0.25, qTilde: 0.25 }).text).toContain('unstable');
    expect(explain({ qSigma: -1, qTilde: -0.25 }).text).toContain('stagnates');
    expect(() => explain(scalings.ntk, { widths: [64] })).toThrow(/base width 128/);
  });

  it('gives the deviations and rates of every layer at every width that the papers give', () => {
    // Powers of wf: output weights, hidden weights, rates of input, hidden and output layer.
    type Row = [number, number, number, number, number];
    const table: [Parameters<typeof explain>[0], Row][] = [
      [scalings.default, [0, 0, 0, 0, 0]],
      [scalings.symDefault, [0, 0, 1 / 2, -1 / 2, -1 / 2]],
      [scalings.ntk, [0, 0, 0, -1, -1]],
      [scalings.meanField, [-1 / 2, -1 / 2, 1, 0, -1]],
      [scalings.icMeanField, [-1 / 2, -1 / 2, 1, 0, -1]],
      [scalings.muP, [-1 / 2, 0, 1, 0, -1]],
      [scalings.intermediate('3/4'), [-1 / 4, -1 / 4, 1 / 2, -1 / 2, -1]],
      [scalings.standardStable, [0, 0, -1, -1, -1]],
      [{ qSigma: '1/4', qTildeA: '-1/2', qTildeW: '1/8', qTildeV: 0 }, [3 / 4, 3 / 4, 1 / 8, 1 / 4, 0]],
    ];
    for (const [spec, [output, hidden, rateIn, rateHidden, rateOut]] of table) {
      const { rows, scaling: full } = explain(spec, {
        baseWidth: 64,
        widths: [64, 256, 4096],
        inputSize: 100,
        learningRate: 0.1,
        gain: 2,
      });
      for (const { width, std, rate } of rows) {
        const wf = width / 64;
        const want = {
          input: 2 / 10,
          hidden: (2 / Math.sqrt(width)) * wf ** hidden,
          output: (2 / Math.sqrt(width)) * wf ** output,
          rateIn: 0.1 * wf ** rateIn,
          rateHidden: 0.1 * wf ** rateHidden,
          rateOut: 0.1 * wf ** rateOut,
        };
        const got = { ...std, rateIn: rate.input, rateHidden: rate.hidden, rateOut: rate.output };
        for (const [name, value] of Object.entries(want))
          expect(
            Math.abs(got[name as keyof typeof got] / value - 1),
            `${full.name} ${width} ${name}`,
          ).toBeLessThan(1e-14);
      }
    }
  });

  it('refuses what is not a finite rational', () => {
    for (const bad of [NaN, Infinity, 'x', '1/0', '', '1/2/3', { num: 1, den: 0 }, { num: 0.5, den: 1 }]) {
      expect(() => classify({ qSigma: bad, qTilde: 0 }), String(bad)).toThrow(/qSigma: an exponent must be/);
    }
    expect(() => classify({ qSigma: 0 })).toThrow(/qTildeA is missing/);
    expect(() => scaling({ qSigma: 0, qTilde: 0, rate: 1 } as never)).toThrow(/unknown field 'rate'/);
  });
});
