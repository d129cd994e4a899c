// Variances beyond float64: an error that names the layer, on every path, in place of a series that looks for its terms for ever.
import {
  createEngine,
  kernel,
  layerKernels,
  tensor,
  type Engine,
  type NetDocument,
  type Tensor,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

const d: NetDocument = { layer: 'dense', units: 1 };
const conv: NetDocument = { layer: 'conv', channels: 1, filter: [2] };
const conv1: NetDocument = { layer: 'conv', channels: 1, filter: [1] };
const pool: NetDocument = { layer: 'globalAvgPool' };
const rows = (x: number): Tensor => tensor(Float64Array.of(x, -x, 0, x), [4, 1]);
const images = (x: number): Tensor => tensor(Float64Array.of(x, -x, x / 2, 0, 0, x), [2, 3, 1]);

const firsts: readonly [NetDocument, number][] = [
  [{ layer: 'exp' }, 40],
  [{ layer: 'hermite', degree: 4 }, 1e100],
  [{ layer: 'monomial', degree: 7 }, 1e60],
  [{ layer: 'polynomial', coefficients: [0, 0, 0, 0, 1] }, 1e100],
  [{ layer: 'rectifiedMonomial', degree: 3 }, 1e120],
];

describe('an overflow in front of an activation names its layer', () => {
  for (const [first, x] of firsts) {
    for (const act of ['tanh', 'softplus', 'relu', 'erf', 'elu', 'sin']) {
      it(`${(first as { layer: string }).layer} then ${act}`, async () => {
        const nets: [NetDocument[], Tensor][] = [
          [[d, first, d, { layer: act }, d], rows(x)],
          [[conv, first, conv, { layer: act }, pool, d], images(x)],
          [[conv, first, { layer: 'flatten' }, d, { layer: act }, d], images(x)],
          [
            [
              conv,
              {
                layer: 'sum',
                branches: [
                  [first, conv1],
                  [{ layer: 'relu' }, conv1],
                ],
              },
              { layer: act },
              pool,
              d,
            ],
            images(x),
          ],
        ];
        for (const [net, inputs] of nets) {
          for (const other of [null, inputs])
            await expect(kernel(engine, net, inputs, other)).rejects.toThrow(
              /^kernel: after layers\.\d[\w.]* \(\w+\) entries overflow float64\. Use smaller inputs or wStd\.$/,
            );
          const last = async (): Promise<void> => {
            for await (const layer of layerKernels(engine, net, inputs)) void layer;
          };
          await expect(last()).rejects.toThrow(/layers\.\d[\w.]* \(\w+\)/);
        }
      });
    }
  }

  it('the layer is the first that overflows, also at the end of a chain of closed forms', async () => {
    const cube: NetDocument = { layer: 'monomial', degree: 3 };
    const relu: NetDocument = { layer: 'relu' };
    await expect(kernel(engine, [d, relu, d, cube, d, relu, d], rows(1e60))).rejects.toThrow(
      /after layers\.3 \(monomial\)/,
    );
    await expect(kernel(engine, [d, relu, d, cube], rows(1e60))).rejects.toThrow(
      /after layers\.3 \(monomial\)/,
    );
    await expect(kernel(engine, [d, relu, d], rows(1e160))).rejects.toThrow(
      /after (the products of the inputs|layers\.0)/,
    );
    const f32 = { dtype: 'f32' as const };
    await expect(kernel(engine, [d, relu, d], rows(1e30), null, f32)).rejects.toThrow(
      /overflow float(32|64)/,
    );
  });

  it('large variances that fit are kernels: saturated activations reach their limits', async () => {
    // tanh and erf of N(0, huge) are signs.
    for (const act of ['tanh', 'erf']) {
      const { nngp } = await kernel(engine, [d, { layer: act }], rows(1e100));
      expect(nngp.data[0]).toBeCloseTo(1, 6);
      if (act === 'erf') expect(nngp.data[1]).toBeCloseTo(-1, 6); // tanh's series takes what 400 terms give there
    }
  });
});
