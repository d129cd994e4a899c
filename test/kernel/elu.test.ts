import { createEngine, kernel, tensor, type Engine } from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

// Standard deviations s1, s2, correlation, alpha; kappa and kappa' by quadrature at 25 digits: the expectation over v given u
// in closed form, then over u.
type Case = readonly [s1: number, s2: number, c: number, alpha: number, kappa: number, slope: number];
const GOLDEN: readonly Case[] = [
  [1.0, 1.3, 0.9999, 1.369, 0.95745693738555611, 0.78273912701148547],
  [1.0, 1.3, -0.9999, 1.369, -0.86649849500441543, 0.66688784242508969],
  [0.5, 2.0, 0.93, 0.7, 0.52131465991126923, 0.55455106907388225],
  [3.0, 0.2, -0.93, 1.2, -0.36884620593211604, 0.65796175998506765],
  [3.0, 3.0, 0.99, 1.0, 4.7711421942975381, 0.56006585526151762],
  [0.01, 0.02, 0.95, 1.3, 0.0002517996444820488, 1.3207078561727557],
  [0.001, 0.2, -0.95, 1.3, -0.000229397287270125, 1.2112861230810103],
  [1e-5, 2e-5, 0.9999999, 1.4, 2.9599527891780241e-10, 1.4799651544344537],
  [0.2, 0.21, -0.99, -0.5, 0.017797138217085303, -0.37760088226362098],
  [8.0, 9.0, 0.95, 1.0, 34.61520380663806, 0.49040063914236763],
  [20.0, 5.0, -0.92, 0.5, -4.2235442737592428, 0.095440017992024298],
  [60.0, 70.0, 0.97, 0.5, 2040.0405742630072, 0.46388984694578431],
  [0.7, 1.1, 0.999999999, 0.0, 0.38499999961500367, 0.49999288237466589],
  [0.7, 1.1, -0.9999999, 1.0, -0.42933401058418562, 0.55757669288364057],
];

describe('elu and selu near c = 1 and -1', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ variant: 'simd' });
  });
  afterAll(() => engine.dispose());

  /** kappa and kappa': K and T of a dense layer and the activation are kappa and kappa' k12. */
  async function dual(
    layer: object,
    [s1, s2, c]: readonly [number, number, number],
    dtype: 'f64' | 'f32' = 'f64',
  ): Promise<[number, number]> {
    const sin = Math.sqrt((1 - c) * (1 + c));
    const x1 = tensor(Float64Array.of(s1 * Math.SQRT2, 0), [1, 2]);
    const x2 = tensor(Float64Array.of(s2 * c * Math.SQRT2, s2 * sin * Math.SQRT2), [1, 2]);
    const net = [{ layer: 'dense', units: 1 }, layer];
    const { nngp, ntk } = await kernel(engine, net as never, x1, x2, { dtype });
    return [nngp.data[0]!, ntk.data[0]! / (c * s1 * s2)];
  }

  it.each(GOLDEN)('s = %d and %d, c = %d, alpha = %d', async (s1, s2, c, alpha, kappa, slope) => {
    const layer = { layer: 'elu', alpha };
    const got = await dual(layer, [s1, s2, c]);
    // eight nodes per arc: rounding for standard deviations up to 10, 1e-11 at 100
    const nodes = s1 + s2 > 20 ? 1e-11 : 2e-13;
    expect(Math.abs(got[0] - kappa)).toBeLessThan(nodes * s1 * s2);
    // c itself is rounded, and kappa' goes with the square root of 1 - |c| where phi' jumps
    const rounding = 4e-16 / Math.sqrt(1 - Math.abs(c));
    expect(Math.abs(got[1] - slope)).toBeLessThan(nodes + rounding);
    const low = await dual(layer, [s1, s2, c], 'f32');
    expect(Math.abs(low[0] - kappa)).toBeLessThan(5e-7 * s1 * s2);
    expect(Math.abs(low[1] - slope)).toBeLessThan(1e-6 + 4e-7 / Math.sqrt(1 - Math.abs(c)));
  });

  it('joins the series where it takes over', async () => {
    for (const layer of [{ layer: 'selu' }, { layer: 'elu', alpha: 0.3 }]) {
      for (const sign of [1, -1]) {
        for (const [s1, s2] of [
          [0.4, 1.1],
          [2, 5],
        ] as const) {
          const below = await dual(layer, [s1, s2, sign * (0.9 - 1e-14)]);
          const above = await dual(layer, [s1, s2, sign * (0.9 + 1e-14)]);
          for (const j of [0, 1] as const)
            expect(Math.abs(above[j] - below[j])).toBeLessThan(1e-12 * s1 * s2);
        }
      }
    }
  });

  it('gives an entry the same bits beside any neighbours', async () => {
    const angles = Array.from({ length: 23 }, (_, i) => [Math.cos(0.07 * i * i), Math.sin(0.07 * i * i)]);
    const net = [{ layer: 'dense', units: 1 }, { layer: 'selu' }, { layer: 'dense', units: 1 }] as never;
    for (const dtype of ['f64', 'f32'] as const) {
      const whole = await kernel(engine, net, tensor(angles.slice(0, 5)), tensor(angles), { dtype });
      for (let j = 0; j < angles.length; j++) {
        const one = await kernel(engine, net, tensor(angles.slice(0, 5)), tensor([angles[j]!]), { dtype });
        for (let i = 0; i < 5; i++) {
          expect(one.nngp.data[i]).toBe(whole.nngp.data[i * angles.length + j]);
          expect(one.ntk.data[i]).toBe(whole.ntk.data[i * angles.length + j]);
        }
      }
    }
  });
});
