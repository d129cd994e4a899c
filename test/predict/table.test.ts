// Tables that are generated here: typing, encoding, choices, calibration, files, and everything that can be wrong.
import {
  createEngine,
  crossValidate,
  fit,
  loadModel,
  measureTable,
  parseTable,
  type DataTable,
  type Engine,
} from 'infinite-width';
import { encode, fitEncoder } from '#build/predict/table/encoder.js';
import { isMissing, numberOf } from '#build/predict/table/csv.js';
import { fitLink, leaveOneOut, profiledScale } from '#build/predict/table/loo.js';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { maxGap, noise, times } from './support.js';

let engine: Engine;
beforeAll(async () => void (engine = await createEngine({ variant: 'simd' })));
afterAll(() => engine.dispose());

/** y = sin of x1 + colour, with noise; x2 is skewed and irrelevant. */
function numbers(rows: number, seed: number): DataTable {
  const next = noise(seed);
  const colours = ['red', 'green', 'blue'];
  return {
    columns: ['x1', 'x2', 'colour', 'y'],
    rows: Array.from({ length: rows }, () => {
      const x1 = 2 * next();
      const colour = Math.floor((next() + 1) * 1.49);
      const y = 3 * Math.sin(2 * x1) + colour + 0.2 * (next() + next() + next());
      return [x1, 1 / (1.001 + next()), colours[colour]!, y];
    }),
  };
}

/** Two classes whose true log odds are 3 x1. */
function classes(rows: number, seed: number): DataTable {
  const next = noise(seed);
  return {
    columns: ['x1', 'x2', 'class'],
    rows: Array.from({ length: rows }, () => {
      const [x1, x2] = [2 * next(), next()];
      return [x1, x2, (next() + 1) / 2 < 1 / (1 + Math.exp(-3 * x1)) ? 'yes' : 'no'];
    }),
  };
}

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
      ['a,\n1,2\n', 'has no name'],
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
    const encoder = fitEncoder(table, null, { ignore: ['id'] });
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
    const encoder = fitEncoder(table, null, { ignore: ['id', 'm'] });
    const x = encode(encoder, { columns: ['c', 'n'], rows: [['zebra', '1e300']] });
    expect(x[0]).toBe(1000);
    expect([...x].every(Number.isFinite)).toBe(true);
    expect(() => encode(encoder, { columns: ['c', 'n'], rows: [['a', 'many']] })).toThrow("column 'n'");
    expect(() => encode(encoder, { columns: ['c'], rows: [['a']] })).toThrow("no column 'n'");
  });

  it('is fitted on the training part only: normal scores are bounded by its ranks', () => {
    const train = { columns: ['v'], rows: Array.from({ length: 50 }, (_, i) => [i ** 3]) };
    const encoder = fitEncoder(train, null);
    const x = encode(encoder, { columns: ['v'], rows: [[-5], [1e12], [24.5 ** 3]] });
    expect(x[1]).toBeCloseTo(-x[3]!, 12);
    expect(Math.abs(x[5]!)).toBeLessThan(0.05);
  });
});

describe('leave-one-out', () => {
  it('is what refitting without each sample gives', () => {
    const next = noise(4);
    const n = 6;
    const a = Float64Array.from({ length: n * n }, next);
    const m = times(
      a,
      Float64Array.from(a, (_, i) => a[(i % n) * n + Math.floor(i / n)]!),
      n,
      n,
      n,
    );
    for (let i = 0; i < n; i++) m[i * n + i]! += 0.5;
    const y = Float64Array.from({ length: n }, next);
    const inverse = invert(m, n);
    const loo = leaveOneOut(
      times(inverse, y, n, 1, n),
      Float64Array.from({ length: n }, (_, i) => inverse[i * n + i]!),
      1,
    );
    for (let left = 0; left < n; left++) {
      const keep = [...Array(n).keys()].filter((i) => i !== left);
      const part = invert(Float64Array.from(keep.flatMap((i) => keep.map((j) => m[i * n + j]!))), n - 1);
      const cross = Float64Array.from(keep, (i) => m[left * n + i]!);
      const w = times(
        part,
        Float64Array.from(keep, (i) => y[i]!),
        n - 1,
        1,
        n - 1,
      );
      const mean = times(cross, w, 1, 1, n - 1)[0]!;
      expect(loo.residual[left]).toBeCloseTo(y[left]! - mean, 10);
      const explained = times(cross, times(part, cross, n - 1, 1, n - 1), 1, 1, n - 1)[0]!;
      expect(loo.variance[left]).toBeCloseTo(m[left * n + left]! - explained, 10);
    }
    expect(profiledScale(loo, 1)[0]).toBeGreaterThan(0);
  });

  it('finds the slope that generated the labels', () => {
    const next = noise(8);
    const n = 4000;
    const mean = new Float64Array(2 * n);
    const labels = Array.from({ length: n }, (_, i) => {
      mean[2 * i] = next();
      return (next() + 1) / 2 < 1 / (1 + Math.exp(-5 * mean[2 * i]!)) ? 0 : 1;
    });
    const { link } = fitLink(mean, new Float64Array(n), labels, 2, 30);
    expect(link.slope).toBeGreaterThan(4.4);
    expect(link.slope).toBeLessThan(5.6);
  });
});

