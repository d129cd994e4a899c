// The automatic default on public tables, on stored folds, against numbers of scikit-learn 1.9.1 on the same folds.
import { createEngine, crossValidate, parseTable, type Engine } from 'infinite-width';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let engine: Engine;
beforeAll(async () => void (engine = await createEngine({ variant: 'simd', workers: 2 })));
afterAll(() => engine.dispose());

const read = (name: string): string => readFileSync(new URL(`./data/${name}`, import.meta.url), 'utf8');
const tables = JSON.parse(read('tables.json')) as { name: string; folds: string }[];
const foldsOf = (name: string): number[] =>
  [...tables.find((table) => table.name === name)!.folds].map(Number);

describe('nothing tuned, 5 folds', () => {
  // Best of SVC, random forest (300 trees) and histogram gradient boosting with their defaults.
  for (const [name, best] of [
    ['iris', 0.9533],
    ['wine', 0.983],
    ['breast_cancer', 0.9771],
  ] as const) {
    it(`${name}: accuracy at least ${best}, calibrated`, async () => {
      const table = parseTable(read(`${name}.csv`));
      const cv = await crossValidate(engine, table, {
        target: 'class',
        foldOf: foldsOf(name),
      });
      expect(cv.meanScore).toBeGreaterThanOrEqual(best);
      expect(cv.metrics.task === 'classification' && cv.metrics.calibrationError).toBeLessThan(0.03);
    });
  }
  it('diabetes: R2 above 0.456, intervals within 3 points of nominal', async () => {
    const table = parseTable(read('diabetes.csv'));
    const cv = await crossValidate(engine, table, {
      target: 'progression',
      foldOf: foldsOf('diabetes'),
    });
    expect(cv.meanScore).toBeGreaterThan(0.456);
    if (cv.metrics.task !== 'regression') throw new Error('diabetes is a regression');
    for (const { level, share } of cv.metrics.coverage) expect(Math.abs(share - level)).toBeLessThan(0.03);
  });
});
