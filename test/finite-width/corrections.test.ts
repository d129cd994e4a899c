// Kernels of finite nets to first order in 1/width: values of an independent implementation, formulas of one input, and nets.
import {
  createEngine,
  createModel,
  dense,
  empiricalNtk,
  finiteWidthCorrections,
  planFiniteWidth,
  serial,
  type Engine,
  type FiniteWidthKernels,
  type NetDocument,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

/** Terms are proportional to 1/width: tables hold them times the width. */
const WIDTH = 10_000;
type Case = readonly [layer: string, cw: number, cb: number];
const RELU: Case = ['relu', 2, 0];
const BIASED: Case = ['relu', 1.6, 0.2];
const ERF: Case = ['erf', 1.5, 0.1];
const TANH: Case = ['tanh', 1.5, 0.1];

function net([layer, cw, cb]: Case, widths: readonly number[]): NetDocument {
  const fields = { wStd: Math.sqrt(cw), bStd: Math.sqrt(cb) };
  return serial(...widths.flatMap((width) => [dense(width, fields), { layer }]), dense(1, fields));
}
const deep = (which: Case, depth: number): NetDocument => net(which, new Array<number>(depth).fill(WIDTH));
const near = (got: number, wanted: number, tolerance = 2e-6): void =>
  expect(Math.abs(got - wanted)).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(wanted)));

const INPUTS = [
  [2, 0, 0, 0],
  [1.2, 1.6, 0, 0],
  [-0.66, 0.44, 1.98, 0],
];

describe('one input', () => {
  // K, T, n G1, n H1, n V/K^2, n D/(K T), n VT/T^2, n B/T^2
  it.each([
    [BIASED, 4, [1.32768, 5, 0, 0, 9.80497, 6.875339, 9.827353, 1.839321]],
    [ERF, 1, [0.927207, 2.050532, 0, 0, 0.344556, -0.159913, 1.278282, 0.59782]],
    [ERF, 2, [0.775273, 2.58, -0.051395, -0.039026, 0.489148, -0.291742, 2.386883, 1.086666]],
    [ERF, 4, [0.704394, 3.759241, -0.11101, 0.096435, 0.580165, -0.486287, 4.661113, 2.012764]],
    [TANH, 2, [0.637737, 1.945412, -0.04511, -0.048739, 0.558453, -0.210642, 1.923581, 0.908753]],
    [TANH, 4, [0.543651, 2.388263, -0.095855, -0.119941, 0.681586, -0.351034, 3.357971, 1.542351]],
  ] as const)('%s, %i hidden layers: the reference values', async (which, depth, wanted) => {
    const r = await finiteWidthCorrections(engine, deep(which, depth), [[1]]);
    const [k, t] = [r.nngp.data[0]!, r.ntk.data[0]!];
    const got = [
      ...[k, t, WIDTH * r.nngpShift.data[0]!, WIDTH * r.ntkShift.data[0]!],
      (WIDTH * r.nngpCovariance(0, 0, 0, 0)) / k ** 2,
      (WIDTH * r.nngpNtkCovariance(0, 0, 0, 0)) / (k * t),
      (WIDTH * r.ntkVariance.data[0]!) / t ** 2,
      (WIDTH * r.crossNtkCovariance(0, 0, 0, 0)) / t ** 2,
    ];
    for (const [i, value] of got.entries()) near(value, wanted[i]!);
  });

  it('has the closed forms of ReLU without biases', async () => {
    for (const depth of [1, 2, 3, 4, 7]) {
      const r = await finiteWidthCorrections(engine, deep(RELU, depth), [[1]]);
      const [k, t] = [r.nngp.data[0]!, r.ntk.data[0]!];
      near((WIDTH * r.nngpCovariance(0, 0, 0, 0)) / k ** 2, 5 * depth, 1e-10);
      near((WIDTH * r.nngpNtkCovariance(0, 0, 0, 0)) / (k * t), 3 * depth, 1e-10);
      near((WIDTH * r.ntkVariance.data[0]!) / t ** 2, (depth * (11 * depth + 7)) / (3 * (depth + 1)), 1e-10);
      near(
        (WIDTH * r.crossNtkCovariance(0, 0, 0, 0)) / t ** 2,
        (depth * (2 * depth + 1)) / (3 * (depth + 1)),
        1e-10,
      );
      near(r.nngpShift.data[0]!, 0);
      near(r.ntkShift.data[0]!, 0);
    }
  });
});

