// Nets with attention or aggregate: what is in front of them by planes of constant offset, against propagation of the whole.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createEngine,
  kernel,
  parseNet,
  planKernel,
  tensor,
  type Engine,
  type NetDocument,
} from 'infinite-width';
import { frontOf } from '#build/kernel/front.js';
import { computeTile } from '#build/kernel/tile.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

function numbers(shape: readonly number[], seed: number) {
  let state = seed;
  const data = Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
  return tensor(data, shape);
}

const conv = (...filter: number[]): NetDocument => ({
  layer: 'conv',
  channels: 8,
  filter,
  padding: 'SAME',
  wStd: 1.4,
  bStd: 0.2,
});
const relu: NetDocument = { layer: 'relu' };
const dense: NetDocument = { layer: 'dense', units: 1, wStd: 1.2 };
const attention = (more = {}): NetDocument => ({
  layer: 'attention',
  channels: 8,
  keyChannels: 4,
  valueChannels: 4,
  heads: 2,
  bStd: 0.1,
  ...more,
});
const gap: NetDocument = { layer: 'globalAvgPool' };
const nets: Record<string, [net: NetDocument[], sample: number[]]> = {
  'softmax on images': [
    [conv(3, 3), relu, conv(3, 3), relu, attention(), relu, gap, dense],
    [4, 3, 2],
  ],
  'on sequences, nested': [
    [[conv(3), { layer: 'erf' }], [attention(), { layer: 'flatten' }], dense],
    [5, 2],
  ],
  'identity with positions': [
    [
      conv(3),
      relu,
      attention({ linearScaling: false, mechanism: 'identity', positional: 'sum' }),
      gap,
      dense,
    ],
    [4, 3],
  ],
  'in a branch, then strides and pools': [
    [
      conv(3, 3),
      relu,
      { layer: 'avgPool', window: [2, 2], strides: [2, 2] },
      { layer: 'sum', branches: [attention(), conv(1, 1)] },
      relu,
      conv(3, 3),
      gap,
    ],
    [6, 4, 2],
  ],
  'ends with positions': [
    [conv(3), relu, attention({ mechanism: 'relu' })],
    [4, 2],
  ],
  aggregate: [
    [conv(3), relu, { layer: 'aggregate' }, { layer: 'flatten' }, dense],
    [4, 3],
  ],
};

describe.each(Object.entries(nets))('%s', (name, [net, sample]) => {
  const params = (dtype: 'f32' | 'f64') => ({
    net: parseNet(net),
    ntk: true,
    dtype,
    diagonalSpatial: false,
    maskConstant: null,
    pattern1: name === 'aggregate' ? numbers([3, sample[0]!, sample[0]!], 8) : null,
    pattern2: name === 'aggregate' ? numbers([2, sample[0]!, sample[0]!], 9) : null,
    frozen: [],
    tolerance: 1e-13,
    x1: numbers([3, ...sample], 1),
    x2: numbers([2, ...sample], 2),
  });

  it.each([
    ['f64', []],
    ['f32', []],
    ['f64', ['layers.0', 'layers.2']],
  ] as const)('as the whole by propagation (%s, frozen %s)', (dtype, frozen) => {
    const all = { ...params(dtype), frozen };
    const within = dtype === 'f64' ? 1e-12 : 2e-5;
    for (const [x2, diagonalSpatial] of [
      [all.x2, false],
      [null, false],
      [all.x2, true],
    ] as const) {
      const tile = { ...all, x2, diagonalSpatial };
      const front = frontOf(engine, tile)!;
      expect(front.sides.length).toBe(x2 ? 2 : 1);
      front.joint.k.release();
      front.joint.t!.release();
      front.sides.forEach((side) => side.cov!.data.release());
      const used = engine.heap.usage.used;
      const fast = computeTile(engine, tile);
      expect(engine.heap.usage.used).toBe(used);
      const slow = computeTile(engine, tile, () => {});
      for (const kernelName of ['nngp', 'ntk'] as const) {
        const [a, b] = [fast[kernelName]!, slow[kernelName]!];
        expect(a.length).toBe(b.length);
        const scale = Math.max(...b.map(Math.abs));
        a.forEach((value, i) => expect(Math.abs(value - b[i]!)).toBeLessThanOrEqual(within * scale));
      }
    }
  });
});

it('has the same bits for any tile, and says so in its plan', async () => {
  const [net, sample] = nets['softmax on images']!;
  const x = numbers([7, ...sample], 4);
  const whole = await kernel(engine, net, x);
  const parts = await kernel(engine, net, x, null, { tile: 3 });
  expect(parts.nngp.data).toEqual(whole.nngp.data);
  expect(parts.ntk.data).toEqual(whole.ntk.data);
  const reason = (masked: boolean) =>
    (planKernel(net, [7, ...sample], null, { masked }).planes as { reason: string }).reason;
  expect(reason(false)).toMatch(/attention.*in front of it run by planes/);
  expect(reason(true)).not.toContain('in front');
});
