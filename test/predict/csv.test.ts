// From text to columns and from columns to numbers, and everything that can be wrong with either.
import { createEngine, fit, parseTable, type Engine } from 'infinite-width';
import { encode, fitEncoder } from '#build/predict/table/encoder.js';
import { isMissing, numberOf } from '#build/predict/table/csv.js';
import { understand } from '#build/predict/table/reading/table.js';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let engine: Engine;
beforeAll(async () => void (engine = await createEngine({ variant: 'simd' })));
afterAll(() => engine.dispose());

describe('parseTable', () => {
  it('reads quotes, byte-order mark, CRLF, blank lines, tabs and semicolons', () => {
    const table = parseTable('\ufeffa,"b, c",d\r\n1,"x ""y""",3\r\n\r\n4,"two\nlines",\r\n');
    expect(table.columns).toEqual(['a', 'b, c', 'd']);
    expect(table.rows).toEqual([
      ['1', 'x "y"', '3'],
      ['4', 'two\nlines', ''],
    ]);
    expect(parseTable('a\tb\n1\t2\n').rows).toEqual([['1', '2']]);
    expect(parseTable('a;b\n1,5;2\n').rows).toEqual([['1,5', '2']]);
  });

  it('names what is wrong', () => {
    for (const [text, message] of [
      ['', 'empty'],
      ['  \n \n', 'empty'],
      ['a,b\n', 'no row'],
      ['a,b\n1\n', 'line 2 has 1 cells'],
      ['a,b\n1,2,3\n', 'line 2 has 3 cells'],
      ['\n\na,b\n\n1,2\n"x\ny",3\n \n4\n', 'line 9 has 1 cells'],
      ['a;b\n1,5;2,5\n1,2,3\n', 'line 3 has 1 cells'],
      ['a,a\n1,2\n', "'a' appears twice"],
      ['a,b\n"1,2\n', 'Repair the quotes'],
    ] as const)
      expect(() => parseTable(text, { name: 'file.csv' })).toThrow(message);
  });

  it('never crashes on arbitrary text', () => {
    const piece = fc.constantFrom(
      'a',
      '1',
      '-2.5e3',
      ',',
      ',',
      '"',
      '\n',
      '\r\n',
      '\t',
      ';',
      'NA',
      ' ',
      '\u0000',
      'é',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        try {
          const table = parseTable(pieces.join(''));
          for (const row of table.rows) expect(row.length).toBe(table.columns.length);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
          expect((error as Error).message).toMatch(/^table: /);
        }
      }),
      { seed: 11, numRuns: 3000 },
    );
  });

  it('keeps rows whose cells are all missing, and names the line of the first ragged row', () => {
    expect(parseTable('a,b\n,\n1,2\n').rows).toEqual([
      ['', ''],
      ['1', '2'],
    ]);
    const cell = fc.constantFrom('1', 'x', '', 'NA', '"a,b"', '"two\nlines"', '"say ""no"" now"');
    const end = fc.constantFrom('\n', '\n\n', '\n \n');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.tuple(cell, cell, cell), end), { maxLength: 8 }),
        fc.constantFrom(['1'], ['1', '2'], ['1', '2', '3', '4']),
        (rows, ragged) => {
          const text = ['\ufeffp,q,r\n', ...rows.map(([cells, close]) => cells.join() + close)].join('');
          if (rows.length > 0) expect(parseTable(text).rows.length).toBe(rows.length);
          const line = text.split('\n').length;
          expect(() => parseTable(`${text}${ragged.join()}\n7,8,9\n`)).toThrow(
            `line ${line} has ${ragged.length} cells, the header 3`,
          );
        },
      ),
      { seed: 5, numRuns: 500 },
    );
  });

  it('answers or refuses any file with a target, with advice', async () => {
    const cell = fc.constantFrom('1', '2', '-3.5', '1e300', 'x', 'y', '', 'NA', '"q,q"');
    const file = fc.array(fc.array(cell, { minLength: 2, maxLength: 3 }), { maxLength: 9 });
    await fc.assert(
      fc.asyncProperty(file, fc.constantFrom('\n', '\r\n'), async (rows, end) => {
        const text = `${[['a', 't'], ...rows].map((row) => row.join()).join(end)}${end}`;
        try {
          const model = await fit(engine, parseTable(text), { target: 't' });
          const { mean, probabilities } = await model.predict([{ a: '2' }, { a: '' }]);
          for (const value of mean ?? probabilities!) expect(Number.isFinite(value)).toBe(true);
        } catch (error) {
          expect(String(error)).toMatch(/^(RangeError|NumericalError): /);
        }
      }),
      { seed: 3, numRuns: 60 },
    );
  });

  it('names the budget for a million rows', async () => {
    const rows = Array.from({ length: 1e6 }, (_, i) => [i % 97, i % 89]);
    const refusal = fit(engine, { columns: ['a', 'y'], rows }, { target: 'y' });
    await expect(refusal).rejects.toThrow(/1000000 rows need 3729 GiB, there are 2.00 GiB.*maxRows/);
  });

  it('knows numbers and missing cells', () => {
    for (const text of ['', ' ', 'NA', 'n/a', '?', 'NaN', 'null']) expect(isMissing(text)).toBe(true);
    for (const text of ['0', 'x', 'nano', false]) expect(isMissing(text)).toBe(false);
    expect(['1', ' -2.5 ', '.5', '1e3', '+7', true].map(numberOf)).toEqual([1, -2.5, 0.5, 1000, 7, 1]);
    for (const text of ['0x10', '1_000', 'Infinity', '1e999', '', 'a']) expect(numberOf(text)).toBeNaN();
  });
});

