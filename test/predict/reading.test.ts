// Tables as people have them: each odd file with what must be understood of it.
import { parseTable, summarizeTable, type ColumnReading } from 'infinite-width';
import { readDate } from '#build/predict/table/reading/dates.js';
import { readNumeral } from '#build/predict/table/reading/numerals.js';
import { typedCell } from '#build/predict/table/reading/typed.js';
import { describe, expect, it } from 'vitest';

/** A file with one column `v` of these cells beside a column of plain numbers. */
const file = (cells: readonly string[], separator = ';'): string =>
  `v${separator}n\n${cells.map((cell, i) => `${cell}${separator}${(i * 37) % 11}`).join('\n')}\n`;
const repeat = (cells: readonly string[], times = 12): string[] =>
  Array.from({ length: times }, () => cells).flat();

function read(cells: readonly string[], options = {}): ColumnReading {
  return summarizeTable(parseTable(file(cells)), options).columns[0]!;
}
const values = (cells: readonly string[], options = {}): unknown[] => {
  const reading = read(cells, options);
  return cells.map((cell) => typedCell(reading, cell));
};

describe('numbers', () => {
  it.each([
    ['decimal commas', ['0,5', '1,25', '-3,75'], [0.5, 1.25, -3.75], /decimal comma/],
    ['groups by commas', ['1,234.50', '12,000.00', '7.25'], [1234.5, 12000, 7.25], /set off by ','/],
    ['groups by points', ['1.234,50', '12.000,00', '7,25'], [1234.5, 12000, 7.25], /set off by '\.'/],
    ['groups by spaces', ['1 234,5', '12 000,25', '7,5'], [1234.5, 12000.25, 7.5], /set off by spaces/],
    ['groups by apostrophes', ["1'234.5", "12'000.25", '7.5'], [1234.5, 12000.25, 7.5], /set off by '''/],
    ['dollars', ['$79,304', '$1,500,000', '$12'], [79304, 1_500_000, 12], /unit \$/],
    ['euros behind', ['1.234,50 €', '2,00 €', '0,99 €'], [1234.5, 2, 0.99], /unit €/],
    ['per cent', ['12 %', '7.5%', '100 %'], [12, 7.5, 100], /unit %/],
    ['kilograms', ['5 kg', '7.5 kg', '80 kg'], [5, 7.5, 80], /unit kg/],
    ['brackets for a minus', ['(300)', '250', '(12.5)'], [-300, 250, -12.5], /used as a number/],
    ['a typographic minus', ['−3', '4', '−0.5'], [-3, 4, -0.5], /used as a number/],
    ['powers of ten', ['1e3', '-2.5E-4', '6'], [1000, -2.5e-4, 6], /used as a number/],
  ])('reads %s', (_name, cells, wanted, done) => {
    expect(values(repeat(cells, 1))).toEqual(wanted);
    expect(read(cells).done).toMatch(done);
  });

  it('takes the one reading of 1,234 that the rest of the table has, and says what it took', () => {
    const alone = read(['1,234', '5,678', '9,012']);
    expect(typedCell(alone, '1,234')).toBe(1234);
    expect(alone.warnings.join()).toMatch(/'1,234' is read as 1234; for a decimal comma/);
    const beside = 'v;w\n1,234;0,5\n5,678;1,25\n9,012;2,0\n';
    const { columns } = summarizeTable(parseTable(beside));
    expect(typedCell(columns[0]!, '1,234')).toBe(1.234);
    expect(typedCell(read(['1,234', '5,678'], { types: { v: 'decimal comma' } }), '1,234')).toBe(1.234);
  });

  it('names the bad cell in a column of numbers and takes it as missing', () => {
    const cells = [...Array.from({ length: 299 }, (_, i) => String(20 + (i % 50))), '12O'];
    const reading = read(cells);
    expect(reading).toMatchObject({ kind: 'number', missing: 1 });
    expect(reading.warnings[0]).toBe(
      "column v: 1 of 300 cells is no number ('12O' in row 300), taken as missing.",
    );
    expect(() => summarizeTable(parseTable(file(['1', 'x', 'y', 'z'])), { types: { v: 'date' } })).toThrow(
      /summarizeTable: row 1: column 'v' must be a date/,
    );
  });

  it('does not take codes, house numbers and versions for numbers', () => {
    expect(read(repeat(['01234', '99999', '00501'], 1)).kind).toBe('category');
    expect(read(repeat(['12', '12a', '7b', '9'], 3)).kind).toBe('category');
    expect(read(repeat(['1.2.3', '1.10.0'], 6)).kind).toBe('category');
    expect(read(repeat(['Q1', 'Q2', 'Q3'], 4)).kind).toBe('category');
  });

  it('warns of two currencies, of bounds and of numbers that may mean a missing value', () => {
    expect(read(['$5', '$7', '€9', '$8']).warnings.join()).toMatch(/different units: '\$', '€'/);
    expect(read(['5', '<5', '10+', '7']).warnings.join()).toMatch(/2 cells are bounds/);
    expect(read(['5', '-999', '7', '-999', '4']).warnings.join()).toMatch(/-999 stands 2 times/);
  });

  it('takes dashes and None as missing among numbers, and as levels among words', () => {
    expect(read(['1', '-', '3', 'None', '5'])).toMatchObject({ kind: 'number', missing: 2 });
    expect(values(['+', '-', '+', '-'])).toEqual(['+', '-', '+', '-']);
    const target = read(repeat(['None', 'Mild', 'Severe']), { target: 'v' });
    expect(target).toMatchObject({ kind: 'category', distinct: 3, missing: 0 });
    expect(target.warnings).toEqual(["'None' is taken as a class of its own."]);
  });

  it('refuses digits that are grouped wrongly', () => {
    for (const cell of ['1,23,456', '12,34', '1,2345', ',123', '1,234,56'])
      expect(readNumeral(cell, { decimal: '.', group: ',' })).toBeNaN();
  });
});

describe('dates', () => {
  const day = (iso: string): number => Date.parse(iso) / 86_400_000;

  it.each([
    ['2024-03-01', 'year first', '2024-03-01T00:00Z'],
    ['2024/3/1', 'year first', '2024-03-01T00:00Z'],
    ['2024-03-01 12:30', 'year first', '2024-03-01T12:30Z'],
    ['2024-03-01T12:30:15Z', 'year first', '2024-03-01T12:30:15Z'],
    ['2024-03-01T12:30:00+02:00', 'year first', '2024-03-01T10:30Z'],
    ['01.03.2024', 'day first', '2024-03-01T00:00Z'],
    ['3/1/2024', 'month first', '2024-03-01T00:00Z'],
    ['3/1/24 1:05 PM', 'month first', '2024-03-01T13:05Z'],
    ['1 Mar 2024', 'month name', '2024-03-01T00:00Z'],
    ['March 1, 2024', 'month name', '2024-03-01T00:00Z'],
    ['1-Mar-24', 'month name', '2024-03-01T00:00Z'],
    ['2024-03', 'month', '2024-03-01T00:00Z'],
    ['2024Q2', 'quarter', '2024-04-01T00:00Z'],
  ] as const)('reads %s with the %s', (cell, style, iso) => {
    expect(readDate(cell, style)).toBeCloseTo(day(iso), 9);
  });

  it('knows that days and hours end', () => {
    for (const cell of ['2023-02-29', '2024-13-01', '2024-00-10', '2024-01-32', '2024-01-01 25:00'])
      expect(readDate(cell, 'year first')).toBeNaN();
    expect(readDate('12:60', 'time')).toBeNaN();
    expect(readDate('11:45 PM', 'time')).toBe(23.75);
  });

  it('finds the order of day and month by the days beyond 12, and says where it had to guess', () => {
    expect(read(['03/04/2024', '25/04/2024', '01/02/2024'])).toMatchObject({
      date: 'day first',
      warnings: [],
    });
    expect(read(['04/03/2024', '04/25/2024', '02/01/2024'])).toMatchObject({
      date: 'month first',
      warnings: [],
    });
    expect(read(['03/04/2024', '05/06/2024']).warnings[0]).toMatch(/month first; if it is the other/);
    expect(read(['03/04/2024', '05/06/2024'], { types: { v: 'day first' } }).date).toBe('day first');
  });

  it('becomes a place in time, and the parts of the calendar that vary', () => {
    const daily = Array.from({ length: 400 }, (_, i) =>
      new Date(Date.UTC(2023, 0, 1 + i)).toISOString().slice(0, 10),
    );
    expect(read(daily).calendar).toEqual(['season', 'weekday']);
    expect(read(daily.slice(0, 10)).calendar).toEqual([]);
    expect(read(['08:00', '12:30', '23:15']).date).toBe('time');
  });
});

describe('columns', () => {
  it('reads the index that pandas and R write, and leaves it out', () => {
    const pandas = summarizeTable(parseTable(',a,y\n0,1.5,2\n1,2.5,3\n2,0.5,4\n3,1.0,9\n4,7.5,1\n'));
    expect(pandas.columns[0]).toMatchObject({ name: 'row names', use: 'left out' });
    const short = parseTable('a y\n"r1" 1 2\n"r2" 3 4\n"r3" 5 6\n'.replaceAll(' ', ','));
    expect(short.columns).toEqual(['row names', 'a', 'y']);
    expect(summarizeTable(parseTable('a,,y\n1,,2\n2,,3\n')).columns[1]).toMatchObject({
      name: 'column 2',
      kind: 'empty',
      use: 'left out',
    });
  });

  it('leaves out names and free text, and says how to use them all the same', () => {
    const names = Array.from({ length: 30 }, (_, i) => `person ${i}`);
    expect(read(names)).toMatchObject({ kind: 'names', use: 'left out' });
    expect(read(names, { types: { v: 'category' } })).toMatchObject({ kind: 'category', use: 'feature' });
    const text = Array.from({ length: 30 }, (_, i) => `a sentence with number ${i} in it`);
    expect(read(text)).toMatchObject({ kind: 'text', use: 'left out' });
  });

  it('tells a row number that has a name from one that could be a quantity', () => {
    const table = parseTable(`id,size\n${Array.from({ length: 20 }, (_, i) => `${i + 1},${i}`).join('\n')}`);
    const [id, size] = summarizeTable(table).columns;
    expect(id).toMatchObject({ use: 'left out', done: 'left out: a number that names the row' });
    expect(size!.use).toBe('feature');
    expect(size!.warnings[0]).toMatch(/counts the rows from 0 to 19/);
  });

  it('takes two values of a target as classes and says so', () => {
    const binary = read(repeat(['0', '1']), { target: 'v' });
    expect(binary).toMatchObject({ kind: 'category', done: 'predicted as one of 2 classes' });
    expect(binary.warnings.join()).toMatch(/two values only/);
    expect(read(repeat(['0', '1']), { target: 'v', task: 'regression' }).kind).toBe('number');
    expect(read(repeat(['1', '2', '3']), { target: 'v' }).warnings.join()).toMatch(/3 values only/);
  });

  it('finds rows that repeat, and columns that give the target away', () => {
    const { warnings } = summarizeTable(parseTable('a,b,y\n1,3,3\n1,3,3\n2,4,4\n1,5,5\n'), { target: 'y' });
    expect(warnings.join(' ')).toMatch(/1 of 4 rows repeat another row/);
    expect(warnings.join(' ')).toMatch(/column b equals the target in every row/);
    const apart = summarizeTable(parseTable('a,y\n1,3\n1,4\n2,5\n'), { target: 'y' });
    expect(apart.warnings.join(' ')).toMatch(/1 groups of equal rows differ in the target/);
  });

  it('refuses types and columns that it does not know', () => {
    const table = parseTable('a,y\n1,2\n3,4\n');
    expect(() => summarizeTable(table, { types: { a: 'money' as never } })).toThrow(
      /the type of column 'a' must be one of number, decimal comma/,
    );
    expect(() => summarizeTable(table, { types: { b: 'number' } })).toThrow(/no column 'b'/);
    expect(() => summarizeTable(table, { drop: ['z'] })).toThrow(/no column 'z'/);
    expect(() => summarizeTable(table, { target: 'y', drop: ['y'] })).toThrow(/cannot be dropped/);
  });
});
