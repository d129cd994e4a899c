// Nets that planes of constant offset cannot run as a whole: stretches of their layers by offsets, against propagation of all by itself.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  continueKernel,
  createEngine,
  kernel,
  kernelState,
  parseNet,
  planKernel,
  tensor,
  type Engine,
  type NetDocument,
} from 'infinite-width';
import {
  attention,
  conv,
  dense,
  erf,
  gap,
  nets,
  numbers,
  pool,
  relu,
  withMasks,
} from '../support/stretch-nets.js';
import { WORK_BYTES } from '#build/kernel/plan.js';
import { computeTile } from '#build/kernel/tiles/tile.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

const NAMES = Object.keys(nets);

const params = (name: string, dtype: 'f32' | 'f64', masked: boolean) => {
  const [net, sample] = nets[name]!;
  const [x1, x2] = [numbers([3, ...sample], 1), numbers([2, ...sample], 2)];
  const pattern = name.startsWith('aggregate');
  return {
    net: parseNet(net),
    ntk: true,
    dtype,
    diagonalSpatial: false,
    maskConstant: masked ? 99 : null,
    pattern1: pattern ? numbers([3, sample[0]!, sample[0]!], 8) : null,
    pattern2: pattern ? numbers([2, sample[0]!, sample[0]!], 9) : null,
    frozen: [] as string[],
    tolerance: 1e-13,
    x1: masked ? withMasks(x1, 3) : x1,
    x2: masked ? withMasks(x2, 4) : x2,
  };
};

describe.each(NAMES)('%s', (name) => {
  it.each([
    ['f64', false],
    ['f64', true],
    ['f32', false],
    ['f32', true],
  ] as const)('as propagation of the whole (%s, masks: %s)', (dtype, masked) => {
    const all = params(name, dtype, masked);
    const within = dtype === 'f64' ? 1e-12 : 2e-5;
    for (const [x2, diagonalSpatial, ntk] of [
      [all.x2, false, true],
      [null, false, true],
      [all.x2, true, true],
      [null, false, false],
    ] as const) {
      const tile = { ...all, x2, diagonalSpatial, ntk };
      const used = engine.heap.usage.used;
      const fast = computeTile(engine, tile);
      expect(engine.heap.usage.used).toBe(used);
      const slow = computeTile(engine, tile, () => {});
      for (const kernelName of ['nngp', 'ntk'] as const) {
        const [a, b] = [fast[kernelName], slow[kernelName]];
        expect(a?.length).toBe(b?.length);
        const scale = Math.max(...(b ?? []).map(Math.abs));
        a?.forEach((value, i) => expect(Math.abs(value - b![i]!)).toBeLessThanOrEqual(within * scale));
      }
    }
  });

  it('has the bits of one tile in any other, and its plan names the stretches', async () => {
    const [net, sample, stretches] = nets[name]!;
    const x = numbers([6, ...sample], 4);
    const pattern1 = name.startsWith('aggregate') ? numbers([6, sample[0]!, sample[0]!], 8) : null;
    for (const dtype of ['f64', 'f32'] as const) {
      const whole = await kernel(engine, net, x, null, { dtype, pattern1 });
      for (const tile of [1, 3, 4]) {
        const parts = await kernel(engine, net, x, null, { dtype, pattern1, tile });
        expect(parts.nngp.data).toEqual(whole.nngp.data);
        expect(parts.ntk.data).toEqual(whole.ntk.data);
      }
    }
    const { layers, offsets } = planKernel(engine, net, [6, ...sample]);
    if (!('stretches' in offsets)) throw new Error('the whole net goes by offsets');
    expect(offsets.stretches.length).toBe(stretches);
    expect(new Set(layers.flatMap(({ stretch }) => stretch ?? [])).size).toBe(stretches);
    expect(layers.find(({ layer }) => layer === 'attention' || layer === 'aggregate')!.stretch).toBeNull();
  });
});

