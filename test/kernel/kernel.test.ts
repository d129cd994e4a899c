import {
  createEngine,
  kernel,
  kernelPerLayer,
  kernelTiles,
  layerKernels,
  monteCarloKernel,
  planKernel,
  tensor,
  type Engine,
  type NetDocument,
  type Tensor,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const dense = (extra: object = {}): NetDocument => ({
  layer: 'dense',
  units: 1,
  wStd: 1.3,
  bStd: 0.1,
  ...extra,
});
const NET: NetDocument = [dense(), { layer: 'relu' }, dense(), { layer: 'erf' }, dense()];
const IMAGES: NetDocument = [
  { layer: 'conv', channels: 1, filter: [3], padding: 'SAME', bStd: 0.2 },
  { layer: 'relu' },
  { layer: 'layerNorm', axis: -1 },
];
function inputs(n: number, ...shape: number[]): Tensor {
  const size = shape.reduce((product, extent) => product * extent, n);
  const data = Float64Array.from({ length: size }, (_, i) => ((i * 7919) % 101) / 50 - 1);
  return tensor(data, [n, ...shape]);
}

describe('kernel', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ variant: 'simd' });
  });
  afterAll(() => engine.dispose());

  it('gives the same bits for any tile and any number of workers', async () => {
    const x1 = inputs(11, 5);
    const whole = await kernel(engine, NET, x1, null);
    await using pool = await createEngine({ variant: 'simd', workers: 2 });
    for (const [on, tile] of [
      [engine, 4],
      [engine, 3],
      [pool, 4],
    ] as const) {
      const tiled = await kernel(on, NET, x1, null, { tile });
      expect(tiled.nngp.data).toEqual(whole.nngp.data);
      expect(tiled.ntk.data).toEqual(whole.ntk.data);
    }
    for (let i = 0; i < 11; i++)
      for (let j = 0; j < i; j++) expect(whole.ntk.data[i * 11 + j]).toBe(whole.ntk.data[j * 11 + i]);
  });

  it('mirrors tiles with positions: entry (i, j, p, q) is entry (j, i, q, p)', async () => {
    const x = inputs(5, 4, 2);
    const net = [IMAGES, dense()].flat() as NetDocument;
    const spatial: NetDocument = [{ layer: 'conv', channels: 1, filter: [3], padding: 'SAME' }];
    await expect(kernel(engine, net, x)).rejects.toThrow('layers.2 (layerNorm)');
    const { ntk } = await kernel(engine, spatial, x, null, { tile: 2 });
    const whole = await kernel(engine, spatial, x, null);
    expect(ntk.shape).toEqual([5, 5, 4, 4]);
    for (let i = 0; i < ntk.data.length; i++) expect(ntk.data[i]).toBeCloseTo(whole.ntk.data[i]!, 12);
  });

  it('streams the tiles of the lower triangle', async () => {
    const x = inputs(10, 3);
    const whole = await kernel(engine, NET, x, null, { get: 'ntk' });
    let entries = 0;
    for await (const { rows, columns, ntk } of kernelTiles(engine, NET, x, null, { tile: 4 })) {
      expect(columns[0]).toBeLessThanOrEqual(rows[0]);
      const width = columns[1] - columns[0];
      for (let i = 0; i < rows[1] - rows[0]; i++) {
        for (let j = 0; j < width; j++, entries++) {
          expect(ntk.data[i * width + j]).toBe(whole.ntk.data[(rows[0] + i) * 10 + columns[0] + j]);
        }
      }
    }
    expect(entries).toBe(3 * 16 + 2 * 8 + 4);
    expect('nngp' in whole).toBe(false);
  });

  it('computes in float32 what it computes in float64', async () => {
    const x = inputs(6, 7);
    const exact = await kernel(engine, NET, x, null);
    const single = await kernel(engine, NET, tensor(Float32Array.from(x.data), [6, 7]), null);
    expect(single.ntk.data).toBeInstanceOf(Float32Array);
    for (let i = 0; i < 36; i++)
      expect(Math.abs(single.ntk.data[i]! / exact.ntk.data[i]! - 1)).toBeLessThan(2e-5);
  });

  it('splits the NTK into the parts of the layers', async () => {
    const x = inputs(4, 3);
    const whole = await kernel(engine, NET, x, null);
    const parts = await kernelPerLayer(engine, NET, x, null);
    expect(parts.map((part) => part.path)).toEqual(['layers.0', 'layers.2', 'layers.4']);
    for (let i = 0; i < 16; i++) {
      const sum = parts.reduce((total, part) => total + part.ntk.data[i]!, 0);
      expect(sum).toBeCloseTo(whole.ntk.data[i]!, 12);
    }
    // The last layer's own term is the NNGP it produces.
    for (let i = 0; i < 16; i++) expect(parts[2]!.ntk.data[i]).toBeCloseTo(whole.nngp.data[i]!, 12);
  });

  it('returns the kernels after every layer', async () => {
    const x = inputs(3, 4);
    const all = layerKernels(engine, NET, x, null);
    expect(all.map(({ layer }) => layer)).toEqual(['dense', 'relu', 'dense', 'erf', 'dense']);
    const whole = await kernel(engine, NET, x, null);
    const start = await kernel(engine, [dense()], x, null);
    for (let i = 0; i < 9; i++) {
      expect(all[4]!.ntk.data[i]).toBeCloseTo(whole.ntk.data[i]!, 12);
      expect(all[0]!.nngp.data[i]).toBeCloseTo(start.nngp.data[i]!, 14);
    }
    x.data[5] = NaN;
    expect(() => layerKernels(engine, NET, x, null)).toThrow('x1 has the entry NaN at flat index 5');
  });

  it('agrees with finite nets within their standard errors', async () => {
    const x = inputs(3, 4);
    const net: NetDocument = [dense({ units: 256 }), { layer: 'tanh' }, dense()];
    const exact = await kernel(engine, net, x, null);
    const mc = await monteCarloKernel(engine, net, x, null, { samples: 96, seed: 3 });
    const again = await monteCarloKernel(engine, net, x, null, { samples: 96, seed: 3 });
    expect(mc.ntk!.kernel.data).toEqual(again.ntk!.kernel.data);
    for (const name of ['nngp', 'ntk'] as const) {
      const { kernel: mean, standardError } = mc[name]!;
      for (let i = 0; i < 9; i++) {
        const scale = Math.abs(exact[name].data[0]!) / 256;
        expect(Math.abs(mean.data[i]! - exact[name].data[i]!)).toBeLessThan(
          5 * standardError.data[i]! + 3 * scale,
        );
      }
    }
  });

  it('interpolates Hermite tables of many variances to the accuracy of the series', async () => {
    const net: NetDocument = [dense(), { layer: 'tanh' }, dense(), { layer: 'softplus' }, dense()];
    const x = inputs(60, 3);
    const many = await kernel(engine, net, x, null);
    const few = await kernel(engine, net, tensor(x.data.slice(0, 9), [3, 3]), null);
    for (let i = 0; i < 3; i++)
      for (let j = 0; j < 3; j++)
        expect(Math.abs(many.ntk.data[i * 60 + j]! / few.ntk.data[i * 3 + j]! - 1)).toBeLessThan(1e-10);
  });

  it('plans before it runs', () => {
    const plan = planKernel(engine, NET, [2000, 784], null, { dtype: 'f32' });
    expect(plan.resultBytes).toBe(2 * 2000 * 2000 * 4);
    expect(plan.tiles).toBe(3);
    expect(plan.layers).toHaveLength(5);
  });

  it.each([
    ['too few axes', NET, tensor([1, 2]), null, 'must have samples and channels'],
    ['no samples', NET, { data: new Float64Array(0), shape: [0, 3] }, null, 'is empty'],
    ['shapes differ', NET, inputs(2, 3), inputs(2, 4), 'must have one shape'],
    ['NaN', NET, tensor(Float64Array.of(1, NaN), [1, 2]), null, 'entry NaN at flat index 1'],
    ['not Gaussian', [{ layer: 'relu' }], inputs(2, 3), null, 'layers.0 (relu)'],
    [
      'two bare branches',
      [dense(), { layer: 'sum', branches: [{ layer: 'identity' }, { layer: 'identity' }] }],
      inputs(2, 3),
      null,
      'not independent',
    ],
    [
      'sum of non-Gaussian',
      [dense(), { layer: 'sum', branches: [{ layer: 'relu' }, dense()] }],
      inputs(2, 3),
      null,
      'layers.1 (sum)',
    ],
    [
      'attention',
      [{ layer: 'attention', channels: 1, keyChannels: 1, valueChannels: 1, heads: 1, linearScaling: false }],
      inputs(2, 3, 2),
      null,
      'no infinite limit',
    ],
    [
      'overflow',
      [dense(), { layer: 'exp' }, dense()],
      tensor(Float64Array.of(1e3, 1e3), [1, 2]),
      null,
      'overflow',
    ],
    ['divergence', [dense(), { layer: 'gaussian', b: 1 }, dense()], inputs(2, 3), null, 'diverges'],
  ] as const)('refuses %s', async (_name, net, x1, x2, message) => {
    await expect(kernel(engine, net as NetDocument, x1, x2)).rejects.toThrow(message);
    expect(engine.heap.usage.used).toBe(0);
  });

  it('refuses unknown kernels and stops when told', async () => {
    await expect(kernel(engine, NET, inputs(2, 3), null, { get: [] })).rejects.toThrow('get');
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(kernel(engine, NET, inputs(2, 3), null, { signal })).rejects.toThrow('enough');
  });
});