describe('encoder', () => {
  const table = parseTable('n,c,k,id,m\n1,a,7,u1,1\n2,b,7,u2,\n3,a,7,u3,3\n4,a,7,u4,5\n');

  it('standardises numbers, centres levels, leaves constants out and says so', () => {
    const encoder = fitEncoder(understand(table, { drop: ['id'] }, 'fit'));
    expect(encoder.columns.map((column) => column.name)).toEqual(['n', 'c', 'm']);
    expect(encoder.notes[0]).toContain("'k' is left out: it is constant");
    expect(encoder.features).toBe(1 + 2 + 2);
    const x = encode(encoder, table);
    for (let f = 0; f < 5; f++) {
      const column = [0, 1, 2, 3].map((i) => x[i * 5 + f]!);
      const mean = column.reduce((a, b) => a + b, 0) / 4;
      if (f < 3) expect(Math.abs(mean)).toBeLessThan(1e-12);
    }
    const total = [1, 2].reduce(
      (sum, f) => sum + [0, 1, 2, 3].reduce((s, i) => s + x[i * 5 + f]! ** 2 / 4, 0),
      0,
    );
    expect(total).toBeCloseTo(1, 12);
    expect([0, 1, 2, 3].map((i) => x[i * 5 + 4])).toEqual([0, 1, 0, 0]); // indicator of missing
  });

  it('maps unseen levels to nothing known, huge numbers to a bound, and refuses text for numbers', () => {
    const encoder = fitEncoder(understand(table, { drop: ['id', 'm'] }, 'fit'));
    const x = encode(encoder, { columns: ['c', 'n'], rows: [['zebra', '1e300']] });
    expect(x[0]).toBe(1000);
    expect([...x].every(Number.isFinite)).toBe(true);
    expect(() => encode(encoder, { columns: ['c', 'n'], rows: [['a', 'many']] })).toThrow("column 'n'");
    expect(() => encode(encoder, { columns: ['c'], rows: [['a']] })).toThrow("no column 'n'");
  });

  it('is fitted on the training part only: normal scores are bounded by its ranks', () => {
    const train = { columns: ['v'], rows: Array.from({ length: 50 }, (_, i) => [i ** 3]) };
    const encoder = fitEncoder(understand(train, {}, 'fit'));
    const x = encode(encoder, { columns: ['v'], rows: [[-5], [1e12], [24.5 ** 3]] });
    expect(x[1]).toBeCloseTo(-x[3]!, 12);
    expect(Math.abs(x[5]!)).toBeLessThan(0.05);
  });
});
