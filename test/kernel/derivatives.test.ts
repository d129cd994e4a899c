// Derivatives of kernels against central differences of `kernel` itself, for every activation and every kind of layer.
import {
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
  layer,
  layerNorm,
  product,
  relu,
  repeat,
  serial,
  sum,
  sumPool,
  type Engine,
  type LayerName,
  type NetDocument,
} from 'infinite-width';
import { kernelParameters } from '#build/kernel/derivatives/directions.js';
import { contractKernel } from '#build/kernel/derivatives/calls.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { random } from '../predict/support.js';
import { checkParameters, weightsOf } from '../support/derivatives.js';

let engine: Engine;
beforeAll(async () => void (engine = await createEngine({ variant: 'simd' })));
afterAll(() => engine.dispose());

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
    layer('hardTanh'),
    layer('hardSigmoid'),
    layer('hardSwish'),
    layer('relu6'),
    layer('gelu', { approximate: true }),
  ].map((document) => [JSON.stringify(document), document]),
);

const SLOW = new Set(
  [
    'softplus',
    'swish',
    'elu',
    'selu',
    'mish',
    'softsign',
    'hardTanh',
    'hardSigmoid',
    'hardSwish',
    'relu6',
  ].map((name) => JSON.stringify(layer(name as LayerName))),
);

describe('derivatives in wStd, bStd and base widths', () => {
  const standard = { parametrization: 'standard' as const };
  for (const [name, phi] of Object.entries(ACTIVATIONS)) {
    it(`through ${name}`, async () => {
      const last = dense(1, { wStd: 1.2, ...standard });
      const first = [dense(5, { wStd: 1.1, bStd: 0.4 }), phi];
      // Long series: one layer of them is enough.
      const middle = SLOW.has(name) ? [] : [dense(7, { wStd: 0.9, bStd: 0.3, ...standard }), phi];
      await checkParameters(engine, serial(...first, ...middle, last), random([5, 3], 1));
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
    it(`of a net with ${name}`, () => checkParameters(engine, net, random(shape, 2)));

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
    const all = await contractKernel(engine, net, x, { names, weights: weightsOf(150), ...{ ntk: true } });
    const two = await createEngine({ variant: 'simd', workers: 2 });
    const small = await createEngine({ variant: 'simd', memoryBytes: 1 << 20 });
    try {
      expect(await contractKernel(two, net, x, { names, weights: weightsOf(150), ...{ ntk: true } })).toEqual(
        all,
      );
      const tiled = await contractKernel(small, net, x, { names, weights: weightsOf(150), ...{ ntk: true } });
      for (const [i, value] of tiled.entries())
        expect(Math.abs(value - all[i]!)).toBeLessThan(1e-11 * Math.abs(all[i]!));
    } finally {
      await Promise.all([two.dispose(), small.dispose()]);
    }
  });

  it('says what it cannot do, and how many bytes it would need', async () => {
    const run = (net: NetDocument, shape: number[], e = engine) =>
      contractKernel(e, net, random(shape, 1), {
        names: ['layers.0.wStd'],
        weights: weightsOf(shape[0]!),
        ...{ ntk: true },
      });
    await expect(run(serial(conv(3, [2])), [2, 3, 4])).rejects.toThrow('flatten');
    const tiny = await createEngine({ variant: 'simd', memoryBytes: 1 << 16 });
    const image = serial(conv(3, [3, 3], { padding: 'SAME' }), relu(), globalAvgPool(), dense(1));
    await expect(run(image, [2, 12, 12, 1], tiny)).rejects.toThrow(/need \d+ bytes/);
    await tiny.dispose();
  });
});
