// Closed-form training on the mean squared error: its ends, curves, parameters, scales and refusals.
import {
  createEngine,
  gradientDescentMse,
  maxLearningRate,
  NumericalError,
  tensor,
  type Engine,
  type Tensor,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kernels, maxGap, random, scaled, times, smallProblem } from './support.js';

let engine: Engine;
beforeAll(async () => void (engine = await createEngine({ variant: 'simd' })));
afterAll(() => engine.dispose());

const { n, m, o, dd, td, y, f0Train, f0Test } = smallProblem();

/** K^-1 f by the limit of training from 0. */
async function minimumNorm(ntk: Tensor, f: Float64Array): Promise<Float64Array> {
  const { data } = await gradientDescentMse(engine, { ntk, y: tensor(f, [n]) }).coefficients(Infinity);
  return data as Float64Array;
}

describe('gradientDescentMse', () => {
  it('starts at f0 to the bit, ends at y, and infinity agrees on both paths', async () => {
    const predictor = gradientDescentMse(engine, { ntk: dd, y });
    const call = { f0Train, f0Test, ntkTestTrain: td };
    const both = await predictor([0, Infinity], call);
    expect([...both.train!.data.subarray(0, n * o)]).toEqual([...f0Train.data]);
    expect([...both.test!.data.subarray(0, m * o)]).toEqual([...f0Test.data]);
    const limit = await predictor(null, call);
    expect([...limit.train!.data]).toEqual([...y.data]);
    expect(maxGap(both.train!.data.subarray(n * o), y.data)).toBeLessThan(1e-12);
    expect(maxGap(both.test!.data.subarray(m * o), limit.test!.data)).toBeLessThan(1e-11);
    const late = await predictor(1e9, call);
    expect(maxGap(late.test!.data, limit.test!.data)).toBeLessThan(1e-9);
  });

  it('gives the shape of the times', async () => {
    const predictor = gradientDescentMse(engine, { ntk: dd, y });
    const list = [0, 1, 2, 3, 4, 5];
    const cube = await predictor(tensor(Float64Array.from(list), [2, 1, 3]), { ntkTestTrain: td });
    expect(cube.train!.shape).toEqual([2, 1, 3, n, o]);
    for (const [i, t] of list.entries()) {
      const one = await predictor(t, { ntkTestTrain: td });
      expect(one.test!.shape).toEqual([m, o]);
      expect(maxGap(one.test!.data, cube.test!.data.subarray(i * m * o, (i + 1) * m * o))).toBeLessThan(
        1e-13,
      );
    }
  });

  it('predicts the loss curve, the displacement and the coefficients', async () => {
    const predictor = gradientDescentMse(engine, { ntk: dd, y, learningRate: 0.7 });
    const ts = [0, 3, 40, Infinity];
    const { train, test } = await predictor(ts, { f0Train, f0Test, ntkTestTrain: td });
    const loss = await predictor.loss(ts, f0Train);
    const moved = await predictor.displacement(ts, f0Train);
    const c = await predictor.coefficients(ts, f0Train);
    for (const [k] of ts.entries()) {
      let sum = 0;
      for (let i = 0; i < n * o; i++) sum += (train!.data[k * n * o + i]! - y.data[i]!) ** 2;
      expect(Math.abs(loss.data[k]! - sum / (2 * n * o))).toBeLessThan(1e-13);
      const ck = c.data.subarray(k * n * o, (k + 1) * n * o);
      const kc = times(dd.data, ck, n, o, n);
      let square = 0;
      for (let i = 0; i < n * o; i++) square += ck[i]! * kc[i]!;
      expect(moved.data[k]! ** 2).toBeCloseTo(square, 10);
      const want = times(td.data, ck, m, o, n).map((value, i) => value + f0Test.data[i]!);
      expect(maxGap(want, test!.data.subarray(k * m * o, (k + 1) * m * o))).toBeLessThan(1e-11);
    }
  });

  it('is the path of the parameters of a linear model, which ends at the nearest interpolant', async () => {
    const width = 3 * n;
    const phi = random([n, width], 31).data;
    const [theta0, target] = [random([width], 32).data, random([n], 33)];
    const ntk = tensor(
      Float64Array.from({ length: n * n }, (_, i) => {
        let sum = 0;
        for (let k = 0; k < width; k++)
          sum += phi[Math.floor(i / n) * width + k]! * phi[(i % n) * width + k]!;
        return sum;
      }),
      [n, n],
    );
    const start = times(phi, theta0, n, 1, width);
    const theta = theta0.slice();
    const learningRate = 0.7 * (await maxLearningRate(engine, ntk, { targets: n }));
    for (let step = 0; step < 25; step++) {
      const residual = times(phi, theta, n, 1, width).map((value, i) => value - target.data[i]!);
      for (let k = 0; k < width; k++)
        for (let i = 0; i < n; i++) theta[k]! -= (learningRate / n) * phi[i * width + k]! * residual[i]!;
    }
    const predictor = gradientDescentMse(engine, { ntk, y: target, mode: 'discrete', learningRate });
    const [f0, moved] = [tensor(start, [n]), theta.map((value, k) => value - theta0[k]!)];
    const pulled = times((await predictor.coefficients(25, f0)).data, phi, 1, width, n); // c' J
    expect(maxGap(pulled, moved)).toBeLessThan(1e-10);
    expect((await predictor.displacement(25, f0)).data[0]).toBeCloseTo(Math.hypot(...moved), 10);
    const end = times((await predictor.coefficients(Infinity, f0)).data, phi, 1, width, n);
    const reached = times(
      phi,
      end.map((value, k) => value + theta0[k]!),
      n,
      1,
      width,
    );
    expect(maxGap(reached, target.data)).toBeLessThan(1e-10);
    // Any other interpolant differs by a null vector of J, to which J'c is orthogonal: c'J is the shortest way there.
    const other = random([width], 34).data;
    const inside = times(await minimumNorm(ntk, times(phi, other, n, 1, width)), phi, 1, width, n);
    const nothing = other.map((value, k) => value - inside[k]!);
    expect(Math.abs(nothing.reduce((sum, value, k) => sum + value * end[k]!, 0))).toBeLessThan(1e-9);
  });

  it('answers or refuses at the ends: no kernel at all, and times from 1e-300 to 1e300', async () => {
    const none = gradientDescentMse(engine, { ntk: scaled(dd, 0), y });
    const { train, test } = await none([0, 1, 1e300], { f0Train, f0Test, ntkTestTrain: scaled(td, 0) });
    for (const k of [0, 1, 2]) {
      expect(maxGap(train!.data.slice(k * n * o, (k + 1) * n * o), f0Train.data)).toBeLessThan(1e-14);
      expect(maxGap(test!.data.slice(k * m * o, (k + 1) * m * o), f0Test.data)).toBe(0);
    }
    const limit = await none(Infinity, { f0Train, f0Test, ntkTestTrain: scaled(td, 0) });
    expect(maxGap(limit.train!.data, f0Train.data)).toBeLessThan(1e-14); // as at all times before
    expect(maxGap(limit.test!.data, f0Test.data)).toBe(0);
    for (const mode of ['flow', 'discrete'] as const)
      for (const momentum of [null, 0, 0.9]) {
        const predictor = gradientDescentMse(engine, { ntk: dd, y, mode, momentum, learningRate: 1e-3 });
        const times_ = mode === 'flow' ? [1e-300, 1e-9, 1e300, Infinity] : [0, 1, 2 ** 52, Infinity];
        const found = await predictor(times_, { f0Train, f0Test, ntkTestTrain: td });
        for (const value of [...found.train!.data, ...found.test!.data])
          expect(Number.isFinite(value)).toBe(true);
        const late = found.test!.data.slice(2 * m * o, 3 * m * o);
        expect(maxGap(late, found.test!.data.slice(3 * m * o))).toBeLessThan(1e-8);
      }
  });

  it('does not change with the scale of the kernel, from 1e-300 to 1e300', async () => {
    const want = await gradientDescentMse(engine, { ntk: dd, y, diagReg: 1e-3 })(null, { ntkTestTrain: td });
    for (const factor of [1e-300, 1e-150, 1e150, 1e300]) {
      const ntk = scaled(dd, factor);
      const call = { ntkTestTrain: scaled(td, factor) };
      const predictor = gradientDescentMse(engine, { ntk, y, diagReg: 1e-3 });
      const limit = await predictor(null, call);
      expect(maxGap(limit.test!.data, want.test!.data)).toBeLessThan(1e-9);
      const times3 = await predictor([0, 1 / factor, Infinity], call);
      for (const value of [...times3.train!.data, ...times3.test!.data])
        expect(Number.isFinite(value)).toBe(true);
      expect(maxGap(times3.test!.data.subarray(2 * m * o), want.test!.data)).toBeLessThan(1e-9);
    }
  });

  it('reports what regularisation did', async () => {
    const mean = [...Array(n).keys()].reduce((sum, i) => sum + dd.data[i * n + i]! / n, 0);
    const relative = await gradientDescentMse(engine, { ntk: dd, y, diagReg: 0.1 })(null, {
      ntkTestTrain: td,
    });
    expect(relative.diagnostics).toMatchObject({
      diagReg: 0.1,
      diagRegScale: 'relative',
      jitter: 0,
      method: 'cholesky',
    });
    expect(relative.diagnostics.added).toBeCloseTo(0.1 * mean, 12);
    const absolute = await gradientDescentMse(engine, {
      ntk: dd,
      y,
      diagReg: 0.1 * mean,
      diagRegScale: 'absolute',
    })(null, { ntkTestTrain: td });
    expect(maxGap(absolute.test!.data, relative.test!.data)).toBeLessThan(1e-13);
    expect(absolute.diagnostics.added).toBeCloseTo(0.1 * mean, 12);
  });

  it('drops the null modes of a singular kernel and says so, at infinity alone and among other times', async () => {
    const low = kernels(n, m, 9, 3); // rank 3
    const target = tensor(times(low.dd.data, random([n, o], 2).data, n, o, n), [n, o]); // in the range
    const predictor = gradientDescentMse(engine, { ntk: low.dd, y: target });
    const limit = await predictor(null, { ntkTestTrain: low.td });
    expect(limit.diagnostics).toMatchObject({ jitter: 0, method: 'eigen', droppedModes: n - 3 });
    const modes = await predictor([1, Infinity], { ntkTestTrain: low.td });
    expect(modes.diagnostics.droppedModes).toBe(n - 3);
    expect(maxGap(modes.train!.data.slice(n * o), target.data)).toBeLessThan(1e-11);
    expect(maxGap(modes.test!.data.slice(m * o), limit.test!.data)).toBeLessThan(1e-11);
  });

  it('refuses what has no answer', async () => {
    const top = gradientDescentMse(engine, {
      ntk: dd,
      y: tensor(new Float64Array(n * o).fill(1.7e308), [n, o]),
    });
    await expect(top(1e300, { ntkTestTrain: scaled(td, 1e3) })).rejects.toThrow(
      /too large for float64\. Scale/,
    );
    const bad = tensor(Float64Array.of(1, 2, 2, 1), [2, 2]);
    const two = tensor(Float64Array.of(1, 2), [2, 1]);
    const error: NumericalError = await gradientDescentMse(engine, { ntk: bad, y: two })(null, {
      ntkTestTrain: bad,
    }).catch((reason) => reason);
    expect(error).toBeInstanceOf(NumericalError);
    expect(error.details.minEigenvalue).toBeCloseTo(-1, 12);
    expect(error.message).toContain('diagReg');
    const make = (options: object) => () => gradientDescentMse(engine, { ntk: dd, y, ...options } as never);
    expect(make({ ntk: td })).toThrow('needs a kernel of shape');
    expect(make({ diagReg: -1 })).toThrow('diagReg');
    expect(make({ learningRate: 0 })).toThrow('learningRate');
    expect(make({ momentum: 1 })).toThrow('momentum');
    expect(make({ traceAxes: [0] })).toThrow('samples axis');
    expect(make({ traceAxes: [2] })).toThrow('traceAxes');
    expect(make({ ntk: random([n, n], 1) })).toThrow(/symmetric|diagonal/);
    expect(make({ y: scaled(y, NaN) })).toThrow('NaN');
    const predictor = gradientDescentMse(engine, { ntk: dd, y });
    await expect(predictor(-1)).rejects.toThrow('>= 0');
    await expect(predictor(1, { f0Test })).rejects.toThrow('ntkTestTrain');
    await expect(predictor(1, { f0Train: null })).rejects.toThrow('nothing to compute');
    await expect(predictor(1, { f0Train: random([2, 2], 1) })).rejects.toThrow('expected shape');
  });

  it('takes any traced axes of targets with many axes', async () => {
    const shape = [3, 2, 2];
    const targets = random(shape, 3);
    // Theta = A (x) I on the last axis, A over (samples, middle axis).
    const big = kernels(6, 4, 12);
    const zip = (k: Float64Array, rows: number): Float64Array =>
      Float64Array.from({ length: rows * 3 * 4 }, (_, i) => {
        const [a, b, c, d] = [Math.floor(i / 12), Math.floor(i / 4) % 3, Math.floor(i / 2) % 2, i % 2];
        return k[(a * 2 + c) * 6 + (b * 2 + d)]!;
      });
    const traced = await gradientDescentMse(engine, {
      ntk: tensor(zip(big.dd.data, 3), [3, 3, 2, 2]),
      y: targets,
    })([0.5, 9], { ntkTestTrain: tensor(zip(big.td.data, 2), [2, 3, 2, 2]) });
    const flat = await gradientDescentMse(engine, { ntk: big.dd, y: tensor(targets.data, [6, 2]) })(
      [0.5, 9],
      {
        ntkTestTrain: big.td,
      },
    );
    expect(traced.test!.shape).toEqual([2, 2, 2, 2]);
    expect(maxGap(traced.train!.data, flat.train!.data)).toBeLessThan(1e-13);
    expect(maxGap(traced.test!.data, flat.test!.data)).toBeLessThan(1e-13);
  });
});
