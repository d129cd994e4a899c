// Width checks of nets with several hidden layers: terms of the output, coordinates, and the best learning rate.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  coordinateCheck,
  createEngine,
  createModel,
  dense,
  expandTerms,
  learningRateTransfer,
  measureDeepTerms,
  measureTerms,
  relu,
  scalings,
  serial,
  tanh,
  type DeepTerm,
  type Engine,
} from 'infinite-width';
import { xorMixture } from '../support/xor.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

describe('expandTerms', () => {
  const x = [
    [1, 2],
    [0.5, -1],
  ];

  it('adds up to the outputs of nets with several outputs, in any parametrisation and precision', () => {
    for (const dtype of ['f64', 'f32'] as const) {
      const net = serial(dense(5), relu(), dense(4, { parametrization: 'standard' }), relu(), dense(3));
      using model = createModel(engine, net, { inputShape: [2], seed: 1, dtype });
      const start = model.parameters;
      using other = createModel(engine, net, { inputShape: [2], seed: 2, dtype });
      model.setParameters(other.parameters);
      const terms = expandTerms(model, x, start);
      expect(terms.map(({ moved }) => moved.join(''))).toEqual(['', '2', '1', '12', '0', '02', '01', '012']);
      const size = Math.max(...terms.flatMap(({ values }) => Array.from(values.data, Math.abs)));
      model.forward(x).data.forEach((want, i) => {
        const sum = terms.reduce((total, { values }) => total + values.data[i]!, 0);
        expect(Math.abs(sum - want) / size).toBeLessThan(dtype === 'f64' ? 1e-14 : 1e-5);
      });
      // Without training nothing but the first term is left.
      const [first, ...rest] = expandTerms(model, x, model.parameters);
      expect(first!.values.data).toEqual(model.forward(x).data);
      for (const { values } of rest) expect(values.data.every((value) => value === 0)).toBe(true);
    }
  });

  it('refuses nets that have no such terms', () => {
    const wrong = [
      [serial(dense(4), tanh(), dense(1)), /got 'tanh' as layer 1/],
      [serial(dense(4, { bStd: 1 }), relu(), dense(1)), /got a net with biases/],
      [serial(dense(4), relu()), /got 'relu' as the last layer/],
      [
        serial(...Array.from({ length: 11 }, () => [dense(2), relu()]).flat(), dense(1)),
        /12 matrices, above 10/,
      ],
    ] as const;
    for (const [net, message] of wrong) {
      using model = createModel(engine, net, { inputShape: [2] });
      expect(() => expandTerms(model, x, model.parameters)).toThrow(message);
    }
  });
});

describe('measureDeepTerms', () => {
  const options = {
    data: xorMixture(64, 64, 8),
    widths: [64, 128, 256, 512],
    seeds: 3,
    epochs: 15,
    learningRate: 0.5,
    baseWidth: 64,
  };
  const slopesOf = (terms: readonly DeepTerm[]): Record<string, number> =>
    Object.fromEntries(terms.map(({ moved, slope }) => [moved.join(''), slope!.slope]));

  it('finds the powers of the eight terms of two hidden layers', async () => {
    const run = { ...options, hiddenLayers: 2 };
    const ntk = await measureDeepTerms(engine, { ...run, scaling: scalings.ntk });
    // Lazy nets: k increments leave a term of order d^-(k-1), because a pair of them is odd in the weights between.
    for (const [moved, slope] of Object.entries(slopesOf(ntk.terms))) {
      const theory = -2 * Math.max(0, moved.length - 1);
      expect(Math.abs(slope - theory), `NTK, ${moved}: ${slope}`).toBeLessThan(0.6);
    }
    const muP = slopesOf((await measureDeepTerms(engine, { ...run, scaling: scalings.muP })).terms);
    expect(Math.abs(muP['']! + 1)).toBeLessThan(0.35); // the start, of size d^-1/2
    for (const [moved, slope] of Object.entries(muP))
      if (moved) expect(Math.abs(slope), `muP, ${moved}: ${slope}`).toBeLessThan(0.35); // features move
  });

  it('has the four terms of one hidden layer as a case', async () => {
    const run = { ...options, widths: [64, 256, 1024], scaling: scalings.meanField };
    const deep = slopesOf((await measureDeepTerms(engine, run)).terms);
    const { slopes } = await measureTerms(engine, run);
    const pairs = { '': 'f0', '1': 'fa', '0': 'fw', '01': 'faw' } as const;
    for (const [moved, name] of Object.entries(pairs))
      expect(Math.abs(deep[moved]! - slopes[name]!.slope), name).toBeLessThan(0.4);
  });
});

