// Offset planes against the general propagation on random nets, through the public API and the tiles behind it.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createEngine,
  inferShapes,
  kernel,
  kernelPerLayer,
  parseNet,
  planKernel,
  tensor,
  type Engine,
  type NetDocument,
  type Tensor,
} from 'infinite-width';
import { computeTile } from '#build/kernel/tiles/tile.js';
import { weightPaths } from '#build/kernel/propagation/frozen.js';
import { offsetTile } from '#build/kernel/offsets/tile.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

function images(shape: readonly number[], seed: number): Tensor<Float64Array> {
  let state = seed;
  const size = shape.reduce((product, n) => product * n, 1);
  const data = Float64Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
  return tensor(data, shape);
}

const small = fc.integer({ min: 1, max: 3 });
const std = fc.constantFrom(0.7, 1, 1.5);
const bias = fc.constantFrom(null, 0, 0.4);
const padding = fc.constantFrom('SAME', 'VALID', 'CIRCULAR');
const parametrization = fc.constantFrom('ntk', 'standard');
const conv = fc.record({
  layer: fc.constantFrom('conv', 'conv', 'conv', 'convTranspose', 'convLocal'),
  channels: small,
  filter: fc.tuple(small, small),
  strides: fc.constantFrom([1, 1], [1, 1], [2, 1], [2, 2]),
  padding,
  wStd: std,
  bStd: bias,
  parametrization,
});
const same = fc.record({
  layer: fc.constant('conv'),
  channels: fc.constant(3),
  filter: fc.constantFrom([3, 3], [1, 1], [2, 3]),
  padding: fc.constantFrom('SAME', 'CIRCULAR'),
  wStd: std,
  bStd: bias,
  parametrization,
});
const activation = fc.constantFrom<NetDocument>(
  { layer: 'relu' },
  { layer: 'leakyRelu', alpha: 0.2 },
  { layer: 'abs' },
  { layer: 'erf', a: 1.1, b: 0.8, c: 0.2 },
  { layer: 'gelu' },
  { layer: 'cos', a: 1, b: 0.7, c: 0.3 },
  { layer: 'tanh' },
  { layer: 'polynomial', coefficients: [0.2, 0.7, 0.1] },
);
const norm = fc.constantFrom<NetDocument>(
  { layer: 'layerNorm' },
  { layer: 'layerNorm', axis: [1, 2, 3], eps: 0.01 },
  { layer: 'layerNorm', axis: [2, -1], eps: 0.01 },
  { layer: 'rmsNorm', axis: [2, -1], eps: 0.01 },
);
const spatial = fc.oneof(
  fc.record({
    layer: fc.constantFrom('avgPool', 'sumPool'),
    window: fc.tuple(small, small),
    strides: fc.constantFrom([1, 1], [2, 2], [1, 2]),
    padding: fc.constantFrom('SAME', 'VALID', 'CIRCULAR'),
  }),
  fc.record({
    layer: fc.constant('imageResize'),
    shape: fc.constantFrom([-1, 3, 4, -1], [-1, 5, 2, -1]),
    method: fc.constantFrom('linear', 'nearest'),
  }),
  fc.constantFrom<NetDocument>(
    { layer: 'index', slices: [[0, null, 2], null] },
    { layer: 'index', slices: [null, [null, null, -1]] },
    { layer: 'dropout', keep: 0.6, mode: 'train' },
  ),
);
const block = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(conv, activation) },
  { weight: 1, arbitrary: fc.tuple(conv, norm, activation) },
  { weight: 2, arbitrary: fc.tuple(spatial) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(same, activation, same, activation, same, fc.constantFrom('sum', 'product', 'concat'))
      .map(([first, phi, second, psi, other, layer]) => [
        first,
        {
          layer,
          branches: [
            [phi, second] as unknown as NetDocument,
            layer === 'sum' ? { layer: 'identity' } : other,
          ],
        },
        other,
        psi,
      ]),
  },
);
const tail = fc.constantFrom<NetDocument[]>(
  [{ layer: 'flatten' }, { layer: 'dense', units: 1 }],
  [{ layer: 'globalAvgPool' }, { layer: 'dense', units: 1, bStd: 0.3 }],
  [{ layer: 'globalSumPool' }],
  [],
);