it('has the same bits on workers, masked or not', async () => {
  await using workers = await createEngine({ variant: 'simd', workers: 2 });
  for (const name of [
    'blocks with residuals, repeated',
    'on sequences, nested, one sequence without attention',
  ]) {
    const [net, sample] = nets[name]!;
    const x = withMasks(numbers([7, ...sample], 4), 5);
    const options = { tile: 3, maskConstant: 99 };
    expect(await kernel(workers, net, x, null, options)).toEqual(await kernel(engine, net, x, null, options));
  }
});

it('one sample, and the layers of a plan', async () => {
  const [net, sample] = nets['between attention and a global pool']!;
  const x = numbers([3, ...sample], 4);
  const first = tensor(x.data.slice(0, 24), [1, ...sample]);
  const [whole, one] = [await kernel(engine, net, x), await kernel(engine, net, first)];
  expect(one.ntk.data[0]).toBe(whole.ntk.data[0]);
  expect(one.nngp.data[0]).toBe(whole.nngp.data[0]);
  const plan = planKernel(engine, net, [3, ...sample]);
  // input and layers of the stretches by what they say; attention: 35 operations an entry and two products of 12 x 12 matrices, K and T
  const stretches = (plan.offsets as { stretches: readonly { flops: number }[] }).stretches.reduce(
    (sum, { flops }) => sum + flops,
    0,
  );
  expect(plan.flops).toBe(6 * (stretches + 35 * 144 + 2 * 2 * (2 * 12 ** 3)));
  expect(plan.layers.map(({ stretch }) => stretch)).toEqual([0, 0, 0, 0, null, 1, 1, 1, 1, 1, 1]);
  expect((plan.offsets as { reason: string }).reason).toMatch(/layers\.4 \(attention\)/);
  expect(
    planKernel(engine, net, [3, ...sample], null, { masked: true }).layers.map(({ stretch }) => stretch),
  ).toEqual(plan.layers.map(({ stretch }) => stretch));
});

it('states are kept and continued through stretches, with frozen layers and masks', async () => {
  const [net, sample] = nets['between attention and a global pool']!;
  const frozen = ['layers.0', 'layers.5', 'layers.10'];
  for (const maskConstant of [undefined, 99]) {
    const x1 = numbers([3, ...sample], 4);
    const x2 = numbers([2, ...sample], 5);
    if (maskConstant) [x1, x2].forEach(withMasks);
    const options = { frozen, ...(maskConstant ? { maskConstant } : {}) };
    const whole = await kernel(engine, net, x1, x2, options);
    const whole1 = await kernelState(engine, net, x1, x2, options);
    const trunk = await kernelState(engine, net.slice(0, 5), x1, x2, { ...options, frozen: ['layers.0'] });
    const rest = await continueKernel(engine, trunk, net.slice(5), { frozen: ['layers.0', 'layers.5'] });
    for (const name of ['nngp', 'ntk'] as const) {
      const scale = Math.max(...whole[name].data.map(Math.abs));
      whole[name].data.forEach((value, i) => {
        expect(Math.abs(value - whole1[name]!.data[i]!)).toBeLessThanOrEqual(1e-12 * scale);
        expect(Math.abs(value - rest[name].data[i]!)).toBeLessThanOrEqual(1e-12 * scale);
      });
    }
  }
});

it('a series longer than the records of a stretch have room for', async () => {
  const tanh: NetDocument = { layer: 'tanh' };
  const net = [attention(), conv([3], { wStd: 12 }), tanh, conv([3], { wStd: 9 }), tanh, conv([2]), gap];
  const tile = { ...params('ends with positions; dropout', 'f64', false), net: parseNet(net) };
  expect(planKernel(engine, net, [3, 5, 2]).layers.map(({ stretch }) => stretch)).toEqual([
    null,
    0,
    0,
    0,
    0,
    0,
    0,
  ]);
  const [fast, slow] = [computeTile(engine, tile), computeTile(engine, tile, () => {})];
  const again = computeTile(engine, tile);
  expect(again).toEqual(fast);
  const state = await kernelState(engine, net, tile.x1, tile.x2, { tolerance: 1e-13 });
  const scale = Math.max(...slow.ntk!.map(Math.abs));
  slow.ntk!.forEach((value, i) => {
    expect(Math.abs(value - fast.ntk![i]!)).toBeLessThanOrEqual(1e-11 * scale);
    expect(Math.abs(value - state.ntk!.data[i]!)).toBeLessThanOrEqual(1e-11 * scale);
  });
});

