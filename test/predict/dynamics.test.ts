// Closed-form dynamics against the loops they stand for, and at the edges.
import {
  createEngine,
  gpInference,
  gradientDescentMse,
  gradientDescentMseEnsemble,
  gradientFlow,
  maxLearningRate,
  NumericalError,
  tensor,
  type Engine,
  type Tensor,
} from 'infinite-width';
import { spectralFactors } from '#build/predict/spectral.js';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kernels, maxGap, random, scaled, times } from './support.js';

let engine: Engine;
beforeAll(async () => void (engine = await createEngine({ variant: 'simd' })));
afterAll(() => engine.dispose());

const [n, m, o] = [7, 3, 2];
const { dd, td } = kernels(n, m, 5);
const y = random([n, o], 6);
const f0Train = random([n, o], 7);
const f0Test = random([m, o], 8);

/** Gradient descent on |f - y|^2 / (2N) with a constant kernel, step by step. */
function descend(steps: number, rate: number, momentum: number): { train: Float64Array; test: Float64Array } {
  const train = f0Train.data.slice();
  const test = f0Test.data.slice();
  let [v, w] = [new Float64Array(n * o), new Float64Array(m * o)];
  for (let k = 0; k < steps; k++) {
    const g = train.map((value, i) => (value - y.data[i]!) / (n * o));
    const [push, pull] = [times(dd.data, g, n, o, n), times(td.data, g, m, o, n)];
    v = v.map((value, i) => momentum * value + push[i]!);
    w = w.map((value, i) => momentum * value + pull[i]!);
    for (let i = 0; i < train.length; i++) train[i]! -= rate * v[i]!;
    for (let i = 0; i < test.length; i++) test[i]! -= rate * w[i]!;
  }
  return { train, test };
}

describe('discrete gradient descent', () => {
  for (const momentum of [null, 0.3, 0.9]) {
    it(`is the loop, momentum ${momentum}`, async () => {
      const rate = 0.9 * (await maxLearningRate(engine, dd, { targets: n * o, momentum: momentum ?? 0 }));
      const predictor = gradientDescentMse(engine, {
        ntk: dd,
        y,
        learningRate: rate,
        mode: 'discrete',
        momentum,
      });
      for (const t of [0, 1, 2, 7, 100]) {
        const want = descend(t, rate, momentum ?? 0);
        const got = await predictor(t, { f0Train, f0Test, ntkTestTrain: td });
        expect(maxGap(got.train!.data, want.train)).toBeLessThan(1e-11);
        expect(maxGap(got.test!.data, want.test)).toBeLessThan(1e-10);
      }
    });
  }

  it('converges below the largest learning rate and diverges above it', async () => {
    const bound = await maxLearningRate(engine, dd, { targets: n * o });
    const at = (factor: number) =>
      gradientDescentMse(engine, { ntk: dd, y, learningRate: factor * bound, mode: 'discrete' });
    const [first, last] = (await at(0.99).loss([0, 4000])).data;
    expect(last! / first!).toBeLessThan(1e-10);
    const [before, after] = (await at(1.01).loss([0, 4000])).data;
    expect(after! / before!).toBeGreaterThan(1e10);
    await expect(at(1.5)(1e9)).rejects.toThrow(NumericalError);
    await expect(at(1.5)(Infinity)).rejects.toThrow('maxLearningRate');
    await expect(at(0.5)(1.5)).rejects.toThrow('whole steps');
  });

  it('approaches the flow for small rates', async () => {
    const flow = await gradientDescentMse(engine, { ntk: dd, y, learningRate: 0.01 })(300, {
      ntkTestTrain: td,
    });
    const gaps = await Promise.all(
      [0.01, 0.001].map(async (learningRate) => {
        const predictor = gradientDescentMse(engine, { ntk: dd, y, learningRate, mode: 'discrete' });
        const got = await predictor(3 / learningRate, { ntkTestTrain: td });
        return maxGap(got.test!.data, flow.test!.data);
      }),
    );
    expect(gaps[0]! / gaps[1]!).toBeCloseTo(10, 0);
  });
});

