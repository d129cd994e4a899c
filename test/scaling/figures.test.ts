// The CI-size figure of arXiv:2006.06574 on the XOR mixture: what must be seen, and the level of an independent run.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  comparisonPanels,
  createEngine,
  golikovFigure,
  measurePlane,
  planeElements,
  scalings,
  type ComparedCurve,
  type Comparison,
  type Engine,
} from 'infinite-width';
import { xorMixture } from '../support/xor.js';

let engine: Engine;
let result: Comparison;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
  result = await golikovFigure(engine, { data: xorMixture(256, 512, 20, 0) });
}, 120_000);
afterAll(() => engine.dispose());

const curve = (name: string): ComparedCurve =>
  [result.reference, ...result.curves].find((item) => item.name === name)!;
const at = (
  name: string,
  quantity: 'trainLoss' | 'testLoss' | 'kernel' | 'relativeKernel' | 'meanAbsLogit',
  epoch: number,
): number => {
  const { epochs, [quantity]: values } = curve(name);
  return values.mean[epochs.indexOf(epoch)]!;
};

describe('the CI-size figure', () => {
  it('starts with kernels of the predicted sizes and logits that differ by exact factors', () => {
    const reference = at('reference', 'kernel', 0);
    for (const name of ['mean-field', 'NTK', 'IC-MF'])
      expect(Math.abs(at(name, 'kernel', 0) / reference - 1)).toBeLessThan(0.05);
    expect(at('sym-default', 'kernel', 0) / at('NTK', 'kernel', 0)).toBeCloseTo(Math.sqrt(8), 5);
    expect(at('default', 'kernel', 0) / at('NTK', 'kernel', 0)).toBeGreaterThan(6.5);
    expect(at('NTK', 'meanAbsLogit', 0) / at('mean-field', 'meanAbsLogit', 0)).toBeCloseTo(Math.sqrt(8), 4);
    for (const name of ['IC-MF', 'sym-default', 'default']) {
      expect(at(name, 'meanAbsLogit', 0) / at('NTK', 'meanAbsLogit', 0)).toBeCloseTo(1, 5);
    }
  });

  it('evolves kernels like the reference where features are learned, and hardly under NTK', () => {
    for (const epoch of [12, 20, 30, 50, 80, 100]) {
      const reference = at('reference', 'relativeKernel', epoch);
      for (const name of ['mean-field', 'IC-MF', 'IC-MF (mask)']) {
        expect(Math.abs(at(name, 'relativeKernel', epoch) / reference - 1), `${name} ${epoch}`).toBeLessThan(
          0.06,
        );
      }
    }
    expect(at('NTK', 'relativeKernel', 80) - 1).toBeLessThan((at('reference', 'relativeKernel', 80) - 1) / 4);
  });

  it('trains mean field like the reference and NTK slower', () => {
    const reference = at('reference', 'trainLoss', 80);
    for (const name of ['mean-field', 'IC-MF'])
      expect(Math.abs(at(name, 'trainLoss', 80) / reference - 1)).toBeLessThan(0.1);
    expect(at('NTK', 'trainLoss', 80)).toBeGreaterThan(1.5 * reference);
  });

  it('corrects the initialisation: NTK-like early, mean-field-like late', () => {
    for (const epoch of [0, 1, 2, 3]) {
      expect(Math.abs(at('IC-MF', 'testLoss', epoch) / at('NTK', 'testLoss', epoch) - 1)).toBeLessThan(0.01);
    }
    // To 1 % with 16 seeds (xor-figure.test.ts); 3 seeds leave 1.5.
    expect(Math.abs(at('IC-MF', 'testLoss', 80) / at('mean-field', 'testLoss', 80) - 1)).toBeLessThan(0.02);
    for (const epoch of [0, 1, 2, 3])
      expect(
        Math.abs(at('IC-MF', 'meanAbsLogit', epoch) / at('NTK', 'meanAbsLogit', epoch) - 1),
      ).toBeLessThan(0.01);
  });

  it('measures a quantity over the plane: feature learning where D = 0, lazy below, unstable above', async () => {
    const plane = await measurePlane(engine, {
      data: xorMixture(32, 32, 8),
      quantity: 'relativeKernel',
      width: 4096,
      baseWidth: 64,
      seeds: [0, 1, 2, 3],
      epochs: 10,
      learningRate: 0.5,
      qSigma: [-1, -0.5],
      qTilde: [0, 1.5],
      step: [1, 2],
    });
    expect(plane.qSigma).toEqual([-1, -0.5]);
    expect(plane.qTilde).toEqual([0, 0.5, 1, 1.5]);
    const at = (qSigma: number, qTilde: number): number =>
      plane.values[plane.qTilde.indexOf(qTilde)]![plane.qSigma.indexOf(qSigma)]!;
    const fixed = -Math.log10(plane.reference); // a kernel that has not moved
    expect(plane.reference).toBeGreaterThan(1.05);
    expect(Math.abs(at(-1, 1))).toBeLessThan(0.3 * Math.abs(fixed)); // mean field moves as the reference does
    expect(Math.abs(at(-1, 0) / fixed - 1)).toBeLessThan(0.02); // stagnating
    expect(Math.abs(at(-0.5, 0) / fixed - 1)).toBeLessThan(0.3); // NTK
    expect(at(-1, 1.5)).toBeGreaterThan(0.3); // unstable
    const stable = [at(-1, 0.5), at(-1, 1), at(-0.5, 0), at(-0.5, 0.5)].map(Math.abs);
    expect(plane.reach).toBe(Math.max(...stable));
    await expect(
      measurePlane(engine, { data: xorMixture(8, 8, 4), quantity: 'kernel', epochs: 1, step: [0, 1] }),
    ).rejects.toThrow(/measurePlane: step/);
  });

  it('has panels for every quantity and a plane with the named points', () => {
    const panels = comparisonPanels(result, { displacement: 1.05 });
    expect(panels.map(({ title }) => title)).toEqual([
      'Loss',
      'Accuracy',
      'Logits',
      'Kernel, relative',
      'Kernel',
      'Logits over kernel',
      'Over the output layer’s part',
      'Over the input layer’s part',
    ]);
    expect(panels[0]!.series.length).toBe(14);
    expect(panels[2]!.series[3]!.y[0]! / curve('IC-MF (mask)').meanAbsLogit.mean[0]!).toBeCloseTo(
      1.05 ** 3,
      12,
    );
    const { shapes } = planeElements([scalings.default]);
    expect(shapes.filter(({ corners }) => corners.length === 1).map(({ name }) => name)).toEqual([
      'mean-field',
      'NTK',
      'sym-default',
      'default',
    ]);
  });
});