describe('random nets', () => {
  it('planes and general propagation agree', () => {
    let compared = 0;
    fc.assert(
      fc.property(
        fc.array(block, { minLength: 1, maxLength: 3 }),
        tail,
        fc.boolean(),
        fc.constantFrom(0, 0, 1, 2, 5, 255),
        (blocks, end, same2, still) => {
          const layers = [...(blocks.flat() as NetDocument[]), ...end];
          const [x1, x2] = [images([3, 4, 5, 2], 1), images([2, 4, 5, 2], 7)];
          let frozen: string[] = [];
          try {
            const paths = weightPaths(inferShapes(layers, [4, 5, 2]));
            frozen = paths.filter((_, i) => (still >> i) % 2 === 1);
          } catch {
            return; // shapes that do not fit
          }
          const params = {
            x1,
            x2: same2 ? null : x2,
            ntk: true,
            dtype: 'f64' as const,
            diagonalSpatial: false,
            maskConstant: null,
            pattern1: null,
            pattern2: null,
            frozen,
            tolerance: 1e-13,
          };
          let general;
          let net;
          try {
            net = parseNet(layers);
            general = computeTile(engine, { net, ...params }, () => {});
          } catch {
            return; // shapes or states that no path takes
          }
          const planes = offsetTile(engine, { net, ...params });
          expect(planes).not.toBeNull();
          compared++;
          const [n1, n2] = [3, same2 ? 3 : 2];
          for (const name of ['nngp', 'ntk'] as const) {
            const [a, b] = [planes![name]!, Float64Array.from(general[name]!)];
            const size = a.length / n1 / n2;
            const most = b.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
            for (let i = 0; i < n1; i++)
              for (let j = 0; j < n2; j++) {
                if (same2 && j > i) continue; // the general path leaves the upper triangle to its caller
                // Upsampling puts equal variables at different positions: their angle is known to sqrt(eps) only.
                for (let e = (i * n2 + j) * size; e < (i * n2 + j + 1) * size; e++)
                  expect(Math.abs(a[e]! - b[e]!)).toBeLessThanOrEqual(
                    (same2 && i === j ? 1e-7 : 1e-11) * most,
                  );
              }
          }
        },
      ),
      { numRuns: 120, seed: 5 },
    );
    expect(compared).toBeGreaterThan(40);
  });
});

describe('layers that are not trained', () => {
  const conv = (more: object): NetDocument => ({
    layer: 'conv',
    channels: 3,
    filter: [3, 3],
    bStd: 0.3,
    ...more,
  });
  const net: NetDocument = [
    conv({ padding: 'SAME', parametrization: 'standard' }),
    {
      layer: 'sum',
      branches: [
        [{ layer: 'erf' }, conv({ layer: 'convTranspose', padding: 'SAME' })],
        { layer: 'identity' },
      ],
    },
    { layer: 'repeat', times: 2, net: [{ layer: 'gelu' }, conv({ padding: 'CIRCULAR' })] },
    { layer: 'relu' },
    conv({ layer: 'convLocal', padding: 'VALID' }),
    { layer: 'globalAvgPool' },
    { layer: 'dense', units: 2, bStd: 0.1, parametrization: 'standard' },
  ];
  const x = images([3, 5, 4, 2], 6);

  it('have their own terms left out: the terms of all layers sum to the whole, one by one and in groups', async () => {
    const { ntk } = await kernel(engine, net, x);
    const parts = await kernelPerLayer(engine, net, x);
    expect(parts.map(({ path }) => path)).toEqual([
      'layers.0',
      'layers.1.branches.0.layers.1',
      'layers.2.net.0.layers.1',
      'layers.2.net.1.layers.1',
      'layers.4',
      'layers.6',
    ]);
    const sum = ntk.data.map((_, i) => parts.reduce((all, part) => all + part.ntk.data[i]!, 0));
    sum.forEach((value, i) => expect(Math.abs(value / ntk.data[i]! - 1)).toBeLessThan(1e-13));
    const frozen = ['layers.1', 'layers.2.net'];
    expect(planKernel(engine, net, [3, 5, 4, 2], null, { frozen }).offsets).not.toHaveProperty('reason');
    const rest = await kernel(engine, net, x, null, { get: 'ntk', frozen });
    const dropped = parts.slice(1, 4);
    rest.ntk.data.forEach((value, i) => {
      const want = ntk.data[i]! - dropped.reduce((all, part) => all + part.ntk.data[i]!, 0);
      expect(Math.abs(value / want - 1)).toBeLessThan(1e-12);
    });
  });
});

