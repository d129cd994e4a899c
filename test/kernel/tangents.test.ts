// Derivatives of kernels against central differences of `kernel` itself, for every activation and every kind of layer.
import {
  attention,
  avgPool,
  concat,
  conv,
  convLocal,
  convTranspose,
  createEngine,
  dense,
  dropout,
  erf,
  flatten,
  globalAvgPool,
  imageResize,
  index,
  kernel,
  kernelInputGradient,
  layer,
  layerNorm,
  monteCarloKernel,
  parseNet,
  product,
  relu,
  repeat,
  serial,
  sum,
  sumPool,
  tensor,
  type Engine,
  type KernelResult,
  type NetDocument,
  type Tensor,
} from 'infinite-width';
import { kernelParameters, withParameters } from '#build/kernel/directions.js';
import { contractKernel } from '#build/kernel/tangentCalls.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { random } from '../predict/support.js';

let engine: Engine;
beforeAll(async () => void (engine = await createEngine({ variant: 'simd' })));
afterAll(() => engine.dispose());

type Method = 'nngp' | 'ntk';
const METHODS = ['nngp', 'ntk'] as const;

/** Symmetric weights. */
function weightsOf(n: number): Float64Array {
  const w = random([n, n], 3).data;
  return w.map((value, i) => value + w[(i % n) * n + Math.floor(i / n)]!);
}

/** f'(x) by central differences of 4th order, and how far they are from those of half the step. */
async function slope(
  f: (value: number) => Promise<number>,
  at: number,
): Promise<{ value: number; error: number }> {
  const h = 1e-3 * Math.max(Math.abs(at), 0.1);
  const [a, b, c, d, e, g] = await Promise.all([-2, -1, -0.5, 0.5, 1, 2].map((k) => f(at + k * h)));
  const coarse = (a! - 8 * b! + 8 * e! - g!) / (12 * h);
  const fine = (b! - 8 * c! + 8 * d! - e!) / (6 * h);
  return { value: fine, error: Math.abs(fine - coarse) };
}

async function checkParameters(net: NetDocument, x: Tensor<Float64Array>): Promise<void> {
  const n = x.shape[0]!;
  const weights = weightsOf(n);
  const parameters = kernelParameters(net, x.shape.slice(1));
  const names = parameters.map(({ name }) => name);
  const known = new Map<string, Promise<KernelResult>>();
  const kernelAt = (name: string, value: number): Promise<KernelResult> => {
    const key = `${name} ${value}`;
    if (!known.has(key)) known.set(key, kernel(engine, withParameters(net, new Map([[name, value]])), x));
    return known.get(key)!;
  };
  for (const method of METHODS) {
    const got = await contractKernel(engine, net, x, names, weights, { ntk: method === 'ntk' });
    for (const [p, { name, value }] of parameters.entries()) {
      const contracted = async (v: number): Promise<number> => {
        const k = (await kernelAt(name, v))[method].data;
        return weights.reduce((total, w, i) => total + w * k[i]!, 0);
      };
      const want = await slope(contracted, value);
      const scale = Math.max(1, Math.abs(want.value), Math.abs(await contracted(value)));
      expect(want.error, `${name} ${method}: differences`).toBeLessThan(3e-7 * scale);
      expect(Math.abs(got[p]! - want.value), `${name} ${method}`).toBeLessThan(1e-7 * scale);
    }
  }
}

