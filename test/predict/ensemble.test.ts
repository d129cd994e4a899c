// The law of trained ensembles: mean and covariance at any time.
import {
  createEngine,
  gpInference,
  gradientDescentMse,
  gradientDescentMseEnsemble,
  tensor,
  type Engine,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kernels, maxGap, times, smallProblem } from './support.js';

let engine: Engine;
beforeAll(async () => void (engine = await createEngine({ variant: 'simd' })));
afterAll(() => engine.dispose());

const { n, m, o, dd, td, y } = smallProblem();

describe('gradientDescentMseEnsemble', () => {
  const nngp = kernels(n, m, 21);
  const all = { nngpTestTrain: nngp.td, ntkTestTrain: td, nngpTestTest: nngp.tt };

  it('has the law of nets that start as draws of the NNGP: mean 0, covariance K at t = 0', async () => {
    for (const method of ['ntk', 'nngp'] as const) {
      const law = gradientDescentMseEnsemble(engine, { nngp: nngp.dd, ntk: dd, y, method });
      const test = await law(0, { ...all, covariance: 'full' });
      expect(maxGap(test.mean.data, new Float64Array(m * o))).toBeLessThan(1e-14);
      expect(maxGap(test.covariance!.data, nngp.tt.data)).toBeLessThan(1e-12);
      const train = await law(0, { covariance: 'full' });
      expect(maxGap(train.covariance!.data, nngp.dd.data)).toBeLessThan(1e-12);
    }
  });

  it('is Gaussian inference at infinity, by both paths', async () => {
    for (const method of ['ntk', 'nngp'] as const) {
      const law = gradientDescentMseEnsemble(engine, { nngp: nngp.dd, ntk: dd, y, method, diagReg: 0.01 });
      const gp = await gpInference(engine, { nngp: nngp.dd, ntk: dd, y, method, diagReg: 0.01 })(all);
      for (const t of [Infinity, [7, Infinity]] as const) {
        const got = await law(t as number, { ...all, covariance: 'full' });
        expect(maxGap(got.mean.data.slice(-m * o), gp.mean.data)).toBeLessThan(1e-11);
        expect(maxGap(got.covariance!.data.slice(-m * m), gp.covariance!.data)).toBeLessThan(1e-11);
      }
    }
  });

  it('is the covariance of linearised trajectories', async () => {
    // f_t = B y + f0_test - B f0_train is linear in (f0_train, f0_test) ~ N(0, K): push K through the map.
    const learningRate = 0.8;
    const t = 11;
    const law = gradientDescentMseEnsemble(engine, {
      nngp: nngp.dd,
      ntk: dd,
      y,
      learningRate,
      mode: 'discrete',
    });
    const { covariance } = await law(t, { ...all, covariance: 'full' });
    const predictor = gradientDescentMse(engine, {
      ntk: dd,
      y: tensor(new Float64Array(n * o), [n, o]),
      learningRate,
      mode: 'discrete',
    });
    const columns: Float64Array[] = [];
    for (let j = 0; j < n; j++) {
      const unit = new Float64Array(n * o);
      unit[j * o] = 1;
      const { test } = await predictor(t, { f0Train: tensor(unit, [n, o]), ntkTestTrain: td });
      columns.push(Float64Array.from({ length: m }, (_, i) => test!.data[i * o]!));
    }
    const b = Float64Array.from({ length: m * n }, (_, i) => columns[i % n]![Math.floor(i / n)]!);
    const bk = times(b, nngp.dd.data, m, n, n);
    for (let i = 0; i < m; i++)
      for (let j = 0; j < m; j++) {
        let want = nngp.tt.data[i * m + j]!;
        for (let k = 0; k < n; k++)
          want +=
            bk[i * n + k]! * b[j * n + k]! +
            b[i * n + k]! * nngp.td.data[j * n + k]! +
            b[j * n + k]! * nngp.td.data[i * n + k]!;
        expect(covariance!.data[i * m + j]).toBeCloseTo(want, 11);
      }
  });

  it('gives symmetric covariances, the diagonal alone, and the train set as its own test set', async () => {
    for (const method of ['ntk', 'nngp'] as const) {
      const law = gradientDescentMseEnsemble(engine, { nngp: nngp.dd, ntk: dd, y, method });
      const full = await law([0.5, 4, 50], { ...all, covariance: 'full' });
      const diagonal = await law([0.5, 4, 50], { ...all, covariance: 'diagonal' });
      expect(diagonal.variance!.shape).toEqual([3, m]);
      for (let k = 0; k < 3; k++)
        for (let i = 0; i < m; i++) {
          expect(diagonal.variance!.data[k * m + i]).toBeCloseTo(
            full.covariance!.data[k * m * m + i * m + i]!,
            12,
          );
          expect(diagonal.variance!.data[k * m + i]).toBeGreaterThanOrEqual(0);
          for (let j = 0; j < i; j++)
            expect(full.covariance!.data[k * m * m + i * m + j]).toBe(
              full.covariance!.data[k * m * m + j * m + i],
            );
        }
      const own = await law([3], {
        nngpTestTrain: nngp.dd,
        ntkTestTrain: dd,
        nngpTestTest: nngp.dd,
        covariance: 'full',
      });
      const train = await law([3], { covariance: 'full' });
      expect(maxGap(own.mean.data, train.mean.data)).toBeLessThan(1e-12);
      expect(maxGap(own.covariance!.data, train.covariance!.data)).toBeLessThan(1e-11);
      const thin = await law([3], { covariance: 'diagonal' });
      for (let i = 0; i < n; i++)
        expect(thin.variance!.data[i]).toBeCloseTo(train.covariance!.data[i * n + i]!, 12);
    }
  });

  it('says what is missing', async () => {
    const law = gradientDescentMseEnsemble(engine, { ntk: dd, y });
    await expect(
      law(1, { ntkTestTrain: td, nngpTestTest: nngp.tt, nngpTestTrain: nngp.td, covariance: 'full' }),
    ).rejects.toThrow('nngp');
    await expect(gpInference(engine, { ntk: dd, y, method: 'ntk' })({ ...all })).rejects.toThrow('nngp');
    expect(() => gpInference(engine, { ntk: dd, y })).toThrow('nngp');
    expect(() => gpInference(engine, { ntk: dd, y, method: 'both' as never })).toThrow('method');
  });
});
