// The row-by-row path of dense nets against the layer-by-layer path, which the references hold.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEngine, kernel, layerKernels, type Engine, type NetDocument } from 'infinite-width';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

function samples(n: number, d: number, seed: number): number[][] {
  let state = seed;
  return Array.from({ length: n }, () =>
    Array.from({ length: d }, () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 31 - 1),
  );
}

const dense = (more = {}): NetDocument => ({ layer: 'dense', units: 64, wStd: 1.4, bStd: 0.2, ...more });
const stack = (layer: NetDocument, more = {}): NetDocument => [
  dense(more),
  layer,
  { layer: 'identity' },
  dense(more),
  layer,
  [dense({ ...more, bStd: null }), layer, { layer: 'flatten' }],
  dense(more),
];

describe('rows of dense nets', () => {
  const nets: Record<string, NetDocument> = {
    relu: stack({ layer: 'relu' }),
    erf: stack({ layer: 'erf' }),
    gelu: stack({ layer: 'gelu' }),
    leakyRelu: stack({ layer: 'leakyRelu', alpha: 0.3 }),
    tanh: stack({ layer: 'tanh' }),
    'swish, standard': stack({ layer: 'swish' }, { parametrization: 'standard', s: [1, 1] }),
    polynomial: stack({ layer: 'polynomial', coefficients: [0.1, 1, 0.3, 0.2] }),
    linear: [dense(), dense(), { layer: 'dropout', keep: 0.5, mode: 'test' }],
    'ends with an activation': [dense(), { layer: 'erf' }],
  };
  it.each(Object.keys(nets))('%s: as layer by layer', async (name) => {
    const net = nets[name]!;
    for (const dtype of ['f32', 'f64'] as const) {
      for (const [n1, n2] of [
        [1, null],
        [37, null],
        [70, null],
        [3, 9],
        [35, 2],
      ] as const) {
        const [x1, x2] = [samples(n1, 5, 7), n2 ? samples(n2, 5, 8) : null];
        const fast = await kernel(engine, net, x1, x2, { dtype });
        const slow = layerKernels(engine, net, x1, x2, { dtype }).at(-1)!;
        // Affine maps are fused with the activation before them here and apart there: two roundings (1.1e-16) in each
        // of seven layers, of K and of T.
        const last = dtype === 'f32' ? 1e-6 : 3.2e-15;
        for (const kernelName of ['nngp', 'ntk'] as const) {
          const [a, b] = [fast[kernelName].data, slow[kernelName].data];
          expect(a.length).toBe(b.length);
          const scale = Math.max(...a.map(Math.abs));
          const off = Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
          expect(off).toBeLessThanOrEqual(last * scale);
        }
      }
    }
  });

  it.each(Object.keys(nets))(
    '%s: mirrors the triangle, and one kernel alone has the same bits',
    async (name) => {
      const x = samples(67, 4, 3);
      const { nngp, ntk } = await kernel(engine, nets[name]!, x);
      // Series are interpolated where a tile has many variances: equal bits for equal tiles only.
      for (const tile of /tanh|swish/.test(name) ? [64] : [64, 20]) {
        const one = await kernel(engine, nets[name]!, x, null, { get: 'nngp', tile });
        const two = await kernel(engine, nets[name]!, x, null, { get: 'ntk', tile });
        expect(one.nngp.data).toEqual(nngp.data);
        expect(two.ntk.data).toEqual(ntk.data);
        expect(Object.keys(two)).toEqual(['ntk']);
      }
      for (const { data } of [nngp, ntk])
        for (let i = 0; i < 67; i++)
          for (let j = 0; j < i; j++) expect(data[j * 67 + i]).toBe(data[i * 67 + j]);
    },
  );

  it('drops the terms of frozen layers', async () => {
    const x = samples(9, 4, 5);
    const all = ['layers.0', 'layers.3', 'layers.5.layers.0', 'layers.6'];
    const whole = await kernel(engine, nets.relu!, x);
    const sum = new Float64Array(81);
    for (const path of all) {
      const frozen = all.filter((other) => other !== path);
      const { ntk } = await kernel(engine, nets.relu!, x, null, { frozen });
      ntk.data.forEach((value, i) => (sum[i] = sum[i]! + value));
    }
    for (const [i, value] of whole.ntk.data.entries()) expect(sum[i]).toBeCloseTo(value, 11);
  });

  it('says that entries overflow', async () => {
    const big = [dense({ wStd: 1e30 }), { layer: 'relu' }, dense({ wStd: 1e30 })];
    await expect(kernel(engine, big, samples(5, 3, 1), null, { dtype: 'f32' })).rejects.toThrow(
      /entries overflow float32/,
    );
  });
});

describe('series by powers that an entry needs', () => {
  // kappa and kappa' of one tanh layer between unit vectors at angle acos c, alone and beside others.
  const rows = (cs: readonly number[]): number[][] => cs.map((c) => [c * 1.7, Math.sqrt(1 - c * c) * 1.7]);
  const net: NetDocument = [
    dense({ wStd: 1, bStd: null }),
    { layer: 'tanh' },
    dense({ wStd: 1, bStd: null }),
  ];
  const cs = [
    0.02, 0.0999, 0.1001, -0.15, 0.35, -0.4999, 0.5001, 0.62, -0.77, 0.85, 0.8999, 0.9001, 0.97, -1, 1,
  ];

  it.each(['f32', 'f64'] as const)('%s: the same bits whatever stands beside', async (dtype) => {
    const whole = await kernel(engine, net, [[1.7, 0]], rows(cs), { dtype });
    for (const [j, row] of rows(cs).entries()) {
      const one = await kernel(engine, net, [[1.7, 0]], [row], { dtype });
      expect(one.nngp.data[0]).toBe(whole.nngp.data[j]);
      expect(one.ntk.data[0]).toBe(whole.ntk.data[j]);
    }
  });

  it('loses no more than the tolerance against all terms', async () => {
    const exact = await kernel(engine, net, [[1.7, 0]], rows(cs), { tolerance: 1e-15 });
    for (const tolerance of [1e-4, 1e-8, 1e-12]) {
      const got = await kernel(engine, net, [[1.7, 0]], rows(cs), { tolerance });
      for (const name of ['nngp', 'ntk'] as const) {
        const scale = Math.max(...exact[name].data);
        for (const [j, value] of got[name].data.entries())
          expect(Math.abs(value - exact[name].data[j]!)).toBeLessThanOrEqual(tolerance * scale);
      }
    }
  });
});