describe('momentum flow in closed form', () => {
  it('is the integrated ODE: over-damped, critical, under-damped, tiny and null modes', async () => {
    for (const momentum of [0, 0.5, 0.97]) {
      for (const [t, learningRate] of [
        [0.3, 0.01],
        [9, 0.5],
        [60, 0.5],
      ] as const) {
        const closed = await gradientDescentMse(engine, { ntk: dd, y, learningRate, momentum })(t, {
          f0Train,
          f0Test,
          ntkTestTrain: td,
        });
        const flow = gradientFlow(engine, {
          ntk: dd,
          y,
          loss: 'mse',
          learningRate,
          momentum,
          rtol: 1e-11,
          atol: 1e-11,
        });
        const ode = await flow(t, { f0Train, f0Test, ntkTestTrain: td });
        expect(maxGap(closed.train!.data, ode.train.data)).toBeLessThan(1e-8);
        expect(maxGap(closed.test!.data, ode.test!.data)).toBeLessThan(1e-8);
      }
    }
  });

  it('loses no digits of the integral factor near lambda = 0', () => {
    const dynamics = { mode: 'flow', learningRate: 1, momentum: 0.9 } as const;
    const at = (x: number, t: number) => spectralFactors(Float64Array.of(x), 0, dynamics, 1, t).g[0]!;
    for (const t of [0.1, 3, 8, 20, 1000]) {
      const [zero, tiny] = [at(0, t), at(1e-12, t)];
      // int_0^t (1 - e^(-c s)) / c ds, c = 0.1, as its own power series or closed form
      const c = 0.1;
      let want = 0;
      for (let k = 2, term = (t * t) / 2; k < 400; k++, term *= (-c * t) / k) want += term;
      if (t > 100) want = t / c - (1 - Math.exp(-c * t)) / (c * c);
      expect(Math.abs(zero / want - 1)).toBeLessThan(1e-12);
      expect(Math.abs(tiny / zero - 1)).toBeLessThan(1e-8);
    }
  });
});

