import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  cells,
  coordinateCheck,
  createEngine,
  discrepancies,
  klNoiseFloor,
  learningRateTransfer,
  measureExponents,
  measureTerms,
  scalings,
  smoothLog,
  type Engine,
  type ScalingSpec,
} from 'infinite-width';
import { loadReference } from '../support/reference.js';
import { xorMixture } from '../support/xor.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd', workers: 'auto' });
});
afterAll(() => engine.dispose());

describe('measureExponents', () => {
  const widths = [2 ** 11, 2 ** 14, 2 ** 17];
  const symmetric = cells.map(({ id, example }): [string, ScalingSpec] => [
    id,
    { qSigma: example[0], qTilde: example[1] },
  ]);
  /** A point with steps wf^u of output and wf^v of input weights, from logits that start finite. */
  const point = (u: string, v: string): ScalingSpec => ({ qSigma: '-1/2', qTildeA: u, qTildeW: v });
  const unequal: [string, ScalingSpec][] = [
    ['default, (1/2, -1/2)', scalings.default],
    ['(1/2, -1/2), another start', { qSigma: '-3/4', qTildeA: '5/4', qTildeW: '1/4' }],
    ['(1/4, -1/4)', point('3/4', '1/4')],
    ['(1/4, -1/2)', point('3/4', '0')],
    ['(0, -1/2)', point('1/2', '0')],
    ['(-1/2, 0)', point('0', '1/2')],
    ['(-1/2, 0), another start', { qSigma: -1, qTildeA: '1/2', qTildeW: 1 }],
  ];
  it.each([...symmetric, ...unequal])('finds the predicted powers of %s to .1', async (_name, scaling) => {
    const { slopes, verdict } = await measureExponents(engine, { scaling, widths, seeds: 4 });
    const predicted = slopes.filter(({ theory }) => theory !== null);
    expect(predicted.length).toBeGreaterThan(14);
    const wrong = predicted.filter(({ slope, theory, standardError }) => {
      // Logits are sums of random signs: four seeds leave their powers uncertain.
      const noise = standardError! > 0.02 ? 2 * standardError! : 0;
      return Math.abs(slope - theory!) > 0.1 + noise;
    });
    expect(
      wrong.map(
        ({ quantity, step, slope, theory }) => `${quantity} step ${step}: ${slope} instead of ${theory}`,
      ),
    ).toEqual([]);
    expect(verdict).toBe('agrees');
    const logits = slopes.filter(({ quantity }) => quantity === 'logits');
    expect(logits.length).toBe(4);
    for (const { standardError } of logits) expect(standardError).toBeLessThan(0.15);
  });

  it('finds which kernels stay fixed under unequal rates, and how unstable logits run away', async () => {
    const measured = async (scaling: ScalingSpec, quantity: string, more = {}): Promise<number[]> =>
      (await measureExponents(engine, { scaling, widths, seeds: 4, ...more })).slopes
        .filter((row) => row.quantity === quantity && row.step > 0)
        .map(({ slope }) => slope);
    const near = (got: readonly number[], want: readonly number[]): void =>
      want.forEach((value, i) => expect(Math.abs(got[i]! - value), `${got.join(' ')}`).toBeLessThan(0.1));
    near(await measured(point('1', '0'), 'kernelChange'), [0, 0, 0]); // u = 1/2, v = -1/2
    near(await measured(point('3/4', '0'), 'kernelChange'), [-0.25, -0.25, -0.25]);
    near(await measured(point('1/2', '0'), 'kernelChange'), [-0.5, -0.5, -0.5]);
    near(await measured(point('0', '1/2'), 'kernelChange'), [0, 0, 0]);
    // u + v = .2: the power rises with every step, by u + v once the increments dominate.
    for (const scaling of [point('4/5', '2/5'), point('2/5', '4/5')])
      near(await measured(scaling, 'logits', { steps: 4, learningRate: 1 }), [0.8, 0.84, 0.9, 0.97]);
  });

  it('notices a wrong theory: exponents of one point against a net of another', async () => {
    const options = { widths: [512, 2048, 8192], seeds: 3 };
    const ntk = await measureExponents(engine, { ...options, scaling: scalings.ntk });
    const slope = (quantity: string, step: number): number =>
      ntk.slopes.find((row) => row.quantity === quantity && row.step === step)!.slope;
    expect(Math.abs(slope('kernelChange', 2) - 0)).toBeGreaterThan(0.5); // the mean-field value is 0
    expect(Math.abs(slope('logits', 0) + 0.5)).toBeGreaterThan(0.3);
  });

  it('refuses what gives no statistics', async () => {
    await expect(measureExponents(engine, { scaling: scalings.ntk, seeds: 1 })).rejects.toThrow(
      /at least 2 seeds/,
    );
    await expect(measureExponents(engine, { scaling: scalings.ntk, widths: [64, 128] })).rejects.toThrow(
      /three different/,
    );
  });
});

