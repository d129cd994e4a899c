// What people ask first: which columns matter, what they do, why this row, how are classes confused, on which rows.
import {
  bestThreshold,
  createEngine,
  crossValidate,
  explainRow,
  fit,
  measureTable,
  partialDependence,
  type Engine,
  type TablePrediction,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noise } from './support.js';

let engine: Engine;
beforeAll(async () => void (engine = await createEngine({ variant: 'simd' })));
afterAll(() => engine.dispose());

const next = noise(21);
/** y = 3 a + b^2, c says nothing. */
const rows = Array.from({ length: 120 }, (_, i) => {
  const [a, b, c] = [next(), next(), next()];
  return {
    a,
    b,
    c,
    who: `p${i % 8}`,
    when: `2024-01-${String(1 + (i % 28)).padStart(2, '0')}`,
    y: 3 * a + b * b,
  };
});
const options = {
  target: 'y',
  drop: ['who', 'when'],
  selectionRows: 60,
  method: 'nngp',
  diagReg: 1e-3,
} as const;

describe('columns', () => {
  it('are ranked by what shuffling them costs on rows that were left out', async () => {
    const { importance } = await crossValidate(engine, rows, { ...options, folds: 2, importance: true });
    expect(importance!.map(({ column }) => column)).toEqual(['a', 'b', 'c']);
    const [a, , c] = importance!.map(({ loss }) => loss);
    // Shuffling `a` costs two of its variances: Var(3 a) 2 = 6 of Var(y) = 3.09.
    expect(a!).toBeGreaterThan(1.2);
    expect(a!).toBeLessThan(2.8);
    expect(Math.abs(c!)).toBeLessThan(0.1);
    expect((await crossValidate(engine, rows, { ...options, folds: 2 })).importance).toBeNull();
  });

  it('have the mean prediction with one value in all rows', async () => {
    const model = await fit(engine, rows, options);
    const { values, mean, low, high } = await partialDependence(model, rows, 'a', { points: 5, rows: 40 });
    const slope = (mean[4]! - mean[0]!) / (values![4]! - values![0]!);
    expect(Math.abs(slope - 3)).toBeLessThan(0.3);
    for (let k = 0; k < 5; k++) expect(low[k]! <= mean[k]! && mean[k]! <= high[k]!).toBe(true);
    // By hand: the mean of predictions of rows whose `a` was replaced.
    const some = rows.filter((_, i) => i % 3 === 0).map((row) => ({ ...row, a: values![2]! }));
    const byHand = (await model.predict(some)).mean!.reduce((sum, value) => sum + value / 40, 0);
    expect(mean[2]).toBeCloseTo(byHand, 12);
    await expect(partialDependence(model, rows, 'who')).rejects.toThrow(/does not use the column 'who'/);
    await expect(partialDependence(model, rows, 'a', { points: 0 })).rejects.toThrow(/points must be/);
    await expect(partialDependence(model, rows, 'a', { class: 'x' })).rejects.toThrow(/predicts a number/);
  });

  it('share the difference between the answer for a row and the mean answer', async () => {
    const model = await fit(engine, rows, options);
    const top = rows.reduce((best, row, i) => (row.a > rows[best]!.a ? i : best), 0);
    const { answer, base, columns } = await explainRow(engine, model, rows, top, { orders: 24 });
    expect(columns.reduce((sum, { change }) => sum + change, 0)).toBeCloseTo(answer - base, 10);
    expect(answer).toBeCloseTo((await model.predict([rows[top]!])).mean![0]!, 10);
    expect(columns[0]).toMatchObject({ column: 'a', cell: rows[top]!.a });
    // An additive truth: the share of `a` is 3 (a - mean of a), within four standard errors and the fit's own error.
    const mean = rows.reduce((sum, { a }) => sum + a / rows.length, 0);
    const { change, error } = columns[0]!;
    expect(Math.abs(change - 3 * (rows[top]!.a - mean))).toBeLessThan(4 * error + 0.2);
    await expect(explainRow(engine, model, rows, 500)).rejects.toThrow(/row must be from 0 to 119/);
    await expect(explainRow(engine, model, rows, 0, { orders: 1 })).rejects.toThrow(/orders must be/);
  });
});

