// The finite and the infinite rule of every layer agree: averages over random wide nets against the analytic kernels.
import {
  createEngine,
  createModel,
  empiricalNngp,
  empiricalNtk,
  kernel,
  tensor,
  type Engine,
  type NetDocument,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const random = (n: number, seed: number): Float64Array<ArrayBuffer> => {
  let state = seed;
  return Float64Array.from(
    { length: n },
    () => 2 * ((state = (state * 16807) % 2147483647) / 2147483647 - 0.5),
  );
};
const WIDTH = 96;
const conv = (fields: object): NetDocument => ({
  layer: 'conv',
  channels: WIDTH,
  filter: [2],
  wStd: 1.2,
  bStd: 0.3,
  ...fields,
});
const relu: NetDocument = { layer: 'relu' };
const out: NetDocument = { layer: 'dense', units: 1, wStd: 1.1, bStd: 0.2 };
const flatten: NetDocument = { layer: 'flatten' };
const gap: NetDocument = { layer: 'globalAvgPool' };
const wide: NetDocument = { layer: 'dense', units: WIDTH, wStd: 1.3, bStd: 0.2 };
const nets: [string, NetDocument, number[]][] = [
  ['dense relu', [wide, relu, out], [5]],
  [
    'two hidden, standard',
    [
      { layer: 'dense', units: WIDTH, parametrization: 'standard', bStd: 0.3 },
      { layer: 'tanh' },
      { layer: 'dense', units: 1, parametrization: 'standard', bStd: 0 },
    ],
    [5],
  ],
  ['strided same', [conv({ padding: 'SAME', strides: [2] }), relu, flatten, out], [5, 2]],
  [
    'circular, pool',
    [
      conv({ padding: 'CIRCULAR' }),
      { layer: 'erf' },
      { layer: 'avgPool', window: [2], padding: 'SAME' },
      gap,
      out,
    ],
    [4, 2],
  ],
  ['transposed', [conv({ layer: 'convTranspose', strides: [2], padding: 'SAME' }), relu, gap, out], [3, 2]],
  ['local', [conv({ layer: 'convLocal' }), relu, gap, out], [4, 2]],
  [
    'resize, index',
    [
      conv({}),
      relu,
      { layer: 'imageResize', shape: [-1, 5, -1] },
      { layer: 'index', slices: [[0, 4, 2]] },
      flatten,
      out,
    ],
    [4, 2],
  ],
  ['residual', [wide, { layer: 'sum', branches: [{ layer: 'identity' }, [relu, wide]] }, relu, out], [4]],
  [
    'product, concat',
    [
      {
        layer: 'product',
        branches: [
          [wide, relu],
          [wide, { layer: 'erf' }],
        ],
      },
      { layer: 'concat', branches: [wide, wide] },
      wide,
      relu,
      out,
    ],
    [4],
  ],
  ['layer norm', [wide, { layer: 'layerNorm' }, relu, out], [4]],
  [
    'attention',
    [
      conv({ filter: [1] }),
      relu,
      {
        layer: 'attention',
        channels: WIDTH,
        keyChannels: WIDTH,
        valueChannels: WIDTH,
        heads: 1,
        queryStd: 0.8,
        bStd: 0.1,
      },
      gap,
      out,
    ],
    [3, 2],
  ],
];

describe('finite nets approach their kernels', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ variant: 'simd' });
  });
  afterAll(() => engine.dispose());

  it.each(nets)('%s', async (_, net, inputShape) => {
    const n = 3;
    const x = tensor(random(n * inputShape.reduce((a, b) => a * b, 1), 21), [n, ...inputShape]);
    const want = await kernel(engine, net, x, null, { get: ['nngp', 'ntk'] });
    const samples = 80;
    for (const [name, compute] of [
      ['nngp', empiricalNngp],
      ['ntk', empiricalNtk],
    ] as const) {
      const sum = new Float64Array(n * n);
      const squares = new Float64Array(n * n);
      for (let seed = 0; seed < samples; seed++) {
        using model = createModel(engine, net, { inputShape, seed });
        compute(model, x).data.forEach((value, i) => {
          sum[i]! += value / samples;
          squares[i]! += value ** 2 / samples;
        });
      }
      const data = want[name]!.data;
      const scale = Math.max(...Array.from(data, Math.abs));
      sum.forEach((mean, i) => {
        const error = Math.sqrt(Math.max(0, squares[i]! - mean ** 2) / samples);
        // 5 standard errors, and the bias of order 1/width of nets with several random layers.
        expect(Math.abs(mean - data[i]!), `${name} entry ${i}: ${mean} against ${data[i]}`).toBeLessThan(
          5 * error + (3 * scale) / WIDTH,
        );
      });
    }
  });
});