it.each([1, 2, 5, 6, 7])('%s samples: what pads a block stays finite and out of the result', async (n) => {
  const layers: NetDocument[] = [
    conv([3]),
    relu,
    attention({ linearScaling: false, mechanism: 'identity' }),
    conv([3]),
    { layer: 'layerNorm' },
    erf,
    conv([2]),
    { layer: 'layerNorm' },
    relu,
    attention(),
    conv([1]),
    { layer: 'layerNorm' },
    { layer: 'gelu' },
    dense,
    { layer: 'layerNorm' },
    relu,
    dense,
    gap,
  ];
  const x = numbers([7, 5, 2], 4);
  const whole = await kernel(engine, layers, x, null, { dtype: 'f32' });
  const part = await kernel(engine, layers, tensor(x.data.slice(0, n * 10), [n, 5, 2]), null, {
    dtype: 'f32',
  });
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) expect(part.ntk.data[i * n + j]).toBe(whole.ntk.data[i * 7 + j]);
});

it('masks of pools, transposed and circular convolutions by offsets are those of propagation', () => {
  const more: Record<string, NetDocument> = {
    pool: pool({ window: [3], strides: [2] }),
    transposed: { ...(conv([3], { strides: [2] }) as object), layer: 'convTranspose' } as NetDocument,
    circular: conv([3], { padding: 'CIRCULAR', strides: [2] }),
    resize: { layer: 'imageResize', shape: [-1, 9, -1], method: 'linear' },
  };
  for (const [name, layer] of Object.entries(more)) {
    const tile = {
      ...params('ends with positions; dropout', 'f64', true),
      net: parseNet([conv([2]), relu, layer]),
    };
    expect(planKernel(engine, tile.net, [3, 5, 2], null, { masked: true }).offsets).not.toHaveProperty(
      'reason',
    );
    const [fast, slow] = [computeTile(engine, tile), computeTile(engine, tile, () => {})];
    const scale = Math.max(...slow.ntk!.map(Math.abs));
    expect(slow.ntk!.some((value) => value === 0)).toBe(true);
    fast.ntk!.forEach((value, i) =>
      expect(Math.abs(value - slow.ntk![i]!), name).toBeLessThanOrEqual(1e-12 * scale),
    );
  }
});

describe('memory', () => {
  it.each(NAMES)('a tile holds what the plan says: %s', async (name) => {
    const [net, sample] = nets[name]!;
    for (const dtype of ['f32', 'f64'] as const) {
      for (const [n, tile] of [
        [1, 1],
        [7, undefined],
        [12, 5],
      ] as const) {
        const own = await createEngine({ variant: 'simd', workers: 0 });
        const x = numbers([n, ...sample], 4);
        const options = { dtype, ...(tile ? { tile } : {}) };
        const { tileBytes } = planKernel(engine, net, x.shape, null, options);
        await kernel(own, net, x, null, options);
        expect(own.heap.usage.peak).toBeLessThanOrEqual(tileBytes);
        own.dispose();
      }
    }
  });

  it('products of matrices work with what is announced for them', () => {
    expect(engine.kernels.gemmWorkBytes()).toBeLessThan(WORK_BYTES - 2 ** 21);
  });

  it('a net whose pools are in front of attention has tiles as large as what is left needs', () => {
    const pools = [conv([3, 3]), relu, pool(), conv([3, 3]), relu, pool(), attention(), gap];
    const plan = planKernel(engine, pools, [100, 20, 20, 3], null, { dtype: 'f32' });
    expect(plan.tile).toBe(32);
    expect(plan.tileBytes).toBeLessThan(64e6);
  });
});
