// Linear algebra has equal bits in Node and in Chromium (variant simd), for sizes that leave an edge in every direction,
// and NaN follows the rules of BLAS: what is not read cannot spoil, what is read comes out as NaN or as an error.
import { createEngine, NumericalError, tiledCholesky, tiledGram, type Engine } from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { choleskyFactor, choleskySolve, solveTriangularRight } from '#build/math/cholesky.js';
import { eighInPlace } from '#build/math/eigh.js';
import { applyMatrixFunction, extremeEigenvaluesOf } from '#build/math/lanczos.js';
import { gemm, gram, mirror, symv } from '#build/math/matmul.js';
import { tiledAddDiagonal } from '#build/math/tiled.js';
import type { FloatType, Ticket } from '#build/wasm/engine.js';
import { source } from '../support/matrices.js';
import { fnv1a } from '../support/hash.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

/** Numbers in (-1, 1) that float32 holds too. */
const noise = (length: number, seed: number): Float64Array<ArrayBuffer> =>
  Float64Array.from({ length }, source(seed)).map(Math.fround);

/** Hashes of one product of each kind, one Gram matrix, its factor and a solve. */
function hashes(dtype: 'f64' | 'f32'): Record<string, string> {
  return engine.heap.scope((scope) => {
    const put = (data: Float64Array<ArrayBuffer>): Ticket<FloatType> =>
      scope.put(dtype === 'f32' ? Float32Array.from(data) : data);
    const out: Record<string, string> = {};
    const [m, n, k] = [131, 77, 1037];
    for (const [name, transA, transB] of [
      ['nn', false, false],
      ['nt', false, true],
      ['tn', true, false],
    ] as const) {
      const c = put(noise(m * n, 3));
      const options = { transA, transB, alpha: -0.75, beta: 0.5 };
      gemm(engine, [put(noise(m * k, 1)), put(noise(k * n, 2)), c], [m, n, k], options);
      out[name] = fnv1a(engine.heap.read(c));
    }
    const a = put(new Float64Array(m * m));
    for (let i = 0; i < m; i++) engine.heap.write(a, [m], i * m + i);
    gram(engine, put(noise(m * 50, 4)), a, [m, 50], { beta: 1 });
    out['gram'] = fnv1a(engine.heap.read(a));
    expect(choleskyFactor(engine, a, m)).toBe(-1);
    out['cholesky'] = fnv1a(engine.heap.read(a));
    const [b, r] = [put(noise(m * 19, 5)), put(noise(19 * m, 6))];
    choleskySolve(engine, a, b, [m, 19]);
    solveTriangularRight(engine, a, r, [19, m]);
    out['solve'] = fnv1a(engine.heap.read(b));
    out['right'] = fnv1a(engine.heap.read(r));
    return out;
  });
}

describe('bits of linear algebra', () => {
  it('products, factors and solves', () => {
    expect({ f64: hashes('f64'), f32: hashes('f32') }).toMatchInlineSnapshot(`
      {
        "f32": {
          "cholesky": "ee7fb9464ba55dd6",
          "gram": "bbec747cbff4d6a3",
          "nn": "41a264e0b3f1973e",
          "nt": "847871a65130ac39",
          "right": "e146a79477f051f3",
          "solve": "d889594bd911e091",
          "tn": "8769fd4f6724a27a",
        },
        "f64": {
          "cholesky": "74adf700a0c24994",
          "gram": "7ee89956fc2a6d2a",
          "nn": "7b2f451afd386dbc",
          "nt": "2ea631a94943184b",
          "right": "cb9e25ef590de0cc",
          "solve": "a31adf5ddce1470d",
          "tn": "848f47e57a4027a5",
        },
      }
    `);
  });

  it('eigenpairs', () => {
    const n = 133;
    const [values, vectors] = engine.heap.scope((scope) => {
      const a = scope.put(noise(n * n, 8));
      mirror(engine, a, n);
      const [w, v] = [scope.alloc('f64', n), scope.alloc('f64', n * n)];
      eighInPlace(engine, a, w, v, { n });
      return [engine.heap.read(w), engine.heap.read(v)];
    });
    expect([fnv1a(values), fnv1a(vectors)]).toMatchInlineSnapshot(`
      [
        "d9b6d26e1409a23c",
        "276c6b8128ef3f5e",
      ]
    `);
  });

  it('tiles, for 0 and 2 workers', async () => {
    for (const workers of [0, 2]) {
      await using other = await createEngine({ variant: 'simd', workers });
      const x = { data: noise(150 * 31, 9), shape: [150, 31] };
      const matrix = await tiledGram(other, x, { tile: 47 });
      tiledAddDiagonal(matrix, 1);
      await tiledCholesky(other, matrix);
      expect(fnv1a(Float64Array.from(matrix.tiles.flatMap((tile) => [...tile])))).toMatchInlineSnapshot(
        `"9f8b18be53c46c31"`,
      );
    }
  });
});

