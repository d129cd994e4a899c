// The kernels of serial(A, B) from the state after A, against the kernels of the whole.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  continueKernel,
  createEngine,
  kernel,
  kernelState,
  layerKernels,
  tensor,
  type Engine,
  type KernelGet,
  type KernelOptions,
  type KernelResult,
  type KernelState,
  type NetDocument,
  type Tensor,
} from 'infinite-width';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

function samples(seed: number, ...shape: number[]): Tensor<Float64Array> {
  let state = seed;
  const size = shape.reduce((product, n) => product * n, 1);
  const data = Float64Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
  return tensor(data, shape);
}

/** The largest difference of any entry, relative to the largest entry. */
function difference(got: Tensor, want: Tensor): number {
  expect(got.shape).toEqual(want.shape);
  const scale = Math.max(...want.data.map(Math.abs));
  let worst = 0;
  for (const [i, x] of want.data.entries()) worst = Math.max(worst, Math.abs(got.data[i]! - x) / scale);
  return worst;
}

const dense = (extra: object = {}): NetDocument => ({
  layer: 'dense',
  units: 8,
  wStd: 1.3,
  bStd: 0.1,
  ...extra,
});
const conv = (extra: object = {}): NetDocument => ({
  layer: 'conv',
  channels: 8,
  filter: [3, 3],
  padding: 'SAME',
  wStd: 1.3,
  bStd: 0.2,
  ...extra,
});
const [relu, erf, flatten, pool] = ['relu', 'erf', 'flatten', 'globalAvgPool'].map((layer) => ({
  layer,
})) as NetDocument[] as [NetDocument, NetDocument, NetDocument, NetDocument];
const sum = (...branches: NetDocument[]) => ({ layer: 'sum', branches }) as NetDocument;
const serial = (...layers: NetDocument[]) => ({ layer: 'serial', layers }) as NetDocument;
const attention: NetDocument = {
  layer: 'attention',
  channels: 8,
  keyChannels: 8,
  valueChannels: 8,
  heads: 2,
  linearScaling: true,
};
const standard = (s: number[]) => dense({ parametrization: 'standard', s });

const image = [4, 3, 2];
const MASK = 7;
type Case = [string, NetDocument, NetDocument, number[], object?];
const CASES: readonly Case[] = [
  ['dense', serial(dense(), relu, dense()), serial(erf, dense()), [5]],
  ['a series', serial(dense(), { layer: 'tanh' }), serial(dense(), { layer: 'softplus' }, dense()), [5]],
  ['an empty head', serial(dense(), relu), { layer: 'identity' }, [5]],
  ['an empty trunk', { layer: 'identity' }, serial(dense(), relu, dense()), [5]],
  ['a chain of s', serial(standard([1, 2]), relu), serial(standard([2, 1]), relu, standard([1, 1])), [5]],
  [
    'branches',
    serial(dense(), sum(dense(), serial(relu, dense()))),
    serial(relu, sum(dense(), serial(dense(), erf, dense()))),
    [5],
  ],
  ['layerNorm', serial(dense(), relu, dense()), serial({ layer: 'layerNorm' }, relu, dense()), [5]],
  ['conv and flatten', serial(conv(), relu), serial(conv(), relu, flatten, dense()), image],
  [
    'conv and flatten, equal positions',
    serial(conv(), relu),
    serial(flatten, dense()),
    image,
    { diagonalSpatial: true },
  ],
  ['conv and pool', serial(conv(), relu, conv()), serial(relu, pool, dense()), image],
  ['convLocal and pool', serial(conv({ layer: 'convLocal' }), relu), serial(pool, dense()), image],
  [
    'residual convs',
    serial(conv(), sum({ layer: 'identity' }, serial(relu, conv()))),
    serial(relu, conv(), pool),
    image,
  ],
  ['attention', serial(conv(), relu), serial(attention, relu, flatten, dense()), image],
  ['masks', serial(conv(), relu), serial(conv(), erf, pool, dense()), image, { maskConstant: MASK }],
  ['spatial output', serial(conv(), relu), serial(conv(), erf), [2, 3, 2]],
];