describe('three inputs', () => {
  // T01, n G1_01, n H1_01, n V(01,01), n V(00,12), n D(01,22), n D(22,01), n VT(01,01), n VT(00,12), F, F, B
  it.each([
    [
      RELU,
      2,
      [
        3.088833, -0.130139, 1.000764, 24.25616, 5.835031, 1.725904, 1.490952, 89.221939, 17.406745, 5.245809,
        11.450076, 0.037228,
      ],
    ],
    [
      RELU,
      4,
      [
        4.670264, -0.678576, 7.074141, 53.11107, 25.305265, 45.130109, 35.876415, 430.549585, 190.643017,
        25.479967, 54.616335, 9.828295,
      ],
    ],
    [
      BIASED,
      3,
      [
        2.745986, -0.10011, 1.436914, 12.265984, 6.248049, 9.635277, 8.338391, 68.922023, 31.668022, 5.070799,
        9.579684, 2.209886,
      ],
    ],
    [
      ERF,
      4,
      [
        1.784479, 0.021705, 0.407428, 0.643305, 0.023145, -0.012872, -0.024029, 15.086688, 3.925599, -0.06959,
        2.100582, -0.101544,
      ],
    ],
    [
      TANH,
      4,
      [
        1.366992, -0.032991, -0.063712, 0.335589, 0.027128, -0.016825, -0.012768, 6.050085, 1.879543,
        -0.01626, 1.000266, 0.018871,
      ],
    ],
  ] as const)('%s, %i hidden layers: the reference values', async (which, depth, wanted) => {
    const r = await finiteWidthCorrections(engine, deep(which, depth), INPUTS);
    const terms = [
      ...[
        r.nngpShift.data[1]!,
        r.ntkShift.data[1]!,
        r.nngpCovariance(0, 1, 0, 1),
        r.nngpCovariance(0, 0, 1, 2),
      ],
      ...[r.nngpNtkCovariance(0, 1, 2, 2), r.nngpNtkCovariance(2, 2, 0, 1), r.ntkCovariance(0, 1, 0, 1)],
      ...[
        r.ntkCovariance(0, 0, 1, 2),
        r.outputsNtk(0, 2, 1, 0),
        r.outputsNtk(0, 1, 2, 2),
        r.crossNtkCovariance(0, 2, 1, 0),
      ],
    ];
    for (const [i, value] of [r.ntk.data[1]!, ...terms.map((term) => WIDTH * term)].entries())
      near(value, wanted[i]!);
  });

  it('takes every layer with its own width', async () => {
    const r = await finiteWidthCorrections(engine, net(BIASED, [16, 64, 32]), INPUTS, { mostExpansion: 2 });
    const got = [
      r.nngpShift.data[1]!,
      r.ntkShift.data[1]!,
      r.nngpCovariance(0, 1, 0, 1),
      r.ntkCovariance(0, 1, 0, 1),
    ];
    const wanted = [-0.0051374888, 0.0645794448, 0.4039236457, 2.4287173346];
    for (const [i, value] of got.entries()) expect(Math.abs(value - wanted[i]!)).toBeLessThan(1e-9);
  });

  it('gives every layer what the net cut there has, and equal bits for any number of workers', async () => {
    const whole = await finiteWidthCorrections(engine, deep(ERF, 3), INPUTS, { perLayer: true });
    const cut = await finiteWidthCorrections(engine, deep(ERF, 2), INPUTS);
    expect(whole.layers!.length).toBe(4);
    expect([...whole.layers![2]!.ntkVariance.data]).toEqual([...cut.ntkVariance.data]);
    using pool = await createEngine({ variant: 'simd', workers: 2 });
    const shared = await finiteWidthCorrections(pool, deep(ERF, 3), INPUTS);
    expect([...shared.ntkVariance.data]).toEqual([...whole.ntkVariance.data]);
    expect([...shared.ntkShift.data]).toEqual([...whole.ntkShift.data]);
  });

  it('treats erf as a smooth activation like any other', async () => {
    const shifted = (c: number): NetDocument => {
      const fields = { wStd: 1.2, bStd: 0.3 };
      return serial(
        dense(WIDTH, fields),
        { layer: 'erf', a: 1, b: 1, c },
        dense(WIDTH, fields),
        { layer: 'erf', a: 1, b: 1, c },
        dense(1, fields),
      );
    };
    const [closed, general] = [0, 1e-12].map((c) =>
      finiteWidthCorrections(engine, shifted(c), INPUTS.slice(0, 2)),
    );
    const [one, two] = [await closed!, await general!];
    for (const key of ['nngpShift', 'ntkShift', 'nngpVariance', 'ntkVariance'] as const)
      for (let i = 0; i < 4; i++) near(WIDTH * two[key].data[i]!, WIDTH * one[key].data[i]!, 1e-7);
  });
});

