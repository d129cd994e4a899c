// Solvers for train sets whose kernel does not fit in one piece, against the one that holds it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createEngine,
  dense,
  gpInference,
  gradientDescentMse,
  kernel,
  NumericalError,
  predict,
  relu,
  serial,
  tensor,
  type Engine,
  type LargeProgress,
  type Tensor,
} from 'infinite-width';
import { maxGap, random, times } from './support.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

const net = serial(dense(512, { wStd: 1.4, bStd: 0.3 }), relu(), dense(512, { wStd: 1.4 }), relu(), dense(1));
const [n, m] = [528, 5]; // two rows of tiles
const xTrain = random([n, 5], 1);
const xTest = random([m, 5], 2);
const yTrain = tensor(
  Float64Array.from({ length: 2 * n }, (_, i) => xTrain.data[5 * (i >> 1) + (i % 2)]! ** 2),
  [n, 2],
);
const problem = { xTrain, yTrain, xTest, diagReg: 1e-3 };
const methods = ['nngp', 'ntk', 'ntkgp'] as const;

const rowsOf = ({ data, shape }: Tensor, count: number): Tensor<Float64Array> => ({
  data: Float64Array.from(data.subarray(0, count * shape[1]!)),
  shape: [count, shape[1]!],
});
const largest = ({ data }: Tensor): number => {
  let most = 0;
  for (const value of data) most = Math.max(most, Math.abs(value));
  return most;
};