describe('kernelState and continueKernel', () => {
  it.each<Case>(CASES)(
    'equal the kernel of the whole net: %s',
    async (_name, trunk, head, shape, options = {}) => {
      const x1 = samples(1, 5, ...shape);
      if ('maskConstant' in options) x1.data.fill(MASK, 4, 12).fill(MASK, 60, 61);
      const whole = serial(trunk, head);
      // Not the values of x1 again: correlations of almost 1 amplify rounding errors to their square root.
      for (const x2 of [null, samples(2, 4, ...shape)]) {
        // structuredClone: a state is plain data.
        const state = structuredClone(await kernelState(engine, trunk, x1, x2, options));
        const got = await continueKernel(engine, state, head);
        const want = await kernel(engine, whole, x1, x2, { ...options, diagonalSpatial: false });
        expect(difference(got.nngp, want.nngp)).toBeLessThan(1e-12);
        expect(difference(got.ntk, want.ntk)).toBeLessThan(1e-12);
        expect(engine.heap.usage.used).toBe(0);
      }
    },
  );

  it('gives the kernels after the last layer, and the same bits whatever the blocks of rows', async () => {
    const [trunk, head] = [serial(conv(), relu), serial(attention, relu, flatten, dense())];
    const x = samples(1, 6, 3, 3, 2);
    const want = layerKernels(engine, serial(trunk, head), x).at(-1)!;
    await using small = await createEngine({ variant: 'simd', memoryBytes: 81 * 6 * 8 * 8 * 2 });
    const [got, blocks] = await Promise.all(
      [engine, small].map(async (on) => continueKernel(on, await kernelState(on, trunk, x), head)),
    );
    expect(difference(got!.nngp, want.nngp)).toBeLessThan(1e-12);
    expect(difference(got!.ntk, want.ntk)).toBeLessThan(1e-12);
    expect(blocks).toEqual(got);
  });

  it('knows that the bias of a dense layer after convLocal is shared by all positions', async () => {
    const x = tensor(Float64Array.of(1, 2, 3, 5), [2, 2, 1]);
    const local = conv({ layer: 'convLocal', filter: [1], wStd: 1, bStd: null });
    const head = serial(dense({ wStd: 1, bStd: 0.5 }), { layer: 'globalSumPool' });
    const net = serial(local, head);
    // Positions are independent until then: sum of x_p x'_p, and a bias for each of 2 x 2 pairs.
    const want = [5, 13, 13, 34].map((k) => k + 4 * 0.25);
    expect(Array.from((await kernel(engine, net, x)).nngp.data)).toEqual(want);
    expect(Array.from(layerKernels(engine, net, x).at(-1)!.nngp.data)).toEqual(want);
    const state = await kernelState(engine, local, x);
    expect(Array.from((await continueKernel(engine, state, head)).nngp.data)).toEqual(want);
  });

  it('has no masks where no entry equals the constant, and then the bits of a state without one', async () => {
    const trunk = serial(conv(), relu);
    const x = samples(1, 3, ...image);
    const state = await kernelState(engine, trunk, x, null, { maskConstant: MASK });
    expect(state.visible1).toBeNull();
    expect(state).toEqual(await kernelState(engine, trunk, x));
  });

  it('keeps the diagonal of x2 = null exact, and the matrix symmetric', async () => {
    // Nearly equal samples: the angle of a sample with itself must be 0, not the square root of a rounding error.
    const x = tensor([
      [1, 1e-9],
      [1, 0],
      [1 / 3, 1 / 7],
    ]);
    const net = serial(dense({ bStd: null, wStd: Math.SQRT2 }), relu);
    const { ntk } = await continueKernel(
      engine,
      await kernelState(engine, net, x),
      serial(net, dense({ bStd: null, wStd: 1 })),
    );
    // relu and wStd^2 = 2 keep the variance |x|^2 of the first layer; the last one has K = |x|^2 / 2, T = 3 K.
    for (let i = 0; i < 3; i++) {
      const square = x.data[2 * i]! ** 2 + x.data[2 * i + 1]! ** 2;
      expect(Math.abs(ntk.data[4 * i]! / ((3 * square) / 2) - 1)).toBeLessThan(4 * Number.EPSILON);
      for (let j = 0; j < i; j++) expect(ntk.data[3 * i + j]).toBe(ntk.data[3 * j + i]);
    }
  });

  it('has the parts of frozen layers dropped on either side, and f32', async () => {
    const [trunk, head] = [serial(dense(), relu, dense()), serial(relu, dense(), erf, dense())];
    const x = samples(1, 5, 4);
    const state = await kernelState(engine, trunk, x, null, { frozen: ['layers.0'] });
    const got = await continueKernel(engine, state, head, { get: 'ntk', frozen: ['layers.1'] });
    const frozen = ['layers.0.layers.0', 'layers.1.layers.1'];
    const want = await kernel(engine, serial(trunk, head), x, null, { frozen });
    expect(difference(got.ntk, want.ntk)).toBeLessThan(1e-12);
    expect(Object.keys(got)).toEqual(['ntk']);
    const single = await continueKernel(
      engine,
      await kernelState(engine, trunk, x, null, { dtype: 'f32' }),
      head,
    );
    expect(single.ntk.data).toBeInstanceOf(Float32Array);
    const all = await kernel(engine, serial(trunk, head), x);
    expect(difference(single.ntk, all.ntk)).toBeLessThan(2e-6);
  });

  const refused = async (
    run: (state: KernelState) => Promise<unknown>,
    message: RegExp,
    net: NetDocument = serial(conv(), relu),
    options: KernelOptions<KernelGet> = {},
  ): Promise<void> => {
    const state = await kernelState(engine, net, samples(1, 2, 3, 3, 2), null, options);
    await expect(run(state)).rejects.toThrow(message);
    expect(engine.heap.usage.used).toBe(0);
  };
  const go =
    (net: NetDocument, options: object = {}) =>
    (state: KernelState): Promise<KernelResult> =>
      continueKernel(engine, state, net, options);

  it('refuses a net that does not fit the state', async () => {
    await refused(go(serial(erf, dense())), /layers\.0 \(erf\) needs Gaussian inputs/);
    await refused(go(conv({ filter: [3] })), /\(conv\): "filter" has 1 entries/);
    await refused(
      go(serial(conv({ filter: [4, 1], padding: 'VALID' }))),
      /layers\.0 \(conv\): no output position/,
    );
    await refused(go(serial(conv(), pool)), /all pairs of positions/, undefined, { diagonalSpatial: true });
    await refused(go(dense()), /has no ntk/, undefined, { get: 'nngp' });
    const wide = serial(conv({ parametrization: 'standard', s: [1, 2] }), relu);
    await refused(
      go(serial(flatten, dense())),
      /layers\.1 \(dense\): sIn = 1, but the layer before has sOut = 2/,
      wide,
    );
    await refused(go(relu), /the last layer with weights has sOut = 2/, wide);
  });

  it('refuses a damaged state, and inputs that are not finite', async () => {
    const changed = (change: (state: KernelState) => object) => (state: KernelState) =>
      go(dense())({ ...state, ...change(state) });
    await refused(() => go(dense())({} as KernelState), /expected a state made by kernelState/);
    await refused(() => go(dense())(null as never), /expected a state made by kernelState/);
    await refused(
      changed(() => ({ inputShape: [3, 0.5, 2] })),
      /expected a state/,
    );
    await refused(
      changed(() => ({ inputShape: [3, 4, 2] })),
      /nngp must be a Float64Array of shape \[2, 2, 3, 3, 4, 4\]/,
    );
    await refused(
      changed(() => ({ diagonalSpatial: true })),
      /nngp must be/,
    );
    await refused(
      changed(({ covariance1: { data } }) => ({ covariance1: { data, shape: [data.length] } })),
      /must be a/,
    );
    await refused(
      changed(({ nngp: { data, shape } }) => ({ ntk: { data: Float32Array.from(data), shape } })),
      /ntk must be a Float64Array .* got Float32Array/,
    );
    await refused(
      changed(({ nngp: { data, shape } }) => ({
        nngp: { data: data.map((x, i) => (i === 5 ? NaN : x)), shape },
      })),
      /nngp: entry \[0, 0, .*\] is NaN/,
    );
    const bad = tensor(Float64Array.of(1, NaN), [1, 2]);
    await expect(kernelState(engine, dense(), bad)).rejects.toThrow(/x1 has the entry NaN at flat index 1/);
    await expect(kernelState(engine, serial(relu), samples(1, 2, 2))).rejects.toThrow(
      /layers\.0 \(relu\) needs Gaussian/,
    );
    await expect(kernelState(engine, serial(dense({ s: [2, 1] })), samples(1, 2, 2))).rejects.toThrow(
      /sIn = 2/,
    );
    expect(engine.heap.usage.used).toBe(0);
  });

  it('reports progress, ends on a signal, and gives the same bits on workers', async () => {
    const [trunk, head] = [serial(conv(), relu), serial(attention, relu, flatten, dense())];
    const x = samples(1, 5, 3, 3, 2);
    const seen: number[] = [];
    const state = await kernelState(engine, trunk, x, null, { onProgress: ({ done }) => seen.push(done) });
    expect(seen.at(-1)).toBe(25);
    const want = await continueKernel(engine, state, head);
    for (const workers of [0, 2]) {
      await using other = await createEngine({ variant: 'simd', workers });
      const got = await continueKernel(other, await kernelState(other, trunk, x), head);
      expect(got.ntk.data).toEqual(want.ntk.data);
      const signal = AbortSignal.abort(new Error('enough'));
      await expect(kernelState(other, trunk, x, null, { signal })).rejects.toThrow('enough');
      await expect(continueKernel(other, state, head, { signal })).rejects.toThrow('enough');
      expect(other.heap.usage.used).toBe(0);
    }
  });
});
