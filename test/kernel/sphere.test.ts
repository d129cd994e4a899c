// Dense nets on inputs of one norm: one table of the whole net against its layers.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createEngine,
  kernel,
  kernelTiles,
  parseNet,
  planKernel,
  type Engine,
  type NetDocument,
} from 'infinite-width';
import { commonSquare, sphereFor, sphereTable } from '#build/kernel/propagation/sphere.js';
import { computeTile } from '#build/kernel/tiles/tile.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

/** n samples with |x|^2 = 1.7 d, every third one near the one before or opposite to it. */
function sphere(n: number, d: number, seed: number): { data: Float64Array; shape: number[] } {
  let state = seed;
  const random = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 31 - 1;
  const data = new Float64Array(n * d);
  for (let i = 0; i < n; i++) {
    const row = data.subarray(i * d, (i + 1) * d);
    const sign = i % 2 ? 1 : -1;
    for (let j = 0; j < d; j++) {
      row[j] = i > 0 && i % 3 === 0 ? sign * data[(i - 1) * d + j]! + 0.05 * random() : random();
    }
    const norm = Math.sqrt(row.reduce((sum, x) => sum + x * x, 0) / d / 1.7);
    for (let j = 0; j < d; j++) row[j]! /= norm;
  }
  return { data, shape: [n, d] };
}

const net = (act: NetDocument, depth: number, more = {}): NetDocument => [
  ...Array.from({ length: depth }, (): NetDocument[] => [
    { layer: 'dense', units: 64, wStd: 1.4, bStd: 0.1, ...more },
    act,
  ]).flat(),
  { layer: 'dense', units: 1, ...more },
];
const rest = { ntk: true, diagonalSpatial: false, maskConstant: null, frozen: [] };
const furthest = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let [off, scale] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    off = Math.max(off, Math.abs(a[i]! - b[i]!));
    scale = Math.max(scale, Math.abs(b[i]!));
  }
  return off / scale;
};

describe('a table of the whole net', () => {
  const acts: NetDocument[] = [
    { layer: 'relu' },
    { layer: 'erf' },
    { layer: 'tanh' },
    { layer: 'leakyRelu', alpha: 0.3 },
    { layer: 'elu' },
    { layer: 'softplus' },
  ];
  const cases = acts.flatMap((act) => [1, 2, 3, 4, 5].map((depth) => [act, depth] as const));
  it.each(cases)('%o, depth %i: as its layers, to 1e-12 in f64', async (act, depth) => {
    const params = { ...rest, net: parseNet(net(act, depth)), dtype: 'f64' as const, tolerance: 1e-13 };
    const [x1, x2] = [sphere(40, 6, 1), sphere(51, 6, 2)];
    const table = await sphereTable(engine, params, commonSquare([x1, x2], 'f64')!, 6);
    expect(table).toBeDefined();
    for (const other of [x2, null]) {
      const tile = { ...params, x1, x2: other, pattern1: null, pattern2: null };
      const [fast, slow] = [computeTile(engine, { ...tile, sphere: table }), computeTile(engine, tile)];
      expect(furthest(fast.nngp, slow.nngp)).toBeLessThan(1e-12);
      expect(furthest(fast.ntk!, slow.ntk!)).toBeLessThan(1e-12);
      if (other) continue;
      for (let i = 0; i < 40; i++) {
        expect(Math.abs(fast.nngp[41 * i]! / slow.nngp[41 * i]! - 1)).toBeLessThan(1e-13);
        expect(Math.abs(fast.ntk![41 * i]! / slow.ntk![41 * i]! - 1)).toBeLessThan(1e-13);
      }
    }
  });

  it('serves large calls: f64 to 1e-12, f32 to 2e-5, in the standard parametrisation too', async () => {
    const x = sphere(370, 5, 3);
    for (const [document, dtype] of [
      [net({ layer: 'elu' }, 2), 'f64'],
      [net({ layer: 'tanh' }, 3, { parametrization: 'standard', s: [1, 1] }), 'f64'],
      [net({ layer: 'softplus' }, 2), 'f32'],
    ] as const) {
      const params = { ...rest, net: parseNet(document), dtype, tolerance: dtype === 'f32' ? 1e-8 : 1e-13 };
      expect(await sphereFor(engine, params, x, null)).toBeDefined();
      const got = await kernel(engine, document, x, null, { dtype });
      const direct = computeTile(engine, {
        ...params,
        dtype: 'f64',
        x1: x,
        x2: null,
        pattern1: null,
        pattern2: null,
      });
      for (const name of ['nngp', 'ntk'] as const)
        expect(furthest(got[name].data, direct[name]!)).toBeLessThan(dtype === 'f32' ? 2e-5 : 1e-12);
    }
  });

  it('gives the same bits for any tile, any workers, and for one kernel alone', async () => {
    const [x, document] = [sphere(365, 4, 5), net({ layer: 'elu' }, 2)];
    const whole = await kernel(engine, document, x);
    const nngp = await kernel(engine, document, x, null, { get: 'nngp' });
    expect(nngp.nngp.data).toEqual(whole.nngp.data);
    const alone = await kernel(engine, document, x, null, { get: 'ntk' });
    expect(alone.ntk.data).toEqual(whole.ntk.data);
    const pool = await createEngine({ variant: 'simd', workers: 2 });
    try {
      const parts = await kernel(pool, document, x, null, { tile: 101 });
      expect(parts.nngp.data).toEqual(whole.nngp.data);
      expect(parts.ntk.data).toEqual(whole.ntk.data);
      for await (const { rows, columns, ntk } of kernelTiles(pool, document, x, null, { tile: 200 }))
        expect(ntk.data[1]).toBe(whole.ntk.data[rows[0] * 365 + columns[0] + 1]);
    } finally {
      pool.dispose();
    }
  });

  it('is left out where norms differ, calls are small, or closed forms are faster', async () => {
    const params = (act: string) => ({
      ...rest,
      net: parseNet(net({ layer: act } as NetDocument, 2)),
      dtype: 'f64' as const,
      tolerance: 1e-13,
    });
    const x = sphere(370, 4, 7);
    expect(await sphereFor(engine, params('relu'), x, null)).toBeUndefined();
    expect(await sphereFor(engine, params('elu'), sphere(20, 4, 7), null)).toBeUndefined();
    const off = { data: x.data.slice(), shape: x.shape };
    off.data[17]! *= 1 + 1e-9;
    expect(commonSquare([off], 'f64')).toBeNull();
    expect(await sphereFor(engine, params('elu'), off, null)).toBeUndefined();
    expect(commonSquare([{ data: new Float64Array(8), shape: [2, 4] }], 'f64')).toBeNull();
  });

  it('is announced by planKernel', () => {
    expect(planKernel(engine, net({ layer: 'elu' }, 2), [1000, 8]).sphere).toBe(true);
    expect(planKernel(engine, net({ layer: 'elu' }, 2), [10, 8]).sphere).toBe(false);
    expect(planKernel(engine, net({ layer: 'relu' }, 2), [1000, 8]).sphere).toBe(false);
  });
});
