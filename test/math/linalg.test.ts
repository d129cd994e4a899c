// Large products and factors that cross every block boundary; random small ones are in products.test.ts and factors.test.ts.
import { createEngine, type Engine } from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gemm, gram, mirror } from '#build/math/matmul.js';
import {
  choleskyFactor,
  choleskySolve,
  logDeterminant,
  solveTriangular,
  solveTriangularRight,
} from '#build/math/cholesky.js';

const DTYPES = ['f64', 'f32'] as const;
const GUARD = 12345; // written around every output; must survive
let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

/** Deterministic numbers in (-1, 1), rounded to float32 so that both dtypes get the same input. */
function noise(length: number, seed: number): Float64Array {
  let x = seed * 2654435761 + 1;
  return Float64Array.from({ length }, () => {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    return Math.fround(x / 2 ** 31 - 1);
  });
}
const typed = (dtype: 'f32' | 'f64', data: ArrayLike<number>) =>
  dtype === 'f32' ? Float32Array.from(data) : Float64Array.from(data);
const tolerance = (dtype: 'f32' | 'f64', k: number) => (dtype === 'f32' ? 6e-8 : 1.2e-16) * (k + 4) * 2;

// One `expect` per number would dominate the run time.
function near(got: number, want: number, bound: number): void {
  if (!(Math.abs(got - want) < bound)) throw new Error(`got ${got}, wanted ${want} within ${bound}`);
}
function same(got: number | undefined, want: number): void {
  if (got !== want) throw new Error(`got ${got}, wanted ${want}`);
}

/** A rows x cols matrix inside rows of `ld` guarded elements, and its dense content. */
function padded(rows: number, cols: number, ld: number, seed: number) {
  const dense = noise(rows * cols, seed);
  const data = new Float64Array(rows * ld + 7).fill(GUARD);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) data[i * ld + j] = dense[i * cols + j]!;
  return { dense, data };
}
describe.each(DTYPES)('products in %s', (dtype) => {
  const run = (s: {
    m: number;
    n: number;
    k: number;
    pad: number;
    transA: boolean;
    transB: boolean;
    alpha: number;
    beta: number;
  }) => {
    const { m, n, k, pad, transA, transB, alpha, beta } = s;
    const [ra, ca] = transA ? [k, m] : [m, k];
    const [rb, cb] = transB ? [n, k] : [k, n];
    const a = padded(ra, ca, ca + pad, 1);
    const b = padded(rb, cb, cb + pad, 2);
    const c = padded(m, n, n + pad, 3);
    const got = engine.heap.scope((scope) => {
      const target = scope.put(typed(dtype, c.data));
      gemm(
        engine,
        [scope.put(typed(dtype, a.data)) as never, scope.put(typed(dtype, b.data)) as never, target as never],
        [m, n, k],
        {
          transA,
          transB,
          alpha,
          beta,
          lda: ca + pad,
          ldb: cb + pad,
          ldc: n + pad,
        },
      );
      return engine.heap.read(target);
    });
    for (let i = 0; i < c.data.length; i++) {
      const row = Math.floor(i / (n + pad));
      const col = i % (n + pad);
      if (row >= m || col >= n) {
        same(got[i], GUARD);
        continue;
      }
      let sum = 0;
      for (let t = 0; t < k; t++)
        sum += a.dense[transA ? t * m + row : row * k + t]! * b.dense[transB ? col * k + t : t * n + col]!;
      const want = alpha * sum + beta * c.dense[row * n + col]!;
      near(got[i]!, want, tolerance(dtype, k));
    }
  };

  it('gemm crosses every block boundary', () => {
    const base = { pad: 1, transA: false, transB: false, alpha: 1, beta: 1 };
    run({ ...base, m: 7, n: 5, k: 1100 });
    run({ ...base, m: 253, n: 245, k: 33 });
    run({ ...base, m: 130, n: 257, k: 40, transA: true });
    run({ ...base, m: 121, n: 260, k: 515, transB: true, beta: 0 });
    run({ ...base, m: 6, n: 2060, k: 9 });
  });

  it('gram fills the rows asked for, up to the diagonal, and mirror the rest', () => {
    const check = ({
      n,
      k,
      from,
      to,
      trans,
      beta,
    }: {
      n: number;
      k: number;
      from: number;
      to: number;
      trans: boolean;
      beta: number;
    }) => {
      const begin = Math.floor(Math.min(from, to) * n);
      const end = Math.ceil(Math.max(from, to) * n);
      const x = noise(n * k, 5);
      const { got, full } = engine.heap.scope((scope) => {
        const c = scope.put(typed(dtype, new Float64Array(n * n + 5).fill(GUARD)));
        gram(engine, scope.put(typed(dtype, x)) as never, c as never, [n, k], {
          trans,
          begin,
          end,
          beta,
          alpha: -1,
        });
        const got = engine.heap.read(c);
        mirror(engine, c, n);
        return { got, full: engine.heap.read(c) };
      });
      for (let i = 0; i < n * n + 5; i++) {
        const row = Math.floor(i / n);
        const col = i % n;
        if (row < begin || row >= end || col > row) {
          same(got[i], GUARD);
          continue;
        }
        let sum = beta * GUARD;
        for (let t = 0; t < k; t++)
          sum -= trans ? x[t * n + row]! * x[t * n + col]! : x[row * k + t]! * x[col * k + t]!;
        near(got[i]!, sum, tolerance(dtype, k) * (beta ? GUARD : 1));
        same(full[col * n + row], got[i]!);
      }
    };
    check({ n: 300, k: 30, from: 0.4, to: 1, trans: false, beta: 0 });
    check({ n: 300, k: 30, from: 0, to: 1, trans: true, beta: 1 });
  });

  it('NaN reaches exactly the rows it touches; beta = 0 does not read C', () => {
    const n = 20;
    const a = noise(n * n, 1);
    a[3 * n + 4] = NaN;
    const got = engine.heap.scope((scope) => {
      const c = scope.put(typed(dtype, new Float64Array(n * n).fill(NaN)));
      gemm(
        engine,
        [scope.put(typed(dtype, a)) as never, scope.put(typed(dtype, noise(n * n, 2))) as never, c as never],
        [n, n, n],
      );
      return engine.heap.read(c);
    });
    for (let i = 0; i < n * n; i++) expect(Number.isNaN(got[i])).toBe(Math.floor(i / n) === 3);
  });
});