function invert(matrix: Float64Array, n: number): Float64Array {
  const rows = Array.from({ length: n }, (_, i) => [
    ...matrix.subarray(i * n, (i + 1) * n),
    ...Array.from({ length: n }, (__, j) => +(i === j)),
  ]);
  for (let p = 0; p < n; p++) {
    const pivot = rows[p]![p]!;
    rows[p] = rows[p]!.map((v) => v / pivot);
    for (let i = 0; i < n; i++)
      if (i !== p) {
        const factor = rows[i]![p]!;
        rows[i] = rows[i]!.map((v, k) => v - factor * rows[p]![k]!);
      }
  }
  return Float64Array.from(rows.flatMap((row) => row.slice(n)));
}

describe('fit and predict', () => {
  it('learns a function of numbers and names, with intervals that cover what they say', async () => {
    const model = await fit(engine, numbers(150, 1), { target: 'y' });
    const fresh = numbers(400, 2);
    const { mean, intervals, deviation } = await model.predict(fresh);
    const truth = fresh.rows.map((row) => row[3] as number);
    const average = truth.reduce((a, b) => a + b) / truth.length;
    const error = truth.reduce((sum, y, i) => sum + (y - mean![i]!) ** 2, 0);
    expect(1 - error / truth.reduce((sum, y) => sum + (y - average) ** 2, 0)).toBeGreaterThan(0.9);
    for (const { level, low, high } of intervals!) {
      const share = truth.filter((y, i) => y >= low[i]! && y <= high[i]!).length / truth.length;
      expect(Math.abs(share - level)).toBeLessThan(0.1);
    }
    expect(deviation!.every((value) => value > 0)).toBe(true);
  });

  it('gives probabilities that sum to one and are calibrated', async () => {
    const model = await fit(engine, classes(300, 3), { target: 'class' });
    const fresh = classes(1500, 4);
    const { probabilities, labels, classes: names } = await model.predict(fresh);
    expect(names).toEqual(['no', 'yes']);
    let [gap, hits] = [0, 0];
    fresh.rows.forEach((row, i) => {
      expect(probabilities![2 * i]! + probabilities![2 * i + 1]!).toBeCloseTo(1, 12);
      gap += Math.abs(probabilities![2 * i + 1]! - 1 / (1 + Math.exp(-3 * (row[0] as number)))) / 1500;
      hits += +(labels![i] === row[2]);
    });
    expect(gap).toBeLessThan(0.08); // mean distance to the true probability
    expect(hits / 1500).toBeGreaterThan(0.83); // the Bayes rule reaches 0.87
    const cv = await crossValidate(engine, classes(300, 3), { target: 'class', folds: 3 });
    expect(cv.metrics.task === 'classification' && cv.metrics.calibrationError).toBeLessThan(0.08);
    expect(cv.prediction.rows).toBe(300);
    expect([...cv.rows].sort((a, b) => a - b)).toEqual([...Array(300).keys()]);
  });

  it('gives class probabilities by the flow of the cross-entropy, stopped where left-out rows say', async () => {
    const options = { target: 'class', probabilities: 'cross-entropy' as const };
    const model = await fit(engine, classes(300, 3), options);
    const fresh = classes(1500, 4);
    const found = await model.predict(fresh);
    let gap = 0;
    fresh.rows.forEach((row, i) => {
      const p = found.probabilities!;
      expect(p[2 * i]! + p[2 * i + 1]!).toBeCloseTo(1, 12);
      gap += Math.abs(p[2 * i + 1]! - 1 / (1 + Math.exp(-3 * (row[0] as number)))) / 1500;
    });
    expect(gap).toBeLessThan(0.08);
    const metrics = measureTable(found, fresh, 'class');
    expect(metrics.task === 'classification' && metrics.calibrationError).toBeLessThan(0.08);
    const { probabilities, looAccuracy } = await model.prepare();
    expect(probabilities).toBe('cross-entropy');
    expect(looAccuracy).toBeGreaterThan(0.8);
    const again = await loadModel(engine, model.save()).predict(fresh);
    expect(again.probabilities).toEqual(found.probabilities);
    // At time 0 nothing is learned: every class is as likely; and numbers have no cross-entropy.
    const start = await (await fit(engine, classes(60, 3), { ...options, time: 0 })).predict(fresh);
    expect(start.probabilities!.every((value) => Math.abs(value - 0.5) < 1e-12)).toBe(true);
    await expect(fit(engine, numbers(30, 1), { ...options, target: 'y' })).rejects.toThrow(/are for classes/);
    await expect(
      fit(engine, classes(30, 1), { target: 'class', probabilities: 'dirichlet' as never }),
    ).rejects.toThrow(/'gaussian' or 'cross-entropy'/);
  });

  it('predicts the same after saving and loading, and row by row', async () => {
    const model = await fit(engine, numbers(60, 5), { target: 'y', selectionRows: 40 });
    const fresh = numbers(5, 6);
    const want = await model.predict(fresh);
    const text = model.save();
    const again = await loadModel(engine, text).predict(fresh);
    expect([...again.mean!]).toEqual([...want.mean!]);
    const one = await model.predict([
      { x1: fresh.rows[2]![0], x2: fresh.rows[2]![1], colour: fresh.rows[2]![2] },
    ]);
    expect(maxGap(one.mean!, [want.mean![2]!])).toBeLessThan(1e-10);
    expect(() => loadModel(engine, '{}')).toThrow('no model file');
    expect(() => loadModel(engine, 'x')).toThrow('no JSON');
    expect(() => loadModel(engine, text.replace(/"x":"[^"]{8}/, '"x":"'))).toThrow('damaged');
    expect(() => loadModel(engine, text.replace('"version":1', '"version":9'))).toThrow('version 9');
  });

  it('solves in tiles what does not fit in one piece, and predicts the same', async () => {
    const small = await createEngine({ variant: 'simd', memoryBytes: 2 ** 20 }); // 147 rows in one piece
    for (const [data, target] of [
      [numbers(300, 5), 'y'],
      [classes(300, 3), 'class'],
    ] as const) {
      const seen: (number | undefined)[] = [];
      const [one, tiles] = [
        await fit(engine, data, { target }),
        await fit(small, data, { target, onProgress: ({ bytes }) => void seen.push(bytes) }),
      ];
      const [a, b] = [await one.predict(data), await tiles.predict(data)];
      const pairs = [
        [a.mean, b.mean],
        [a.deviation, b.deviation],
        [a.intervals?.[1]?.low, b.intervals?.[1]?.low],
        [a.probabilities, b.probabilities],
      ] as const;
      for (const [p, q] of pairs) if (p) expect(maxGap(p, q!)).toBeLessThan(1e-9);
      const report = await tiles.prepare();
      expect([report.diagnostics.method, report.looRows]).toEqual(['tiled', 300]);
      expect(report.diagnostics.residual).toBeLessThan(1e-10);
      expect(seen.find((bytes) => bytes !== undefined)).toBe(report.diagnostics.bytes);
      // A file goes either way.
      const again = await loadModel(small, one.save()).predict(data);
      expect(maxGap((again.mean ?? again.probabilities)!, (a.mean ?? a.probabilities)!)).toBeLessThan(1e-9);
    }
    // Leaving out a thousand of the rows stands for leaving out all: the calibration is nearly the same.
    const roomy = await createEngine({ variant: 'simd', memoryBytes: 2 ** 23 });
    const options = { target: 'y', method: 'nngp', diagReg: 0.1 } as const;
    const data = numbers(1500, 8);
    const [one, tiles] = [await fit(engine, data, options), await fit(roomy, data, options)];
    expect((await tiles.prepare()).looRows).toBe(1000);
    const fresh = numbers(20, 9);
    const [a, b] = [await one.predict(fresh), await tiles.predict(fresh)];
    expect(maxGap(a.mean!, b.mean!)).toBeLessThan(1e-9);
    a.intervals!.forEach(({ low, high }, k) => {
      const other = b.intervals![k]!;
      low.forEach((from, i) =>
        expect((other.high[i]! - other.low[i]!) / (high[i]! - from)).toBeCloseTo(1, 0),
      );
    });
    for (const extra of [{ time: 5 }, { diagReg: 0 }])
      await expect(fit(small, data, { ...options, ...extra })).rejects.toThrow(
        /need the kernel in one piece.*maxRows: 147 /,
      );
    await expect(fit(small, data, options)).rejects.toThrow(/1500 rows need .*maxRows: 212/);
    await expect(fit(small, data, { ...options, maxRows: 212 })).resolves.toBeDefined();
    expect(() => loadModel(small, tiles.save())).not.toThrow();
    await expect(loadModel(small, tiles.save()).predict(fresh)).rejects.toThrow(/1500 rows need .* in tiles/);
    small.dispose();
    roomy.dispose();
  });

  it('cross-validates the rows whose target is known, under their places in the table', async () => {
    const table = numbers(40, 12);
    const rows = table.rows.map((row, i) =>
      i % 4 === 1 ? [...row.slice(0, 3), i % 8 === 1 ? '' : 'NA'] : row,
    );
    const holes = { ...table, rows };
    const options = { target: 'y', method: 'nngp', diagReg: 0.1 } as const;
    const cv = await crossValidate(engine, holes, options);
    expect([...cv.rows].sort((a, b) => a - b)).toEqual([...Array(40).keys()].filter((i) => i % 4 !== 1));
    cv.rows.forEach((row, i) => expect(cv.truth[i]).toBe(String(table.rows[row]![3])));
    // Metrics are those of the rows with a target, whatever else was predicted.
    const all = await (await fit(engine, holes, options)).predict(holes);
    const known = rows.flatMap((row, i) => (i % 4 === 1 ? [] : [(row[3] as number) - all.mean![i]!]));
    const metrics = measureTable(all, holes, 'y');
    expect(metrics.rows).toBe(30);
    if (metrics.task === 'regression')
      expect(metrics.rmse).toBeCloseTo(Math.hypot(...known) / Math.sqrt(known.length), 12);
    const named = classes(40, 3);
    const some = { ...named, rows: named.rows.map((row, i) => (i === 3 ? [row[0], row[1], null] : row)) };
    const found = await (await fit(engine, named, { ...options, target: 'class' })).predict(some);
    expect(measureTable(found, some, 'class').rows).toBe(39);
    const none = { ...table, rows: rows.map((row) => [...row.slice(0, 3), '?']) };
    expect(() => measureTable(all, none, 'y')).toThrow(/every value of the target 'y' is missing/);
    const text = { ...table, rows: rows.map((row) => [...row.slice(0, 3), 'tall']) };
    expect(() => measureTable(all, text, 'y')).toThrow(/row 1: the target 'y' must be a number, got 'tall'/);
    expect(() => measureTable(all, { ...table, rows: rows.slice(1) }, 'y')).toThrow(/39 rows, 40 were/);
    const few = parseTable('a,y\n1,5\n2,6\n3,7\n4,8\n');
    expect((await crossValidate(engine, few, options)).folds).toHaveLength(4);
    await expect(crossValidate(engine, few, { ...options, folds: 2 })).rejects.toThrow(/fewer than 3 to fit/);
    const alone = parseTable('a,y\n1,u\n2,u\n3,u\n4,u\n5,v\n');
    await expect(crossValidate(engine, alone, options)).rejects.toThrow(/one class is left/);
  });

  it('does not look at the scale of the target, nor at the order of columns', async () => {
    const table = numbers(60, 7);
    const big = { ...table, rows: table.rows.map((row) => [...row.slice(0, 3), 1e200 * (row[3] as number)]) };
    const options = { target: 'y', method: 'ntk', diagReg: 0.1 } as const;
    const a = await (await fit(engine, table, options)).predict(table);
    const b = await (await fit(engine, big, options)).predict(big);
    a.mean!.forEach((value, i) => expect(Math.abs(b.mean![i]! / 1e200 - value)).toBeLessThan(1e-9));
    const [p, q] = [measureTable(a, table, 'y'), measureTable(b, big, 'y')];
    if (p.task === 'regression' && q.task === 'regression') {
      expect(q.r2).toBeCloseTo(p.r2, 9);
      expect(q.rmse / 1e200).toBeCloseTo(p.rmse, 9);
    }
  });

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

  it('refuses with the rule and the remedy', async () => {
    const table = numbers(20, 1);
    const bad = (options: object, message: string, data: DataTable = table) =>
      expect(fit(engine, data, { target: 'y', ...options } as never)).rejects.toThrow(message);
    await bad({ target: 'z' }, "no column 'z'");
    await bad({ ignore: ['x1', 'x2', 'colour'] }, 'no column beside');
    await bad({ ignore: ['nope'] }, "no column 'nope'");
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
