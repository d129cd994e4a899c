// Activations whose tables TypeScript makes from the variances of the images (series, polynomials), on offset planes: against the
// general propagation, which has its own driver and tables, and against nets with random weights.
import {
  createEngine,
  defineActivation,
  kernel,
  monteCarloKernel,
  NumericalError,
  parseNet,
  planKernel,
  tensor,
  type Engine,
  type NetDocument,
  type Tensor,
} from 'infinite-width';
import { computeTile } from '#build/kernel/tiles/tile.js';
import { offsetTile } from '#build/kernel/offsets/tile.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

const own = defineActivation('planes-sine', {
  fn: (x) => Math.sin(x) + 0.3 * x,
  derivative: (x) => Math.cos(x) + 0.3,
});
const coded = defineActivation('planes-identity', { kernelFunction: (_, k12) => ({ kappa: k12, slope: 1 }) });

const shape = [4, 5, 3] as const;
function images(n: number, seed: number, scale = 1): Tensor<Float64Array> {
  const size = n * shape[0] * shape[1] * shape[2];
  const data = Float64Array.from(
    { length: size },
    (_, i) => scale * Math.sin(12.9898 * (i + 1) + 78.233 * seed),
  );
  return tensor(data, [n, ...shape]);
}
const singles = ({ data, shape: all }: Tensor): Tensor => tensor(Float32Array.from(data), all);

const conv = (padding: string, more: object = {}): NetDocument => ({
  layer: 'conv',
  channels: 3,
  filter: [3, 3],
  padding,
  wStd: 1.3,
  bStd: 0.2,
  ...more,
});
/** Rows that go straight through, pools behind (variances need more offsets), gains in front, modular planes. */
const deep = (phi: NetDocument, end: NetDocument[]): NetDocument => [
  conv('SAME', { parametrization: 'standard' }),
  phi,
  conv('VALID'),
  phi,
  { layer: 'avgPool', window: [2, 2] },
  conv('SAME'),
  { layer: 'layerNorm' },
  phi,
  conv('CIRCULAR'),
  ...end,
];

const activations: NetDocument[] = [
  ...['tanh', 'sigmoid', 'softplus', 'swish', 'mish', 'softsign', 'elu', 'selu'].map((layer) => ({ layer })),
  ...['hardTanh', 'hardSwish', 'hardSigmoid', 'relu6'].map((layer) => ({ layer })),
  { layer: 'elu', alpha: 0.4 },
  { layer: 'monomial', degree: 3 },
  { layer: 'hermite', degree: 2 },
  { layer: 'polynomial', coefficients: [0.3, 1, 0.2, -0.1] },
  { layer: 'polynomial', coefficients: [0.3] },
  { layer: 'gaussian', a: 1, b: 0.02 },
  own(),
];

interface Call {
  readonly x1: Tensor;
  readonly x2: Tensor | null;
  readonly maskConstant?: number;
}

function params(net: NetDocument, { x1, x2, maskConstant }: Call) {
  const dtype = x1.data instanceof Float32Array ? ('f32' as const) : ('f64' as const);
  return {
    ...{
      net: parseNet(net),
      x1,
      x2,
      ntk: true,
      dtype,
      diagonalSpatial: false,
      pattern1: null,
      pattern2: null,
    },
    ...{ maskConstant: maskConstant ?? null, frozen: [], tolerance: dtype === 'f32' ? 1e-8 : 1e-13 },
  };
}

/** The largest difference of the two paths over the largest entry; entries above the diagonal of a symmetric call are copies. */
function differences(net: NetDocument, call: Call): number[] {
  const all = params(net, call);
  const planes = offsetTile(engine, all)!;
  const general = computeTile(engine, all, () => {});
  const [n1, n2] = [call.x1.shape[0]!, (call.x2 ?? call.x1).shape[0]!];
  return (['nngp', 'ntk'] as const).map((name) => {
    const [a, b] = [planes[name]!, general[name]!];
    expect(a.length).toBe(b.length);
    const size = a.length / n1 / n2;
    const most = Math.max(...b.map(Math.abs)) || 1;
    let worst = 0;
    a.forEach((value, i) => {
      const pair = Math.floor(i / size);
      if (!call.x2 && pair % n2 > Math.floor(pair / n2)) return;
      worst = Math.max(worst, Math.abs(value - b[i]!) / most);
    });
    return worst;
  });
}

describe.each(activations.map((phi) => [JSON.stringify(phi), phi] as const))('%s', (_, phi) => {
  it('as by propagation', () => {
    const [x1, x2] = [images(3, 1), images(2, 2)];
    for (const end of [[{ layer: 'flatten' }], [{ layer: 'globalAvgPool' }], []]) {
      const net = deep(phi, end);
      expect(planKernel(engine, net, [3, ...shape]).offsets).not.toHaveProperty('reason');
      for (const other of [x2, null]) {
        for (const d of differences(net, { x1, x2: other })) expect(d).toBeLessThan(1e-11);
        const single = { x1: singles(x1), x2: other && singles(other) };
        for (const d of differences(net, single)) expect(d).toBeLessThan(2e-5);
      }
    }
  });
});