const ACTIVATIONS: Record<string, NetDocument> = Object.fromEntries(
  [
    layer('relu'),
    layer('leakyRelu', { alpha: 0.2 }),
    layer('abs'),
    layer('abRelu', { a: -0.3, b: 1.1 }),
    layer('sign'),
    layer('sigmoidLike'),
    layer('gabor'),
    layer('erf', { a: 1.2, b: 0.8, c: 0.3 }),
    layer('sin', { a: 0.9, b: 1.1, c: 0.4 }),
    layer('cos', { a: 0.9, b: 0.7, c: -0.2 }),
    layer('gelu'),
    layer('rbf', { gamma: 0.7 }),
    layer('exp', { a: 0.7, b: 0.4 }),
    layer('gaussian', { a: 1.1, b: -0.6 }),
    layer('expNormalized', { gamma: 0.8, shift: -1 }),
    layer('hermite', { degree: 3 }),
    layer('monomial', { degree: 2 }),
    layer('rectifiedMonomial', { degree: 0 }),
    layer('rectifiedMonomial', { degree: 1 }),
    layer('rectifiedMonomial', { degree: 2 }),
    layer('rectifiedMonomial', { degree: 3 }),
    layer('polynomial', { coefficients: [0.3, 0.8, -0.2, 0.1] }),
    layer('tanh'),
    layer('sigmoid'),
    layer('softplus'),
    layer('swish'),
    layer('elu'),
    layer('selu'),
    layer('mish'),
    layer('softsign'),
    layer('gelu', { approximate: true }),
  ].map((document) => [JSON.stringify(document), document]),
);

const SLOW = new Set(
  ['softplus', 'swish', 'elu', 'selu', 'mish', 'softsign'].map((name) => JSON.stringify(layer(name))),
);