describe.each(['f64', 'f32'] as const)('NaN and infinity in %s', (dtype) => {
  const [m, n, k] = [23, 29, 50];
  const typed = (data: Float64Array) => (dtype === 'f32' ? Float32Array.from(data) : data) as never;
  const product = (a: Float64Array, b: Float64Array, c: Float64Array, alpha: number, beta: number) =>
    engine.heap.scope((scope) => {
      const out = scope.put(typed(c)) as never;
      gemm(engine, [scope.put(typed(a)) as never, scope.put(typed(b)) as never, out], [m, n, k], {
        alpha,
        beta,
      });
      return engine.heap.read(out) as Float64Array;
    });
  const [a, b, c] = [noise(m * k, 1), noise(k * n, 2), noise(m * n, 3)];
  const spoilt = (x: Float64Array, at: number, value: number) => x.map((old, i) => (i === at ? value : old));

  it('alpha = 0 reads neither A nor B, beta = 0 does not read C', () => {
    const nothing = (length: number) => new Float64Array(length).fill(NaN);
    expect(product(nothing(m * k), nothing(k * n), c, 0, 0.5)).toEqual(typed(c.map((x) => x / 2)));
    expect(product(nothing(m * k), nothing(k * n), nothing(m * n), 0, 0).every((x) => x === 0)).toBe(true);
    expect(product(a, b, nothing(m * n), 2, 0)).toEqual(product(a, b, new Float64Array(m * n), 2, 0));
  });

  it('an entry of B spoils its column, one of C itself, NaN as alpha or beta everything', () => {
    for (const bad of [NaN, Infinity]) {
      const column = product(a, spoilt(b, 7 * n + 4, bad), c, 0.5, 1);
      for (let i = 0; i < m * n; i++) expect(Number.isFinite(column[i])).toBe(i % n !== 4);
      const entry = product(a, b, spoilt(c, 3 * n + 5, bad), 0.5, 2);
      for (let i = 0; i < m * n; i++) expect(Number.isFinite(entry[i])).toBe(i !== 3 * n + 5);
    }
    expect(product(a, b, c, NaN, 1).every(Number.isNaN)).toBe(true);
    expect(product(a, b, c, 1, NaN).every(Number.isNaN)).toBe(true);
  });

  it('solves end with NaN, never in a loop', () => {
    const size = 70;
    const got = engine.heap.scope((scope) => {
      const l = scope.put(typed(noise(size * size, 4)));
      const x = scope.put(typed(spoilt(noise(size * 3, 5), 30 * 3 + 1, NaN))) as never;
      choleskySolve(engine, l as never, x, [size, 3]);
      return engine.heap.read(x) as Float64Array;
    });
    for (let i = 0; i < size; i++) expect(Number.isNaN(got[i * 3 + 1])).toBe(true);
  });
});

describe('iterations on matrices that are not finite', () => {
  it.each([NaN, Infinity, -Infinity])('%s gives an error', (bad) => {
    for (const n of [1, 5, 40]) {
      const a = noise(n * n, n);
      a[(n - 1) * n] = bad;
      engine.heap.scope((scope) => {
        const matrix = scope.put(a);
        expect(() => extremeEigenvaluesOf(engine, matrix, n)).toThrow(NumericalError);
        const times = (x: Float64Array<ArrayBuffer>) =>
          engine.heap.scope((inner) => {
            const [from, to] = [inner.put(x), inner.alloc('f64', n)];
            symv(engine, matrix, from, to, { n });
            return engine.heap.read(to);
          });
        expect(() => applyMatrixFunction(engine, times, new Float64Array(n).fill(1), (x) => x)).toThrow(
          NumericalError,
        );
      });
    }
    const start = new Float64Array(3).fill(bad);
    expect(() =>
      applyMatrixFunction(
        engine,
        (x) => x,
        start,
        (x) => x,
      ),
    ).toThrow(NumericalError);
  });
});
