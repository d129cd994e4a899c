// At pre-activations of exactly zero the derivative of a kink is the left one, in kernels as in finite nets.
import {
  conv,
  createEngine,
  createModel,
  dense,
  empiricalNtk,
  flatten,
  kernel,
  layer,
  monteCarloKernel,
  serial,
  type KernelOptions,
} from 'infinite-width';
import { describe, expect, it } from 'vitest';

const engine = await createEngine({ variant: 'simd' });
// Biases that start at 0 and are trained: the tangent kernel does not vanish where the covariance does.
const std = { parametrization: 'standard', bStd: 0, baseWidth: 1 } as const;
const PHIS = {
  relu: [{ layer: 'relu' }, 0, 1],
  leakyRelu: [{ layer: 'leakyRelu', alpha: 0.3 }, 0.3, 1],
  abRelu: [{ layer: 'abRelu', a: -0.5, b: 2 }, -0.5, 2],
  abs: [{ layer: 'abs' }, -1, 1],
} as const;
const OTHERS = [
  { layer: 'rectifiedMonomial', degree: 0 },
  { layer: 'rectifiedMonomial', degree: 1 },
  { layer: 'rectifiedMonomial', degree: 2 },
  { layer: 'elu', alpha: 0.4 },
  { layer: 'selu' },
  { layer: 'sign' },
];
const act = ({ layer: name, ...fields }: { layer: string }) => layer(name as 'relu', fields);

describe('variances of zero', () => {
  // Points 0, 0 and x. T before phi is x x' + 1 (weights and bias), after it kappa' T; the last layer adds K + 1.
  for (const [name, [phi, a, b]] of Object.entries(PHIS))
    for (const dtype of ['f64', 'f32'] as const)
      for (const options of [{ dtype }, { dtype, tile: 1 }] as KernelOptions[])
        it(`${name} in closed form, ${JSON.stringify(options)}`, async () => {
          const net = serial(dense(8, std), act(phi), dense(1, std));
          const { nngp, ntk } = await kernel(engine, net, [[0], [0], [2]], null, options);
          const [both, one, full] = [a * a, (a * (a + b)) / 2, (a * a + b * b) / 2];
          const K = 4 * full;
          const want = [both, both, one, both, both, one, one, one, full * 5 + K].map((value) => value + 1);
          want.forEach((value, i) => expect(ntk.data[i]! / value).toBeCloseTo(1, dtype === 'f64' ? 13 : 5));
          expect(nngp.data[8]! / K).toBeCloseTo(1, dtype === 'f64' ? 13 : 5);
          expect([...nngp.data].slice(0, 8).every((value) => value === 0)).toBe(true);
        });

  it('the same between two sets, in a state of a trunk, by offsets and layer by layer', async () => {
    const x = [
      [[0], [0], [0], [1], [0.5]],
      [[0], [0], [0], [0], [0]],
      [[-1], [2], [0], [0], [0]],
    ];
    for (const phi of [...Object.values(PHIS).map(([phi]) => phi), ...OTHERS]) {
      const offsets = serial(conv(4, [2], std), act(phi), flatten(), dense(1, std));
      const a = await kernel(engine, offsets, x);
      const b = await kernel(engine, offsets, x, x);
      const whole = await kernel(engine, [conv(4, [2], std), act(phi), dense(1, std)], x);
      a.ntk.data.forEach((value, i) => expect(b.ntk.data[i]!).toBeCloseTo(value, 12));
      expect(whole.ntk.shape).toEqual([3, 3, 4, 4]);
      // position by position: flatten and dense take the mean over equal positions of kappa' T + K, and add the bias
      for (let i = 0; i < 9; i++) {
        let sum = 0;
        for (let p = 0; p < 4; p++) sum += whole.ntk.data[i * 16 + p * 5]! - 1;
        expect(a.ntk.data[i]!).toBeCloseTo(sum / 4 + 1, 11);
      }
    }
  });

  for (const phi of [...Object.values(PHIS).map(([value]) => value), ...OTHERS])
    it(`finite nets agree within three standard errors: ${JSON.stringify(phi)}`, async () => {
      const net = serial(conv(64, [3], { ...std, padding: 'SAME' }), act(phi), flatten(), dense(1, std));
      const x = [
        [[0], [0], [0], [0], [1], [0.5]],
        [[0], [0], [0], [0], [0], [0]],
        [[0], [-1], [0], [0], [0], [0]],
      ];
      const exact = await kernel(engine, net, x);
      const found = await monteCarloKernel(engine, net, x, null, { samples: 64, seed: 1 });
      for (const name of ['nngp', 'ntk'] as const)
        exact[name].data.forEach((value, i) => {
          const error = 3 * found[name]!.standardError.data[i]! + 1e-12;
          expect(Math.abs(found[name]!.kernel.data[i]! - value)).toBeLessThan(error);
        });
    });

  it('a finite step and ramp are 0 at 0, with slope 0', () => {
    for (const degree of [0, 1]) {
      const net = [dense(1, std), layer('rectifiedMonomial', { degree })];
      using model = createModel(engine, net, { inputShape: [1] });
      expect(model.forward([[0]]).data[0]).toBe(0);
      expect(empiricalNtk(model, [[0]]).data[0]).toBe(0);
    }
  });
});
