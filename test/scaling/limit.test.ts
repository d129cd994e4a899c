// Finite nets of growing width approach the simulated limit of their scaling, cell by cell.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  cells,
  classify,
  createEngine,
  limitModel,
  scalings,
  tensor,
  trainOneHidden,
  type BinaryProblem,
  type Engine,
  type ScalingSpec,
} from 'infinite-width';
import { powersOf } from '#build/scaling/theory/exponents.js';
import { slopeFit } from '#build/math/statistics.js';
import { unitKernels } from '#build/scaling/one-hidden/infinite-kernel.js';
import { toNumber } from '#build/scaling/theory/rational.js';
import { xorMixture } from '../support/xor.js';

let engine: Engine;
let data: BinaryProblem;
const STEPS = 3;
const shared = {
  baseWidth: 1,
  learningRate: 0.5,
  epochs: STEPS,
  init: { law: 'normal', gain: 1 },
  keep: { testLogits: true },
} as const;

beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
  data = xorMixture(10, 60, 6, 3);
});
afterAll(() => engine.dispose());

const norm = (values: ArrayLike<number>): number =>
  Math.sqrt(Array.from(values).reduce((sum, v) => sum + v * v, 0));

/** Relative distance at steps 1 to STEPS between a finite net and the limit started from the net's own first logits. */
async function distance(
  spec: ScalingSpec,
  width: number,
  seed: number,
  closure: 'hard' | 'width',
): Promise<number> {
  // All points as test points too, so that the start is known on the training points.
  const both = joined(data);
  const [net] = await trainOneHidden(engine, { ...shared, data: both, scaling: spec, width, seeds: [seed] });
  const { A, logits } = powersOf(spec);
  const corrected = spec.initCorrection === 'simple';
  const startScale = corrected ? 1 : width ** -toNumber(A);
  const f0 = net!.testLogits![0]!.map((value) => value * startScale);
  const limit = await limitModel(engine, spec, {
    ...shared,
    data: both,
    particles: 1 << 15,
    seeds: [7],
    closure: closure === 'hard' ? 'hard' : width,
    start: { train: tensor(f0.slice(0, 10)), test: tensor(f0) },
  });
  const scale = closure === 'hard' ? width ** -toNumber(logits) : 1;
  let total = 0;
  for (let k = 1; k <= STEPS; k++) {
    const want = limit.traces[0]!.testLogits![k]!;
    total += norm(net!.testLogits![k]!.map((value, i) => value * scale - want[i]!)) / norm(want) / STEPS;
  }
  return total;
}

function joined({ xTrain, yTrain, xTest, yTest }: BinaryProblem): BinaryProblem {
  const join = (
    a: BinaryProblem['xTrain'],
    b: BinaryProblem['xTrain'],
    columns: number,
  ): BinaryProblem['xTrain'] => {
    const [left, right] = [a as ReturnType<typeof tensor>, b as ReturnType<typeof tensor>];
    const all = Float64Array.from([...left.data, ...right.data]);
    return tensor(all, [all.length / columns, columns]);
  };
  return { xTrain, yTrain, xTest: join(xTrain, xTest, 6), yTest: join(yTrain, yTest, 1) };
}

const points: { name: string; spec: ScalingSpec }[] = [
  ...cells.map(({ id, example }) => ({ name: id, spec: { qSigma: example[0], qTilde: example[1] } })),
  { name: 'IC-MF', spec: scalings.icMeanField },
  { name: 'default', spec: scalings.default },
  { name: 'output only', spec: scalings.standardStable },
  // Input weights outgrow their start: alone (u + v < 0), with the output weights (u + v = 0), and with signs only.
  { name: 'v > 0, input only', spec: { qSigma: '-5/4', qTildeA: '3/4', qTildeW: '3/2' } },
  { name: 'v > 0, both layers', spec: { qSigma: '-3/2', qTildeA: 1, qTildeW: 2 } },
  { name: 'v > 0, diverging', spec: { qSigma: '-1', qTildeA: '1/2', qTildeW: '3/2' } },
];