describe('measureTerms', () => {
  it('finds the variance powers of the four terms of the logit', async () => {
    const data = xorMixture(64, 64, 20);
    const options = {
      data,
      widths: [512, 1024, 2048, 4096],
      seeds: 3,
      epochs: 30,
      learningRate: 0.3,
      dtype: 'f32',
    } as const;
    const ntk = await measureTerms(engine, { ...options, scaling: scalings.ntk });
    expect(Math.abs(ntk.slopes.faw!.slope + 2)).toBeLessThan(0.35);
    expect(Math.abs(ntk.slopes.fa!.slope)).toBeLessThan(0.25);
    const meanField = await measureTerms(engine, { ...options, scaling: scalings.meanField });
    expect(Math.abs(meanField.slopes.faw!.slope)).toBeLessThan(0.15);
    expect(meanField.slopes.f0!.slope).toBeLessThan(-0.6);
    expect(meanField.theory).toEqual({ f0: -1, fa: 0, fw: 0, faw: 0 });
  });
});

describe('coordinateCheck', () => {
  it('passes mean field (muP) and fails the default parametrisation', async () => {
    const data = xorMixture(32, 32, 8);
    const options = {
      data,
      widths: [64, 256, 1024, 4096],
      seeds: 3,
      steps: 3,
      baseWidth: 64,
      learningRate: 0.3,
    };
    const good = await coordinateCheck(engine, { ...options, scaling: scalings.muP });
    expect(good.verdict).toBe('flat');
    const bad = await coordinateCheck(engine, { ...options, scaling: scalings.default });
    expect(bad.verdict).toBe('grows');
    const lazy = await coordinateCheck(engine, { ...options, scaling: scalings.ntk });
    expect(lazy.verdict).toBe('vanishes'); // hidden units stop moving
  });
});

describe('learningRateTransfer', () => {
  it('finds that the best rate stays put under mean field and shrinks under the default', async () => {
    const data = xorMixture(64, 64, 8);
    const options = { data, widths: [64, 256, 1024], seeds: 2, epochs: 15, baseWidth: 64 } as const;
    const rates = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4];
    const meanField = await learningRateTransfer(engine, {
      ...options,
      scaling: scalings.meanField,
      learningRates: rates,
    });
    expect(meanField.verdict, String(meanField.shift)).toBe('transfers');
    const standard = await learningRateTransfer(engine, {
      ...options,
      scaling: scalings.default,
      learningRates: [0.0125, 0.025, ...rates],
    });
    expect(standard.verdict, String(standard.shift)).toBe('shifts');
    expect(standard.shift!).toBeLessThan(meanField.shift! - 0.15);
  });
});

describe('discrepancies', () => {
  it('equals the published functions', async () => {
    interface Case {
      readonly logits: number[][];
      readonly logits_ref: number[][];
      readonly per_point: Record<'logit' | 'prob' | 'class', number[]>;
      readonly mean: Record<'logit' | 'prob' | 'class', number>;
    }
    const { cases, ewma_log_reversed } = await loadReference<{
      cases: Case[];
      ewma_log_reversed: { alpha: number; input: number[]; output: number[] }[];
    }>('golikov/discrepancies');
    expect(cases.length).toBe(5);
    for (const { logits, logits_ref, per_point, mean } of cases) {
      const got = discrepancies(logits, logits_ref);
      for (const kind of ['logit', 'prob', 'class'] as const) {
        per_point[kind].forEach((want, i) =>
          expect(Math.abs(got[kind].perPoint[i]! - want)).toBeLessThan(1e-11 * Math.max(1, want)),
        );
        expect(Math.abs(got[kind].mean - mean[kind])).toBeLessThan(1e-11 * Math.max(1, mean[kind]));
      }
    }
    for (const { alpha, input, output } of ewma_log_reversed) {
      smoothLog(input, alpha).forEach((value, i) =>
        expect(Math.abs(value / output[i]! - 1)).toBeLessThan(1e-12),
      );
    }
  });

  it('has the noise floor that two groups of one law show', () => {
    expect(klNoiseFloor(5)).toBeCloseTo(0.9, 10);
    expect(klNoiseFloor(10)).toBeCloseTo(0.2714285714, 9);
    expect(() => klNoiseFloor(3)).toThrow(/more than 3 seeds/);
    expect(() => discrepancies([[1], [2], [3]], [[1], [2], [3]])).toThrow(/more than 3 seeds/);
  });
});
