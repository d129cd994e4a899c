// Kernels by offset planes against values of neural-tangents (closed forms checked twice, see test/reference).
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEngine, inferShapes, type Engine, type NetDocument } from 'infinite-width';
import {
  planOffsets,
  executePlan,
  type Images,
  type OffsetOptions,
  type OffsetPlan,
} from '#build/kernel/offsets/index.js';
import { loadReference, mismatch, toArray, type Tolerance } from '../support/reference.js';

interface Raw {
  shape: number[];
  data: (number | string)[];
}
interface Case {
  name: string;
  net: NetDocument;
  x1: Raw;
  x2: Raw | null;
  options: { maskConstant?: number; diagonalSpatial?: boolean };
  expected: { nngp: Raw; ntk: Raw };
  tolerance: Tolerance;
}

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

/** Images of a case; positions whose channels are all masked, masked entries as zeros. */
function images(raw: Raw, maskConstant?: number): Images {
  const { shape, data } = toArray(raw);
  const channels = shape.at(-1)!;
  const positions = data.length / shape[0]! / channels;
  const masks = Array.from({ length: shape[0]! }, () => new Uint8Array(positions));
  if (maskConstant === undefined) return { data, count: shape[0]! };
  for (let p = 0; p < masks.length * positions; p++) {
    const values = data.subarray(p * channels, (p + 1) * channels);
    masks[Math.floor(p / positions)]![p % positions] = +values.every((value) => value === maskConstant);
    values.forEach((value, c) => {
      if (value === maskConstant) values[c] = 0;
    });
  }
  return { data, count: shape[0]!, masks };
}

function planOf(
  net: NetDocument,
  shape: readonly number[],
  options: Partial<OffsetOptions> = {},
): OffsetPlan {
  const plan = planOffsets(inferShapes(net, shape), { dtype: 'f64', ...options });
  if ('reason' in plan) throw new Error(plan.reason);
  return plan;
}

function casePlan(c: Case, options: Partial<OffsetOptions> = {}): OffsetPlan | { readonly reason: string } {
  return planOffsets(inferShapes(c.net, c.x1.shape.slice(1)), {
    dtype: 'f64',
    masked: c.options.maskConstant !== undefined,
    diagonalSpatial: c.options.diagonalSpatial ?? false,
    room: 405, // some cases have large variances
    ...options,
  });
}

/** Layers that need all pairs at once. */
const ELSEWHERE = /attention|aggregate/;

describe.each(['conv1d', 'conv2d', 'masked', 'spatial'])('reference values: %s', (family) => {
  it('agrees on K and Theta in f64, and in f32 to 2e-5', async () => {
    const { cases } = await loadReference<{ cases: Case[] }>(`neural-tangents/${family}`);
    let compared = 0;
    for (const c of cases) {
      const plan = casePlan(c);
      if ('reason' in plan) {
        expect(plan.reason, c.name).toMatch(ELSEWHERE);
        continue;
      }
      const [x1, x2] = [images(c.x1, c.options.maskConstant), c.x2 && images(c.x2, c.options.maskConstant)];
      const got = executePlan(engine, plan, x1, x2);
      const single = executePlan(engine, casePlan(c, { dtype: 'f32' }) as OffsetPlan, x1, x2);
      for (const name of ['nngp', 'ntk'] as const) {
        const want = toArray(c.expected[name]);
        expect(mismatch(got[name], want, c.tolerance), `${c.name} ${name}`).toBeNull();
        const loose = { rtol: 2e-5, atolOverMax: 2e-5 };
        expect(mismatch(single[name], want, loose), `${c.name} ${name} f32`).toBeNull();
      }
      compared++;
    }
    expect(compared).toBeGreaterThan(6);
  });
});

const conv = (more: object = {}): NetDocument => ({
  layer: 'conv',
  channels: 4,
  filter: [3, 3],
  padding: 'SAME',
  wStd: Math.SQRT2,
  ...more,
});
const relu: NetDocument = { layer: 'relu' };
const pool = (window = 2, strides = 2): NetDocument => ({
  layer: 'avgPool',
  window: [window, window],
  strides: [strides, strides],
  padding: 'SAME',
});
const gap: NetDocument = { layer: 'globalAvgPool' };
const dense: NetDocument = { layer: 'dense', units: 1 };

