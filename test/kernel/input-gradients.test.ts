// Derivatives in inputs, and those of attention, recurrent layers and duals in code.
import {
  attention,
  conv,
  createEngine,
  defineActivation,
  dense,
  erf,
  flatten,
  globalAvgPool,
  kernel,
  kernelInputGradient,
  layerNorm,
  monteCarloKernel,
  parseNet,
  relu,
  rnn,
  serial,
  tanh,
  type Engine,
  type NetDocument,
} from 'infinite-width';
import { kernelParameters } from '#build/kernel/derivatives/directions.js';
import { contractKernel } from '#build/kernel/derivatives/calls.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { random } from '../predict/support.js';
import { checkInputs, checkParameters, METHODS, weightsOf } from '../support/derivatives.js';

let engine: Engine;
beforeAll(async () => void (engine = await createEngine({ variant: 'simd' })));
afterAll(() => engine.dispose());

describe('kernelInputGradient', () => {
  it('of a dense net', () =>
    checkInputs(
      engine,
      serial(dense(4, { wStd: 1.2, bStd: 0.2 }), erf(), dense(3, { bStd: 0.5 }), relu(), dense(1)),
      [4],
    ));
  it('of nets with positions', async () => {
    await checkInputs(
      engine,
      serial(
        conv(4, [3], { padding: 'SAME', bStd: 0.3 }),
        relu(),
        conv(3, [3]),
        layerNorm(),
        erf(),
        flatten(),
        dense(1),
      ),
      [5, 2],
    );
    await checkInputs(
      engine,
      serial(
        conv(4, [2, 2], { bStd: 0.3 }),
        relu(),
        globalAvgPool(),
        dense(1, { parametrization: 'standard' }),
      ),
      [3, 3, 1],
    );
  });
  it('refuses samples that do not fit', async () => {
    await expect(kernelInputGradient(engine, dense(1), random([2, 3], 1), random([2, 4], 1))).rejects.toThrow(
      'one sample shape',
    );
  });
});

const tokens = { channels: 4, keyChannels: 4, valueChannels: 4, heads: 2 };
const w = { wStd: 1.2, bStd: 0.3 };
const NETS: Record<string, NetDocument> = {
  'softmax attention': serial(
    conv(4, [2], w),
    attention({ ...tokens, keyStd: 0.8, bStd: 0.2, positional: 'concat', positionalStd: 0.7 }),
    relu(),
    flatten(),
    dense(1, w),
  ),
  'attention twice, pooled': serial(
    dense(4, { ...w, parametrization: 'standard' }),
    attention(tokens),
    attention({ ...tokens, linearScaling: false, mechanism: 'identity', positional: 'sum' }),
    erf(),
    globalAvgPool(),
    dense(1, w),
  ),
  recurrent: serial(rnn(4, { activation: erf(), uStd: 0.8, ...w }), dense(1, w)),
  'recurrent, all states, standard': serial(
    rnn(4, { activation: tanh(), returnSequences: true, parametrization: 'standard', ...w }),
    conv(3, [2], w),
    relu(),
    flatten(),
    dense(1),
  ),
};

describe('layers by differences of their rules', () => {
  for (const [name, net] of Object.entries(NETS)) {
    it(`${name}: numbers of the net`, () => checkParameters(engine, net, random([3, 4, 2], 1)));
    it(`${name}: inputs`, () => checkInputs(engine, net, [4, 2]));
  }
});

/** E of relu, by Cho & Saul (2009), and of erf. */
const arcCosine = (k11: number, k12: number, k22: number): { kappa: number; slope: number } => {
  const a = Math.sqrt(k11) * Math.sqrt(k22);
  const theta = 2 * Math.atan2(Math.sqrt(Math.max(0, a - k12)), Math.sqrt(Math.max(0, a + k12)));
  const slope = (Math.PI - theta) / (2 * Math.PI);
  return { kappa: (a * Math.sin(theta)) / (2 * Math.PI) + slope * k12, slope };
};
const inCode = defineActivation('derivative-of-both', { kernelFunction: arcCosine });
const kappaAlone = defineActivation('derivative-of-kappa', {
  kernelFunction: (k11, k12, k22) =>
    (2 / Math.PI) * Math.asin((2 * k12) / (Math.sqrt(1 + 2 * k11) * Math.sqrt(1 + 2 * k22))),
});

describe('duals in code', () => {
  for (const [name, mine, known] of [
    ['kappa and slope', inCode, relu],
    ['kappa alone', kappaAlone, erf],
  ] as const) {
    const net = (phi: () => NetDocument): NetDocument =>
      serial(dense(4, w), phi(), dense(3, w), phi(), dense(1, w));
    it(`${name}: as the activation of the format`, async () => {
      const x = random([4, 3], 1);
      for (const ntk of [false, true]) {
        const names = kernelParameters(net(known), [3]).map((parameter) => parameter.name);
        const got = await contractKernel(engine, net(mine), x, { names, weights: weightsOf(4), ...{ ntk } });
        const want = await contractKernel(engine, net(known), x, {
          names,
          weights: weightsOf(4),
          ...{ ntk },
        });
        for (const [i, value] of got.entries())
          expect(Math.abs(value - want[i]!)).toBeLessThan(1e-7 * Math.max(1, Math.abs(want[i]!)));
      }
    });
    it(`${name}: inputs`, () => checkInputs(engine, net(mine), [3]));
  }
});

describe('baseWidth', () => {
  it('is the N of the kernel, and of finite nets of any width', async () => {
    const standard = { parametrization: 'standard' as const, wStd: 1.2, bStd: 0.3 };
    const x = random([3, 4], 1);
    const written = serial(dense(6, standard), relu(), dense(1, standard));
    const same = serial(dense(6, standard), relu(), dense(1, { ...standard, baseWidth: 6 }));
    const wide = serial(dense(96, standard), relu(), dense(1, { ...standard, baseWidth: 6 }));
    const want = await kernel(engine, written, x);
    for (const net of [same, wide]) expect((await kernel(engine, net, x)).ntk.data).toEqual(want.ntk.data);
    const drawn = await monteCarloKernel(engine, wide, x, null, { samples: 400, seed: 3 });
    for (const method of METHODS)
      for (const [i, value] of want[method].data.entries()) {
        const { kernel: mean, standardError } = drawn[method]!;
        expect(Math.abs(mean.data[i]! - value)).toBeLessThan(5 * standardError.data[i]!);
        expect(standardError.data[i]).toBeLessThan(0.05 * Math.abs(value) + 0.05);
      }
    expect(() => parseNet(dense(3, { baseWidth: 0 }))).toThrow('"baseWidth" must be');
  });
});
