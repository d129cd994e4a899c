// Factors, solves and spectra against the algorithms of textbooks, on random sizes and leading dimensions. A matrix lies
// between guard words, and what a kernel must not read is NaN.
import fc from 'fast-check';
import { createEngine, type Engine } from 'infinite-width';
import { afterAll, beforeAll, describe, it } from 'vitest';
import {
  choleskyFactor,
  choleskySolve,
  logDeterminant,
  solveTriangular,
  solveTriangularRight,
} from '#build/math/cholesky.js';
import { eighInPlace } from '#build/math/eigh.js';
import { applyMatrixFunction, extremeEigenvaluesOf } from '#build/math/lanczos.js';
import type { FloatType, Ticket } from '#build/wasm/engine.js';
import { source } from '../support/matrices.js';
import {
  eps,
  expectMemory,
  MARGIN,
  Matrix,
  pad,
  runOn,
  seed,
  size,
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

/** n I plus random numbers below 1: eigenvalues from about 0.4 n to 1.6 n. What lies above the diagonal is NaN. */
function positive(n: number, ld: number, seed: number): Matrix {
  const a = new Matrix(n, n, ld, seed);
  for (let i = 0; i < n; i++) {
    a.put(i, i, n + 1);
    for (let j = 0; j < i; j++) a.put(j, i, a.at(i, j));
    for (let j = i + 1; j < n; j++) a.set(i, j, NaN);
  }
  return a;
}
/** A lower triangular matrix whose diagonal outweighs its rows and columns, NaN above. */
function triangle(n: number, ld: number, seed: number): Matrix {
  const l = new Matrix(n, n, ld, seed);
  for (let i = 0; i < n; i++) {
    l.put(i, i, Math.fround(2 + i / n));
    for (let j = 0; j < i; j++) l.put(i, j, Math.fround(l.at(i, j) / n));
    for (let j = i + 1; j < n; j++) {
      l.put(i, j, 0);
      l.set(i, j, NaN);
    }
  }
  return l;
}

describe.each(['f64', 'f32'] as const)('factors and solves in %s', (dtype) => {
  const shape = fc.record({ n: size(130), r: size(40), pa: pad, pb: pad, seed });

  it('cholesky, log-determinant, solve', () => {
    fc.assert(
      fc.property(shape, ({ n, r, pa, pb, seed }) => {
        const a = positive(n, n + pa, seed);
        const b = new Matrix(n, r, r + pb, seed + 1);
        let log = 0;
        const after = run(dtype, [a, b], (p, q) => {
          const failed = choleskyFactor(engine, p!, n, a.ld);
          if (failed !== -1) throw new Error(`pivot ${failed}`);
          log = logDeterminant(engine, p!, n, a.ld);
          choleskySolve(engine, p!, q!, [n, r], { ldl: a.ld, ldb: b.ld });
        });
        // The column-by-column algorithm of the textbooks, in float64.
        const l = a.dense.slice();
        for (let j = 0; j < n; j++) {
          for (let t = 0; t < j; t++)
            for (let i = j; i < n; i++) l[i * n + j]! -= l[i * n + t]! * l[j * n + t]!;
          const root = Math.sqrt(l[j * n + j]!);
          for (let i = j; i < n; i++) l[i * n + j]! /= root;
        }
        const bound = 8 * (n + 4) * eps[dtype]; // n eps, times the size of an entry over a pivot and a small constant
        expectMemory(a, after[0]!, (i, j) => (j <= i ? l[i * n + j]! : null), bound * Math.sqrt(n));
        let want = 0;
        for (let i = 0; i < n; i++) want += 2 * Math.log(l[i * n + i]!);
        if (!(Math.abs(log - want) <= bound * n)) throw new Error(`log det ${log}, wanted ${want}`);
        const x = b.dense.slice();
        for (let c = 0; c < r; c++) {
          for (let i = 0; i < n; i++) {
            for (let t = 0; t < i; t++) x[i * r + c]! -= l[i * n + t]! * x[t * r + c]!;
            x[i * r + c]! /= l[i * n + i]!;
          }
          for (let i = n - 1; i >= 0; i--) {
            for (let t = i + 1; t < n; t++) x[i * r + c]! -= l[t * n + i]! * x[t * r + c]!;
            x[i * r + c]! /= l[i * n + i]!;
          }
        }
        expectMemory(b, after[1]!, (i, j) => x[i * r + j]!, bound);
      }),
      { seed: 15, numRuns: 40 },
    );
  });

  it('triangular solves from both sides, NaN staying in its column or row', () => {
    fc.assert(
      fc.property(shape, fc.boolean(), ({ n, r, pa, pb, seed }, spoil) => {
        const l = triangle(n, n + pa, seed);
        const bad = seed % r;
        const bound = 16 * (n + 4) * eps[dtype];
        for (const trans of [false, true]) {
          const b = new Matrix(n, r, r + pb, seed + 1);
          if (spoil) b.put(trans ? n - 1 : 0, bad, NaN);
          const options = { trans, ldl: l.ld, ldb: b.ld };
          const after = run(dtype, [l, b], (p, q) => solveTriangular(engine, p!, q!, [n, r], options));
          unchanged(l, after[0]!);
          const x = b.dense.slice();
          for (let c = 0; c < r; c++)
            for (let turn = 0; turn < n; turn++) {
              const i = trans ? n - 1 - turn : turn;
              for (let t = trans ? i + 1 : 0; t < (trans ? n : i); t++)
                x[i * r + c]! -= (trans ? l.at(t, i) : l.at(i, t)) * x[t * r + c]!;
              x[i * r + c]! /= l.at(i, i);
            }
          expectMemory(b, after[1]!, (i, j) => x[i * r + j]!, bound);
        }
        const b = new Matrix(r, n, n + pb, seed + 2);
        if (spoil) b.put(bad, 0, NaN);
        const options = { ldl: l.ld, ldb: b.ld };
        const after = run(dtype, [l, b], (p, q) => solveTriangularRight(engine, p!, q!, [r, n], options));
        unchanged(l, after[0]!);
        const x = b.dense.slice();
        for (let c = 0; c < r; c++)
          for (let i = 0; i < n; i++) {
            for (let t = 0; t < i; t++) x[c * n + i]! -= l.at(i, t) * x[c * n + t]!;
            x[c * n + i]! /= l.at(i, i);
          }
        expectMemory(b, after[1]!, (i, j) => x[i * n + j]!, bound);
      }),
      { seed: 16, numRuns: 40 },
    );
  });
});

describe('spectra', () => {
  const shape = fc.record({ n: size(80), pa: pad, seed });

  it('eigh with a leading dimension: A V = V L, V orthogonal, nothing else written', () => {
    fc.assert(
      fc.property(shape, ({ n, pa, seed }) => {
        const a = new Matrix(n, n, n + pa, seed);
        for (let i = 0; i < n; i++)
          for (let j = i + 1; j < n; j++) {
            a.put(i, j, a.at(j, i));
            a.set(i, j, NaN); // only the lower triangle is read
          }
        const [w, v] = [new Matrix(1, n, n, 1), new Matrix(n, n, n, 2)];
        const after = run('f64', [a, w, v], (p, q, r) =>
          eighInPlace(engine, ...([p, q, r] as unknown as [Ticket<'f64'>, Ticket<'f64'>, Ticket<'f64'>]), {
            n,
            lda: a.ld,
          }),
        );
        unchanged(a, after[0]!);
        const [values, vectors] = [after[1]!.subarray(MARGIN), after[2]!.subarray(MARGIN)];
        const bound = 20 * n * n * eps.f64;
        // Row j of V times A is w_j times row j: every entry of both is one the kernel wrote.
        expectMemory(w, after[1]!, (_, j) => values[j]!, 0);
        expectMemory(v, after[2]!, (i, j) => vectors[i * n + j]!, 0);
        for (let p = 0; p < n; p++) {
          for (let i = 0; i < n; i++) {
            let [image, product] = [0, 0];
            for (let t = 0; t < n; t++) {
              image += a.at(i, t) * vectors[p * n + t]!;
              product += vectors[p * n + t]! * vectors[i * n + t]!;
            }
            if (!(Math.abs(image - values[p]! * vectors[p * n + i]!) < bound)) throw new Error(`pair ${p}`);
            if (!(Math.abs(product - (i === p ? 1 : 0)) < bound)) throw new Error(`vectors ${p}, ${i}`);
          }
        }
      }),
      { seed: 17, numRuns: 40 },
    );
  });

  it('lanczos: ends of the spectrum and a polynomial of the matrix, against eigenvalues and loops', () => {
    fc.assert(
      fc.property(shape, ({ n, pa, seed }) => {
        const a = new Matrix(n, n, n + pa, seed);
        for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) a.put(i, j, a.at(j, i));
        for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) a.set(i, j, NaN);
        let ends = { smallest: NaN, largest: NaN };
        const w = new Matrix(1, n, n, 1);
        const after = run('f64', [a, w], (p, q) => {
          const [matrix, values] = [p, q] as unknown as [Ticket<'f64'>, Ticket<'f64'>];
          ends = extremeEigenvaluesOf(engine, matrix, n, { lda: a.ld, tolerance: 1e-14 });
          eighInPlace(engine, matrix, values, null, { n, lda: a.ld });
        });
        unchanged(a, after[0]!);
        const values = after[1]!.subarray(MARGIN, MARGIN + n);
        const norm = Math.max(Math.abs(values[0]!), Math.abs(values[n - 1]!));
        if (!(Math.abs(ends.largest - values[n - 1]!) < 1e-9 * norm)) throw new Error(`${ends.largest}`);
        if (!(ends.smallest > values[0]! - 1e-12 * norm)) throw new Error('an inner bound lies outside');
        const times = (x: Float64Array): Float64Array<ArrayBuffer> =>
          Float64Array.from(x, (_, i) => x.reduce((sum, t, j) => sum + a.at(i, j) * t, 0));
        const r = Float64Array.from({ length: n }, source(seed + 7));
        const want = times(times(r)).map((x, i) => x - 2 * r[i]!); // (A^2 - 2) r
        const got = applyMatrixFunction(engine, times, r, (x) => x * x - 2);
        const scale = Math.sqrt(want.reduce((sum, x) => sum + x * x, 0));
        for (let i = 0; i < n; i++)
          if (!(Math.abs(got[i]! - want[i]!) < 1e-9 * (scale + norm * norm))) throw new Error(`entry ${i}`);
      }),
      { seed: 18, numRuns: 40 },
    );
  });
});