/** A well-conditioned positive definite matrix. */
function positive(n: number, seed: number): Float64Array {
  const x = noise(n * n, seed);
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let sum = i === j ? 1 : 0;
      for (let t = 0; t < n; t++) sum += (x[i * n + t]! * x[j * n + t]!) / n;
      a[i * n + j] = sum;
    }
  }
  return a;
}
/** The textbook factorisation. */
function scalarCholesky(a: Float64Array, n: number): Float64Array {
  const l = a.slice();
  for (let j = 0; j < n; j++) {
    for (let t = 0; t < j; t++) for (let i = j; i < n; i++) l[i * n + j]! -= l[i * n + t]! * l[j * n + t]!;
    const d = Math.sqrt(l[j * n + j]!);
    for (let i = j; i < n; i++) l[i * n + j]! /= d;
  }
  return l;
}

describe.each(DTYPES)('cholesky in %s', (dtype) => {
  const eps = dtype === 'f32' ? 1e-5 : 2e-14;
  it.each([1, 2, 5, 47, 48, 49, 96, 97, 150, 200])('n = %i: factor, determinant, solves', (n) => {
    const a = positive(n, n);
    const want = scalarCholesky(a, n);
    const data = typed(dtype, a);
    for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) data[i * n + j] = GUARD; // neither read nor written
    for (const r of [1, 3, 16, 17, 40]) {
      const b = noise(n * r, r);
      const out = engine.heap.scope((scope) => {
        const l = scope.put(data) as never;
        expect(choleskyFactor(engine, l, n)).toBe(-1);
        const det = logDeterminant(engine, l, n);
        const lower = scope.put(typed(dtype, b));
        solveTriangular(engine, l, lower as never, [n, r]);
        const upper = scope.put(typed(dtype, b));
        solveTriangular(engine, l, upper as never, [n, r], { trans: true });
        const both = scope.put(typed(dtype, b));
        choleskySolve(engine, l, both as never, [n, r]);
        const right = scope.put(typed(dtype, b));
        solveTriangularRight(engine, l, right as never, [r, n]);
        const read = (t: unknown) => engine.heap.read(t as never) as Float64Array;
        return {
          det,
          l: read(l),
          lower: read(lower),
          upper: read(upper),
          both: read(both),
          right: read(right),
        };
      });
      let det = 0;
      for (let i = 0; i < n; i++) {
        det += 2 * Math.log(want[i * n + i]!);
        for (let j = 0; j < n; j++) {
          if (j > i) same(out.l[i * n + j], GUARD);
          else near(out.l[i * n + j]!, want[i * n + j]!, eps);
        }
      }
      near(out.det, det, eps * n);
      // Residuals of the four systems, with the matrix applied by loops.
      for (let i = 0; i < n; i++) {
        for (let c = 0; c < r; c++) {
          let [lower, upper, both, right] = [0, 0, 0, 0];
          for (let t = 0; t < n; t++) {
            if (t <= i) lower += want[i * n + t]! * out.lower[t * r + c]!;
            if (t >= i) upper += want[t * n + i]! * out.upper[t * r + c]!;
            both += a[i * n + t]! * out.both[t * r + c]!;
            if (t <= i) right += want[i * n + t]! * out.right[c * n + t]!;
          }
          const rhs = b[i * r + c]!;
          near(lower, rhs, eps * 10);
          near(upper, rhs, eps * 10);
          near(both, rhs, eps * 10);
          near(right, b[c * n + i]!, eps * 10);
        }
      }
    }
  });

  it('names the pivot that fails, for negative, NaN and infinite ones', () => {
    for (const n of [3, 60, 130]) {
      for (const bad of [-1, NaN, Infinity]) {
        for (const at of [0, n >> 1, n - 1]) {
          const a = typed(dtype, positive(n, 1));
          a[at * n + at] = bad;
          const got = engine.heap.scope((scope) => choleskyFactor(engine, scope.put(a) as never, n));
          expect(got).toBe(at);
        }
      }
    }
  });
});
