// Do intervals cover what they say where noise changes, do probabilities stay honest, are strange rows told apart?
import { createEngine, fit, type Engine } from 'infinite-width';
import { errorRecord, Intervals } from '#build/predict/table/uncertainty/intervals.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noise } from './support.js';

let engine: Engine;
beforeAll(async () => void (engine = await createEngine({ variant: 'simd' })));
afterAll(() => engine.dispose());

/** Nearly Gaussian numbers: sums of twelve uniform ones. */
function gaussian(seed: number): () => number {
  const next = noise(seed);
  return () => Array.from({ length: 12 }, next).reduce((a, b) => a + b, 0) / 2;
}

describe('intervals', () => {
  it('cover nine of ten targets in every part of a table whose noise grows', async () => {
    const [uniform, normal] = [noise(5), gaussian(7)];
    const rows = (count: number) =>
      Array.from({ length: count }, () => {
        const x = 5 + 5 * uniform();
        return { x, z: normal(), y: 10 * x + 3 * x * normal() };
      });
    const model = await fit(engine, rows(400), { target: 'y', selectionRows: 200 });
    const test = rows(2000);
    const { intervals } = await model.predict(test, { levels: [0.9] });
    const { low, high } = intervals![0]!;
    for (const [from, to] of [
      [0, 3.3],
      [3.3, 6.6],
      [6.6, 10],
    ] as const) {
      const inside = test.flatMap((row, i) =>
        row.x >= from && row.x < to ? [+(row.y >= low[i]! && row.y <= high[i]!)] : [],
      );
      const share = inside.reduce((a, b) => a + b, 0) / inside.length;
      // 400 training rows leave some 2 % of sampling error to the level itself.
      expect(share, `${from} to ${to}`).toBeGreaterThan(0.84);
      expect(share, `${from} to ${to}`).toBeLessThan(0.96);
    }
    const width = (i: number): number => high[i]! - low[i]!;
    const [small, large] = [test.findIndex(({ x }) => x < 1), test.findIndex(({ x }) => x > 9)];
    expect(width(large) / width(small)).toBeGreaterThan(3);
  });

  it('rest on the order statistic of conformal prediction, one-sided ends from 100 errors on', () => {
    const errors = Float64Array.from({ length: 19 }, (_, i) => (i % 2 ? -1 : 1) * (i + 1));
    const few = new Intervals(errorRecord(new Float64Array(19), errors));
    expect(few.reach(0, 0.9)).toEqual({ below: 18, above: 18 }); // ceil(.9 * 20) = 18th of 19 sizes
    expect(few.reach(0, 0.95)).toEqual({ below: 19, above: 19 });
    const skew = Float64Array.from({ length: 199 }, (_, i) => i + 1);
    const many = new Intervals(errorRecord(new Float64Array(199), skew));
    expect(many.reach(0, 0.9)).toEqual({ below: -10, above: 190 }); // the 10th from either end
  });

  it('rest on the errors of the rows with the nearest predictions', () => {
    const predictions = Float64Array.from({ length: 900 }, (_, i) => i);
    const errors = predictions.map((value, i) => (i % 2 ? 1 : -1) * (value < 450 ? 1 : 5));
    const record = new Intervals(errorRecord(predictions, errors));
    expect(record.reach(10, 0.9)).toEqual({ below: 1, above: 1 });
    expect(record.reach(890, 0.9)).toEqual({ below: 5, above: 5 });
  });
});

describe('class probabilities', () => {
  it.each(['gaussian', 'cross-entropy'] as const)(
    'are never surer than separable rows allow (%s)',
    async (probabilities) => {
      for (const n of [10, 40, 120]) {
        const next = gaussian(n);
        const rows = Array.from({ length: n }, (_, i) => ({
          a: next() + (i % 2) * 9,
          b: next(),
          y: i % 2 ? 'v' : 'u',
        }));
        const model = await fit(engine, rows, { target: 'y', probabilities, selectionRows: 60 });
        const p = await model.predict([
          { a: 0, b: 0 },
          { a: 9, b: 0 },
        ]);
        // Laplace's rule: n rows without an error show no rate below 1 / (n + 2), half of it for either class.
        expect(p.probabilities![1]!).toBeGreaterThanOrEqual(0.5 / (n + 2) - 1e-12);
        expect(p.probabilities![1]!).toBeLessThan(0.3);
        expect(p.probabilities![3]!).toBeGreaterThan(0.7);
        expect(p.probabilities![0]! + p.probabilities![1]!).toBeCloseTo(1, 12);
      }
    },
  );

  it('are the shares of the classes where the columns say nothing', async () => {
    const next = gaussian(3);
    const rows = Array.from({ length: 200 }, (_, i) => ({ a: next(), y: i % 4 ? 'u' : 'v' }));
    const { probabilities } = await (
      await fit(engine, rows, { target: 'y', selectionRows: 100 })
    ).predict([{ a: 0 }, { a: 2 }]);
    expect(Math.abs(probabilities![0]! - 0.75)).toBeLessThan(0.1);
    expect(Math.abs(probabilities![2]! - 0.75)).toBeLessThan(0.15);
  });
});

it('a row far from all training rows is novel, a row among them is not', async () => {
  const next = gaussian(11);
  const rows = Array.from({ length: 100 }, () => {
    const [a, b] = [next(), next()];
    return { a, b, y: a + b };
  });
  const model = await fit(engine, rows, { target: 'y', selectionRows: 60 });
  const { novelty, novel } = await model.predict([
    { a: 0, b: 0 },
    { a: 60, b: -60 },
  ]);
  expect(novel).toEqual([false, true]);
  expect(novelty[0]!).toBeLessThan(0.9);
  expect(novelty[1]!).toBe(1);
});