describe('predict with solvers that do not hold the kernel', () => {
  for (const method of methods) {
    for (const [solver, options, gap] of [
      ['tiled', {}, 1e-11],
      ['cg', { rank: 150, tolerance: 1e-10 }, 1e-8],
      ['nystrom', { rank: n }, 1e-8], // all samples: exact but for rounding
    ] as const) {
      it(`${solver} is exact, ${method}`, async () => {
        const all = { ...problem, method };
        const exact = await predict(engine, net, { ...all, covariance: 'full', solver: 'exact' });
        const full = await predict(engine, net, { ...all, ...options, covariance: 'full', solver });
        expect(full.mean.shape).toEqual([m, 2]);
        expect(maxGap(full.mean.data, exact.mean.data)).toBeLessThan(gap * largest(exact.mean));
        expect(full.covariance!.shape).toEqual([m, m]);
        const prior = largest(exact.covariance!);
        expect(maxGap(full.covariance!.data, exact.covariance!.data)).toBeLessThan(100 * gap * prior);
        const thin = await predict(engine, net, { ...all, ...options, covariance: 'diagonal', solver });
        const diagonal = Float64Array.from({ length: m }, (_, i) => full.covariance!.data[i * (m + 1)]!);
        expect(maxGap(thin.variance!.data, diagonal)).toBeLessThan(100 * gap * prior);
        expect(full.diagnostics.method).toBe(solver);
        expect(full.diagnostics.added).toBeCloseTo(exact.diagnostics.added, 12);
        expect(full.diagnostics.bytes).toBeGreaterThan(0);
      });
    }
  }

  it('says how well conjugate gradients solved, and keeps the bound', async () => {
    const exact = await predict(engine, net, { ...problem, solver: 'exact' });
    const { nngp, ntk } = await kernel(engine, net, xTest, null);
    for (const tolerance of [1e-2, 1e-4]) {
      const { mean, diagnostics } = await predict(engine, net, {
        ...problem,
        solver: 'cg',
        rank: 20,
        tolerance,
      });
      expect(diagnostics.residual).toBeLessThanOrEqual(tolerance);
      expect(diagnostics.iterations).toBeGreaterThan(1);
      expect(diagnostics.traceResidual).toBeGreaterThan(0);
      for (let i = 0; i < m; i++) {
        const deviation = Math.sqrt(ntk.data[i * (m + 1)]!);
        for (const c of [0, 1])
          expect(Math.abs(mean.data[2 * i + c]! - exact.mean.data[2 * i + c]!)).toBeLessThanOrEqual(
            diagnostics.errorBound! * deviation,
          );
      }
    }
    expect(nngp.data.every((value) => value > 0)).toBe(true);
  });

  it('needs fewer iterations with a larger preconditioner', async () => {
    const iterations: number[] = [];
    for (const rank of [1, 40, 250])
      iterations.push(
        (await predict(engine, net, { ...problem, solver: 'cg', rank })).diagnostics.iterations!,
      );
    expect(iterations[1]!).toBeLessThan(0.7 * iterations[0]!);
    expect(iterations[2]!).toBeLessThan(0.7 * iterations[1]!);
  });

  it('approximates better with more samples, and its residual estimate is the true residual', async () => {
    const exact = await predict(engine, net, { ...problem, solver: 'exact', covariance: 'diagonal' });
    const gaps: number[] = [];
    for (const rank of [20, 80, 320]) {
      const found = await predict(engine, net, {
        ...problem,
        solver: 'nystrom',
        rank,
        covariance: 'diagonal',
      });
      gaps.push(maxGap(found.mean.data, exact.mean.data));
      expect(found.diagnostics.rank).toBe(rank);
      expect(found.diagnostics.residualError!).toBeLessThan(found.diagnostics.residual!);
      // The approximate kernel explains less, so it is never surer than the exact posterior of the same kernel.
      const posterior = { ...problem, method: 'ntkgp' as const, covariance: 'diagonal' as const };
      const [low, thin] = [
        await predict(engine, net, { ...posterior, solver: 'exact' }),
        await predict(engine, net, { ...posterior, solver: 'nystrom', rank }),
      ];
      thin.variance!.data.forEach((value, i) =>
        expect(value).toBeGreaterThan(low.variance!.data[i]! * (1 - 1e-9)),
      );
    }
    expect(gaps[1]!).toBeLessThan(gaps[0]!);
    expect(gaps[2]!).toBeLessThan(gaps[0]! / 2);
    // Fewer rows than probes: the estimate is |F c - K w| / |y| itself, w = (y - F c) / rho.
    const few = { xTrain: rowsOf(xTrain, 200), yTrain: rowsOf(yTrain, 200), diagReg: 1e-2 };
    const { mean, diagnostics } = await predict(engine, net, {
      ...few,
      xTest: few.xTrain,
      solver: 'nystrom',
      rank: 40,
    });
    const dual = mean.data.map((value, i) => (few.yTrain.data[i]! - value) / diagnostics.added);
    const image = times((await kernel(engine, net, few.xTrain, null)).ntk.data, dual, 200, 2, 200);
    const norm = (v: ArrayLike<number>): number => Math.hypot(...Array.from(v));
    const gap = norm(mean.data.map((value, i) => value - image[i]!)) / norm(few.yTrain.data);
    expect(diagnostics.residual! / gap).toBeCloseTo(1, 6);
    // It bounds what the approximation does to the predictions of the train set.
    const whole = await predict(engine, net, { ...few, xTest: few.xTrain, solver: 'exact' });
    const change = norm(mean.data.map((value, i) => value - whole.mean.data[i]!)) / norm(few.yTrain.data);
    expect(change).toBeLessThan(diagnostics.residual!);
    expect(change).toBeGreaterThan(0);
  });

  it('does not depend on workers, to the bit', async () => {
    const parallel = await createEngine({ variant: 'simd', workers: 2 });
    for (const solver of ['tiled', 'cg', 'nystrom'] as const) {
      const options = { ...problem, solver, covariance: 'diagonal' as const, rank: 40 };
      const [a, b] = [await predict(engine, net, options), await predict(parallel, net, options)];
      expect(a.mean.data).toEqual(b.mean.data);
      expect(a.variance!.data).toEqual(b.variance!.data);
    }
    parallel.dispose();
  });

  it('chooses by bytes, reports progress, and stops when asked', async () => {
    const small = await createEngine({ variant: 'simd', memoryBytes: 2 ** 20 }); // 48 n^2 = 13 MB, 4 n^2 = 1.1 MB
    const seen: LargeProgress[] = [];
    const { diagnostics } = await predict(small, net, { ...problem, onProgress: (p) => void seen.push(p) });
    expect(diagnostics.method).toBe('tiled');
    expect(seen[0]!.bytes).toBe(diagnostics.bytes);
    expect(new Set(seen.map(({ stage }) => stage))).toEqual(
      new Set(['kernel', 'factor', 'solve', 'predict']),
    );
    small.dispose();
    const tiny = await createEngine({ variant: 'simd', memoryBytes: 2 ** 16 });
    const steps: LargeProgress[] = [];
    const found = await predict(tiny, net, { ...problem, onProgress: (p) => void steps.push(p) });
    expect(found.diagnostics.method).toBe('cg');
    const residuals = steps.flatMap(({ residual }) => residual ?? []);
    expect(residuals).toHaveLength(found.diagnostics.iterations!);
    expect(residuals.at(-1)!).toBeLessThan(1e-8);
    tiny.dispose();
    for (const solver of ['tiled', 'cg', 'nystrom'] as const) {
      const stop = new AbortController();
      const onProgress = (): void => stop.abort(new Error('enough'));
      await expect(
        predict(engine, net, { ...problem, solver, onProgress, signal: stop.signal }),
      ).rejects.toThrow('enough');
    }
  });

  it('survives duplicates and scales from 1e-300 to 1e300', async () => {
    const twice = tensor(
      Float64Array.of(...xTrain.data.subarray(0, 500), ...xTrain.data.subarray(0, 500)),
      [200, 5],
    );
    const y = tensor(
      yTrain.data.slice(0, 200).map((_, i) => twice.data[5 * i]!),
      [200],
    );
    const { mean, diagnostics } = await predict(engine, net, {
      xTrain: twice,
      yTrain: y,
      xTest: twice,
      solver: 'tiled',
    });
    expect(maxGap(mean.data, y.data)).toBeLessThan(1e-4);
    expect(diagnostics.jitter).toBeGreaterThan(0);
    const base = await predict(engine, net, { ...problem, solver: 'exact' });
    const lone = serial(dense(512, { wStd: 1.4 }), relu(), dense(1));
    const reference = await predict(engine, lone, { ...problem, solver: 'exact' });
    for (const factor of [1e-150, 1e150]) {
      const scale = (x: Tensor): Tensor => ({ data: x.data.map((value) => value * factor), shape: x.shape });
      const all = { ...problem, xTrain: scale(xTrain), xTest: scale(xTest) };
      for (const solver of ['exact', 'tiled', 'cg', 'nystrom'] as const) {
        const found = await predict(engine, lone, { ...all, solver, rank: solver === 'cg' ? 60 : n });
        expect(maxGap(found.mean.data, reference.mean.data)).toBeLessThan(1e-6 * largest(base.mean));
      }
    }
  });

  it('does not change with the scale of the targets, from 1e-300 to 1e300', async () => {
    for (const solver of ['exact', 'tiled', 'cg', 'nystrom', 'features'] as const) {
      const options = { ...problem, solver, rank: 60, seed: 1 };
      const base = await predict(engine, net, options);
      for (const factor of [2 ** -990, 2 ** 990]) {
        const y = { data: yTrain.data.map((value) => value * factor), shape: yTrain.shape };
        const { mean, diagnostics } = await predict(engine, net, { ...options, yTrain: y });
        expect(
          maxGap(
            mean.data.map((value) => value / factor),
            base.mean.data,
          ),
        ).toBeLessThan(1e-9 * largest(base.mean));
        if (solver === 'cg')
          expect(diagnostics.errorBound! / factor / base.diagnostics.errorBound!).toBeCloseTo(1, 6);
        if (diagnostics.residual !== undefined) expect(diagnostics.residual).toBeLessThan(Infinity);
      }
    }
  });

  it('says what it cannot do', async () => {
    const refuse = (options: object, message: RegExp) =>
      expect(predict(engine, net, { ...problem, ...options } as never)).rejects.toThrow(message);
    const zero = { data: new Float64Array(5 * n), shape: [n, 5] };
    const lone = serial(dense(512), relu(), dense(1));
    for (const solver of ['exact', 'tiled', 'cg', 'nystrom', 'features'] as const)
      await expect(predict(engine, lone, { ...problem, xTrain: zero, solver })).rejects.toThrow(
        /the train kernel is zero.*diagRegScale: 'absolute'/,
      );
    await refuse({ solver: 'magic' }, /solver must be/);
    await refuse({ solver: 'cg', time: 5 }, /knows t = Infinity only, got 5.*'exact'/);
    await refuse({ solver: 'tiled', mode: 'discrete' }, /mode 'flow'/);
    await refuse({ solver: 'cg', rank: 0 }, /rank must be/);
    await refuse({ solver: 'cg', tolerance: 2 }, /tolerance must be/);
    await refuse({ solver: 'nystrom', xTest: undefined }, /pass xTest/);
    await refuse({ solver: 'nystrom', xTest: random([2, 4], 1) }, /samples of shape \[5\]/);
    await refuse({ solver: 'cg', diagReg: 0, rank: 200, tolerance: 1e-15 }, /conjugate gradients reached/);
    await refuse(
      {
        solver: 'tiled',
        xTrain: xTrain.data.map(() => NaN) && { data: xTrain.data.map(() => NaN), shape: [n, 5] },
      },
      /NaN/,
    );
  });
});

