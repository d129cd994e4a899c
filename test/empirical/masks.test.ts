// Calls that bring something beside the inputs: dropout masks and edge weights, in kernels by tiles and in chunks.
import {
  createEngine,
  createModel,
  empiricalNngp,
  empiricalNtk,
  kernel,
  monteCarloKernel,
  tensor,
  type Engine,
  type NetDocument,
  type Tensor,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const random = (shape: number[], seed: number): Tensor => {
  let state = seed;
  const size = shape.reduce((a, b) => a * b, 1);
  return tensor(
    Float64Array.from({ length: size }, () => (state = (state * 16807) % 2147483647) / 2147483647 - 0.5),
    shape,
  );
};
const net: NetDocument = [
  { layer: 'dense', units: 24, bStd: 0.3 },
  { layer: 'tanh' },
  { layer: 'aggregate' },
  { layer: 'dropout', keep: 0.6 },
  { layer: 'flatten' },
  { layer: 'dense', units: 2 },
];
const inputShape = [3, 2];
const x = random([7, 3, 2], 5);
const pattern1 = random([7, 3, 3], 6);
const dropoutKey = [3, 9] as const;

describe('dropout masks and edge weights', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ variant: 'simd' });
  });
  afterAll(() => engine.dispose());

  it('belong to a sample, however the samples are cut', async () => {
    using model = createModel(engine, net, { inputShape, seed: 1 });
    const call = { dropoutKey, pattern: pattern1 };
    const whole = model.forward(x, call);
    // a budget in which chunks hold two samples
    const perSample = model.program.sizes.reduce((sum, size) => sum + 2 * size, 0) * 8;
    const small = await createEngine({ variant: 'simd', memoryBytes: perSample * 8 + 7 });
    using narrow = createModel(small, net, { inputShape, seed: 1 });
    expect(narrow.chunkSize).toBe(2);
    expect(narrow.forward(x, call)).toEqual(whole);
    const v = random([7, 2], 8);
    const worst = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
      Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]!)));
    const [one, other] = [model.vectorJacobian(x, v, call), narrow.vectorJacobian(x, v, call)];
    one.forEach(({ w }, i) => expect(worst(w.data, other[i]!.w.data)).toBeLessThan(1e-13));
    small.dispose();
    expect(model.forward(x, { ...call, dropoutKey: [3, 10] })).not.toEqual(whole);
  });

  it('are the same in kernels, for any tile, and apart for x1 and x2', () => {
    using model = createModel(engine, net, { inputShape, seed: 1 });
    const options = { dropoutKey, pattern1, outputs: 'full' } as const;
    const want = empiricalNtk(model, x, null, options);
    for (const tile of [2, 3, 7])
      empiricalNtk(model, x, null, { ...options, tile }).data.forEach((value, i) =>
        expect(Math.abs(value - want.data[i]!)).toBeLessThan(1e-13),
      );
    const other = empiricalNtk(model, x, x, { ...options, pattern2: pattern1 });
    expect(other.data[0]).not.toBeCloseTo(want.data[0]!, 6);
    const f = empiricalNngp(model, x, null, options).data;
    expect(f[0]).toBeGreaterThan(0);
    expect(() => empiricalNtk(model, x, null, { pattern1: random([4, 3, 3], 1) })).toThrow(
      /pattern1 must have shape \(7, v, v\)/,
    );
  });

  it('are drawn by Monte Carlo kernels as the analytic ones have them', async () => {
    const one = [...(net as NetDocument[]).slice(0, -1), { layer: 'dense', units: 1 }];
    const few = random([2, 3, 2], 5);
    const pattern = random([2, 3, 3], 6);
    const got = await monteCarloKernel(engine, one, few, null, { samples: 400, pattern1: pattern });
    const want = await kernel(engine, one, few, null, { get: ['nngp', 'ntk'], pattern1: pattern });
    for (const name of ['nngp', 'ntk'] as const) {
      const { kernel: mean, standardError } = got[name]!;
      mean.data.forEach((value, i) =>
        expect(Math.abs(value - want[name]!.data[i]!), `${name} ${i}`).toBeLessThan(
          5 * standardError.data[i]! + (0.5 / 24) * want[name]!.data[0]!,
        ),
      );
    }
  });
});
