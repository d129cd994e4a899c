import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  comparisonPanels,
  compareScalings,
  createEngine,
  scalings,
  type Comparison,
  type Engine,
} from 'infinite-width';
import { xorMixture } from '../support/xor.js';

let engine: Engine;
let result: Comparison;
const progress: number[] = [];
const data = xorMixture(64, 64, 6);
const options = {
  data,
  scalings: [scalings.meanField, scalings.ntk, scalings.icMeanField, { qSigma: 0.25, qTilde: 0.25 }],
  baseWidth: 16,
  widths: [16, 64],
  seeds: 2,
  epochs: 12,
  learningRate: 0.3,
  particles: 256,
} as const;

beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
  result = await compareScalings(engine, {
    ...options,
    onProgress: ({ done, total }) => progress.push(done / total),
  });
});
afterAll(() => engine.dispose());

describe('compareScalings', () => {
  it('says where an unstable net overflowed, and keeps what came before', async () => {
    const shared = {
      data: xorMixture(32, 32, 8),
      baseWidth: 8,
      seeds: 1,
      epochs: 40,
      learningRate: 1,
      limit: false,
    };
    const scaled = [scalings.ntk, { qSigma: '1/4', qTilde: 2 }];
    const unstable = await compareScalings(engine, { ...shared, scalings: scaled, widths: [1024] });
    const { overflow, epochs } = unstable.curves[1]!;
    expect(overflow!.epoch).toBeGreaterThan(5);
    expect(epochs.length).toBe(overflow!.epoch);
    expect(unstable.notes.at(-1)).toBe(
      `(1/4, 2), width 1024: outputs overflow in epoch ${overflow!.epoch}, step ${overflow!.step}; its curves end before.`,
    );
    // The figure shows where it leaves, and the others.
    const [loss] = comparisonPanels(unstable);
    const most = Math.max(...loss!.series.flatMap(({ y }) => y));
    expect(most).toBeGreaterThan(2);
    expect(most).toBeLessThan(1e4);
    expect(loss!.series.every(({ x, y }) => x.length === y.length && y.length > 0)).toBe(true);
  });

  it('gives reference, finite nets and limits, and says what has no limit', () => {
    expect(result.reference).toMatchObject({ kind: 'reference', width: 16, seeds: 2 });
    expect(result.curves.map(({ kind, width }) => `${kind} ${width}`)).toEqual([
      ...Array.from({ length: 4 }, () => ['finite 16', 'finite 64']).flat(),
      ...Array.from({ length: 3 }, () => 'limit null'),
    ]);
    expect(result.notes.length).toBe(2);
    expect(result.notes.join()).toContain('unstable');
    for (const curve of result.curves) {
      expect(curve.testLoss.mean.length).toBe(13);
      expect(curve.epochs.at(-1)).toBe(12);
    }
  });

  it('makes every scaling the reference at the reference width, up to rounding', () => {
    for (const curve of result.curves.filter(({ width }) => width === 16)) {
      curve.testLoss.mean.forEach((value, e) =>
        expect(value).toBeCloseTo(result.reference.testLoss.mean[e]!, 12),
      );
    }
  });

  it('fixes the kernel of the NTK limit and moves that of mean field', () => {
    const limit = (name: string): (typeof result.curves)[number] =>
      result.curves.find((curve) => curve.name === name)!;
    expect(limit('NTK, limit').relativeKernel.mean.every((value) => Math.abs(value - 1) < 1e-12)).toBe(true);
    expect(limit('mean-field, limit').relativeKernel.mean.at(-1)).toBeGreaterThan(1.02);
    expect(limit('mean-field, limit').meanAbsLogit.mean[0]).toBeLessThan(1e-12);
    expect(limit('IC-MF, limit').meanAbsLogit.mean[0]).toBe(limit('NTK, limit').meanAbsLogit.mean[0]);
  });

  it('reports progress up to the end and has the same bits with workers', async () => {
    expect(progress.at(-1)).toBe(1);
    expect([...progress].sort((a, b) => a - b)).toEqual(progress);
    const pooled = await createEngine({ variant: 'simd', workers: 2 });
    expect(await compareScalings(pooled, options)).toEqual(result);
    pooled.dispose();
  });

  it('stops when aborted', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(compareScalings(engine, { ...options, signal })).rejects.toThrow('enough');
  });
});
