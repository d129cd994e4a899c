// `train` as a process: killed and continued, replayed from explicit data and weights, on image files.
import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { writeNpy, writeNpz, tensor, type Tensor } from 'infinite-width';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadReference } from '../support/reference.js';

const main = fileURLToPath(new URL('../../build/cli/main.js', import.meta.url));
const run = (...args: string[]): Promise<{ stdout: string; stderr: string }> =>
  promisify(execFile)(process.execPath, [main, 'train', ...args], { maxBuffer: 1 << 26 });
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'iw-train-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));
const at = (...names: string[]): string => join(folder, ...names);

it('goes on after a kill, with the numbers of a call that was not killed', async () => {
  const args = [
    '--preset',
    'golikov-figure-1',
    '--seeds',
    '2',
    '--steps',
    '400',
    '--width',
    '512',
    '--examples',
    '64',
  ];
  await run(...args, '--workers', '2', '--out', at('whole'));
  const child = spawn(
    process.execPath,
    [main, 'train', ...args, '--workers', '2', '--checkpoint-every', '0.02', '--out', at('killed')],
    { stdio: 'ignore' },
  );
  const finished = async (): Promise<number> =>
    (await readdir(at('killed', 'runs')).catch((): string[] => [])).filter((name) => name.endsWith('.record'))
      .length;
  while ((await finished()) < 4) await new Promise((resolve) => setTimeout(resolve, 2));
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
  expect(await readdir(at('killed'))).toEqual(['runs']);
  const { stderr } = await run(...args, '--workers', '1', '--out', at('killed'));
  const [, left] = /(\d+) of 14 runs to do/.exec(stderr)!;
  expect(Number(left)).toBeLessThan(14);
  expect(stderr).toMatch(/at most \d+ MiB per worker/);
  expect(await readFile(at('killed', 'result.json'), 'utf8')).toBe(
    await readFile(at('whole', 'result.json'), 'utf8'),
  );
  expect(await readdir(at('killed'))).not.toContain('runs');
}, 120_000);

it('replays a published run from files of data and initial weights', async () => {
  interface Run {
    readonly mode: unknown;
    readonly test_logits: number[][];
  }
  const raw = await loadReference<Record<string, number[][] & number[]>>('golikov/data');
  const init = await loadReference<Record<string, { weights: [number[][], number[][]] }>>('golikov/init');
  const { runs } = await loadReference<{ runs: Run[] }>('golikov/one_hidden_sgd_full_d32');
  const [input, output] = init['hidden1_width32']!.weights;
  const rows = (list: number[][]): Tensor =>
    tensor(Float64Array.from(list.flat()), [list.length, list[0]!.length]);
  await writeFile(at('w.npz'), await writeNpz({ input: rows(input), output: rows(output) }));
  await writeFile(at('x.npy'), writeNpy(rows(raw['X_train']!)));
  const config = {
    data: { xTrain: at('x.npy'), yTrain: raw['y_train'], xTest: raw['X_test'], yTest: raw['y_test'] },
    scalings: ['meanField'],
    widths: [32],
    baseWidth: 8,
    epochs: 20,
    learningRate: 0.3,
    weights: { input: `${at('w.npz')}:input`, output: `${at('w.npz')}:output` },
  };
  await writeFile(at('run.json'), JSON.stringify(config));
  const { stdout } = await run('--config', at('run.json'), '--out', at('replay'), '--json');
  const { testLogits } = JSON.parse(stdout) as { testLogits: number[][] };
  const want = runs.find(({ mode }) => mode === 'mean_field')!.test_logits;
  expect(testLogits.length).toBe(want.length);
  want.forEach((logits, epoch) => {
    const scale = Math.max(...logits.map(Math.abs));
    logits.forEach((value, i) =>
      expect(Math.abs(testLogits[epoch]![i]! - value) / scale).toBeLessThan(1e-10),
    );
  });
});

it('takes two classes of image files, normalised by one mean and deviation', async () => {
  const idx = (shape: number[], values: number[]): Uint8Array => {
    const head = [0, 0, 8, shape.length, ...shape.flatMap((n) => [0, 0, n >> 8, n & 255])];
    return Uint8Array.from([...head, ...values]);
  };
  await mkdir(at('mnist'));
  for (const [split, n] of [
    ['train', 60],
    ['t10k', 30],
  ] as const) {
    // Class c has its left half at 80 c + noise: 0 and 2 are told apart at a glance.
    const labels = Array.from({ length: n }, (_, i) => i % 3);
    const pixels = labels.flatMap((label, i) =>
      Array.from({ length: 16 }, (_, p) => (p % 4 < 2 ? 80 * label : 40) + ((i * 7 + p * 13) % 30)),
    );
    await writeFile(at('mnist', `${split}-images-idx3-ubyte`), idx([n, 4, 4], pixels));
    await writeFile(at('mnist', `${split}-labels-idx1-ubyte`), idx([n], labels));
  }
  const preset = ['--preset', 'golikov-figure-1', '--data', at('mnist'), '--seeds', '1', '--width', '128'];
  const { stdout } = await run(
    ...preset,
    '--classes',
    '0,2',
    '--examples',
    '20',
    '--batch',
    '10',
    '--steps',
    '40',
    '--learning-rate',
    '0.1',
    '--out',
    at('images'),
    '--json',
  );
  const { reference, curves } = JSON.parse(stdout) as Record<string, { testAccuracy: { mean: number[] } }> & {
    curves: unknown[];
  };
  expect(reference!.testAccuracy.mean.at(-1)).toBe(1);
  expect(curves.length).toBe(6);
  const failed = (await run(...preset, '--classes', '0,1', '--examples', '50', '--out', at('images')).catch(
    (error: unknown) => error,
  )) as { code: number; stderr: string };
  expect(failed.code).toBe(2);
  expect(failed.stderr).toContain('expected 25 train images of class 0, got 20');
});

