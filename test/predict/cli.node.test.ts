// The verb as a process: files, exit codes, one JSON document on stdout.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const main = fileURLToPath(new URL('../../build/cli/main.js', import.meta.url));
const data = (name: string): string => fileURLToPath(new URL(`./data/${name}`, import.meta.url));
let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'predict-'))));
afterAll(() => rmSync(folder, { recursive: true }));

function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) =>
    execFile(process.execPath, [main, 'predict', ...args, '--workers', '0'], (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    ),
  );
}

describe('infinite-width predict', () => {
  it('cross-validates, saves a model, and applies it to other rows', async () => {
    const first = join(folder, 'first');
    const fast = ['--method', 'nngp', '--diag-reg', '0.1', '--folds', '3', '--json'];
    const { code, out } = await run(
      '--train',
      data('iris.csv'),
      '--target',
      'class',
      '--out',
      first,
      ...fast,
    );
    expect(code).toBe(0);
    const summary = JSON.parse(out) as {
      metrics: { accuracy: number };
      report: object;
      files: string[];
    };
    expect(summary.metrics.accuracy).toBeGreaterThan(0.93);
    expect(summary.report).toMatchObject({ columns: 4, features: 8 });
    for (const name of ['predictions.csv', 'model.json', 'result.json', 'report.html', 'calibration.vl.json'])
      expect(readdirSync(first)).toContain(name);
    const rows = readFileSync(join(first, 'predictions.csv'), 'utf8').trim().split('\n');
    expect(rows[0]).toBe('row,target,prediction,p_setosa,p_versicolor,p_virginica,novelty');
    expect(rows).toHaveLength(151);
    expect(rows[1]!.startsWith('1,setosa,setosa,0.9')).toBe(true);

    const test = join(folder, 'test.csv');
    writeFileSync(
      test,
      'petal_width,petal_length,sepal_width,sepal_length\n0.2,1.4,3.5,5.1\n2.3,6.1,3,7.7\n',
    );
    const second = join(folder, 'second');
    const applied = await run('--model', join(first, 'model.json'), '--test', test, '--out', second);
    expect(applied.code).toBe(0);
    const lines = readFileSync(join(second, 'predictions.csv'), 'utf8').trim().split('\n');
    expect(lines.slice(1).map((line) => line.split(',')[1])).toEqual(['setosa', 'virginica']);
  });

  it('stops training at a time, with intervals from five folds', async () => {
    const out = join(folder, 'time');
    const options = [
      '--time',
      '2000',
      '--method',
      'ntk',
      '--diag-reg',
      '0',
      '--max-rows',
      '120',
      '--folds',
      '3',
    ];
    const { code } = await run(
      '--train',
      data('diabetes.csv'),
      '--target',
      'progression',
      '--out',
      out,
      ...options,
    );
    expect(code).toBe(0);
    const result = JSON.parse(readFileSync(join(out, 'result.json'), 'utf8'));
    expect(result.data.metrics.r2).toBeGreaterThan(0.25);
    expect(result.data.metrics.coverage[1].share).toBeGreaterThan(0.8);
    expect(readdirSync(out)).toContain('residuals.vl.json');
  });

  it('takes class probabilities from the flow of the cross-entropy', async () => {
    const out = join(folder, 'flow');
    const args = ['--train', data('iris.csv'), '--target', 'class', '--folds', '3', '--out', out];
    const { code } = await run(...args, '--probabilities', 'cross-entropy');
    expect(code).toBe(0);
    const { data: found } = JSON.parse(readFileSync(join(out, 'result.json'), 'utf8'));
    expect(found.fit.probabilities).toBe('cross-entropy');
    expect(found.metrics.accuracy).toBeGreaterThan(0.93);
    expect(found.metrics.calibrationError).toBeLessThan(0.06);
  });

  it('reads UTF-16 of spreadsheets, and rows without a target', async () => {
    const [file, out] = [join(folder, 'sheet.txt'), join(folder, 'sheet')];
    const rows = Array.from({ length: 12 }, (_, i) => `${i}\t${i % 3 === 1 ? '' : 2 * i + 1}`);
    const text = ['größe\tzahl', ...rows].join('\r\n');
    writeFileSync(file, Buffer.concat([Buffer.of(0xff, 0xfe), Buffer.from(text, 'utf16le')]));
    const { code } = await run('--train', file, '--target', 'zahl', '--out', out, '--folds', '2');
    expect(code).toBe(0);
    const lines = readFileSync(join(out, 'predictions.csv'), 'utf8').trim().split('\n');
    const found = lines.slice(1).map((line) => line.split(',').slice(0, 2).map(Number));
    expect(found).toEqual([0, 2, 3, 5, 6, 8, 9, 11].map((i) => [i + 1, 2 * i + 1]));
    // Applied to rows of which some have the target: metrics of those, predictions of all.
    const again = await run('--train', file, '--target', 'zahl', '--test', file, '--out', out, '--json');
    expect(JSON.parse(again.out).metrics.rows).toBe(8);
  });

  it('says in one line what is wrong, exit code 2', async () => {
    const bad = join(folder, 'bad.csv');
    writeFileSync(bad, 'a,b\n1,2,3\n');
    const latin = join(folder, 'latin.csv');
    writeFileSync(latin, Buffer.from('größe,b\n1,2\n', 'latin1'));
    for (const [args, message] of [
      [['--train', bad, '--target', 'b'], 'line 2 has 3 cells'],
      [['--train', latin, '--target', 'b'], 'another encoding. Save it as UTF-8'],
      [['--train', join(folder, 'none.csv'), '--target', 'b'], 'no such file'],
      [['--train', data('iris.csv'), '--target', 'species'], "no column 'species'"],
      [['--train', data('iris.csv')], '--target'],
      [['--target', 'x'], '--train'],
      [['--model', data('iris.csv'), '--test', data('iris.csv')], 'no JSON'],
    ] as const) {
      const { code, err, out } = await run(...args, '--out', join(folder, 'x'));
      expect([code, out]).toEqual([2, '']);
      expect(err).toContain(message);
    }
  });
});