describe('derivatives in wStd, bStd and base widths', () => {
  const standard = { parametrization: 'standard' };
  for (const [name, phi] of Object.entries(ACTIVATIONS)) {
    it(`through ${name}`, async () => {
      const last = dense(1, { wStd: 1.2, ...standard });
      const first = [dense(5, { wStd: 1.1, bStd: 0.4 }), phi];
      // Long series: one layer of them is enough.
      const middle = SLOW.has(name) ? [] : [dense(7, { wStd: 0.9, bStd: 0.3, ...standard }), phi];
      await checkParameters(serial(...first, ...middle, last), random([5, 3], 1));
    });
  }

  const w = { wStd: 1.2, bStd: 0.3 };
  const block = (channels: number) => serial(relu(), conv(channels, [3], { padding: 'SAME', ...w }));
  const nets: Record<string, [NetDocument, number[]]> = {
    flatten: [
      serial(
        conv(4, [3], { padding: 'SAME', ...w }),
        relu(),
        conv(4, [2], { strides: [2], ...w, ...standard }),
        erf(),
        flatten(),
        dense(1, { ...w, ...standard }),
      ),
      [3, 6, 2],
    ],
    'flatten of two axes': [
      serial(
        conv(4, [2, 3], { padding: 'CIRCULAR', ...w, ...standard, baseWidth: 1.7 }),
        relu(),
        flatten(),
        dense(1, w),
      ),
      [3, 3, 4, 2],
    ],
    'global pooling': [
      serial(
        conv(4, [3], { padding: 'SAME', ...w }),
        relu(),
        conv(4, [3], { ...w, ...standard }),
        relu(),
        globalAvgPool(),
        dense(1, w),
      ),
      [3, 6, 2],
    ],
    'pooling inside': [
      serial(
        conv(4, [3], w),
        layer('tanh'),
        avgPool([2], { strides: [2] }),
        conv(3, [2], w),
        relu(),
        sumPool([2]),
        conv(3, [1], w),
        layer('gelu'),
        globalAvgPool(),
        dense(1, w),
      ),
      [3, 8, 2],
    ],
    residual: [
      serial(
        conv(4, [3], { padding: 'SAME', ...w }),
        sum(layer('identity'), serial(layerNorm(), block(4), layerNorm(), block(4))),
        repeat(2, sum(layer('identity'), block(4))),
        layerNorm({ axis: [1, 2] }),
        relu(),
        globalAvgPool(),
        dense(1, { ...w, ...standard }),
      ),
      [3, 5, 2],
    ],
    product: [
      serial(
        conv(4, [3], w),
        product(
          block(4),
          serial(layer('erf'), conv(4, [3], { padding: 'SAME', ...w, ...standard })),
          conv(4, [1], w),
        ),
        dense(3, w),
        relu(),
        flatten(),
        dense(1, w),
      ),
      [3, 5, 2],
    ],
    concat: [
      serial(
        dense(3, w),
        concat([serial(relu(), dense(2, w)), serial(layer('sin'), dense(4, { ...w, ...standard }))]),
        dense(3, { ...w, ...standard }),
        relu(),
        dense(1, w),
      ),
      [4, 3],
    ],
    'concat of positions': [
      serial(
        conv(4, [3], w),
        concat([block(4), serial(layer('erf'), conv(4, [2], w))], { axis: 1 }),
        relu(),
        globalAvgPool(),
        dense(1, w),
      ),
      [3, 6, 2],
    ],
    'local and transposed': [
      serial(
        convTranspose(4, [3], { strides: [2], ...w }),
        relu(),
        convLocal(3, [3], { ...w, ...standard }),
        relu(),
        avgPool([3]),
        dense(2, w),
        relu(),
        globalAvgPool(),
        dense(1, w),
      ),
      [3, 4, 2],
    ],
    'resize and index': [
      serial(
        conv(4, [2], w),
        imageResize([-1, 6, -1]),
        relu(),
        conv(4, [1], w),
        index([[0, null, 2]]),
        relu(),
        globalAvgPool(),
        dense(1, w),
      ),
      [3, 5, 2],
    ],
    dropout: [serial(dense(5, w), relu(), dropout(0.8), dense(4, w), relu(), dense(1, w)), [4, 3]],
  };
  for (const [name, [net, shape]] of Object.entries(nets))
    it(`of a net with ${name}`, () => checkParameters(net, random(shape, 2)));

  it('sums the copies of a repeat, and leaves out base widths they do not share', () => {
    const net = serial(repeat(2, serial(dense(5, standard), relu())), dense(1));
    expect(kernelParameters(net, [3]).map(({ name }) => name)).toEqual([
      'layers.0.net.layers.0.wStd',
      'layers.1.wStd',
    ]);
    expect(kernelParameters(dense(2, { bStd: 0 }), [3]).map(({ name }) => name)).toEqual(['wStd', 'bStd']);
  });

  it('does not depend on tiles or workers', async () => {
    const net = serial(dense(5, { ...w, ...standard }), relu(), dense(1, w));
    const x = random([150, 3], 4);
    const names = kernelParameters(net, [3]).map(({ name }) => name);
    const all = await contractKernel(engine, net, x, names, weightsOf(150), { ntk: true });
    const two = await createEngine({ variant: 'simd', workers: 2 });
    const small = await createEngine({ variant: 'simd', memoryBytes: 1 << 20 });
    try {
      expect(await contractKernel(two, net, x, names, weightsOf(150), { ntk: true })).toEqual(all);
      const tiled = await contractKernel(small, net, x, names, weightsOf(150), { ntk: true });
      for (const [i, value] of tiled.entries())
        expect(Math.abs(value - all[i]!)).toBeLessThan(1e-11 * Math.abs(all[i]!));
    } finally {
      await Promise.all([two.dispose(), small.dispose()]);
    }
  });

  it('says what it cannot do, and how many bytes it would need', async () => {
    const tokens = serial(
      attention({ channels: 4, keyChannels: 4, valueChannels: 4, heads: 2 }),
      flatten(),
      dense(1),
    );
    const run = (net: NetDocument, shape: number[], e = engine) =>
      contractKernel(e, net, random(shape, 1), ['layers.0.wStd'], weightsOf(shape[0]!), { ntk: true });
    await expect(run(tokens, [2, 3, 4])).rejects.toThrow("'attention' (layers.0)");
    await expect(run(serial(conv(3, [2])), [2, 3, 4])).rejects.toThrow('flatten');
    const tiny = await createEngine({ variant: 'simd', memoryBytes: 1 << 16 });
    const image = serial(conv(3, [3, 3], { padding: 'SAME' }), relu(), globalAvgPool(), dense(1));
    await expect(run(image, [2, 12, 12, 1], tiny)).rejects.toThrow(/need \d+ bytes/);
    await tiny.dispose();
  });
});