describe('strided 1x1 convolutions', () => {
  const point = (strides: number[]): NetDocument => ({ layer: 'conv', channels: 3, filter: [1, 1], strides });
  const box: NetDocument = { layer: 'conv', channels: 3, filter: [3, 3], padding: 'SAME', bStd: 0.3 };
  const relu: NetDocument = { layer: 'relu' };
  const ends: NetDocument[] = [relu, { layer: 'globalAvgPool' }, { layer: 'dense', units: 1 }];
  const fork = (a: NetDocument, b: NetDocument): NetDocument => ({ layer: 'sum', branches: [a, b] });
  const identity: NetDocument = { layer: 'identity' };
  it.each<[string, NetDocument[], number]>([
    // 4 x 3 positions are wanted of every map: 144 pairs
    [
      'behind maps of single positions',
      [box, { layer: 'layerNorm' }, { layer: 'erf' }, point([2, 2])],
      2 * 144,
    ],
    ['twice', [box, relu, point([2, 1]), relu, point([1, 2])], 3 * 144],
    ['behind a sum', [box, fork([relu, point([1, 1])], identity), point([2, 2])], 3 * 144],
    ['beside a reader of everything', [box, relu, fork([point([2, 2])], [{ ...box, strides: [2, 2] }])], 0],
    [
      'beside another reader of one branch',
      [fork([box, relu, box], box), fork(point([2, 2]), [box, point([2, 2])])],
      0,
    ],
    ['behind a norm of the image', [box, { layer: 'layerNorm', axis: [1, 2, 3] }, relu, point([2, 2])], 0],
  ])('%s', (_, body, steps) => {
    const net = parseNet([...body, ...ends]);
    const params = {
      net,
      ntk: true,
      dtype: 'f64' as const,
      diagonalSpatial: false,
      maskConstant: null,
      pattern1: null,
      pattern2: null,
      frozen: [],
      tolerance: 1e-13,
      x1: images([2, 8, 6, 2], 3),
      x2: images([3, 8, 6, 2], 4),
    };
    const { offsets } = planKernel(engine, net, [2, 8, 6, 2], [3, 8, 6, 2]);
    if (steps > 0) expect(offsets).toMatchObject({ affineSteps: steps });
    for (const x2 of [params.x2, null]) {
      const [fast, slow] = [
        offsetTile(engine, { ...params, x2 })!,
        computeTile(engine, { ...params, x2 }, () => {}),
      ];
      for (const name of ['nngp', 'ntk'] as const)
        fast[name]!.forEach((value, i) => expect(Math.abs(value / slow[name]![i]! - 1)).toBeLessThan(1e-12));
    }
  });
});

describe('kernel()', () => {
  const relu: NetDocument = { layer: 'relu' };
  const layer: NetDocument = { layer: 'conv', channels: 4, filter: [3, 3], padding: 'SAME', wStd: 1.4 };
  const net: NetDocument = [
    layer,
    relu,
    layer,
    relu,
    { layer: 'globalAvgPool' },
    { layer: 'dense', units: 1 },
  ];

  it('gives the same bits for any tile and any number of workers', async () => {
    const x = images([9, 5, 6, 3], 3);
    const whole = await kernel(engine, net, x, null);
    await using two = await createEngine({ variant: 'simd', workers: 2 });
    for (const [on, tile] of [
      [engine, 4],
      [engine, 3],
      [two, 2],
    ] as const) {
      const part = await kernel(on, net, x, null, { tile });
      expect(part.nngp.data).toEqual(whole.nngp.data);
      expect(part.ntk.data).toEqual(whole.ntk.data);
    }
  });

  it('announces planes, bytes and the reason for another path', () => {
    const cifar = planKernel(engine, net, [1000, 32, 32, 3], null, { dtype: 'f32' });
    expect(cifar.offsets).toMatchObject({ segments: [{ planes: 3969 }, { planes: 1 }] });
    expect(cifar.tileBytes).toBeLessThan(2 ** 24);
    const dense = planKernel(engine, [{ layer: 'dense', units: 1 }], [10, 4]);
    expect(dense.offsets).toEqual({ reason: 'no spatial axes', stretches: [] });
  });
});
