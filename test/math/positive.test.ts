import fc from 'fast-check';
import {
  cholesky,
  createEngine,
  extremeEigenvalues,
  NumericalError,
  solve,
  tensor,
  type Engine,
  type NestedArray,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyMatrixFunction, extremeEigenvaluesOf } from '#build/math/lanczos.js';
import { choleskyWithJitter } from '#build/math/positive.js';
import { families, randomSymmetric, source } from '../support/matrices.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

const thrown = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => null,
    (error: unknown) => error,
  );
const times = (a: Float64Array, x: Float64Array): Float64Array =>
  x.map((_, i) => x.reduce((sum, v, j) => sum + a[i * x.length + j]! * v, 0));

describe('cholesky and solve', () => {
  it('factor a small matrix exactly', async () => {
    const { factor, jitter, logDeterminant } = await cholesky(engine, [
      [4, 2],
      [2, 10],
    ]);
    expect([...factor.data]).toEqual([2, 0, 1, 3]);
    expect(jitter).toBe(0);
    expect(logDeterminant).toBeCloseTo(Math.log(36), 14);
    const { x } = await solve(
      engine,
      [
        [4, 2],
        [2, 10],
      ],
      [
        [2, 6],
        [10, 12],
      ],
    );
    expect([...x.data].map((v) => Math.round(v * 1e12) / 1e12)).toEqual([0, 1, 1, 1]);
    expect((await solve(engine, [[4]], [2])).x).toEqual({ data: Float64Array.of(0.5), shape: [1] });
  });

  it('keep float32', async () => {
    const a = tensor(Float32Array.of(4, 2, 2, 10), [2, 2]);
    expect((await cholesky(engine, a)).factor.data).toEqual(Float32Array.of(2, 0, 1, 3));
    expect((await solve(engine, a, tensor(Float32Array.of(2, 10), [2]))).x.data).toBeInstanceOf(Float32Array);
    expect((await solve(engine, a, [2, 10])).x.data).toBeInstanceOf(Float64Array);
  });

  it('the log determinant does not under- or overflow', async () => {
    for (const scale of [1e-300, 5e-324 * 2 ** 20, 1e300]) {
      const n = 60;
      const a = new Float64Array(n * n);
      for (let i = 0; i < n; i++) a[i * n + i] = scale * (i + 1);
      let want = 0;
      for (let i = 0; i < n; i++) want += Math.log(scale * (i + 1));
      const got = (await cholesky(engine, tensor(a, [n, n]))).logDeterminant;
      expect(Math.abs(got / want - 1)).toBeLessThan(1e-14);
    }
  });

  it('add the jitter a singular Gram matrix needs, and say how much', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 70 }),
        fc.constantFrom('gramDuplicates', 'rbf', 'rankOne', 'ones'),
        (n, name) => {
          const a = families[name]!(n);
          let mean = 0;
          for (let i = 0; i < n; i++) mean += a[i * n + i]! / n;
          const { l, jitter } = engine.heap.scope((scope) => {
            const ticket = scope.put(a as Float64Array<ArrayBuffer>);
            const { jitter } = choleskyWithJitter(engine, ticket, n);
            return { l: engine.heap.read(ticket), jitter };
          });
          expect(jitter).toBeLessThanOrEqual(1e-6 * mean);
          let worst = 0;
          for (let i = 0; i < n; i++)
            for (let j = 0; j <= i; j++) {
              let sum = -a[i * n + j]! - (i === j ? jitter : 0);
              for (let k = 0; k <= j; k++) sum += l[i * n + k]! * l[j * n + k]!;
              worst = Math.max(worst, Math.abs(sum));
            }
          expect(worst / mean).toBeLessThan(4 * n * 2 ** -52);
        },
      ),
      { seed: 1, numRuns: 40 },
    );
  });

  it('report what is wrong with an indefinite matrix, by both ways of finding its spectrum', async () => {
    for (const n of [2, 40, 520]) {
      const a = new Float64Array(n * n);
      for (let i = 0; i < n; i++) a[i * n + i] = i === 1 ? -3 : 2;
      const error = await thrown(cholesky(engine, tensor(a, [n, n])));
      expect(error).toBeInstanceOf(NumericalError);
      const { details, message } = error as NumericalError;
      expect(message).toContain('pivot 1 ');
      expect(details.minEigenvalue).toBeCloseTo(-3, 8);
      expect(details.condition).toBe(Infinity);
      expect(details.jitter).toBeLessThan(1e-5);
    }
    const strict = await thrown(
      cholesky(
        engine,
        [
          [1, 1],
          [1, 1],
        ],
        { maxJitter: 0 },
      ),
    );
    expect((strict as NumericalError).details.jitter).toBe(0);
  });

  it('refuse NaN in a ticket instead of looping, and bad input with its place', async () => {
    const a = Float64Array.from(randomSymmetric(5, 1));
    for (let i = 0; i < 5; i++) a[i * 5 + i] = 9;
    a[3 * 5 + 2] = NaN;
    expect(() => engine.heap.scope((scope) => choleskyWithJitter(engine, scope.put(a), 5))).toThrow('NaN');
    const cases: [NestedArray, string][] = [
      [[[1, 2]], 'square'],
      [
        [
          [1, 2],
          [0, 1],
        ],
        'symmetric',
      ],
      [[[NaN]], 'NaN'],
    ];
    for (const [bad, why] of cases) await expect(cholesky(engine, bad)).rejects.toThrow(why);
    await expect(solve(engine, [[1]], [1, 2])).rejects.toThrow('shape');
  });
});