describe('kernels given in one piece, beyond the memory budget', () => {
  it('are factorised by tiles: gpInference and gradientDescentMse', async () => {
    const small = await createEngine({ variant: 'simd', memoryBytes: 2 ** 20 });
    const [dd, td, tt] = [
      await kernel(engine, net, xTrain, null),
      await kernel(engine, net, xTest, xTrain),
      await kernel(engine, net, xTest, null),
    ];
    for (const method of methods) {
      const options = { ...dd, y: yTrain, method, diagReg: 1e-3 };
      const call = {
        nngpTestTrain: td.nngp,
        ntkTestTrain: td.ntk,
        nngpTestTest: tt.nngp,
        ntkTestTest: tt.ntk,
      };
      for (const covariance of ['full', 'diagonal'] as const) {
        const [a, b] = [
          await gpInference(engine, options)({ ...call, covariance }),
          await gpInference(small, options)({ ...call, covariance }),
        ];
        expect([a.diagnostics.method, b.diagnostics.method]).toEqual(['cholesky', 'tiled']);
        expect(maxGap(a.mean.data, b.mean.data)).toBeLessThan(1e-11);
        const [p, q] = covariance === 'full' ? [a.covariance!, b.covariance!] : [a.variance!, b.variance!];
        expect(maxGap(p.data, q.data)).toBeLessThan(1e-10);
      }
    }
    const limit = async (e: Engine) =>
      gradientDescentMse(e, { ntk: dd.ntk, y: yTrain, diagReg: 1e-3 })(Infinity, { ntkTestTrain: td.ntk });
    const [a, b] = [await limit(engine), await limit(small)];
    expect(b.diagnostics.method).toBe('tiled');
    expect(b.diagnostics.condition).toBeGreaterThan(1);
    expect(maxGap(a.test!.data, b.test!.data)).toBeLessThan(1e-11);
    const bad = { data: dd.ntk.data.map((value, i) => (i % (n + 1) === 0 ? value : -value)), shape: [n, n] };
    const refusal = gradientDescentMse(small, { ntk: bad, y: yTrain })(Infinity, { ntkTestTrain: td.ntk });
    await expect(refusal).rejects.toThrow(/not positive definite: eigenvalues from -.*Raise diagReg/);
    await expect(refusal).rejects.toThrow(NumericalError);
    small.dispose();
  });
});