describe('special inputs', () => {
  const at = (angle: number): number[][] => [
    [Math.SQRT2, 0],
    [Math.SQRT2 * Math.cos(angle), Math.SQRT2 * Math.sin(angle)],
  ];
  const ratios = async (x: number[][]): Promise<number[]> => {
    const r = await finiteWidthCorrections(engine, deep(RELU, 3), x);
    const t = r.ntk.data[1]!;
    return [
      (WIDTH * r.nngpShift.data[1]!) / r.nngp.data[1]!,
      (WIDTH * r.ntkShift.data[1]!) / t,
      (WIDTH * r.ntkVariance.data[1]!) / t ** 2,
    ];
  };

  it('has the limits of equal inputs, exactly and nearly', async () => {
    for (const angle of [0, 1e-12, 1e-7, 1e-5, 5e-4]) {
      const [shift, ntkShift, variance] = (await ratios(at(angle))) as [number, number, number];
      expect(Math.abs(shift)).toBeLessThan(1e-9);
      expect(Math.abs(ntkShift)).toBeLessThan(1e-9);
      expect(Math.abs(variance - 10)).toBeLessThan(1e-6);
    }
    const [, above, variance] = (await ratios(at(2e-3))) as [number, number, number];
    near(above, 0.65 * 2e-3, 2e-4); // falls like the angle
    near(variance, 10, 2e-3);
  });

  it('has finite terms for opposite inputs and multiples', async () => {
    const opposite = await finiteWidthCorrections(engine, deep(RELU, 3), [at(0)[0]!, [-Math.SQRT2, 0]]);
    near(opposite.ntk.data[1]!, 1.371417, 1e-5);
    near(WIDTH * opposite.nngpShift.data[1]!, -2.052897, 1e-5);
    near(WIDTH * opposite.ntkShift.data[1]!, -2.15782, 1e-4);
    near(WIDTH * opposite.ntkVariance.data[1]!, 23.57059, 1e-5);
    // All kernels of 3 x and x are those of x times 3 (one side) or 9 (both).
    const multiple = await finiteWidthCorrections(engine, deep(RELU, 3), [[1], [3]]);
    near(multiple.ntk.data[1]! / multiple.ntk.data[0]!, 3, 1e-12);
    near(multiple.nngpCovariance(0, 1, 1, 1) / multiple.nngpCovariance(0, 0, 0, 0), 27, 1e-10);
    near(multiple.ntkCovariance(0, 1, 0, 1) / multiple.ntkCovariance(0, 0, 0, 0), 9, 1e-10);
  });

  it('gives linear nets their exact covariance', async () => {
    // f = w.(W x) with normal entries: G = cw |h|^2/n, Var G = 2 cw^2 K1^2 / n for one hidden layer.
    const linear = serial(dense(WIDTH, { wStd: 1.3, bStd: null }), dense(1, { wStd: 0.7, bStd: null }));
    const r = await finiteWidthCorrections(engine, linear, [[1, 2]]);
    const first = (1.69 * 5) / 2;
    near(WIDTH * r.nngpCovariance(0, 0, 0, 0), 2 * (0.49 * first) ** 2, 1e-12);
    const abs = serial(dense(WIDTH, { wStd: 1.3 }), { layer: 'abs' }, dense(1, { wStd: 0.7 }));
    const folded = await finiteWidthCorrections(engine, abs, [[1, 2]]);
    near(folded.nngpCovariance(0, 0, 0, 0), r.nngpCovariance(0, 0, 0, 0), 1e-12);
  });
});