it.each(['tanh', 'elu'])('masked inputs (%s)', (layer) => {
  const net = [conv('SAME'), { layer }, conv('VALID'), { layer }, { layer: 'globalAvgPool' }];
  const [x1, x2] = [images(3, 1), images(2, 2)];
  x1.data.fill(9, 60, 90);
  x2.data.fill(9, 105, 120);
  for (const d of differences(net, { x1, x2, maskConstant: 9 })) expect(d).toBeLessThan(1e-12);
});

it('series longer than records have room for get more of it, and the same bits', async () => {
  const net = [
    conv('SAME'),
    { layer: 'swish' },
    conv('SAME'),
    { layer: 'swish' },
    { layer: 'globalAvgPool' },
  ];
  const x = images(5, 3);
  x.data.set(images(1, 4, 20).data, 4 * 60); // the last image has variances of some hundreds
  const before = planKernel(engine, net, x.shape).offsets;
  for (const d of differences(net, { x1: x, x2: null })) expect(d).toBeLessThan(1e-12);
  const after = planKernel(engine, net, x.shape).offsets;
  if ('reason' in before || 'reason' in after) throw new Error('by planes');
  expect(after.bytes.perImage).toBeGreaterThan(before.bytes.perImage);
  const whole = await kernel(engine, net, x);
  const parts = await kernel(engine, net, x, null, { tile: 2 });
  expect(parts.ntk.data).toEqual(whole.ntk.data);
  // Its pairs have the bits that they have without it, with as much room as usual.
  const fresh = [{ layer: 'identity' }, ...net];
  const few = await kernel(engine, fresh, tensor(x.data.slice(0, 240), [4, ...shape]));
  for (let i = 0; i < 4; i++)
    for (let j = 0; j < 4; j++) expect(few.ntk.data[i * 4 + j]).toBe(whole.ntk.data[i * 5 + j]);
});

it('the same bits for any tile and number of workers', async () => {
  await using two = await createEngine({ variant: 'simd', workers: 2 });
  for (const layer of ['tanh', 'elu']) {
    const net = deep({ layer }, [{ layer: 'globalAvgPool' }]);
    for (const x of [images(7, 5), singles(images(7, 5))]) {
      const whole = await kernel(engine, net, x);
      for (const got of [
        await kernel(engine, net, x, null, { tile: 3 }),
        await kernel(two, net, x, null, { tile: 2 }),
      ])
        for (const name of ['nngp', 'ntk'] as const) expect(got[name].data).toEqual(whole[name].data);
    }
  }
});

it.each<NetDocument>([
  { layer: 'tanh' },
  { layer: 'elu' },
  { layer: 'polynomial', coefficients: [0.1, 1, 0.3] },
  own(),
])('as finite nets with random weights: %s', async (phi) => {
  // One hidden layer: its pre-activations are normal at any width, so means have no bias.
  const net = [
    { ...(conv('SAME') as object), channels: 8 } as NetDocument,
    phi,
    { layer: 'flatten' },
    { layer: 'dense', units: 1 },
  ];
  const x = images(3, 6);
  const exact = await kernel(engine, net, x);
  const sampled = await monteCarloKernel(engine, net, x, null, { samples: 1500, seed: 4 });
  for (const name of ['nngp', 'ntk'] as const) {
    const { kernel: mean, standardError } = sampled[name]!;
    mean.data.forEach((value, i) =>
      expect(Math.abs(value - exact[name].data[i]!)).toBeLessThan(5 * standardError.data[i]!),
    );
  }
});

describe('bad input', () => {
  const net = (phi: NetDocument, wStd = 1): NetDocument => [
    conv('SAME', { wStd }),
    phi,
    { layer: 'globalAvgPool' },
  ];

  it('moments that diverge, and variances that overflow', async () => {
    const gaussian = net({ layer: 'gaussian', a: 1, b: 0.5 }, 3);
    expect(planKernel(engine, gaussian, [3, ...shape]).offsets).not.toHaveProperty('reason');
    await expect(kernel(engine, gaussian, images(3, 1))).rejects.toThrow(
      /second moment of gaussian with b = 0\.5 diverges at variance/,
    );
    const wild = net({ layer: 'monomial', degree: 40 }, 1e6);
    for (const [doc, x] of [
      [wild, images(3, 1)],
      [[conv('SAME', { wStd: 1e30 }), { layer: 'tanh' }, { layer: 'globalAvgPool' }], singles(images(3, 1))],
    ] as const) {
      const failed = kernel(engine, doc, x);
      await expect(failed).rejects.toThrow(NumericalError);
      await expect(failed).rejects.toThrow(/overflow/);
    }
  });

  it('a dual in code takes the general path, which calls it entry by entry', () => {
    expect(planKernel(engine, net(coded()), [3, ...shape]).offsets).toMatchObject({
      reason: expect.stringMatching(/layers\.1 \(elementwise\) has its dual in code/),
    });
  });
});
