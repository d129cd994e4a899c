// The CI-size figure on the very data of an independent program: means over seeds within their standard errors.
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  compareScalings,
  createEngine,
  scalings,
  tensor,
  type ComparedCurve,
  type Engine,
} from 'infinite-width';
import { loadReference } from '../support/reference.js';

type Quantity = 'trainLoss' | 'testLoss' | 'kernel' | 'relativeKernel';
interface Reference {
  readonly seeds: number;
  readonly inputs: number;
  readonly xTrain: number[];
  readonly yTrain: number[];
  readonly xTest: number[];
  readonly yTest: number[];
  readonly table: Record<string, Record<string, Record<Quantity, number>>>;
}
const SEEDS = 16;
// What a difference of means may be, in standard errors, and what half a unit of the last printed digit adds.
const ERRORS = 3;
const ROUNDING: Record<Quantity, number> = {
  trainLoss: 5e-5,
  testLoss: 5e-5,
  kernel: 5e-4,
  relativeKernel: 5e-4,
};

let engine: Engine;
let wanted: Reference;
let found: readonly ComparedCurve[];
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd', workers: 'auto' });
  wanted = await loadReference<Reference>('xor-figure');
  const { inputs, xTrain, yTrain, xTest, yTest, table } = wanted;
  const { reference, curves } = await compareScalings(engine, {
    data: {
      xTrain: tensor(Float64Array.from(xTrain), [yTrain.length, inputs]),
      yTrain,
      xTest: tensor(Float64Array.from(xTest), [yTest.length, inputs]),
      yTest,
    },
    scalings: [
      scalings.meanField,
      scalings.icMeanField,
      scalings.icMeanFieldMask,
      scalings.ntk,
      scalings.symDefault,
      scalings.default,
    ],
    widths: [1024],
    seeds: SEEDS,
    epochs: 100,
    learningRate: 0.3,
    limit: false,
    dtype: 'f32',
    evaluateAt: Object.keys(table['reference']!).map(Number),
    keepTraces: true,
  });
  found = [reference, ...curves];
}, 120_000);
afterAll(() => engine.dispose());

const curveOf = (name: string): ComparedCurve => found.find((item) => item.name === name)!;
const at = (name: string, quantity: Quantity, epoch: number): number => {
  const curve = curveOf(name);
  return curve[quantity].mean[curve.epochs.indexOf(epoch)]!;
};

it('agrees with the independent program within 3 standard errors, all seven curves', () => {
  let compared = 0;
  const scores: number[] = [];
  for (const [name, rows] of Object.entries(wanted.table)) {
    const curve = curveOf(name);
    for (const [epoch, row] of Object.entries(rows)) {
      const place = curve.epochs.indexOf(Number(epoch));
      for (const quantity of Object.keys(row) as Quantity[]) {
        const [mean, std] = [curve[quantity].mean[place]!, curve[quantity].std[place]!];
        const spread = std * Math.sqrt(SEEDS / (SEEDS - 1)); // of one net; both means are of nets like it
        const error = spread * Math.sqrt(1 / wanted.seeds + 1 / SEEDS);
        const gap = Math.max(0, Math.abs(mean - row[quantity]) - ROUNDING[quantity]);
        const what = `${name}, epoch ${epoch}, ${quantity}: ${mean} for ${row[quantity]}`;
        expect(gap, what).toBeLessThanOrEqual(ERRORS * error);
        if (gap > 0) scores.push(gap / error);
        compared++;
      }
    }
  }
  expect(compared).toBe(7 * 7 * 4);
  // The test can fail: the largest difference is more than a standard error.
  expect(Math.max(...scores)).toBeGreaterThan(1);
});

it('shows what the figure must show', () => {
  const kernel = at('reference', 'kernel', 0);
  for (const name of ['mean-field', 'NTK', 'IC-MF'])
    expect(Math.abs(at(name, 'kernel', 0) / kernel - 1), name).toBeLessThan(0.05);
  expect(at('sym-default', 'kernel', 0) / at('NTK', 'kernel', 0)).toBeCloseTo(Math.sqrt(8), 5);
  // K of the default is K_w + wf K_a; logits start equal but for mean field, which has them over sqrt(wf).
  const [start] = curveOf('NTK').traces!.map(({ outputKernel, inputKernel }) => [
    outputKernel[0]!,
    inputKernel[0]!,
  ]);
  curveOf('default').traces![0]!.inputKernel[0]!.forEach((value, i) =>
    expect(value / start![1]![i]!).toBeCloseTo(1, 6),
  );
  curveOf('default').traces![0]!.outputKernel[0]!.forEach((value, i) =>
    expect(value / start![0]![i]!).toBeCloseTo(8, 5),
  );
  curveOf('NTK').traces!.forEach(({ meanAbsLogit: [first] }, seed) => {
    for (const [name, factor] of [
      ['IC-MF', 1],
      ['sym-default', 1],
      ['default', 1],
      ['mean-field', Math.sqrt(8)],
    ] as const)
      expect(first! / curveOf(name).traces![seed]!.meanAbsLogit[0]!, name).toBeCloseTo(factor, 5);
  });
  const learns = ['mean-field', 'IC-MF', 'IC-MF (mask)'];
  for (const epoch of [12, 30, 80, 100]) {
    const evolved = at('reference', 'relativeKernel', epoch);
    for (const name of learns)
      expect(Math.abs(at(name, 'relativeKernel', epoch) / evolved - 1), `${name} ${epoch}`).toBeLessThan(
        0.06,
      );
  }
  const [fixed, evolved] = [at('NTK', 'relativeKernel', 80), at('reference', 'relativeKernel', 80)];
  expect(fixed - 1).toBeLessThan((evolved - 1) / 4);
  const loss = at('reference', 'trainLoss', 80);
  for (const name of learns) expect(Math.abs(at(name, 'trainLoss', 80) / loss - 1), name).toBeLessThan(0.1);
  expect(at('NTK', 'trainLoss', 80)).toBeGreaterThan(1.5 * loss);
  const logits = (name: string, epoch: number): number => {
    const { epochs, meanAbsLogit } = curveOf(name);
    return meanAbsLogit.mean[epochs.indexOf(epoch)]!;
  };
  for (const epoch of [0, 1, 3]) {
    expect(Math.abs(at('IC-MF', 'testLoss', epoch) / at('NTK', 'testLoss', epoch) - 1)).toBeLessThan(0.01);
    expect(Math.abs(logits('IC-MF', epoch) / logits('NTK', epoch) - 1)).toBeLessThan(0.01);
  }
  for (const epoch of [80, 100])
    expect(Math.abs(at('IC-MF', 'testLoss', epoch) / at('mean-field', 'testLoss', epoch) - 1)).toBeLessThan(
      0.01,
    );
});