describe('activations without closed forms', () => {
  it('with kinks and growth have the variance of drawn nets', async () => {
    const x = [
      [1, 0.5],
      [-0.3, 0.8],
    ];
    // Mean and variance of the NTK of 2000 nets of two hidden layers of 64 units: mean(0,0), variance(0,0), variance(0,1).
    const table = [
      [{ layer: 'hardTanh' }, 2.46228, 0.0096, 0.18614, 0.02756],
      [{ layer: 'swish' }, 0.691055, 0.0059, 0.07004, 0.002677],
    ] as const;
    const fields = { wStd: 1.2, bStd: 0.1 };
    for (const [layer, mean, spread, variance, across] of table) {
      const given = serial(dense(64, fields), layer, dense(64, fields), layer, dense(1, fields));
      const r = await finiteWidthCorrections(engine, given, x, { mostExpansion: 1 });
      expect(Math.abs(r.ntk.data[0]! + r.ntkShift.data[0]! - mean)).toBeLessThan(3 * spread);
      // Sampling and the next order in 1/width: a few percent each.
      expect(Math.abs(r.ntkVariance.data[0]! / variance - 1)).toBeLessThan(0.15);
      expect(Math.abs(r.ntkVariance.data[1]! / across - 1)).toBeLessThan(0.15);
    }
  });
});

describe('nets', () => {
  it('of one hidden layer have the variance of their tangent kernels (finite nets, 3 standard errors)', async () => {
    const [width, seeds] = [64, 1500];
    const relu = net(BIASED, [width, width]);
    const theory = await finiteWidthCorrections(engine, relu, INPUTS.slice(0, 2), { mostExpansion: 1 });
    const draws = Array.from({ length: seeds }, (_, seed) => {
      using model = createModel(engine, relu, { inputShape: [4], seed });
      return empiricalNtk(model, INPUTS.slice(0, 2)).data;
    });
    for (const i of [0, 1, 3]) {
      const h = draws.map((draw) => draw[i]!);
      const mean = h.reduce((a, b) => a + b) / seeds;
      const squares = h.map((value) => (value - mean) ** 2);
      const variance = squares.reduce((a, b) => a + b) / (seeds - 1);
      const spread = Math.sqrt(squares.reduce((a, b) => a + (b - variance) ** 2, 0)) / seeds;
      expect(Math.abs(mean - theory.ntk.data[i]! - theory.ntkShift.data[i]!)).toBeLessThan(
        3 * Math.sqrt(variance / seeds),
      );
      // The next order in 1/width adds about 5 % here.
      expect(Math.abs(variance - theory.ntkVariance.data[i]!)).toBeLessThan(3 * spread + 0.05 * variance);
    }
  });
});

describe('refusals', () => {
  const refused = async (given: NetDocument, x: number[][], options = {}): Promise<string> =>
    finiteWidthCorrections(engine, given, x, options).then(
      () => 'nothing',
      (error: Error) => `${error.name}: ${error.message}`,
    );
  it('name the rule, the value and a remedy', async () => {
    expect(await refused(net(RELU, [4, 4, 4, 4]), [[1]])).toMatch(
      /RangeError: finiteWidthCorrections: .*relative variance.* 5\.00, expected at most 0\.5.*Widen/,
    );
    expect(await refused(serial(dense(8), { layer: 'layerNorm' }, dense(1)), [[1]])).toMatch(
      /got 'layerNorm' at layers\.1/,
    );
    expect(await refused(serial(dense(8), { layer: 'relu' }), [[1]])).toMatch(/at least two dense layers/);
    expect(await refused(serial(dense(8), { layer: 'sign' }, dense(1)), [[1]])).toMatch(
      /'sign' has no finite net/,
    );
    expect(
      await refused(serial(dense(8, { parametrization: 'standard' }), { layer: 'relu' }, dense(1)), [[1]]),
    ).toMatch(/'standard'/);
    expect(await refused(deep(RELU, 1), [[0, 0]])).toMatch(/sample 0 has variance 0/);
    expect(await refused(deep(RELU, 1), [[NaN]])).toMatch(/NaN/);
    expect(await refused(deep(RELU, 1), [[1]], { perlayer: true })).toMatch(/Did you mean "perLayer"/);
    expect(
      await refused(
        deep(RELU, 1),
        Array.from({ length: 200 }, (_, i) => [i + 1]),
      ),
    ).toMatch(/200 samples need \d+ bytes, the limit is/);
    const kernels: FiniteWidthKernels = await finiteWidthCorrections(engine, deep(RELU, 1), [[1]]);
    expect(() => kernels.fourPoint(0, 0, 0, 1)).toThrow(/sample from 0 to 0, got 1/);
    expect(planFiniteWidth(deep(RELU, 2), 6)).toMatchObject({ integrals: 2 * 693 });
  });
});
