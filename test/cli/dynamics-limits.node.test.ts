// The verbs of `dynamics` about the distance from infinite width and about errors over samples: the numbers of the calls.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  createEngine,
  doubleDescent,
  extrapolateTraining,
  finiteWidthCorrections,
  largestRates,
  learningCurve,
  normal,
  randomKey,
  scalings,
  sufficientWidth,
  tensor,
  writeNpy,
  type Engine,
  type Tensor,
} from 'infinite-width';
import { afterAll, beforeAll, expect, it } from 'vitest';

const main = fileURLToPath(new URL('../../build/cli/main.js', import.meta.url));
const net = [{ layer: 'dense', units: 64, wStd: 1.4 }, { layer: 'relu' }, { layer: 'dense', units: 1 }];
const standard = [
  { layer: 'dense', units: 16, parametrization: 'standard' },
  { layer: 'tanh' },
  { layer: 'dense', units: 1, parametrization: 'standard' },
];
let cwd: string;
let engine: Engine;
let x: Tensor;
let y: Tensor;

async function run(...args: string[]): Promise<{ stdout: string; stderr: string; code: number }> {
  try {
    const done = await promisify(execFile)(process.execPath, [main, 'dynamics', ...args, '--workers', '0'], {
      cwd,
    });
    return { ...done, code: 0 };
  } catch (error) {
    return error as { stdout: string; stderr: string; code: number };
  }
}

/** A verb with --json and --out; the files it says it wrote are there. */
async function json(verb: string, ...args: string[]): Promise<Record<string, unknown>> {
  const { stdout, stderr } = await run(verb, ...args, '--json', '--quiet', '--out', verb);
  const { files, ...numbers } = JSON.parse(stdout || `{"files": "${stderr}"}`) as Record<string, unknown>;
  expect((files as string[]).map((file) => file.split('/')[1]).sort()).toEqual(
    (await readdir(join(cwd, verb))).sort(),
  );
  for (const file of files as string[])
    expect(await readFile(join(cwd, file), 'utf8')).not.toMatch(/NaN|undefined/);
  return numbers;
}
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, item: unknown) =>
      ArrayBuffer.isView(item) ? [...(item as Float64Array)] : item,
    ),
  );

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'iw-limits-'));
  engine = await createEngine({ variant: 'simd', workers: 0 });
  x = tensor(normal(engine, randomKey(0), 60), [20, 3]);
  y = tensor(
    Float64Array.from({ length: 20 }, (_, i) => Math.sign(x.data[3 * i]!)),
    [20, 1],
  );
  const files = { 'x.npy': x, 'y.npy': y, 'few.npy': tensor(x.data.slice(0, 6) as Float64Array, [2, 3]) };
  for (const [name, value] of Object.entries(files)) await writeFile(join(cwd, name), writeNpy(value));
  await writeFile(join(cwd, 'net.json'), JSON.stringify(net));
  await writeFile(join(cwd, 'standard.json'), JSON.stringify(standard));
  const rows = Array.from(
    { length: 20 },
    (_, i) => `${x.data[3 * i]},${x.data[3 * i + 1]},${y.data[i]! > 0 ? 'yes' : 'no'}`,
  );
  await writeFile(join(cwd, 'table.csv'), ['a,b,class', ...rows].join('\n'));
});
afterAll(async () => {
  engine.dispose();
  await rm(cwd, { recursive: true, force: true });
});

it('finite-width', async () => {
  const got = await json('finite-width', '--net', 'net.json', '--x', 'few.npy', '--tolerance', '0.05');
  const few = tensor(x.data.slice(0, 6) as Float64Array, [2, 3]);
  const { expansion, ntkVariance, ntk } = await finiteWidthCorrections(engine, net, few);
  const { widths } = await sufficientWidth(engine, net, few, { tolerance: 0.05 });
  expect(got['expansion']).toBe(expansion);
  expect((got['sufficient'] as { widths: number[] }).widths).toEqual([...widths]);
  const layers = got['layers'] as { ntkSpread: number }[];
  const norm = (list: ArrayLike<number>, power: number): number =>
    Math.sqrt(Array.from(list).reduce((sum, v) => sum + v ** power, 0));
  expect(layers).toHaveLength(2);
  expect(layers[1]!.ntkSpread).toBeCloseTo(norm(ntkVariance.data, 1) / norm(ntk.data, 2), 12);
}, 60_000);

it('learning-curve, from arrays and from a table with classes', async () => {
  const got = await json(
    'learning-curve',
    '--net',
    'net.json',
    '--x',
    'x.npy',
    '--y',
    'y.npy',
    '--samples',
    '4,10',
    '--ridge',
    '0.1',
  );
  const want = await learningCurve(engine, { net, x, y, samples: [4, 10], ridge: 0.1 });
  expect(got).toEqual(plain(want));
  const { stdout } = await run(
    'learning-curve',
    '--csv',
    'table.csv',
    '--target',
    'class',
    '--samples',
    '5',
    '--ridge',
    '0.1',
    '--quiet',
  );
  expect(stdout).toMatch(/samples +predicted +measured/);
  expect(stdout).toMatch(/all 20: leave-one-out 0\.\d+/);
  const wrong = await run('learning-curve', '--csv', 'table.csv', '--target', 'clas');
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringMatching(/no column 'clas'/)]);
  expect((await run('learning-curve', '--x', 'x.npy')).stderr).toMatch(/--y is missing/);
  expect((await run('learning-curve')).code).toBe(2);
}, 60_000);

it('double-descent', async () => {
  const sizes = { samples: 20, dimension: 5, noise: 0.3, ridge: 0, repeats: 3 };
  const got = await json(
    'double-descent',
    '--samples',
    '20',
    '--dimension',
    '5',
    '--repeats',
    '3',
    '--ratios',
    '0.5,1,4',
  );
  const points = await doubleDescent(engine, { ...sizes, ratios: [0.5, 1, 4], seed: 0 });
  expect(got).toEqual({ ...sizes, ratios: [0.5, 1, 4], points: plain(points) });
}, 60_000);

it('largest-rate', async () => {
  const args = [
    '--net',
    'net.json',
    '--x',
    'x.npy',
    '--y',
    'y.npy',
    '--widths',
    '16,64',
    '--seeds',
    '1',
    '--steps',
    '40',
    '--precision',
    '0.5',
  ];
  const got = await json('largest-rate', ...args);
  const want = await largestRates(engine, net, {
    x,
    y,
    widths: [16, 64],
    baseWidth: 64,
    seeds: 1,
    steps: 40,
    precision: 0.5,
  });
  expect(got).toEqual(plain(want));
}, 60_000);

it('extrapolate, with a refusal that names its reason and keeps what is finished', async () => {
  const args = [
    '--net',
    'standard.json',
    '--x',
    'x.npy',
    '--y',
    'y.npy',
    '--base-width',
    '16',
    '--steps',
    '6',
    '--records',
    '2',
  ];
  const got = await json('extrapolate', ...args, '--scaling', 'muP', '--widths', '32,64,128', '--seeds', '6');
  const want = await extrapolateTraining(engine, standard, {
    ...{ x, y, xTest: x, widths: [32, 64, 128], baseWidth: 16, seeds: 6, steps: 6, recordAt: [3, 6] },
    scaling: scalings.muP,
  });
  expect(got).toEqual(plain(want));
  const few = await run('extrapolate', ...args, '--widths', '8,16', '--scaling', 'muP');
  expect(few.code).not.toBe(0);
  expect(few.stderr).toMatch(/at least three widths, got 2/);
}, 60_000);