describe('kernelInputGradient', () => {
  const [n1, n2] = [3, 2];
  async function checkInputs(net: NetDocument, sample: number[]): Promise<void> {
    const [x1, x2] = [random([n1, ...sample], 5), random([n2, ...sample], 6)];
    const size = x1.data.length / n1;
    const got = await kernelInputGradient(engine, net, x1, x2);
    const values = async (method: Method, i: number, j: number, e: number, v: number): Promise<number> => {
      const data = x1.data.slice();
      data[i * size + e] = v;
      return (await kernel(engine, net, tensor(data, x1.shape), x2))[method].data[i * n2 + j]!;
    };
    for (const method of METHODS) {
      expect(got[method].shape).toEqual([n1, n2, ...sample]);
      for (let i = 0; i < n1; i++)
        for (let j = 0; j < n2; j++)
          for (let e = 0; e < size; e += Math.max(1, Math.floor(size / 4))) {
            const want = await slope((v) => values(method, i, j, e, v), x1.data[i * size + e]!);
            const value = got[method].data[(i * n2 + j) * size + e]!;
            expect(want.error).toBeLessThan(1e-7 * Math.max(1, Math.abs(want.value)));
            expect(Math.abs(value - want.value)).toBeLessThan(1e-7 * Math.max(1, Math.abs(want.value)));
          }
    }
  }
  it('of a dense net', () =>
    checkInputs(
      serial(dense(4, { wStd: 1.2, bStd: 0.2 }), erf(), dense(3, { bStd: 0.5 }), relu(), dense(1)),
      [4],
    ));
  it('of nets with positions', async () => {
    await checkInputs(
      serial(
        conv(4, [3], { padding: 'SAME', bStd: 0.3 }),
        relu(),
        conv(3, [3]),
        layerNorm(),
        erf(),
        flatten(),
        dense(1),
      ),
      [5, 2],
    );
    await checkInputs(
      serial(
        conv(4, [2, 2], { bStd: 0.3 }),
        relu(),
        globalAvgPool(),
        dense(1, { parametrization: 'standard' }),
      ),
      [3, 3, 1],
    );
  });
  it('refuses samples that do not fit', async () => {
    await expect(kernelInputGradient(engine, dense(1), random([2, 3], 1), random([2, 4], 1))).rejects.toThrow(
      'one sample shape',
    );
  });
});

describe('baseWidth', () => {
  it('is the N of the kernel, and of finite nets of any width', async () => {
    const standard = { parametrization: 'standard', wStd: 1.2, bStd: 0.3 };
    const x = random([3, 4], 1);
    const written = serial(dense(6, standard), relu(), dense(1, standard));
    const same = serial(dense(6, standard), relu(), dense(1, { ...standard, baseWidth: 6 }));
    const wide = serial(dense(96, standard), relu(), dense(1, { ...standard, baseWidth: 6 }));
    const want = await kernel(engine, written, x);
    for (const net of [same, wide]) expect((await kernel(engine, net, x)).ntk.data).toEqual(want.ntk.data);
    const drawn = await monteCarloKernel(engine, wide, x, null, { samples: 400, seed: 3 });
    for (const method of METHODS)
      for (const [i, value] of want[method].data.entries()) {
        const { kernel: mean, standardError } = drawn[method]!;
        expect(Math.abs(mean.data[i]! - value)).toBeLessThan(5 * standardError.data[i]!);
        expect(standardError.data[i]).toBeLessThan(0.05 * Math.abs(value) + 0.05);
      }
    expect(() => parseNet(dense(3, { baseWidth: 0 }))).toThrow('"baseWidth" must be');
  });
});