describe('limitModel', () => {
  it.each(points)('is what $name nets approach', async ({ spec }) => {
    const { logits } = powersOf(spec);
    const moves = classify(spec).properties.kernelsEvolve;
    const closure = toNumber(logits) > 0 ? 'width' : 'hard';
    const widths = [256, 1024, 4096, 16384];
    const errors: number[] = [];
    for (const width of widths) {
      // Random limits are cheap, and noisier: a point near zero may get the other sign.
      const seeds = moves ? [1, 2] : [1, 2, 3, 4, 5, 6];
      const values = await Promise.all(seeds.map((seed) => distance(spec, width, seed, closure)));
      errors.push(values.reduce((sum, value) => sum + value, 0) / seeds.length);
    }
    const rate = slopeFit(widths.map(Math.log2), errors.map(Math.log2)).slope;
    if (globalThis.process?.env['SHOW_RATES'])
      console.log(rate.toFixed(2), errors.map((e) => e.toFixed(3)).join(' '));
    expect(rate, errors.join(' ')).toBeLessThan(-0.15);
    expect(errors.at(-1)!, errors.join(' ')).toBeLessThan(0.45);
  });

  it('stops exactly once every point is right, where only signs count', async () => {
    const { traces, power } = await limitModel(engine, scalings.symDefault, {
      ...shared,
      data,
      epochs: 60,
      particles: 4096,
    });
    const [trace] = traces;
    expect(power).toBe(0.5);
    const first = trace!.trainAccuracy.indexOf(1, 1);
    expect(first).toBeGreaterThan(0);
    expect(trace!.trainLoss[first]).toBe(0);
    for (let e = first; e <= 60; e++) expect(trace!.testLogits![e]).toEqual(trace!.testLogits![first]);
  });

  it('is linear in time where logits vanish (post-MF-NTK)', async () => {
    const { traces } = await limitModel(
      engine,
      { qSigma: -1, qTilde: '3/4' },
      { ...shared, data, epochs: 5 },
    );
    const logits = traces[0]!.testLogits!;
    logits[5]!.forEach((value, i) => expect(value).toBeCloseTo(5 * logits[1]![i]!, 12));
    expect(traces[0]!.testLoss).toEqual(Array.from({ length: 6 }, () => Math.LN2));
  });

  it('follows minibatches and shuffles like finite nets do', async () => {
    const options = { ...shared, data, batchSize: 4, shuffle: true, epochs: 3, seeds: [5] } as const;
    const limit = await limitModel(engine, scalings.meanField, { ...options, particles: 1 << 14 });
    const [net] = await trainOneHidden(engine, { ...options, scaling: scalings.meanField, width: 1 << 14 });
    const [want, got] = [limit.traces[0]!.testLogits![3]!, net!.testLogits![3]!];
    expect(norm(got.map((value, i) => value - want[i]!)) / norm(want)).toBeLessThan(0.1);
    const kernel = await limitModel(engine, scalings.ntk, {
      ...options,
      start: { train: tensor(new Float64Array(10)), test: tensor(new Float64Array(60)) },
    });
    const full = await limitModel(engine, scalings.ntk, {
      ...options,
      batchSize: 10,
      start: { train: tensor(new Float64Array(10)), test: tensor(new Float64Array(60)) },
    });
    expect(kernel.traces[0]!.trainLoss[3]!).toBeLessThan(full.traces[0]!.trainLoss[3]!); // three times the steps
  });

  it('has kernels that agree with sampled features', () => {
    const x = (data.xTrain as ReturnType<typeof tensor>).data as Float64Array;
    const law = { x, inputs: 6, law: 'normal', gain: 1.3 } as const;
    const exact = unitKernels(engine, { ...law, activation: { layer: 'leakyRelu', alpha: 0.1 } }, 2, 0);
    const n = 1 << 15;
    // softplus(b z)/b is relu for large b: the sampled path, checked against the closed form of slope 0.
    const relu = unitKernels(engine, { ...law, activation: { layer: 'relu' } }, 2, 0);
    const elu = unitKernels(engine, { ...law, activation: { layer: 'elu', alpha: 0 } }, n, 1); // alpha 0 is relu
    const scale = Math.max(...relu.values);
    relu.values.forEach((value, i) =>
      expect(Math.abs(elu.values[i]! - value) / scale).toBeLessThan(8 / Math.sqrt(n)),
    );
    relu.slopes.forEach((value, i) =>
      expect(Math.abs(elu.slopes[i]! - value)).toBeLessThan(8 / Math.sqrt(n)),
    );
    expect(exact.values[0]!).toBeGreaterThan(relu.values[0]!);
  });

  it('refuses what has no limit', async () => {
    const options = { ...shared, data };
    await expect(limitModel(engine, { qSigma: 0.25, qTilde: 0.25 }, options)).rejects.toThrow(/unstable/);
    await expect(limitModel(engine, { qSigma: -1, qTilde: -0.25 }, options)).rejects.toThrow(/stagnating/);
    const outgrown = { qSigma: -1, qTildeA: 0.5, qTildeW: 1.25 };
    const smooth = { ...options, activation: { layer: 'tanh' } } as const;
    await expect(limitModel(engine, outgrown, smooth)).rejects.toThrow(/v > 0.*tanh/);
    await expect(limitModel(engine, scalings.ntk, { ...options, particles: 3 })).rejects.toThrow(/even/);
    await expect(limitModel(engine, scalings.ntk, { ...options, optimizer: 'adam' })).rejects.toThrow(/SGD/);
  });
});
