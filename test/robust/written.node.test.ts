// What we write for others to open: spreadsheets, terminals, browsers.
import { parseTable, readCsv, writeCsv, type TablePrediction } from 'infinite-width';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printable } from '#build/cli/errors.js';
import { shownOf } from '#build/cli/predict-report.js';

describe('cells that a spreadsheet would run', () => {
  it('get an apostrophe; numbers do not', () => {
    const cells = ['=1+1', '+cmd', '-cmd', '@sum', '\tx', "'=1", ' =1', '-1.5', '+3', "it's", '-1e-3'];
    expect(writeCsv(['=a'], [cells.slice(0, 1), ...cells.slice(1).map((cell) => [cell])])).toBe(
      "'=a\n'=1+1\n'+cmd\n'-cmd\n'@sum\n'\tx\n''=1\n' =1\n-1.5\n+3\nit's\n-1e-3\n",
    );
  });

  it('come back from our own readers', () => {
    const text = fc.array(fc.constantFrom('=', '+', '-', '@', '\t', "'", '"', ',', ' ', '\n', 'a', '1'), {
      minLength: 1,
    });
    fc.assert(
      fc.property(text, (signs) => {
        const cell = signs.join('');
        const table = parseTable(writeCsv(['x', 'y'], [[cell, -2]]), { delimiter: ',' });
        expect(table.rows).toEqual([[cell, '-2']]);
      }),
      { seed: 1, numRuns: 300 },
    );
    const { categories, data } = readCsv(writeCsv(['x', 'y'], [['=A1', -1.5]]), { categorical: ['x'] });
    expect(categories['x']).toEqual(['=A1']);
    expect([...data.data]).toEqual([0, -1.5]);
  });
});

it('spells control characters out for terminals, but for line ends', () => {
  expect(printable('a\u001b[31mb\nc\u009bd')).toBe('a\\u001b[31mb\nc\\u009bd');
});

it('keeps 10,000 predictions in a report and counts all', () => {
  const n = 20_001;
  const list = Float64Array.from({ length: n }, (_, i) => i);
  const numbers: TablePrediction = {
    ...{ task: 'regression', rows: n, mean: list, deviation: list, novelty: list },
    novel: Array.from(list, () => false),
    intervals: [{ level: 0.9, low: list, high: list }],
  };
  const { prediction, predictedRows } = shownOf(numbers);
  expect(predictedRows).toBe(n);
  const { rows, mean, novel, intervals } = prediction!;
  expect([rows, mean!.length, novel.length, intervals![0]!.high.length]).toEqual(Array(4).fill(10_000));
  const classes = shownOf({
    ...{ task: 'classification', rows: n, novelty: list, novel: numbers.novel, classes: ['a', 'b'] },
    probabilities: new Float64Array(2 * n),
    labels: Array.from(list, () => 'a'),
  }).prediction!;
  expect([classes.classes!.length, classes.probabilities!.length, classes.labels!.length]).toEqual([
    2, 20_000, 10_000,
  ]);
});
