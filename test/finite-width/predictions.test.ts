// What finite width does to predictions: a table of an independent implementation that random nets confirmed.
import {
  createEngine,
  createModel,
  dense,
  empiricalNtk,
  finiteWidthPredict,
  kernel,
  normal,
  ntkMomentRatio,
  proportionalPosterior,
  randomKey,
  serial,
  sufficientWidth,
  type Engine,
  type NetDocument,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

const X = [
  [2, 0, 0, 0],
  [1.2, 1.6, 0, 0],
  [-0.66, 0.44, 1.98, 0],
];
function net(layer: string, depth: number, width: number): NetDocument {
  const [cw, cb] = layer === 'relu' ? [2, 0] : [1.5, 0.1];
  const fields = { wStd: Math.sqrt(cw), bStd: Math.sqrt(cb) };
  const hidden = Array.from({ length: depth }, () => [dense(width, fields), { layer }]).flat();
  return serial(...hidden, dense(1, fields));
}

describe('predictions to first order in 1/width', () => {
  // NTK: limit, n shift, n variance; Bayes: limit, n shift, n variance shift
  it.each([
    ['erf', 1, [-0.4297, -0.145, 0.6996, -0.4634, -0.2623, 1.4808]],
    ['erf', 2, [-0.3487, -0.2564, 1.0042, -0.3878, -0.6616, 2.3505]],
    ['relu', 2, [-0.2544, -0.3845, 1.3292, -0.4025, -0.6689, 3.5154]],
    ['relu', 3, [-0.2115, -0.5858, 1.5804, -0.3628, -0.8657, 4.9374]],
  ] as const)('%s, %i hidden layers', async (layer, depth, wanted) => {
    const width = 1000;
    const options = { xTrain: X.slice(0, 2), yTrain: [1, -1.5], xTest: X.slice(2), noise: 0.2 };
    const { ntk, bayes } = await finiteWidthPredict(engine, net(layer, depth, width), options);
    const got = [
      ...[ntk.limitMean[0]!, width * ntk.meanShift[0]!, width * ntk.variance[0]!],
      ...[bayes.limitMean[0]!, width * bayes.meanShift[0]!, width * bayes.varianceShift[0]!],
    ];
    for (const [i, value] of got.entries()) expect(Math.abs(value - wanted[i]!)).toBeLessThan(6e-5);
    expect(bayes.variance[0]).toBeCloseTo(bayes.limitVariance[0]! + bayes.varianceShift[0]!, 12);
  });

  it('refuses what it cannot answer', async () => {
    const options = { xTrain: X.slice(0, 2), yTrain: [1, -1.5], xTest: X.slice(2), noise: 0.2 };
    const refused = (more: object): Promise<string> =>
      finiteWidthPredict(engine, net('erf', 1, 100), { ...options, ...more }).then(
        () => 'nothing',
        (error: Error) => error.message,
      );
    expect(await refused({ noise: 0 })).toMatch(/noise must be a positive number, got 0/);
    expect(await refused({ yTrain: [1, 2, 3] })).toMatch(/yTrain must have shape \[2\]/);
    expect(await refused({ xTest: [[1]] })).toMatch(/4 features and xTest 1/);
    expect(await refused({ ridge: 1 })).toMatch(/unknown option "ridge"/);
  });
});

describe('how wide is wide enough', () => {
  it('is a width whose nets deviate as much as allowed', async () => {
    const tolerance = 0.25;
    const { widths, factor } = await sufficientWidth(engine, net('relu', 2, 10), X, { tolerance });
    expect(widths[0]).toBe(Math.ceil(10 * factor));
    const exact = await kernel(engine, net('relu', 2, 10), X, null, { get: 'ntk' });
    const limit = Float64Array.from(exact.ntk.data);
    const size = limit.reduce((sum, value) => sum + value * value, 0);
    const [deviations, seeds] = [[] as number[], 400];
    for (let seed = 0; seed < seeds; seed++) {
      using model = createModel(engine, net('relu', 2, widths[0]!), { inputShape: [4], seed });
      const h = Float64Array.from(empiricalNtk(model, X).data);
      deviations.push(h.reduce((sum, value, i) => sum + (value - limit[i]!) ** 2, 0) / size);
    }
    const mean = deviations.reduce((a, b) => a + b) / seeds;
    const spread = Math.sqrt(deviations.reduce((sum, value) => sum + (value - mean) ** 2, 0)) / seeds;
    // The next order in 1/width adds some percent to the square.
    expect(Math.abs(mean - tolerance ** 2)).toBeLessThan(3 * spread + 0.06 * tolerance ** 2);
    const nngp = await sufficientWidth(engine, net('relu', 2, 10), X, { tolerance: 0.05, kernel: 'nngp' });
    const finer = await sufficientWidth(engine, net('relu', 2, 10), X, { tolerance: 0.025, kernel: 'nngp' });
    expect(finer.factor / nngp.factor).toBeGreaterThan(3.9);
    expect(finer.factor / nngp.factor).toBeLessThan(4);
    await expect(sufficientWidth(engine, net('relu', 2, 10), X, { tolerance: 3 })).rejects.toThrow(
      /smaller tolerance/,
    );
  });
});

describe('depth over width', () => {
  it('makes the tangent kernel random as the formula of ReLU nets says, beside drawn nets', async () => {
    const [width, depth] = [32, 4];
    const [found] = await ntkMomentRatio(engine, net('relu', depth, width), [[1, 0, 0, 0]], { nets: 3000 });
    expect(found!.depthOverWidth).toBeCloseTo(depth / width, 12);
    expect(found!.firstOrder).toBeCloseTo(1 + (depth * (11 * depth + 7)) / (3 * (depth + 1)) / width, 10);
    const { ratio, standardError } = found!.measured!;
    // 40,000 nets of another program: n VT/T^2 = 16.7 where the first order says 13.6.
    expect(Math.abs(ratio - (1 + 16.7 / width))).toBeLessThan(3 * standardError + 0.01);
    expect(Math.abs(ratio - found!.exponential)).toBeLessThan(3 * standardError + 0.03);
    expect(ratio - found!.firstOrder).toBeGreaterThan(2 * standardError);
    await expect(ntkMomentRatio(engine, net('relu', 2, 8), [[1]], { nets: -1 })).rejects.toThrow(
      /nets must be a whole number/,
    );
  });
});

describe('one hidden layer, as wide as there are samples', () => {
  it('is exact for linear nets: an average over the scale of the kernel', async () => {
    const [n, m, d, width, noise] = [6, 3, 8, 5, 0.1];
    const x = normal(engine, randomKey(3), (n + m) * d);
    const rows = Array.from({ length: n + m }, (_, i) => [...x.slice(i * d, i * d + d)]);
    const y = rows.slice(0, n).map(([a, b]) => 2 * a! - b!);
    const linear = (units: number): NetDocument =>
      serial(dense(units, { wStd: 1, bStd: null }), dense(1, { wStd: 1, bStd: null }));
    const { nngp } = await kernel(engine, linear(width), rows, null, { get: 'nngp' });
    const block = (r0: number, r1: number, c0: number, c1: number): number[][] =>
      Array.from({ length: r1 - r0 }, (_, i) => [
        ...nngp.data.slice((r0 + i) * (n + m) + c0, (r0 + i) * (n + m) + c1),
      ]);
    const got = await proportionalPosterior(engine, {
      ...{ nngp: block(0, n, 0, n), nngpTestTrain: block(n, n + m, 0, n), y, noise, width },
      nngpTestTest: Array.from({ length: m }, (_, i) => nngp.data[(n + i) * (n + m + 1)]!),
    });
    // Oracle: f = (|v|/sqrt N) g.x/sqrt d given |v|^2 ~ chi^2_N, by a fine sum over q with plain elimination.
    const solve = (a: number[][], b: number[]): { x: number[]; logDet: number } => {
      const rowsOf = a.map((row, i) => [...row, b[i]!]);
      let logDet = 0;
      for (let i = 0; i < n; i++) {
        logDet += Math.log(rowsOf[i]![i]!);
        for (let j = i + 1; j < n; j++) {
          const f = rowsOf[j]![i]! / rowsOf[i]![i]!;
          for (let k = i; k <= n; k++) rowsOf[j]![k]! -= f * rowsOf[i]![k]!;
        }
      }
      const out = new Array<number>(n).fill(0);
      for (let i = n - 1; i >= 0; i--) {
        let sum = rowsOf[i]![n]!;
        for (let k = i + 1; k < n; k++) sum -= rowsOf[i]![k]! * out[k]!;
        out[i] = sum / rowsOf[i]![i]!;
      }
      return { x: out, logDet };
    };
    const [train, test] = [block(0, n, 0, n), block(n, n + m, 0, n)];
    const [sums, total] = [new Float64Array(m), { w: 0, q: 0 }];
    for (let q = 0.0025; q < 30; q += 0.005) {
      const matrix = train.map((row, i) => row.map((value, j) => q * value + (i === j ? noise : 0)));
      const { x: alpha, logDet } = solve(matrix, y);
      const fit = alpha.reduce((sum, value, i) => sum + value * y[i]!, 0);
      const w = Math.exp((width / 2 - 1) * Math.log(q) - (width * q) / 2 - logDet / 2 - fit / 2);
      total.w += w;
      total.q += w * q;
      for (let t = 0; t < m; t++)
        sums[t]! += w * q * test[t]!.reduce((sum, value, i) => sum + value * alpha[i]!, 0);
    }
    expect(Math.abs(got.scale.mean - total.q / total.w)).toBeLessThan(2e-4 * got.scale.mean);
    for (let t = 0; t < m; t++) expect(Math.abs(got.mean[t]! - sums[t]! / total.w)).toBeLessThan(2e-4);
    expect(got.scale.saddle).toBeGreaterThan(1);
    for (let t = 0; t < m; t++) expect(got.variance[t]).toBeGreaterThan(got.limitVariance[t]!);
  });

  it('is the infinitely wide net where the layer is wide', async () => {
    const options = {
      nngp: [
        [1, 0.2],
        [0.2, 1],
      ],
      nngpTestTrain: [[0.5, 0.1]],
      nngpTestTest: [1],
      y: [1, -1],
      noise: 0.1,
    };
    const { mean, limitMean, scale } = await proportionalPosterior(engine, { ...options, width: 1e7 });
    expect(scale.mean).toBeCloseTo(1, 5);
    expect(scale.saddle).toBeCloseTo(1, 5);
    expect(mean[0]).toBeCloseTo(limitMean[0]!, 6);
    await expect(proportionalPosterior(engine, { ...options, width: 0.5 })).rejects.toThrow(
      /width must be a whole number >= 1/,
    );
    await expect(proportionalPosterior(engine, { ...options, y: [1], width: 9 })).rejects.toThrow(
      /expected kernels of shapes/,
    );
  });
});
