// Targets that are constant, of any size, and columns named like members of Object.prototype.
import { createEngine, crossValidate, fit, loadModel, type Engine } from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let engine: Engine;
beforeAll(async () => void (engine = await createEngine({ variant: 'simd', workers: 0 })));
afterAll(() => engine.dispose());

describe('constant targets', () => {
  it.each([0, 0.1, -1e200, 1.7e308])('predicts %d, with R2 0 and finite intervals', async (y) => {
    const rows = Array.from({ length: 20 }, (_, i) => ({ a: i, b: (i * 7919) % 101, y }));
    const model = await fit(engine, rows, { target: 'y' });
    const { looR2, notes } = await model.prepare();
    expect(looR2).toBe(0);
    expect(notes.join()).toContain(`the target 'y' is constant (${y})`);
    const { mean, deviation, intervals } = await loadModel(engine, model.save()).predict([{ a: 3.5, b: 10 }]);
    expect(mean![0]).toBe(y);
    expect(deviation![0]).toBeLessThan(1e-100);
    for (const { low, high } of intervals!) expect([low[0], high[0]]).toEqual([y, y]);
  });

  it('gives R2 0 on unseen rows too', async () => {
    const rows = Array.from({ length: 20 }, (_, i) => ({ a: i, y: 0.1 }));
    expect((await crossValidate(engine, rows, { target: 'y', folds: 2 })).meanScore).toBe(0);
  });

  it('reads values that differ by little at any size, and saves them', async () => {
    const rows = Array.from({ length: 20 }, (_, i) => ({ a: i, y: 1e200 * (1 + i * 1e-14) }));
    const model = await fit(engine, rows, { target: 'y' });
    expect(Number.isFinite((await model.prepare()).looR2)).toBe(true);
    const { mean, deviation } = await model.predict([{ a: 3 }]);
    expect(mean![0]! / 1e200).toBeCloseTo(1, 12);
    expect(Number.isFinite(deviation![0])).toBe(true);
    const wide = rows.map((row, i) => ({ ...row, y: i % 2 ? 1.7e308 : -1.7e308 }));
    const large = await fit(engine, wide, { target: 'y', task: 'regression' });
    expect(loadModel(engine, large.save()).task).toBe('regression');
  });
});

describe('columns named like members of Object.prototype', () => {
  it.each(['constructor', 'toString', 'hasOwnProperty'])('%s is read as any other', async (name) => {
    const records = (column: string) =>
      Array.from({ length: 30 }, (_, i) => ({ a: i % 3, y: i * 2, ...(i % 2 ? { [column]: i } : {}) }));
    const summaries = await Promise.all(
      [name, 'plain'].map(async (column) => {
        const model = await fit(engine, records(column), { target: 'y' });
        return (await model.prepare()).summary.columns.map(({ kind, use }) => `${kind} ${use}`);
      }),
    );
    expect(summaries[0]).toEqual(summaries[1]);
    const scores = await Promise.all(
      [name, 'plain'].map(async (column) => {
        const rows = records(column).map(({ y, ...rest }) => ({ ...rest, [column]: y }));
        return (await crossValidate(engine, rows, { target: column, folds: 2 })).meanScore;
      }),
    );
    expect(scores[0]).toBe(scores[1]);
  });
});
