// Branches by offsets: masks that differ between them, stored planes that several of them read, branches alone.
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  createEngine,
  kernel,
  kernelPerLayer,
  parseNet,
  tensor,
  type Engine,
  type NetDocument,
  type Tensor,
} from 'infinite-width';
import { computeTile } from '#build/kernel/tiles/tile.js';
import { offsetTile } from '#build/kernel/offsets/tile.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

function images(n: number, seed: number): Tensor<Float64Array> {
  const data = Float64Array.from({ length: n * 4 * 4 * 2 }, (_, i) =>
    Math.sin(12.9898 * (i + 1) + 78.233 * seed),
  );
  return tensor(data, [n, 4, 4, 2]);
}

const conv = (more: object = {}): NetDocument => ({
  layer: 'conv',
  channels: 3,
  filter: [3, 3],
  padding: 'SAME',
  bStd: 0.3,
  ...more,
});
const [relu, gap, flatten]: NetDocument[] = ['relu', 'globalAvgPool', 'flatten'].map(
  (layer) => ({ layer }) as NetDocument,
) as [NetDocument, NetDocument, NetDocument];
const dense: NetDocument = { layer: 'dense', units: 3, bStd: 0.1 };
const pool: NetDocument = { layer: 'avgPool', window: [2, 2], strides: [2, 2] };
const fork = (layer: 'sum' | 'product' | 'concat', ...branches: NetDocument[][]): NetDocument =>
  ({ layer, branches }) as unknown as NetDocument;

it.each<[string, NetDocument[]]>([
  [
    'a pooled map read by a global pool and by a convolution',
    [conv(), relu, pool, fork('sum', [gap, dense], [conv(), relu, gap, dense])],
  ],
  [
    'a pooled map read by flatten and by an index',
    [conv(), relu, pool, fork('concat', [flatten, dense], [{ layer: 'index', slices: [-1, 0] }, dense])],
  ],
  [
    'a pooled map read three times',
    [conv(), relu, pool, fork('product', [gap, dense], [flatten, dense], [conv(), pool, flatten, dense])],
  ],
  [
    'convolutions with windows of different centres',
    [
      fork('sum', [conv({ filter: [1, 2] })], [conv({ layer: 'convTranspose', filter: [4, 4] })]),
      relu,
      conv(),
      gap,
    ],
  ],
  [
    'a sum that moves one branch',
    [
      conv(),
      fork(
        'sum',
        [conv({ padding: 'VALID' })],
        [conv({ padding: 'VALID', filter: [1, 3] }), conv({ padding: 'VALID', filter: [3, 1] })],
      ),
    ],
  ],
  [
    'channels of branches with different masks',
    [
      conv(),
      fork('concat', [relu, conv({ strides: [2, 2] })], [conv({ filter: [4, 4], strides: [2, 2] })]),
      dense,
      relu,
      gap,
    ],
  ],
  ['a product of one branch', [conv(), fork('product', [relu]), dense, relu, flatten]],
  ['a sum of one branch', [conv(), fork('sum', [relu, conv()]), relu, conv(), gap, dense]],
])('%s', (_, layers) => {
  for (const masked of [false, true]) {
    const [x1, x2] = [images(3, 1), images(2, 2)];
    // Whole positions, a single channel, a whole image.
    if (masked) for (const i of [2, 3, 4, 5, 12, 13, 20, 34, 35, 40, 41]) x1.data[i] = x2.data[i + 2] = 9;
    if (masked) x1.data.fill(9, 64);
    for (const second of [x2, null]) {
      const params = {
        net: parseNet(layers as unknown as NetDocument),
        ntk: true,
        dtype: 'f64' as const,
        diagonalSpatial: false,
        maskConstant: masked ? 9 : null,
        pattern1: null,
        pattern2: null,
        frozen: [],
        tolerance: 1e-13,
        x1,
        x2: second,
      };
      const [fast, slow] = [offsetTile(engine, params)!, computeTile(engine, params, () => {})];
      for (const name of ['nngp', 'ntk'] as const) {
        const most = Math.max(...Array.from(slow[name]!, Math.abs));
        expect(most).toBeGreaterThan(0);
        fast[name]!.forEach((value, i) =>
          expect(Math.abs(value - slow[name]![i]!)).toBeLessThanOrEqual(1e-7 * most),
        );
      }
    }
  }
});

it.each([
  { positional: 'sum', valuePositional: true, linearScaling: true },
  { positional: 'concat', positionalChannels: 2, linearScaling: false },
])('embeddings belong to their attention: parts of layers sum to the whole (%o)', async (more) => {
  const attention = {
    layer: 'attention',
    channels: 3,
    keyChannels: 2,
    valueChannels: 2,
    heads: 1,
    mechanism: 'identity',
    positionalStd: 0.7,
    ...more,
  };
  const net = [conv(), attention, relu, conv()] as unknown as NetDocument;
  const x = images(2, 3);
  const { ntk } = await kernel(engine, net, x);
  const parts = await kernelPerLayer(engine, net, x);
  expect(parts).toHaveLength(3);
  const most = Math.max(...ntk.data);
  ntk.data.forEach((value, i) => {
    const sum = parts.reduce((all, part) => all + part.ntk.data[i]!, 0);
    expect(Math.abs(sum - value)).toBeLessThan(1e-12 * most);
  });
});
