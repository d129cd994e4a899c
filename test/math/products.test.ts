// Every product kernel against loops written for the test, on random sizes, leading dimensions, transposes and factors.
// A matrix lies between guard words, and what a kernel must not read is NaN.
import fc from 'fast-check';
import { createEngine, type Engine } from 'infinite-width';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { gemm, gemv, getDiagonal, gram, hadamard, mirror, setDiagonal, symv } from '#build/math/matmul.js';
import type { FloatType } from '#build/wasm/engine.js';
import {
  eps,
  expectMemory,
  factor,
  Matrix,
  pad,
  runOn,
  seed,
  size,
  sumBound,
  type Tickets,
  unchanged,
} from '../support/strided.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());
const run = (dtype: FloatType, matrices: readonly Matrix[], call: (...tickets: Tickets) => void) =>
  runOn(engine, dtype, matrices, call);

describe.each(['f64', 'f32'] as const)('products in %s', (dtype) => {
  it('gemm', () => {
    const shape = fc.record({
      ...{ m: size(90), n: size(90), k: fc.integer({ min: 0, max: 90 }) },
      ...{ pa: pad, pb: pad, pc: pad, ta: fc.boolean(), tb: fc.boolean(), alpha: factor, beta: factor, seed },
    });
    fc.assert(
      fc.property(shape, ({ m, n, k, pa, pb, pc, ta, tb, alpha, beta, seed }) => {
        const a = ta ? new Matrix(k, m, m + pa, seed) : new Matrix(m, k, k + pa, seed);
        const b = tb ? new Matrix(n, k, k + pb, seed + 1) : new Matrix(k, n, n + pb, seed + 1);
        const c = new Matrix(m, n, n + pc, seed + 2);
        const unread = (x: Matrix): void => {
          for (let i = 0; i < x.rows; i++) for (let j = 0; j < x.cols; j++) x.set(i, j, NaN);
        };
        if (beta === 0) unread(c);
        if (alpha === 0) [a, b].forEach(unread);
        const options = { transA: ta, transB: tb, alpha, beta, lda: a.ld, ldb: b.ld, ldc: c.ld };
        const after = run(dtype, [a, b, c], (x, y, z) => gemm(engine, [x!, y!, z!], [m, n, k], options));
        unchanged(a, after[0]!);
        unchanged(b, after[1]!);
        const want = (i: number, j: number): number => {
          let sum = 0;
          for (let t = 0; t < k; t++) sum += (ta ? a.at(t, i) : a.at(i, t)) * (tb ? b.at(j, t) : b.at(t, j));
          return alpha * sum + beta * c.at(i, j);
        };
        expectMemory(c, after[2]!, want, sumBound(dtype, k, alpha, Math.abs(beta)));
      }),
      { seed: 11, numRuns: 120 },
    );
  });

  it('gram and mirror', () => {
    const shape = fc.record({
      ...{ n: size(90), k: fc.integer({ min: 0, max: 90 }), cut: fc.tuple(size(90), size(90)) },
      ...{ px: pad, pc: pad, trans: fc.boolean(), alpha: factor, beta: factor, seed },
    });
    fc.assert(
      fc.property(shape, ({ n, k, cut, px, pc, trans, alpha, beta, seed }) => {
        const [begin, end] = cut.map((x) => (x - 1) % (n + 1)).sort((p, q) => p - q) as [number, number];
        const x = trans ? new Matrix(k, n, n + px, seed) : new Matrix(n, k, k + px, seed);
        const c = new Matrix(n, n, n + pc, seed + 1);
        const written = (i: number, j: number): boolean => i >= begin && i < end && j <= i;
        for (let i = 0; i < n; i++)
          for (let j = 0; j < n; j++) if (beta === 0 || !written(i, j)) c.set(i, j, NaN);
        const options = { trans, alpha, beta, begin, end, ldx: x.ld, ldc: c.ld };
        const after = run(dtype, [x, c], (p, q) => gram(engine, p!, q!, [n, k], options));
        unchanged(x, after[0]!);
        const want = (i: number, j: number): number | null => {
          if (!written(i, j)) return null;
          let sum = 0;
          for (let t = 0; t < k; t++) sum += trans ? x.at(t, i) * x.at(t, j) : x.at(i, t) * x.at(j, t);
          return alpha * sum + beta * c.at(i, j);
        };
        expectMemory(c, after[1]!, want, sumBound(dtype, k, alpha, Math.abs(beta)));
        for (const from of ['lower', 'upper'] as const) {
          const s = new Matrix(n, n, n + pc, seed + 2);
          const keeps = (i: number, j: number): boolean => (from === 'lower' ? j <= i : j >= i);
          const [whole] = run(dtype, [s], (p) => mirror(engine, p!, n, { ldc: s.ld, from }));
          expectMemory(s, whole!, (i, j) => (keeps(i, j) ? null : s.at(j, i)), 0);
        }
      }),
      { seed: 12, numRuns: 80 },
    );
  });

  it('gemv and symv', () => {
    const shape = fc.record({
      ...{ m: size(120), n: size(120), pa: pad, trans: fc.boolean(), alpha: factor, beta: factor, seed },
    });
    fc.assert(
      fc.property(shape, ({ m, n, pa, trans, alpha, beta, seed }) => {
        const a = new Matrix(m, n, n + pa, seed);
        const [long, short] = trans ? [m, n] : [n, m];
        const [x, y] = [new Matrix(1, long, long, seed + 1), new Matrix(1, short, short, seed + 2)];
        if (beta === 0) for (let j = 0; j < short; j++) y.set(0, j, NaN);
        const options = { trans, alpha, beta, lda: a.ld };
        const after = run(dtype, [a, x, y], (p, q, r) =>
          gemv(engine, p!, q!, r!, { sizes: [m, n], options }),
        );
        unchanged(a, after[0]!);
        unchanged(x, after[1]!);
        const want = (i: number): number => {
          let sum = 0;
          for (let t = 0; t < long; t++) sum += (trans ? a.at(t, i) : a.at(i, t)) * x.at(0, t);
          return alpha * sum + beta * y.at(0, i);
        };
        expectMemory(y, after[2]!, (_, j) => want(j), sumBound(dtype, long, alpha, Math.abs(beta)));

        const s = new Matrix(n, n, n + pa, seed + 3);
        for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) s.set(i, j, NaN);
        const [v, out] = [new Matrix(1, n, n, seed + 4), new Matrix(1, n, n, seed + 5)];
        const done = run(dtype, [s, v, out], (p, q, r) => symv(engine, p!, q!, r!, { n, lda: s.ld }));
        unchanged(s, done[0]!);
        unchanged(v, done[1]!);
        const product = (i: number): number => {
          let sum = 0;
          for (let t = 0; t < n; t++) sum += s.at(Math.max(i, t), Math.min(i, t)) * v.at(0, t);
          return sum;
        };
        expectMemory(out, done[2]!, (_, j) => product(j), sumBound(dtype, n));
      }),
      { seed: 13, numRuns: 80 },
    );
  });

  it('hadamard and diagonals', () => {
    const shape = fc.record({ m: size(40), n: size(40), pa: pad, pb: pad, pc: pad, alpha: factor, seed });
    fc.assert(
      fc.property(shape, ({ m, n, pa, pb, pc, alpha, seed }) => {
        const a = new Matrix(m, n, n + pa, seed);
        const b = new Matrix(m, n, n + pb, seed + 1);
        const c = new Matrix(m, n, n + pc, seed + 2);
        const options = { alpha, shift: 0.25, lda: a.ld, ldb: b.ld, ldc: c.ld };
        const after = run(dtype, [a, b, c], (p, q, r) =>
          hadamard(engine, p!, q!, r!, { sizes: [m, n], options }),
        );
        unchanged(a, after[0]!);
        unchanged(b, after[1]!);
        const want = (i: number, j: number): number => c.at(i, j) + a.at(i, j) * (alpha * b.at(i, j) + 0.25);
        expectMemory(c, after[2]!, want, 16 * eps[dtype]);

        const [s, d] = [new Matrix(n, n, n + pa, seed + 3), new Matrix(1, n, n, seed + 4)];
        const got = run(dtype, [s, d], (p, q) => getDiagonal(engine, p!, q!, n, s.ld));
        unchanged(s, got[0]!);
        expectMemory(d, got[1]!, (_, j) => s.at(j, j), 0);
        const set = run(dtype, [s, d], (p, q) => setDiagonal(engine, p!, q!, n, { shift: 2, lda: s.ld }));
        unchanged(d, set[1]!);
        expectMemory(s, set[0]!, (i, j) => (i === j ? d.at(0, i) + 2 : null), 4 * eps[dtype]);
      }),
      { seed: 14, numRuns: 60 },
    );
  });
});
