// Tables that are generated here: choices, calibration, tiles, files, and everything that can be wrong.
import {
  createEngine,
  crossValidate,
  fit,
  loadModel,
  measureTable,
  parseTable,
  type Engine,
} from 'infinite-width';
import { digestOf } from '#build/predict/table/file.js';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { classes, maxGap, numbers } from './support.js';

let engine: Engine;
beforeAll(async () => void (engine = await createEngine({ variant: 'simd' })));
afterAll(() => engine.dispose());

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
    // At time 0 nothing is learned: every class is as likely, but for the share of 1 in 62 that has the class frequencies; and numbers have no cross-entropy.
    const start = await (await fit(engine, classes(60, 3), { ...options, time: 0 })).predict(fresh);
    expect(start.probabilities!.every((value) => Math.abs(value - 0.5) < 0.5 / 62)).toBe(true);
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
    expect(() => loadModel(engine, text.replace('"version":2', '"version":9'))).toThrow('version 9');
  });

  it('refuses model files that were changed, by their digest, and what has a digest but not the form', async () => {
    const named = { ...numbers(30, 5), columns: ['x1', 'x2', 'colour', 'y'] };
    const models = [
      await fit(engine, named, { target: 'y', method: 'ntk', diagReg: 0.1 }),
      await fit(engine, classes(30, 3), { target: 'class', method: 'nngp', probabilities: 'cross-entropy' }),
    ] as const;
    const text = models[0].save();
    expect(() => loadModel(engine, text.replace('"diagReg":0.1', '"diagReg":0.2'))).toThrow(
      /damaged: its content has changed/,
    );
    const pathsOf = (value: unknown): string[][] =>
      value && typeof value === 'object'
        ? Object.entries(value).flatMap(([key, entry]) => [[key], ...pathsOf(entry).map((p) => [key, ...p])])
        : [];
    const junk = fc.constantFrom(undefined, null, -1, 0, 1e300, 'x', [], {}, true, 1.5, 'AAAA');
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...models), fc.nat(), junk, async (model, place, value) => {
        const { digest: _, ...file } = JSON.parse(model.save());
        const paths = pathsOf(file);
        const path = paths[place % paths.length]!;
        let inner = file;
        for (const key of path.slice(0, -1)) inner = inner[key];
        if (value === undefined) delete inner[path.at(-1)!];
        else inner[path.at(-1)!] = value;
        try {
          const rows = model.task === 'regression' ? named : classes(30, 3);
          const changed = loadModel(engine, JSON.stringify({ ...file, digest: digestOf(file) }));
          const { mean, probabilities } = await changed.predict(rows);
          expect((mean ?? probabilities!).every(Number.isFinite)).toBe(true);
        } catch (error) {
          expect(String(error)).toMatch(
            /^(RangeError|TypeError|NumericalError): (loadModel|net|predict|fit|kernel|the train)/,
          );
        }
      }),
      { seed: 9, numRuns: 300 },
    );
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
});
