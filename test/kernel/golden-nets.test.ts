// Whole nets against values of closed forms at 30 digits, and kernel files.
import {
  createEngine,
  dense,
  erf,
  kernel,
  loadKernel,
  readNpz,
  relu,
  saveKernel,
  serial,
  tensor,
  writeNpz,
  type Engine,
} from 'infinite-width';
import { afterAll, beforeAll, expect, it } from 'vitest';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

// Dense-phi-Dense-phi-Dense, wStd^2 = 1.5, bStd^2 = 0.01, hidden base width 512; [nngp, ntk] of xx, xy, yy.
const x = tensor(Float64Array.of(1, -0.5, 2, 0.3, 0.8, -1.2), [2, 3]);
const GOLDEN = [
  ['relu', 'ntk', [1.4996875, 0.3412904398679258, 0.6334375], [4.4715625, 0.2800111660811166, 1.8728125]],
  [
    'relu',
    'standard',
    [1.4996875, 0.3412904398679258, 0.6334375],
    [1019.665625, 121.5480386933459, 426.573125],
  ],
  [
    'erf',
    'ntk',
    [0.696161334885738, -0.3939479729649879, 0.6177712520504424],
    [2.815581367762477, -1.320056753839318, 2.19209283766465],
  ],
  [
    'erf',
    'standard',
    [0.696161334885738, -0.3939479729649879, 0.6177712520504424],
    [521.2063321633044, -286.1027369146581, 449.5352487779265],
  ],
] as const;

it.each(GOLDEN)(
  '%s, %s: values at 30 digits to 1e-12, whatever s',
  async (phi, parametrization, nngp, ntk) => {
    const activation = phi === 'relu' ? relu : erf;
    for (const s of parametrization === 'ntk' ? [1] : [1, 16]) {
      const options = { wStd: Math.sqrt(1.5), bStd: 0.1, parametrization };
      const layers = [
        dense(512, { ...options, s: [1, s] }),
        activation(),
        dense(512, { ...options, s: [s, s] }),
        activation(),
        dense(1, { ...options, s: [s, 1] }),
      ];
      // With x given twice the samples count as different ones: rounding of k12 by eps moves the angle by sqrt(2 eps) = 2e-8.
      for (const second of [null, x]) {
        const result = await kernel(engine, serial(...layers), x, second);
        for (const [i, at] of [0, 1, 3].entries()) {
          expect(Math.abs(result.nngp.data[at]! / nngp[i]! - 1)).toBeLessThan(
            second && at !== 1 ? 1e-7 : 1e-12,
          );
          expect(Math.abs(result.ntk.data[at]! / ntk[i]! - 1)).toBeLessThan(
            second && at !== 1 ? 1e-7 : 1e-12,
          );
        }
      }
    }
  },
);

it('kernel files carry their origin, which is checked', async () => {
  const net = serial(dense(4), relu(), dense(1));
  const result = await kernel(engine, net, x);
  const bytes = await saveKernel(result, { net, variant: engine.variant, seconds: 0.5 });
  const loaded = await loadKernel(bytes, { net: [dense(4), relu(), dense(1)] });
  expect(loaded.ntk).toEqual(result.ntk);
  expect(loaded.nngp).toEqual(result.nngp);
  expect(loaded.meta).toMatchObject({ variant: 'simd', dtype: 'f64', seconds: 0.5 });
  await expect(loadKernel(bytes, { net: [dense(5), relu(), dense(1)] })).rejects.toThrow(/another net/);
  await expect(loadKernel(bytes.slice(0, 300))).rejects.toThrow(RangeError);
  await expect(loadKernel(await writeNpz({ ntk: result.ntk }))).rejects.toThrow(/member 'meta'/);
  const { meta } = await readNpz(bytes);
  await expect(loadKernel(await writeNpz({ other: x }, meta))).rejects.toThrow(/expected nngp and ntk/);
  expect(() => saveKernel({}, { net, variant: 'simd' })).toThrow(/got neither/);
});
