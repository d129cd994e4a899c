// Tables as they come: few rows, holes, text among numbers, wrong options, random ones.
import { createEngine, crossValidate, fit, parseTable, type DataTable, type Engine } from 'infinite-width';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { classes, numbers } from './support.js';

let engine: Engine;
beforeAll(async () => void (engine = await createEngine({ variant: 'simd' })));
afterAll(() => engine.dispose());

describe('odd tables', () => {
  it('survives awkward tables: few rows, constants, duplicates, missing cells, rare classes', async () => {
    const tiny = parseTable('a,y\n1,2\n2,4\n3,6\n');
    expect(
      (await (await fit(engine, tiny, { target: 'y' })).predict(tiny)).mean!.every(Number.isFinite),
    ).toBe(true);
    const flat = parseTable('a,y\n1,5\n2,5\n3,5\n4,5\n');
    expect([...(await (await fit(engine, flat, { target: 'y' })).predict(flat)).mean!]).toEqual([5, 5, 5, 5]);
    const twins = parseTable(`a,y\n${'1,0\n1,1\n2,3\n'.repeat(8)}`);
    const { mean } = await (await fit(engine, twins, { target: 'y' })).predict(parseTable('a\n1\n2\n'));
    expect(mean![0]).toBeCloseTo(0.5, 0);
    const holes = parseTable('a,b,y\n1,x,1\n,y,2\n3,,3\nNA,x,4\n5,y,\n6,x,6\n7,y,7\n');
    for (const missing of ['impute', 'drop'] as const) {
      const model = await fit(engine, holes, { target: 'y', missing });
      expect((await model.predict(holes)).mean!.every(Number.isFinite)).toBe(true);
    }
    const rare = parseTable(`a,y\n${'1,p\n2,q\n'.repeat(5)}9,r\n`);
    const cv = await crossValidate(engine, rare, { target: 'y', folds: 3 });
    expect(cv.prediction.probabilities!.every((p) => p >= 0 && p <= 1)).toBe(true);
  });

  it('says when text among numbers makes classes of a target', async () => {
    const mixed = parseTable('a,y\n1,5\n2,6\n3,x7\n4,6\n5,6\n6,5\n');
    const { notes, task } = await (await fit(engine, mixed, { target: 'y' })).prepare();
    expect(task).toBe('classification');
    expect(notes.join()).toMatch(/'y' has text \('x7' in row 3\) among its numbers/);
    const { notes: none } = await (await fit(engine, classes(20, 3), { target: 'class' })).prepare();
    expect(none).toEqual([]);
  });

  it('refuses with the rule and the remedy', async () => {
    const table = numbers(20, 1);
    const bad = (options: object, message: string, data: DataTable = table) =>
      expect(fit(engine, data, { target: 'y', ...options } as never)).rejects.toThrow(message);
    await bad({ target: 'z' }, "no column 'z'");
    await bad({ drop: ['x1', 'x2', 'colour'] }, 'no column beside');
    await bad({ drop: ['nope'] }, "no column 'nope'");
    await bad({ missing: 'error' }, 'missing value in row 2', parseTable('a,y\n1,1\n,2\n3,3\n'));
    await bad({}, 'at least 3 rows', parseTable('a,y\n1,2\n'));
    await bad({}, 'no column carries information', parseTable('a,y\n1,2\n1,3\n1,4\n'));
    await bad({}, 'one class only', parseTable('a,y\n1,u\n2,u\n3,u\n'));
    await bad({}, 'every value of the target', parseTable('a,y\n1,\n2,\n'));
    await bad({ task: 'regression' }, 'must be a number', parseTable('a,y\n1,u\n2,v\n3,w\n'));
    await bad({ maxRows: 1 }, 'maxRows');
    await bad({ diagReg: -1 }, 'diagReg');
    const million = { columns: ['a', 'y'], rows: Array.from({ length: 1_000_000 }, (_, i) => [i, i]) };
    await bad({}, 'rows need 3729 GiB', million);
    await bad({}, '--max-rows', million);
    const abort = new AbortController();
    abort.abort(new Error('enough'));
    await bad({ signal: abort.signal }, 'enough');
    await expect(crossValidate(engine, table, { target: 'y', folds: 1 })).rejects.toThrow('folds');
    await expect((await fit(engine, table, { target: 'y' })).predict(table, { levels: [1] })).rejects.toThrow(
      'levels',
    );
  });

  it('answers or refuses every random table, never with NaN', async () => {
    const cell = fc.oneof(
      fc.constantFrom('', 'NA', '0', '1', '-1', 'x', 'y', '1e308', '-1e-308', '?', ' 3 '),
      fc.double({ noNaN: true }).map(String),
      fc.string({ maxLength: 3 }),
    );
    const table = fc
      .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 2, max: 4 }))
      .chain(([rows, columns]) =>
        fc.array(fc.array(cell, { minLength: columns, maxLength: columns }), {
          minLength: rows,
          maxLength: rows,
        }),
      );
    await fc.assert(
      fc.asyncProperty(table, async (rows) => {
        const data: DataTable = { columns: rows[0]!.map((_, k) => `c${k}`), rows };
        try {
          const model = await fit(engine, data, { target: 'c0' });
          const { mean, intervals, probabilities } = await model.predict(data);
          const all = [mean, probabilities, ...(intervals ?? []).flatMap(({ low, high }) => [low, high])];
          for (const array of all) expect(array?.some(Number.isNaN) ?? false).toBe(false);
        } catch (error) {
          expect((error as Error).name).toBe('RangeError');
          expect((error as Error).message).toMatch(/^(fit|predict): /);
        }
      }),
      { seed: 5, numRuns: 60 },
    );
  });
});