describe('spectral factors', () => {
  it('g * x = 1 - residual for every dynamics', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1e-12, max: 1.99, noNaN: true }),
        fc.integer({ min: 0, max: 500 }),
        fc.constantFrom('flow' as const, 'discrete' as const),
        fc.constantFrom(null, 0, 0.5, 0.9),
        (x, t, mode, momentum) => {
          const { g, residual } = spectralFactors(
            Float64Array.of(x),
            0,
            { mode, learningRate: 1, momentum },
            1,
            t,
          );
          expect(Math.abs(g[0]! * x - (1 - residual[0]!))).toBeLessThan(1e-11);
          expect(Math.abs(residual[0]!)).toBeLessThanOrEqual(1 + 1e-9);
        },
      ),
      { seed: 1, numRuns: 400 },
    );
  });

  it('treats null and negative modes as never learning at infinity', () => {
    const flow = { mode: 'flow', learningRate: 1, momentum: null } as const;
    const { g, residual } = spectralFactors(Float64Array.of(-1e-18, 0, 2), 1e-15, flow, 4, Infinity);
    expect([...g]).toEqual([0, 0, 0.5]);
    expect([...residual]).toEqual([1, 1, 0]);
    const finite = spectralFactors(Float64Array.of(-1e-18, 0), 1e-15, flow, 4, 10);
    expect([...finite.g]).toEqual([2.5, 2.5]);
  });
});

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
    await expect(none(Infinity, { ntkTestTrain: td })).rejects.toThrow(NumericalError);
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

  it('interpolates duplicates with reported jitter, and drops null modes on the eigen path', async () => {
    const low = kernels(n, m, 9, 3); // rank 3
    const target = tensor(times(low.dd.data, random([n, o], 2).data, n, o, n), [n, o]); // in the range
    const predictor = gradientDescentMse(engine, { ntk: low.dd, y: target });
    const limit = await predictor(null, { ntkTestTrain: low.td });
    expect(limit.diagnostics.jitter).toBeGreaterThan(0);
    const modes = await predictor([1, Infinity], { ntkTestTrain: low.td });
    expect(modes.diagnostics.droppedModes).toBe(n - 3);
    expect(maxGap(modes.train!.data.slice(n * o), target.data)).toBeLessThan(1e-11);
    expect(maxGap(modes.test!.data.slice(m * o), limit.test!.data)).toBeLessThan(1e-5);
  });

  it('refuses what has no answer', async () => {
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

/** K^-1 f by the limit of training from 0. */
async function minimumNorm(ntk: Tensor, f: Float64Array): Promise<Float64Array> {
  const { data } = await gradientDescentMse(engine, { ntk, y: tensor(f, [n]) }).coefficients(Infinity);
  return data as Float64Array;
}

describe('gradientFlow', () => {
  const labels = tensor(
    Float64Array.from({ length: n * o }, (_, i) => +(i % o === Math.floor(i / o) % o)),
    [n, o],
  );

  it('is many small steps of gradient descent', async () => {
    const flow = gradientFlow(engine, { ntk: dd, y: labels, loss: 'huber' });
    const { train } = await flow(5, { f0Train: scaled(f0Train, 3) });
    const f = scaled(f0Train, 3).data;
    const steps = 20000;
    for (let k = 0; k < steps; k++) {
      const g = f.map((value, i) => Math.max(-1, Math.min(1, value - labels.data[i]!)) / (n * o));
      const push = times(dd.data, g, n, o, n);
      for (let i = 0; i < f.length; i++) f[i]! -= (5 / steps) * push[i]!;
    }
    expect(maxGap(train.data, f)).toBeLessThan(2e-4);
  });

  for (const momentum of [null, 0.6]) {
    for (const loss of ['crossEntropy', 'logistic', 'mse'] as const) {
      it(`resumes: ${loss}, momentum ${momentum}`, async () => {
        const flow = gradientFlow(engine, { ntk: dd, y: labels, loss, momentum, learningRate: 0.4 });
        const call = { f0Train, f0Test, ntkTestTrain: td };
        const whole = await flow([4, 10], call);
        const { state } = await flow(4, call);
        const rest = await flow(6, { state, ntkTestTrain: td });
        expect(maxGap(rest.train.data, whole.train.data.slice(n * o))).toBeLessThan(1e-8);
        expect(maxGap(rest.test!.data, whole.test!.data.slice(m * o))).toBeLessThan(1e-8);
      });
    }
  }

  it('gives the coefficients from which any point follows', async () => {
    for (const loss of ['crossEntropy', 'mse'] as const) {
      const flow = gradientFlow(engine, { ntk: dd, y: labels, loss });
      const { test, coefficients } = await flow([1, 8], { f0Train, f0Test, ntkTestTrain: td });
      for (const k of [0, 1]) {
        const dual = coefficients!.data.slice(k * n * o, (k + 1) * n * o);
        const want = times(td.data, dual, m, o, n).map((value, i) => f0Test.data[i]! + value);
        expect(maxGap(test!.data.slice(k * m * o, (k + 1) * m * o), want)).toBeLessThan(1e-10);
      }
    }
    const heavy = await gradientFlow(engine, { ntk: dd, y: labels, loss: 'logistic', momentum: 0.5 })(1);
    expect(heavy.coefficients).toBeUndefined();
  });

  it('takes a loss of your own', async () => {
    const gradient = (f: Float64Array, target: Float64Array, out: Float64Array): void => {
      for (let i = 0; i < f.length; i++) out[i] = (f[i]! - target[i]!) / (n * o);
    };
    const own = await gradientFlow(engine, { ntk: dd, y, loss: { gradient } })([2, 20], { f0Train });
    const built = await gradientFlow(engine, { ntk: dd, y, loss: 'mse' })([2, 20], { f0Train });
    expect(built.report.method).toBe('closed form');
    expect(maxGap(own.train.data, built.train.data)).toBeLessThan(1e-8);
  });

  it('handles stiff kernels: eigenvalues over six decades, checked against the closed form', async () => {
    const stiff = tensor(
      Float64Array.from({ length: 9 }, (_, i) => (i % 4 === 0 ? [3e6, 1, 3][i / 4]! : 0)),
      [3, 3],
    );
    const gradient = (f: Float64Array, target: Float64Array, out: Float64Array): void => {
      for (let i = 0; i < f.length; i++) out[i] = (f[i]! - target[i]!) / 3;
    };
    const target = random([3, 1], 4);
    const flow = gradientFlow(engine, {
      ntk: stiff,
      y: target,
      loss: { gradient, curvature: 1 / 3 },
      rtol: 1e-7,
      atol: 1e-7,
    });
    const got = await flow([0.5, 3, 8], { ntkTestTrain: stiff });
    expect(got.report.method).toContain('chebyshev');
    expect((got.report as { evaluations: number }).evaluations).toBeLessThan(400_000);
    const exact = await gradientDescentMse(engine, { ntk: stiff, y: target })([0.5, 3, 8]);
    expect(maxGap(got.train.data, exact.train!.data)).toBeLessThan(1e-5);
    expect(maxGap(got.test!.data, exact.train!.data)).toBeLessThan(1e-5);
  });

  it('says what to do when steps run out, and refuses nonsense', async () => {
    const flow = gradientFlow(engine, { ntk: dd, y: labels, loss: 'crossEntropy', maxSteps: 5 });
    await expect(flow(1e6)).rejects.toThrow(/steps reached only t = .* Raise maxSteps/);
    const make = (options: object) => () =>
      gradientFlow(engine, { ntk: dd, y: labels, loss: 'crossEntropy', ...options } as never);
    expect(make({ loss: 'hinge' })).toThrow('loss must be');
    expect(make({ momentum: 1 })).toThrow('momentum');
    expect(make({ loss: 'logistic', y: scaled(labels, 5) })).toThrow('logistic targets');
    expect(make({ loss: 'crossEntropy', y: scaled(labels, -1) })).toThrow('>= 0');
    const fine = make({})();
    await expect(fine([2, 1])).rejects.toThrow('increase');
    await expect(fine(Infinity)).rejects.toThrow('finite times');
    await expect(fine(1, { f0Test })).rejects.toThrow('ntkTestTrain');
  });
});
