import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createResult, lineFigure, NumericalError, tensor, writeNpy } from 'infinite-width';
import { exitCodeOf, messageOf, UsageError } from '#build/cli/errors.js';
import { outputFolder, readTensor, writeFileAtomic, writeNpzFile } from '#build/cli/files.js';
import { createProgress, duration } from '#build/cli/progress.js';
import { writeReport } from '#build/cli/report.js';
import { listOf, oneOf, realNumber, wholeNumber } from '#build/cli/verb.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'iw-cli-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('files', () => {
  it('appear whole or not at all', async () => {
    await writeFileAtomic(join(folder, 'a.txt'), 'new');
    expect(await readFile(join(folder, 'a.txt'), 'utf8')).toBe('new');
    await expect(writeFileAtomic(join(folder, 'missing', 'a.txt'), 'x')).rejects.toThrow();
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('are read by their kind, and name themselves in errors', async () => {
    const at = (name: string) => join(folder, name);
    const x = tensor(Float64Array.of(1, 2), [1, 2]);
    await writeFile(at('x.npy'), writeNpy(x));
    await writeFile(at('x.csv'), 'a,b\n1,2\n');
    await writeNpzFile(at('two.npz'), { x, y: x });
    for (const name of ['x.npy', 'x.csv', 'two.npz:y']) expect(await readTensor(at(name))).toEqual(x);
    await expect(readTensor(at('two.npz'))).rejects.toThrow(/one member, got \[x, y\]/);
    await expect(readTensor(at('two.npz:z'))).rejects.toThrow(/'z'/);
    await expect(readTensor(at('x.parquet'))).rejects.toThrow(/no such file|x\.parquet/);
    await writeFile(at('wrong.npy'), 'a,b\n1,2\n');
    await expect(readTensor(at('wrong.npy'))).rejects.toThrow(/wrong\.npy: expected a \.npy file/);
    await writeFile(at('wrong.csv'), writeNpy(x));
    await expect(readTensor(at('wrong.csv'))).rejects.toThrow(/wrong\.csv: expected text/);
    await writeFile(at('x.txt2'), '');
    await expect(readTensor(at('x.txt2'))).rejects.toThrow(UsageError);
  });

  it('say when a folder cannot be written', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(outputFolder(join(folder, 'file', 'out'))).rejects.toThrow(
      /--out: the folder .* cannot be written/,
    );
  });
});

describe('errors', () => {
  it('have one line and the right exit code', async () => {
    const missing = await readTensor(join(folder, 'no.npy')).catch((error: unknown) => error);
    expect(exitCodeOf(missing)).toBe(2);
    expect(messageOf(missing)).toMatch(/no\.npy: no such file/);
    expect(messageOf(new RangeError('a: got \0\u001b[31m\tx\nmore'))).toBe(
      'a: got \\u0000\\u001b[31m\\u0009x',
    );
    expect(exitCodeOf(new UsageError('x'))).toBe(2);
    expect(exitCodeOf(new RangeError('dense: units must be >= 1, got -3.'))).toBe(2);
    expect(exitCodeOf(new NumericalError('cholesky: not positive definite'))).toBe(1);
    expect(exitCodeOf(new TypeError("Cannot read properties of undefined (reading 'x')"))).toBe(1);
    expect(exitCodeOf(new Error('stopped'))).toBe(1);
    expect(messageOf(new Error('first\nsecond'))).toBe('first');
  });
});

describe('option parsers', () => {
  it('accept what they say and name the rule otherwise', () => {
    expect(wholeNumber(1, 5)('3')).toBe(3);
    expect(() => wholeNumber(1, 5)('6')).toThrow(/>= 1 and <= 5/);
    expect(() => wholeNumber()('1.5')).toThrow(/whole number/);
    expect(['-1/2', 'inf', '1e-3'].map(realNumber())).toEqual([-0.5, Infinity, 1e-3]);
    for (const bad of ['', 'abc', '1/0/2', 'nan']) expect(() => realNumber()(bad)).toThrow();
    expect(() => realNumber(0)('-1')).toThrow(/>= 0/);
    expect(listOf(oneOf('nngp', 'ntk'))('nngp, ntk')).toEqual(['nngp', 'ntk']);
    expect(() => oneOf('a', 'b')('c')).toThrow(/a, b/);
  });
});

describe('progress', () => {
  it('redraws one line on a terminal and tells the time left', () => {
    let time = 0;
    let text = '';
    const sink = { isTTY: true, columns: 80, write: (part: string) => (text += part) };
    const progress = createProgress(sink, () => time);
    progress.start('training', 10);
    time = 5000;
    progress.update(5, 'width 64');
    expect(text).toMatch(/ 50%  training {2}width 64 {2}5\.0 s left$/);
    progress.finish();
    expect(text).toMatch(/done {2}training {2}5\.0 s\n$/);
    expect(text.split('\n')).toHaveLength(2);
  });

  it('writes few plain lines elsewhere', () => {
    let time = 0;
    let text = '';
    const progress = createProgress({ write: (part: string) => (text += part) }, () => time);
    progress.start('training', 100);
    for (let i = 1; i <= 100; i++) {
      time += 100;
      progress.update(i);
    }
    progress.finish('all well');
    const lines = text.trim().split('\n');
    expect(lines).toEqual(
      ['50%  training  5.0 s left', '100%  training  0.0 s left', 'done  training  all well  10 s'].map(
        (line) => expect.stringContaining(line),
      ),
    );
    expect(text).not.toContain('\x1b');
  });

  it('speaks of durations as people do', () => {
    expect([0.04, 12.4, 200, 7500].map(duration)).toEqual(['0.0 s', '12 s', '3 min 20 s', '2 h 05 min']);
  });
});

it('a report is a folder with numbers, figures and one page', async () => {
  const result = createResult('test', { z: Float64Array.of(1, Infinity) }, { variant: 'simd', settings: {} });
  const panel = { x: { label: 'x' }, y: { label: 'y' }, series: [{ name: 'a', x: [1, 2], y: [3, 4] }] };
  const figures = [lineFigure({ name: 'line', title: 'Line', panels: [panel] })];
  const out = join(folder, 'deep', 'out');
  const { files, drawn } = await writeReport(out, { title: 'T', result, figures, tables: [] });
  expect(drawn).toBe(true);
  expect((await readdir(out)).sort()).toEqual(['line.svg', 'line.vl.json', 'report.html', 'result.json']);
  expect(files).toHaveLength(4);
  const json = JSON.parse(await readFile(join(out, 'result.json'), 'utf8'));
  expect(json.data).toEqual({ z: [1, 'Infinity'] });
  expect(await readFile(join(out, 'report.html'), 'utf8')).toContain('<svg');
});