/** Deterministic pixels in (-1, 1). */
function pixels(count: number, size: number, seed = 1): Images {
  let state = seed;
  const data = Float64Array.from({ length: count * size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
  return { data, count };
}
const slice = ({ data, count }: Images, from: number, to: number): Images => ({
  data: data.subarray((from * data.length) / count, (to * data.length) / count) as Float64Array,
  count: to - from,
});

describe('ring storage', () => {
  const nets: Record<string, NetDocument> = {
    'pools of two': [conv(), relu, pool(), conv(), relu, pool(), conv(), relu, gap, dense],
    'overlapping pools': [
      conv(),
      relu,
      pool(3, 2),
      conv(),
      relu,
      pool(3, 1),
      conv(),
      relu,
      { layer: 'flatten' },
      dense,
    ],
    'resizes that finish rows out of turn': [
      conv(),
      relu,
      { layer: 'imageResize', shape: [-1, 5, 5, -1], method: 'linear' },
      { layer: 'imageResize', shape: [-1, 7, 6, -1], method: 'linear', antialias: false },
      conv(),
      { layer: 'gelu' },
      gap,
    ],
    'strides between pools': [conv(), relu, pool(), conv({ strides: [2, 2] }), relu, gap, dense],
  };
  it.each(Object.keys(nets))('%s: the bits of a full store, in less memory', (name) => {
    const x = pixels(3, 9 * 8 * 2);
    for (const dtype of ['f32', 'f64'] as const) {
      const ring = planOf(nets[name]!, [9, 8, 2], { dtype });
      const full = planOf(nets[name]!, [9, 8, 2], { dtype, fullStore: true });
      expect(ring.report.ring).toBe(true);
      expect(full.report.ring).toBe(false);
      expect(ring.report.bytes.planes).toBeLessThan(full.report.bytes.planes);
      expect(executePlan(engine, ring, x, null)).toEqual(executePlan(engine, full, x, null));
    }
  });
});

describe('blocks', () => {
  const net: NetDocument = [conv({ bStd: 0.3 }), relu, pool(), conv(), { layer: 'erf' }, gap, dense];
  it.each(['f32', 'f64'] as const)('any cut of the images gives the same bits (%s)', (dtype) => {
    const plan = planOf(net, [6, 5, 3], { dtype });
    const [x, y] = [pixels(5, 90), pixels(7, 90, 9)];
    const whole = executePlan(engine, plan, x, y);
    for (const [i0, i1, j0, j1] of [
      [0, 5, 3, 4],
      [2, 4, 0, 7],
      [1, 2, 1, 6],
    ] as const) {
      const part = executePlan(engine, plan, slice(x, i0, i1), slice(y, j0, j1));
      for (const name of ['nngp', 'ntk'] as const) {
        for (let i = i0; i < i1; i++)
          for (let j = j0; j < j1; j++)
            expect(part[name][(i - i0) * (j1 - j0) + j - j0]).toBe(whole[name][i * 7 + j]);
      }
    }
  });

  it('x2 = null: symmetric, the entries of (x, x) off the diagonal, exact on it', () => {
    const plan = planOf(net, [6, 5, 3]);
    const x = pixels(5, 90);
    const self = executePlan(engine, plan, x, null);
    const cross = executePlan(engine, plan, x, x);
    for (const name of ['nngp', 'ntk'] as const) {
      for (let i = 0; i < 5; i++) {
        for (let j = 0; j < 5; j++) {
          const value = self[name][i * 5 + j]!;
          expect(value).toBe(self[name][j * 5 + i]);
          // theta of identical variables is 0; from rounded covariances only to sqrt(eps)
          const tolerance = i === j ? 1e-7 : 1e-13;
          expect(Math.abs(value - cross[name][i * 5 + j]!)).toBeLessThan(tolerance * value);
        }
      }
    }
  });

  it('a sample of zeros has kernel zero and Theta of its biases only', () => {
    const plan = planOf([conv(), relu, conv(), relu, gap, dense], [6, 5, 3]);
    const { nngp, ntk } = executePlan(engine, plan, { data: new Float64Array(90), count: 1 }, pixels(2, 90));
    expect([...nngp, ...ntk]).toEqual([0, 0, 0, 0]);
  });
});

describe('masks', () => {
  it.each([
    ['global pool', gap],
    ['global sum', { layer: 'globalSumPool' }],
  ])('masked borders are as if cut off (%s)', (_, tail) => {
    const body = [
      conv({ bStd: 0.4 }),
      relu,
      conv({ bStd: 0.2 }),
      { layer: 'erf', a: 1, b: 1, c: 0.3 },
      conv(),
    ];
    const net = [...body, tail, dense];
    const small = pixels(3, 4 * 5 * 2);
    const data = new Float64Array(3 * 6 * 7 * 2);
    const mask = new Uint8Array(42).fill(1);
    for (let i = 0; i < 3; i++) {
      for (let h = 0; h < 4; h++) {
        for (let w = 0; w < 5; w++) {
          mask[h * 7 + w] = 0;
          for (let c = 0; c < 2; c++)
            data[((i * 6 + h) * 7 + w) * 2 + c] = small.data[((i * 4 + h) * 5 + w) * 2 + c]!;
        }
      }
    }
    const cut = executePlan(engine, planOf(net, [4, 5, 2]), small, null);
    const plan = planOf(net, [6, 7, 2], { masked: true });
    const got = executePlan(engine, plan, { data, count: 3, masks: [mask, mask, mask] }, null);
    for (const name of ['nngp', 'ntk'] as const)
      got[name].forEach((value, i) => expect(Math.abs(value / cut[name][i]! - 1)).toBeLessThan(1e-12));
  });
});

describe('depth', () => {
  it('f32 stays within 2e-5 of f64 after 21 layers, with global pooling and with flatten', () => {
    const body = Array.from({ length: 21 }, () => [conv(), relu]).flat();
    const x = pixels(4, 12 * 12 * 3);
    const y = pixels(4, 12 * 12 * 3, 5);
    for (const tail of [gap, { layer: 'flatten' }]) {
      const net = [...body, tail, dense];
      const [a, b] = (['f32', 'f64'] as const).map((dtype) =>
        executePlan(engine, planOf(net, [12, 12, 3], { dtype }), x, y),
      );
      for (const name of ['nngp', 'ntk'] as const)
        a![name].forEach((value, i) => expect(Math.abs(value / b![name][i]! - 1)).toBeLessThan(2e-5));
    }
  });
});

describe('plans', () => {
  it('follow offsets through strides: 13 times fewer steps in a wide resnet', () => {
    const block = (t: number, project: boolean): NetDocument => ({
      layer: 'sum',
      branches: [
        [relu, conv({ strides: [t, t] }), relu, conv()] as unknown as NetDocument,
        project ? conv({ filter: [1, 1], strides: [t, t] }) : { layer: 'identity' },
      ],
    });
    const group = (t: number): NetDocument[] => [
      block(t, true),
      block(1, false),
      block(1, false),
      block(1, false),
    ];
    const plan = planOf([conv(), ...group(1), ...group(2), ...group(2), relu, gap, dense], [32, 32, 3]);
    expect(plan.report.segments[0]!.planes).toBe(225);
    expect(plan.report.affineSteps).toBe(839680);
  });

  it('fold pools at the end into the global pool, and keep circular planes modular', () => {
    const tail = planOf([conv(), relu, pool(), pool(), gap, dense], [8, 8, 2]);
    expect(tail.report.segments.length).toBe(2);
    const ring = planOf([conv({ padding: 'CIRCULAR' }), relu, gap], [5, 7, 2]);
    expect(ring.report.segments[0]).toMatchObject({ modular: true, planes: 35 });
  });

  it('say why a net does not fit', () => {
    const attention = { layer: 'attention', channels: 4, keyChannels: 2, valueChannels: 2, heads: 1 };
    const shaped = inferShapes([conv(), relu, attention, { layer: 'flatten' }], [4, 4, 2]);
    expect(planOffsets(shaped, { dtype: 'f64' })).toMatchObject({
      reason: expect.stringContaining('attention'),
    });
  });
});