it('takes CIFAR batches, and refuses damaged ones', async () => {
  // Records of the published layout: a class, then the red, green and blue plane. Class c is red or blue by its parity.
  const batch = (n: number, first: number): Uint8Array => {
    const bytes = new Uint8Array(n * 3073);
    for (let i = 0; i < n; i++) {
      const label = (first + i) % 4;
      bytes[i * 3073] = label;
      for (let p = 0; p < 3072; p++) {
        const bright = Math.floor(p / 1024) === (label % 2 ? 2 : 0);
        bytes[i * 3073 + 1 + p] = (bright ? 150 : 60) + ((p * 31 + i * 57 + ((p * i) % 97)) % 60);
      }
    }
    return bytes;
  };
  await mkdir(at('cifar'));
  for (let part = 0; part < 2; part++)
    await writeFile(at('cifar', `data_batch_${part + 1}.bin`), batch(30, 30 * part));
  await writeFile(at('cifar', 'test_batch.bin'), batch(40, 1));
  const preset = (folder: string): string[] =>
    `--preset golikov-figure-1 --data ${folder} --seeds 1 --width 128 --examples 20 --steps 12`.split(' ');
  const { stdout } = await run(...preset(at('cifar')), '--out', at('colour'), '--json');
  const { reference } = JSON.parse(stdout) as { reference: { testAccuracy: { mean: number[] } } };
  expect(reference.testAccuracy.mean.at(-1)).toBe(1); // classes 0 and 1 by default
  const whole = batch(30, 0);
  const damaged: [string, Uint8Array, RegExp][] = [
    [
      'cut',
      whole.subarray(0, -5),
      /data_batch_3\.bin: expected records of 3073 bytes, got 92185 bytes.*truncated/,
    ],
    [
      'other',
      whole.map((byte, i) => (i === 3073 * 7 ? 200 : byte)),
      /data_batch_3\.bin: record 7 has label 200/,
    ],
    ['empty', new Uint8Array(0), /data_batch_3\.bin: expected records/],
  ];
  for (const [name, bytes, message] of damaged) {
    await writeFile(at('cifar', 'data_batch_3.bin'), bytes);
    const failed = (await run(...preset(at('cifar')), '--out', at(name)).catch(
      (error: unknown) => error,
    )) as {
      code: number;
      stderr: string;
    };
    expect(failed.code, name).toBe(2);
    expect(failed.stderr).toMatch(message);
  }
});

it('draws the figures over width', async () => {
  const { stdout } = await run(
    '--preset',
    'golikov-widths',
    '--seeds',
    '2',
    '--steps',
    '5',
    '--examples',
    '32',
    '--out',
    at('widths'),
    '--json',
  );
  const { scalings } = JSON.parse(stdout) as {
    scalings: { name: string; widths: number[]; terms: Record<string, unknown[]> }[];
  };
  expect(scalings.map(({ name }) => name)).toEqual(['mean-field', 'NTK', 'intermediate(3/4)', 'default']);
  expect(scalings[1]!.widths).toEqual([128, 256, 512, 1024, 2048, 4096]);
  expect(scalings[1]!.terms['faw']!.length).toBe(6);
  const files = await readdir(at('widths'));
  for (const name of ['losses', 'terms', 'increments']) expect(files).toContain(`${name}.vl.json`);
});

it('draws them for several hidden layers, with any optimiser', async () => {
  const line = '--preset golikov-widths --seeds 1 --steps 2 --examples 32';
  const { stdout } = await run(
    ...`${line} --depth 2 --optimizer rmsprop --json`.split(' '),
    '--out',
    at('deep'),
  );
  const { scalings } = JSON.parse(stdout) as {
    scalings: { widths: number[]; terms: Record<string, unknown[]>; hiddenMove: unknown[] }[];
  };
  expect(scalings.length).toBe(4);
  for (const { widths, terms, hiddenMove } of scalings) {
    expect(widths).toEqual([128, 256, 512, 1024]);
    expect(Object.keys(terms).length).toBe(8);
    expect(hiddenMove.length).toBe(4);
  }
  expect(await readdir(at('deep'))).toContain('terms.svg');
  for (const wrong of [`${line} --optimizer adam`, '--preset golikov-figure-1 --depth 2']) {
    const failed = (await run(...wrong.split(' '), '--out', at('deep')).catch((error: unknown) => error)) as {
      code: number;
      stderr: string;
    };
    expect(failed.code, wrong).toBe(2);
    expect(failed.stderr).toMatch(/--optimizer needs --depth 2 or more|belong to --preset golikov-widths/);
  }
}, 60_000);