describe('lanczos', () => {
  it('finds the ends of known spectra', async () => {
    for (const name of ['laplacian', 'rbf', 'clusters', 'oneOutlier', 'identity', 'zero', 'gramHalf']) {
      for (const n of [1, 2, 7, 60]) {
        const a = families[name]!(n);
        const { smallest, largest } = await extremeEigenvalues((x) => times(a, x), n);
        const inside = engine.heap.scope((scope) =>
          extremeEigenvaluesOf(engine, scope.put(a as Float64Array<ArrayBuffer>), n),
        );
        expect(Math.abs(largest - inside.largest)).toBeLessThan(1e-10 * (1 + Math.abs(largest)));
        // Independent oracle: power iteration on A + shift.
        let x = Float64Array.from({ length: n }, source(3));
        let value = 0;
        for (let i = 0; i < 2000; i++) {
          const y = times(a, x).map((v, k) => v + x[k]!);
          value = Math.sqrt(y.reduce((s, v) => s + v * v, 0));
          x = y.map((v) => v / value);
        }
        if (['rbf', 'oneOutlier', 'identity', 'zero', 'gramHalf'].includes(name))
          expect(largest).toBeCloseTo(value - 1, 7);
        if (name === 'laplacian') {
          expect(largest).toBeCloseTo(2 + 2 * Math.cos(Math.PI / (n + 1)), 8);
          expect(smallest).toBeLessThanOrEqual(largest);
        }
      }
    }
  });

  it('applies exp(-t A) as the power series does', () => {
    const n = 40;
    const a = families['rbf']!(n);
    const r = Float64Array.from({ length: n }, source(9));
    const t = 0.3;
    let term = r.slice();
    const want = r.slice();
    for (let k = 1; k < 80; k++) {
      term = times(a, term).map((x) => (-t / k) * x);
      for (let i = 0; i < n; i++) want[i]! += term[i]!;
    }
    const got = applyMatrixFunction(
      engine,
      (x) => times(a, x),
      r,
      (x) => Math.exp(-t * x),
    );
    for (let i = 0; i < n; i++) expect(got[i]).toBeCloseTo(want[i]!, 11);
    expect(applyMatrixFunction(engine, (x) => times(a, x), new Float64Array(n), Math.exp)).toEqual(
      new Float64Array(n),
    );
  });

  it('never returns NaN', async () => {
    await expect(extremeEigenvalues((x) => x.map(() => NaN), 5)).rejects.toThrow(NumericalError);
    await expect(extremeEigenvalues((x) => x, 0)).rejects.toThrow('n >= 1');
    const hard = families['laplacian']!(60);
    const r = Float64Array.from({ length: 60 }, source(1));
    expect(() =>
      applyMatrixFunction(engine, (x) => times(hard, x), r, Math.sqrt, { maxSteps: 6, tolerance: 1e-15 }),
    ).toThrow('not converged');
  });
});
