// Identical rows have the kernel of one row with itself, opposite ones its mirror image, at any depth and on every path: the
// square roots at c = +-1 must not turn the rounding of one layer into the error of the next.
import {
  conv,
  createEngine,
  dense,
  flatten,
  kernel,
  layer,
  relu,
  serial,
  tensor,
  type LayerDocument,
} from 'infinite-width';
import { describe, expect, it } from 'vitest';

const engine = await createEngine({ variant: 'simd' });
let state = 12345;
const random = () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32) * 2 - 1;
const PHIS: Record<string, { phi: LayerDocument; parity: 'odd' | 'even' | 'none' }> = {
  sign: { phi: layer('sign'), parity: 'odd' },
  step: { phi: layer('rectifiedMonomial', { degree: 0 }), parity: 'none' },
  ramp: { phi: layer('rectifiedMonomial', { degree: 1 }), parity: 'none' },
  relu: { phi: relu(), parity: 'none' },
  leaky: { phi: layer('leakyRelu', { alpha: 0.2 }), parity: 'none' },
  abs: { phi: layer('abs'), parity: 'even' },
  elu: { phi: layer('elu', { alpha: 0.5 }), parity: 'none' },
  erf: { phi: layer('erf'), parity: 'odd' },
  tanh: { phi: layer('tanh'), parity: 'odd' },
  expNormalized: { phi: layer('expNormalized'), parity: 'none' },
};

describe('identical and opposite rows', () => {
  for (const [name, { phi, parity }] of Object.entries(PHIS))
    for (const dtype of ['f64', 'f32'] as const)
      it(`${name} in ${dtype}`, async () => {
        const room = dtype === 'f32' ? 3e-6 : name === 'tanh' ? 1e-12 : 4e-15; // tanh is a series of that accuracy
        for (const size of [1, 2, 3, 7, 33, 784])
          for (const depth of [1, 2, 3, 6])
            for (const image of size === 7 || size === 33 ? [false, true] : [false]) {
              const first = Array.from({ length: size }, random);
              const x = [first, first, first.map((v) => -v), Array.from({ length: size }, random)];
              const hidden = Array.from({ length: depth }, () =>
                image ? [conv(1, [3], { wStd: 1.4 }), phi] : [dense(1, { wStd: 1.4 }), phi],
              ).flat();
              if (image && size < 2 * depth + 1) continue;
              const net = serial(...hidden, ...(image ? [flatten()] : []), dense(1));
              const data = Float64Array.from(x.flat());
              const input = tensor(data, image ? [4, size, 1] : [4, size]);
              const alone = await kernel(engine, net, input, null, { dtype });
              const apart = await kernel(engine, net, input, input, { dtype });
              for (const { nngp, ntk } of [alone, apart])
                for (const [kind, { data: k }] of Object.entries({ nngp, ntk })) {
                  const own = (kind === 'nngp' ? alone.nngp : alone.ntk).data[0]!;
                  const gap = (i: number, want: number) => Math.abs(k[i]! - want) / Math.abs(own || 1);
                  for (const i of [0, 1, 4, 5]) expect(gap(i, own)).toBeLessThan(room);
                  const mirror = parity === 'odd' ? -1 : 1; // of the values; slopes mirror the other way
                  if (parity !== 'none')
                    for (const i of [2, 6]) expect(gap(i, mirror * own)).toBeLessThan(room);
                }
            }
      });

  it('rows of one norm, which take the path of tables in the cosine', async () => {
    const rows = Array.from({ length: 400 }, () => {
      const row = Array.from({ length: 5 }, random);
      const norm = Math.sqrt(row.reduce((sum, v) => sum + v * v, 0));
      return row.map((v) => v / norm);
    });
    rows[7] = rows[3]!;
    const net = serial(
      dense(1, { wStd: 1.4 }),
      relu(),
      dense(1, { wStd: 1.4 }),
      layer('sign'),
      dense(1),
      relu(),
      dense(1),
    );
    const { nngp, ntk } = await kernel(engine, net, rows);
    for (const { data } of [nngp, ntk])
      expect(Math.abs(data[3 * 400 + 7]! / data[3 * 401]! - 1)).toBeLessThan(4e-15);
  });
});

it('homogeneous kernels scale with their inputs, down to 1e-150', async () => {
  const base = [
    [1, 2, 0.5],
    [0.3, -1, 2],
    [-1, -2, -0.5],
  ];
  for (const [phi, degree] of [
    [layer('expNormalized'), 1],
    [relu(), 1],
    [layer('sign'), 0],
  ] as const)
    for (const image of [false, true]) {
      const first = image ? conv(1, [1]) : dense(1);
      const net = serial(first, phi, ...(image ? [flatten()] : []), dense(1));
      const at = (s: number) =>
        kernel(
          engine,
          net,
          tensor(
            Float64Array.from(base.flat(), (v) => v * s),
            image ? [3, 1, 3] : [3, 3],
          ),
        );
      const one = await at(1);
      for (const power of [-150, -60, -9, -8, -7, 8, 100]) {
        const small = await at(10 ** power);
        for (const name of ['nngp', 'ntk'] as const)
          one[name].data.forEach((value, i) =>
            expect(Math.abs(small[name].data[i]! / 10 ** (2 * degree * power) - value)).toBeLessThan(1e-12),
          );
      }
    }
});