describe('coordinateCheck of deep nets', () => {
  const options = { data: xorMixture(32, 32, 8), seeds: 3, baseWidth: 64, learningRate: 0.3 };

  it('passes muP and fails the default, NTK and mean field, layer by layer', async () => {
    const check = (name: 'muP' | 'ntk' | 'default' | 'meanField') =>
      coordinateCheck(engine, {
        ...options,
        widths: [64, 128, 256, 512],
        steps: 3,
        hiddenLayers: 2,
        scaling: scalings[name],
      });
    const power = (
      { slopes }: Awaited<ReturnType<typeof check>>,
      coordinate: string,
      layer: number,
    ): number =>
      slopes.find((row) => row.coordinate === coordinate && row.layer === layer && row.step === 2)!.slope;
    const muP = await check('muP');
    expect(muP.verdict).toBe('flat');
    expect(muP.slopes.length).toBe(4 * 3 + 3 * 3);
    for (const layer of [1, 2]) expect(Math.abs(power(muP, 'hiddenChange', layer))).toBeLessThan(0.1);
    const ntk = await check('ntk');
    expect(ntk.verdict).toBe('vanishes');
    for (const layer of [1, 2]) expect(Math.abs(power(ntk, 'hiddenChange', layer) + 0.5)).toBeLessThan(0.1);
    const standard = await check('default');
    expect(standard.verdict).toBe('grows');
    // One plain rate: the input matrix moves less and less, the hidden one more and more.
    expect(Math.abs(power(standard, 'hiddenChange', 1) + 0.5)).toBeLessThan(0.1);
    expect(Math.abs(power(standard, 'hiddenChange', 2) - 0.5)).toBeLessThan(0.2);
    const meanField = await check('meanField');
    expect(meanField.verdict).toBe('vanishes'); // hidden matrices start at d^-1/2 of their fan-in size
    expect(Math.abs(power(meanField, 'hidden', 2) + 0.5)).toBeLessThan(0.1);
  });

  it('passes muP under Adam and refuses what deep nets do not have', async () => {
    const run = {
      ...options,
      widths: [64, 128, 256],
      steps: 3,
      hiddenLayers: 3,
      scaling: scalings.muP,
    } as const;
    const { verdict } = await coordinateCheck(engine, { ...run, optimizer: 'adam', learningRate: 0.01 });
    expect(verdict).toBe('flat');
    const refused = [
      [{ hiddenLayers: 1.5 }, /hiddenLayers must be a whole number >= 1, got 1.5/],
      [{ loss: 'linear' }, /loss 'linear' exists for one hidden layer only/],
      [{ scaling: scalings.icMeanField }, /initCorrection 'simple' exists for one hidden layer only/],
      [{ widths: [32, 64, 128] }, /width 32 is below the base width 64/],
      [{ widths: [64, 128.5, 256] }, /width must be a whole number >= 1, got 128.5/],
      [
        { widths: [64, 128, 1e5] },
        /3 hidden layers of width 100000 have 2.00e\+10 weights and need 298 GiB per net/,
      ],
      [{ steps: 1e9 }, /evaluateAt 'all' is for up to 1e6 epochs, got 1000000000/],
    ] as const;
    for (const [more, message] of refused)
      await expect(coordinateCheck(engine, { ...run, ...more })).rejects.toThrow(message);
  });
});

describe('learningRateTransfer of deep nets', () => {
  it('finds that the best rate stays put under muP', async () => {
    const { verdict, shift } = await learningRateTransfer(engine, {
      data: xorMixture(64, 64, 8),
      ...{ widths: [32, 64, 128], seeds: 2, epochs: 15, baseWidth: 32, hiddenLayers: 2 },
      scaling: scalings.muP,
      learningRates: [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4],
    });
    expect(verdict, String(shift)).toBe('transfers');
  });
});
