// Training in the space of pre-activations is training in weight space, up to rounding.
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  createEngine,
  scalings,
  trainOneHidden,
  type Engine,
  type Scaling,
  type TrainOneHiddenOptions,
} from 'infinite-width';
import { xorMixture } from '../support/xor.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

const data = xorMixture(48, 40, 30);
const options = {
  data,
  width: 600, // more than one block of units, the last one smaller
  baseWidth: 50,
  epochs: 25,
  learningRate: 0.3,
  seeds: [3],
  keep: {
    testLogits: true,
    grams: true,
    increments: true,
    weights: true,
    coordinates: true,
    decomposition: true,
  },
} as const;

const largest = (values: ArrayLike<number>): number => Math.max(...Array.from(values, Math.abs));
/** The largest difference of two results, relative to the largest entry of each list of numbers. */
function gap(left: unknown, right: unknown): number {
  if (ArrayBuffer.isView(left) || (Array.isArray(left) && typeof left[0] === 'number')) {
    const [a, b] = [left, right] as [ArrayLike<number>, ArrayLike<number>];
    return largest(Array.from(a, (value, i) => value - b[i]!)) / (largest(a) || 1);
  }
  if (typeof left === 'object' && left !== null)
    return Math.max(0, ...Object.keys(left).map((key) => gap(left[key as never], right![key as never])));
  if (typeof left === 'number') return Math.abs(left - (right as number)) / (Math.abs(left) || 1);
  return left === right ? 0 : Infinity;
}
async function difference(more: Partial<TrainOneHiddenOptions> & { scaling: Scaling }): Promise<number> {
  const [[weights], [gram]] = await Promise.all([
    trainOneHidden(engine, { ...options, ...more, space: 'weights' }),
    trainOneHidden(engine, { ...options, ...more, space: 'gram' }),
  ]);
  expect(weights!.trainLoss.at(-1)!).toBeLessThan(0.9 * weights!.trainLoss[0]!);
  expect(gram!.testLogits!.length).toBe(26);
  return gap(weights, gram);
}

it.each([
  ['mean field', scalings.meanField],
  ['IC-MF', scalings.icMeanField],
  ['IC-MF (mask)', scalings.icMeanFieldMask],
  ['NTK', scalings.ntk],
  ['sym-default', scalings.symDefault],
] as const)('changes nothing but rounding in f64: %s, full batch and batches', async (_name, scaling) => {
  expect(await difference({ scaling })).toBeLessThan(2e-12);
  expect(await difference({ scaling, batchSize: 20 })).toBeLessThan(2e-12);
});

it('changes f32 results by no more than f32 itself does', async () => {
  const scaling = scalings.meanField;
  const run = async (more: Partial<TrainOneHiddenOptions>): Promise<Float64Array> =>
    (await trainOneHidden(engine, { ...options, ...more, scaling }))[0]!.testLogits!.at(-1)!;
  const exact = await run({});
  const error = async (space: 'weights' | 'gram'): Promise<number> =>
    gap(exact, await run({ dtype: 'f32', space }));
  const [weights, gram] = [await error('weights'), await error('gram')];
  expect(weights).toBeGreaterThan(0);
  expect(gram).toBeLessThan(4 * weights);
  expect(gram).toBeLessThan(1e-5);
});

it('is taken where it is cheaper, and refused where it does not apply', async () => {
  const wide = { ...options, scaling: scalings.ntk, keep: { testLogits: true }, evaluateAt: [25] };
  const auto = async (more: Partial<TrainOneHiddenOptions>, space: 'weights' | 'gram'): Promise<void> =>
    expect(await trainOneHidden(engine, { ...wide, ...more })).toEqual(
      await trainOneHidden(engine, { ...wide, ...more, space }),
    );
  await auto({}, 'gram'); // 48 points of 30 inputs: 2 x 48 < 4 x 30
  await auto({ data: xorMixture(48, 40, 20) }, 'weights');
  await auto({ shuffle: true }, 'weights');
  await auto({ activation: { layer: 'tanh' } }, 'weights');
  for (const more of [{ shuffle: true }, { optimizer: 'adam' }, { activation: { layer: 'tanh' } }] as const)
    await expect(trainOneHidden(engine, { ...wide, ...more, space: 'gram' })).rejects.toThrow(/space 'gram'/);
});
