import fc from 'fast-check';
import { createEngine, eigenvalues, eigh, tensor, type Engine } from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eighInPlace } from '#build/math/eigh.js';
import { families, randomSymmetric, source } from '../support/matrices.js';

const EPS = 2 ** -52;
const GUARD = 12345;
let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

function solve(a: Float64Array, n: number, vectors = true) {
  return engine.heap.scope((scope) => {
    const w = scope.put(new Float64Array(n + 4).fill(GUARD));
    const v = vectors ? scope.put(new Float64Array(n * n + 4).fill(GUARD)) : null;
    const matrix = scope.put(a as Float64Array<ArrayBuffer>);
    eighInPlace(engine, matrix, w, v, { n });
    const w1 = engine.heap.read(w);
    const v1 = v ? engine.heap.read(v) : new Float64Array(4).fill(GUARD);
    if (![...w1.slice(n), ...v1.slice(-4)].every((x) => x === GUARD)) throw new Error('wrote too far');
    const after = engine.heap.read(matrix);
    if (after.some((x, i) => !Object.is(x, a[i]))) throw new Error('changed its input');
    return { w: w1.slice(0, n), v: v1.slice(0, -4) };
  });
}

/** ||A V - V L||_F / ||A||_F and ||V^T V - I||_F in units of n eps, by loops. */
function quality(n: number, a: Float64Array, w: Float64Array, v: Float64Array) {
  let largest = 0;
  for (const x of a) largest = Math.max(largest, Math.abs(x));
  const lift = largest > 0 && largest < 1e-300 ? 2 ** 400 : 1;
  const scale = largest > 0 ? 1 / (largest * lift) : 1;
  let norm = 0;
  for (const x of a) norm += (x * lift * scale) ** 2;
  let residual = 0;
  let orthogonality = 0;
  for (let j = 0; j < n; j++) {
    for (let i = 0; i < n; i++) {
      let sum = -(w[j]! * lift * scale) * v[j * n + i]!;
      for (let k = 0; k < n; k++) sum += a[i * n + k]! * lift * scale * v[j * n + k]!;
      residual += sum * sum;
    }
    for (let i = 0; i <= j; i++) {
      let sum = i === j ? -1 : 0;
      for (let k = 0; k < n; k++) sum += v[i * n + k]! * v[j * n + k]!;
      orthogonality += (i === j ? 1 : 2) * sum * sum;
    }
  }
  const unit = n * EPS;
  return {
    residual: Math.sqrt(residual / (norm || 1)) / unit,
    orthogonality: Math.sqrt(orthogonality) / unit,
  };
}

function check(name: string, n: number, a: Float64Array): void {
  const { w, v } = solve(a, n);
  const { residual, orthogonality } = quality(n, a, w, v);
  const where = `${name} n=${n}`;
  for (let i = 1; i < n; i++) if (!(w[i]! >= w[i - 1]!)) throw new Error(`${where}: values not ascending`);
  // Subnormal eigenvalues cannot be represented to eps; there only orthogonality counts.
  if (!(residual < (name === 'subnormal' ? 1e9 : 10)))
    throw new Error(`${where}: residual ${residual} n eps`);
  if (!(orthogonality < 10)) throw new Error(`${where}: orthogonality ${orthogonality} n eps`);
  const alone = solve(a, n, false).w;
  const largest = Math.max(Math.abs(w[0]!), Math.abs(w[n - 1]!)) || 1;
  for (let i = 0; i < n; i++) {
    const off = Math.abs(alone[i]! / largest - w[i]! / largest);
    if (name !== 'subnormal' && !(off < 30 * n * EPS))
      throw new Error(`${where}: value ${i} alone differs by ${off}`);
  }
}

describe('eigh', () => {
  it.each(Object.entries(families))('%s', (name, family) => {
    for (const n of [1, 2, 3, 5, 16, 21, 33, 64, 65, 130]) check(name, n, family(n));
  });

  it('holds at 210 for the families with clusters, grading and deflation', () => {
    for (const name of [
      'random',
      'gramDuplicates',
      'gluedWilkinson',
      'graded300',
      'arrowTiny',
      'clusters',
      'mixed',
    ])
      check(name, 210, families[name]!(210));
  });

  it('solves random mixtures of size, density, duplicates and scale', () => {
    const shape = fc.record({
      n: fc.integer({ min: 1, max: 60 }),
      seed: fc.integer({ min: 1, max: 1e6 }),
      density: fc.constantFrom(1, 0.3, 0.05),
      decades: fc.constantFrom(0, 10, 100, 280),
      distinct: fc.integer({ min: 1, max: 60 }),
    });
    fc.assert(
      fc.property(shape, ({ n, seed, density, decades, distinct }) => {
        const next = source(seed);
        const base = randomSymmetric(Math.min(n, distinct), seed);
        const m = Math.min(n, distinct);
        const scales = Float64Array.from({ length: n }, () => 10 ** ((decades / 4) * (next() - 1)));
        const a = new Float64Array(n * n);
        for (let i = 0; i < n; i++)
          for (let j = 0; j <= i; j++) {
            const x = Math.abs(next()) < density ? base[(i % m) * m + (j % m)]! * scales[i]! * scales[j]! : 0;
            a[i * n + j] = a[j * n + i] = x;
          }
        check('mixture', n, a);
      }),
      { seed: 7, numRuns: 150 },
    );
  });

  it('reads the lower triangle only and refuses what is not finite', () => {
    const a = randomSymmetric(20, 1);
    const want = solve(a, 20).w;
    for (let i = 0; i < 20; i++) for (let j = i + 1; j < 20; j++) a[i * 20 + j] = NaN;
    expect(solve(a, 20).w).toEqual(want);
    for (const bad of [NaN, Infinity, -Infinity])
      for (const n of [1, 2, 7, 64])
        for (const at of [0, n * n - 1, (n >> 1) * n]) {
          const b = randomSymmetric(n, 1);
          b[at] = bad;
          expect(() => solve(b, n)).toThrow('NaN or infinity');
        }
  });

  it('has a public form that checks its input', async () => {
    const { values, vectors } = await eigh(engine, [
      [2, 1],
      [1, 2],
    ]);
    expect(values.data[0]).toBeCloseTo(1, 14);
    expect(values.data[1]).toBeCloseTo(3, 14);
    expect(Math.abs(vectors.data[0]! + vectors.data[1]!)).toBeLessThan(1e-15);
    expect((await eigenvalues(engine, tensor(Float64Array.of(4), [1, 1]))).data).toEqual(Float64Array.of(4));
    await expect(eigh(engine, [[1, 2, 3]])).rejects.toThrow('square');
    await expect(
      eigh(engine, [
        [1, 2],
        [3, 4],
      ]),
    ).rejects.toThrow('symmetric');
    await expect(eigh(engine, [[NaN]])).rejects.toThrow('NaN');
  });
});