describe('classes', () => {
  const classes = ['n', 'y'];
  const p = [0.1, 0.4, 0.35, 0.8];
  const prediction: TablePrediction = {
    task: 'classification',
    rows: 4,
    classes,
    labels: p.map((value) => (value >= 0.5 ? 'y' : 'n')),
    probabilities: Float64Array.from(p.flatMap((value) => [1 - value, value])),
    novelty: new Float64Array(4),
    novel: [false, false, false, false],
  };
  const truth = ['n', 'n', 'y', 'y'];
  const table = truth.map((label) => ({ label }));

  it('have a confusion matrix, precision, recall, F1 and AUC as scikit-learn gives them', () => {
    // roc_auc_score([0, 0, 1, 1], [.1, .4, .35, .8]) = .75; f1_score of class 1 at .5 = 2/3, of class 0 = .8
    const metrics = measureTable(prediction, table, 'label');
    if (metrics.task !== 'classification') throw new Error('classes expected');
    expect(metrics.confusion).toEqual([
      [2, 0],
      [1, 1],
    ]);
    expect(metrics.auc).toBeCloseTo(0.75, 12);
    expect(metrics.perClass[1]).toMatchObject({ precision: 1, recall: 0.5 });
    expect(metrics.f1).toBeCloseTo((0.8 + 2 / 3) / 2, 12);
  });

  it('have the threshold of least cost', () => {
    expect(bestThreshold(prediction, truth, { class: 'y', alarm: 1, miss: 10 })).toEqual({
      threshold: (0.35 + 0.1) / 2,
      cost: 0.25,
    });
    expect(bestThreshold(prediction, truth, { class: 'y', alarm: 10, miss: 1 }).cost).toBe(0.25);
    expect(() => bestThreshold(prediction, truth, { class: 'z', alarm: 1, miss: 1 })).toThrow(/no class 'z'/);
    expect(() => bestThreshold(prediction, truth, { class: 'y', alarm: -1, miss: 1 })).toThrow(
      /alarm must be/,
    );
  });
});

describe('folds', () => {
  it('leave rows of one group out together', async () => {
    const { rows: tested, folds } = await crossValidate(engine, rows, {
      ...options,
      drop: ['when'],
      groupBy: 'who',
      folds: 4,
    });
    expect(folds).toHaveLength(4);
    expect([...tested].sort((a, b) => a - b)).toEqual(rows.map((_, i) => i));
    // Folds follow one another in `rows`: each group stands in one stretch of 30 rows.
    const stretch = new Map<string, Set<number>>();
    tested.forEach((row, i) => {
      const who = rows[row]!.who;
      stretch.set(who, (stretch.get(who) ?? new Set()).add(Math.floor(i / 30)));
    });
    for (const places of stretch.values()) expect(places.size).toBe(1);
    await expect(crossValidate(engine, rows, { ...options, groupBy: 'nobody' })).rejects.toThrow(/no column/);
  });

  it('predict later rows from earlier ones', async () => {
    const { rows: tested, folds } = await crossValidate(engine, rows, {
      ...options,
      drop: ['who'],
      timeBy: 'when',
      folds: 3,
    });
    expect(folds).toHaveLength(3);
    expect(tested.length).toBeLessThan(rows.length);
    expect(Math.min(...tested.map((row) => Number(rows[row]!.when.slice(8))))).toBeGreaterThan(6);
    await expect(crossValidate(engine, rows, { ...options, drop: [], timeBy: 'who' })).rejects.toThrow(
      /must be a column of numbers or dates/,
    );
    await expect(crossValidate(engine, rows, { ...options, groupBy: 'who', timeBy: 'when' })).rejects.toThrow(
      /give one of foldOf, groupBy and timeBy/,
    );
  });
});
