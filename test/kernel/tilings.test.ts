import {
  attention,
  conv,
  createEngine,
  dense,
  elu,
  flatten,
  globalAvgPool,
  kernel,
  layerNorm,
  mish,
  relu,
  rnn,
  serial,
  softplus,
  tanh,
  tensor,
  type Engine,
  type NetDocument,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

// Every sample has a norm, so variances, of its own in every layer, and tiles hold few or many of them.
const samples = (n: number, size: number, seed: number): Float64Array =>
  Float64Array.from({ length: n * size }, (_, i) => {
    const sample = Math.floor(i / size);
    return Math.sin(12.9898 * (i + 1) + 78.233 * seed) * 4 ** (((sample * 7) % n) / n - 0.5);
  });

const w = { wStd: 1.3, bStd: 0.1 };
const NETS: readonly (readonly [string, NetDocument, readonly number[]])[] = [
  ['dense tanh', serial(dense(4, w), tanh(), dense(4, w), tanh(), dense(1)), [6]],
  ['dense elu', serial(dense(4, w), elu({ alpha: 1.3 }), dense(4, w), elu(), dense(1)), [6]],
  ['layerNorm softplus', serial(dense(4, w), layerNorm(), softplus(), dense(1)), [6]],
  ['conv mish', serial(conv(4, [2], w), mish(), conv(4, [2], w), mish(), globalAvgPool(), dense(1)), [4, 2]],
  ['conv elu', serial(conv(4, [2], w), elu(), flatten(), dense(1)), [4, 2]],
  ['rnn tanh', serial(rnn(4, { activation: tanh(), ...w }), dense(1)), [3, 2]],
];

describe('tilings', () => {
  const engines: Engine[] = [];
  beforeAll(async () => {
    for (const workers of [0, 2]) engines.push(await createEngine({ variant: 'simd', workers }));
  });
  afterAll(() => engines.forEach((engine) => engine.dispose()));

  it.each(NETS)('%s: any tile and any number of workers give the same bits', async (_, net, shape) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const [n1, n2] = [31, 27];
    const x1 = tensor(samples(n1, size, 1), [n1, ...shape]);
    const x2 = tensor(samples(n2, size, 2), [n2, ...shape]);
    for (const dtype of shape.length === 1 ? (['f64', 'f32'] as const) : (['f64'] as const)) {
      for (const second of [x2, null]) {
        const whole = await kernel(engines[0]!, net, x1, second, { dtype, tile: 64 });
        for (const [engine, tile] of [
          [engines[0]!, 4],
          [engines[0]!, 13],
          [engines[1]!, 7],
          [engines[1]!, 26],
        ] as const) {
          const parts = await kernel(engine, net, x1, second, { dtype, tile });
          expect(parts.nngp.data).toEqual(whole.nngp.data);
          expect(parts.ntk.data).toEqual(whole.ntk.data);
        }
      }
    }
  });

  it.each([
    ['dense', serial(dense(4), dense(2, { bStd: 0.7 }), relu(), dense(2, w)), [3]],
    ['convolutional', serial(conv(4, [2], w), relu(), conv(4, [2], w), globalAvgPool(), dense(1, w)), [5, 3]],
    [
      'recurrent',
      serial(rnn(4, { activation: relu(), ...w, returnSequences: true }), globalAvgPool(), dense(1)),
      [5, 3],
    ],
    [
      'attentive',
      serial(
        conv(4, [2], w),
        relu(),
        {
          layer: 'concat',
          axis: 1,
          branches: [
            conv(4, [2], w),
            serial(attention({ channels: 4, keyChannels: 4, valueChannels: 4, heads: 2 }), conv(4, [2], w)),
          ],
        },
        globalAvgPool(),
      ),
      [5, 3],
    ],
  ] as const)('%s with masks: tiles without masked samples have the same bits', async (_, net, shape) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const x = tensor(samples(9, size, 5), [9, ...shape]);
    x.data.fill(9, 4 * size, 4 * size + 3); // one position of one sample, or all of it
    x.data[6 * size] = 9;
    for (const dtype of ['f64', 'f32'] as const) {
      const whole = await kernel(engines[0]!, net, x, null, { dtype, maskConstant: 9 });
      expect(whole.ntk.data[10 * 4]).toEqual(shape.length === 1 ? 0 : expect.any(Number));
      for (const tile of [1, 2, 5]) {
        const parts = await kernel(engines[0]!, net, x, null, { dtype, maskConstant: 9, tile });
        expect(parts.nngp.data).toEqual(whole.nngp.data);
        expect(parts.ntk.data).toEqual(whole.ntk.data);
      }
      // A constant that no entry has is none.
      const [without, none] = [
        await kernel(engines[0]!, net, x, null, { dtype, maskConstant: 8, tile: 2 }),
        await kernel(engines[0]!, net, x, null, { dtype }),
      ];
      expect(without.ntk.data).toEqual(none.ntk.data);
    }
  });

  it.each([true, false])(
    'puts entries of nets that end with positions where they belong (same: %s)',
    async (diagonalSpatial) => {
      const net = serial(conv(4, [2, 2], w), tanh());
      const x = tensor(samples(7, 24, 3), [7, 3, 4, 2]);
      const options = { diagonalSpatial };
      const whole = await kernel(engines[0]!, net, x, null, { ...options, tile: 64 });
      expect(whole.ntk.shape).toEqual(diagonalSpatial ? [7, 7, 2, 3] : [7, 7, 2, 2, 3, 3]);
      const other = { data: x.data.slice(), shape: x.shape };
      const between = await kernel(engines[0]!, net, x, other, options);
      for (const tile of [2, 3]) {
        for (const name of ['nngp', 'ntk'] as const) {
          const { data } = (await kernel(engines[0]!, net, x, null, { ...options, tile }))[name];
          expect(data).toEqual(whole[name].data);
          data.forEach((value, i) => expect(value).toBeCloseTo(between[name].data[i]!, 12));
        }
      }
    },
  );
});
