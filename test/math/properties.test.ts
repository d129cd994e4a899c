// Every kernel of linear algebra against loops written for the test, on random sizes, leading dimensions, transposes and
// factors. A matrix lies between guard words, and what a kernel must not read is NaN.
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
import { gemm, gemv, getDiagonal, gram, hadamard, mirror, setDiagonal, symv } from '#build/math/matmul.js';
import type { FloatType, Ticket } from '#build/wasm/engine.js';
import { source } from '../support/matrices.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

const GUARD = 12345;
const MARGIN = 9; // guard words before and after

/** A rows x cols matrix of random numbers (exact in float32), `ld` apart in memory, and what lies there before the run. */
class Matrix {
  readonly rows: number;
  readonly cols: number;
  readonly ld: number;
  readonly dense: Float64Array;
  readonly before: Float64Array<ArrayBuffer>;
  constructor(rows: number, cols: number, ld: number, seed: number) {
    [this.rows, this.cols, this.ld] = [rows, cols, ld];
    this.dense = Float64Array.from({ length: rows * cols }, source(seed)).map(Math.fround);
    this.before = new Float64Array(2 * MARGIN + Math.max(rows, 1) * ld).fill(GUARD);
    for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) this.set(i, j, this.at(i, j));
  }
  at(i: number, j: number): number {
    return this.dense[i * this.cols + j]!;
  }
  /** Changes an entry. */
  put(i: number, j: number, value: number): void {
    this.dense[i * this.cols + j] = value;
    this.set(i, j, value);
  }
  /** Changes memory only: what the kernel must not read. */
  set(i: number, j: number, value: number): void {
    this.before[MARGIN + i * this.ld + j] = value;
  }
}

type Tickets = Ticket<FloatType>[];
/** Runs `call` on the matrices in wasm memory and returns what each place holds after it. */
function run(dtype: FloatType, matrices: readonly Matrix[], call: (...tickets: Tickets) => void) {
  return engine.heap.scope((scope) => {
    const whole = matrices.map(({ before }) =>
      scope.put(dtype === 'f32' ? Float32Array.from(before) : before),
    ) as Tickets;
    const bytes = dtype === 'f32' ? 4 : 8;
    const inner = whole.map((ticket) => ({
      ...ticket,
      ptr: ticket.ptr + MARGIN * bytes,
      length: ticket.length - 2 * MARGIN,
    }));
    call(...(inner as Tickets));
    return whole.map((ticket) => engine.heap.read(ticket) as Float64Array);
  });
}
/** Entries of `matrix` for which `want` gives a number lie within `bound` of it; all other memory is as before. */
function expectMemory(
  matrix: Matrix,
  after: Float64Array,
  want: (i: number, j: number) => number | null,
  bound: number,
): void {
  for (let at = 0; at < after.length; at++) {
    const [i, j] = [Math.floor((at - MARGIN) / matrix.ld), (at - MARGIN) % matrix.ld];
    const inside = at >= MARGIN && i < matrix.rows && j < matrix.cols;
    const expected = inside ? want(i, j) : null;
    if (expected === null) {
      if (!Object.is(after[at], matrix.before[at])) throw new Error(`memory ${at} (${i}, ${j}) was written`);
    } else if (
      Number.isNaN(expected) ? !Number.isNaN(after[at]) : !(Math.abs(after[at]! - expected) <= bound)
    )
      throw new Error(`entry ${i}, ${j}: got ${after[at]}, wanted ${expected} within ${bound}`);
  }
}
const unchanged = (matrix: Matrix, after: Float64Array): void => expectMemory(matrix, after, () => null, 0);

const size = (max: number) => fc.integer({ min: 1, max });
const pad = fc.integer({ min: 0, max: 5 });
const seed = fc.integer({ min: 1, max: 1e6 });
const factor = fc.constantFrom(1, -1, 0, 0.5, -3);
const eps = { f32: 2 ** -24, f64: 2 ** -53 } as const;
/** Bound of a sum of k products of numbers below 1 and one more of size `other`, any order (Higham, 3.1), doubled. */
const sumBound = (dtype: FloatType, k: number, alpha = 1, other = 0): number =>
  2 * eps[dtype] * ((k + 2) * (Math.abs(alpha) * k + other) + 1);

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
        const after = run(dtype, [a, b, c], (x, y, z) => gemm(engine, x!, y!, z!, [m, n, k], options));
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
        const after = run(dtype, [a, x, y], (p, q, r) => gemv(engine, p!, q!, r!, [m, n], options));
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
        const done = run(dtype, [s, v, out], (p, q, r) => symv(engine, p!, q!, r!, n, s.ld));
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
        const after = run(dtype, [a, b, c], (p, q, r) => hadamard(engine, p!, q!, r!, [m, n], options));
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
          eighInPlace(
            engine,
            ...([p, q, r] as unknown as [Ticket<'f64'>, Ticket<'f64'>, Ticket<'f64'>]),
            n,
            a.ld,
          ),
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
          eighInPlace(engine, matrix, values, null, n, a.ld);
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
