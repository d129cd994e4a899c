import { spawn } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  catapult,
  createEngine,
  createModel,
  empiricalNtk,
  readNpz,
  tensor,
  writeNpy,
  writeNpz,
} from 'infinite-width';
import { afterAll, beforeAll, expect, it } from 'vitest';

const main = fileURLToPath(new URL('../../build/cli/main.js', import.meta.url));
const net = [{ layer: 'dense', units: 8 }, { layer: 'relu' }, { layer: 'dense', units: 1 }];
const x = tensor(Float64Array.of(1, 2, -1, 0.5, 0.3, 0), [3, 2]);
const config = {
  data: { xor: { train: 32, test: 32, features: 4 } },
  ...{ scalings: ['ntk'], widths: [128], seeds: [0], epochs: 2 },
};
let cwd: string;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Ctrl-C comes after so many milliseconds, or when stderr says so. */
function run(line: string, interrupt?: number | string): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...line.split(' ')], { cwd });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (part: Buffer) => (stdout += part.toString()));
  child.stderr.on('data', (part: Buffer) => {
    stderr += part.toString();
    if (typeof interrupt === 'string' && part.includes(interrupt)) child.kill('SIGINT');
  });
  if (typeof interrupt === 'number') setTimeout(() => child.kill('SIGINT'), interrupt);
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })));
}

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'iw-bad-'));
  const withEntry = (value: number) => writeNpy(tensor(Float64Array.of(1, value, 2, 3, 4, 5), [3, 2]));
  const json = JSON.stringify;
  const files: Record<string, string | Uint8Array> = {
    'net.json': json(net),
    'layer.json': json([{ layer: 'dence', units: 8 }]),
    'field.json': json([{ layer: 'dense', units: 8, wstd: 1 }]),
    'negative.json': json([{ layer: 'dense', units: -8 }]),
    'huge.json': json([
      { layer: 'dense', units: 1e8 },
      { layer: 'dense', units: 1e6 },
    ]),
    'broken.json': '[{"layer":',
    'null.json': 'null',
    'k.npz': await writeNpz({ ntk: x }),
    'x.npy': writeNpy(x),
    'flat.npy': writeNpy(tensor(Float64Array.of(1, 2, 3))),
    'wide.npy': writeNpy(tensor(new Float64Array(8), [2, 4])),
    'none.npy': writeNpy(tensor(new Float64Array(0), [0, 2])),
    'tall.npy': writeNpy(tensor(new Float64Array(300_000), [300_000, 1])),
    'nan.npy': withEntry(NaN),
    'inf.npy': withEntry(Infinity),
    'cut.npy': writeNpy(x).subarray(0, -9),
    'other.npy': 'a,b\n1,2\n',
    'ragged.csv': 'a,b\n1,2\n3\n',
    'empty.csv': '',
    'run.json': json(config),
    'field-run.json': json({ ...config, foo: 1 }),
    'widths-run.json': json({ ...config, widths: 5 }),
    'names-run.json': json({ ...config, scalings: ['foo'] }),
    'data-run.json': json({ ...config, data: 3 }),
    'dtype-run.json': json({ ...config, dtype: 'f16' }),
    'wide-run.json': json({ ...config, widths: [1e9] }),
    'long-run.json': json({ ...config, widths: [1024, 4096], epochs: 100_000 }),
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(cwd, name), content);
});
afterAll(() => rm(cwd, { recursive: true, force: true }));

const kernel = 'kernel --workers 0 --out bad.npz';
const empirical = 'empirical --workers 0 --out bad.npz';
const predict = 'predict --workers 0 --quiet --target b --out table';
const train = 'train --workers 0 --quiet --out bad-run';
const nowhere: readonly (readonly [string, RegExp])[] = [
  ['kernel --workers 0 --net net.json --x x.npy --out /proc/none/k.npz', /\/proc\/none cannot be written/],
  ['demo --workers 0 --quiet --out /proc/none', /\/proc\/none cannot be written/],
];
const bad: readonly (readonly [string, RegExp])[] = [
  ...(process.platform === 'linux' ? nowhere : []),
  [`${kernel} --net net.json --x nan.npy`, /NaN at flat index 1\. Remove/],
  [`${kernel} --net net.json --x inf.npy`, /Infinity at flat index 1\. Remove/],
  [`${kernel} --net net.json --x flat.npy`, /got shape \[3\]\. Give one sample as/],
  [`${kernel} --net net.json --x x.npy --x2 wide.npy`, /one shape, got \[3, 2\] and \[2, 4\]/],
  [`${kernel} --net net.json --x cut.npy`, /needs 48 bytes, the file holds 39\. It is truncated/],
  [`${kernel} --net net.json --x other.npy`, /expected a \.npy file .* numpy\.save/],
  [`${kernel} --net net.json --x missing.npy`, /missing\.npy: no such file/],
  [`${kernel} --net layer.json --x x.npy`, /unknown layer "dence"\. Layers: serial/],
  [`${kernel} --net field.json --x x.npy`, /unknown field "wstd"\. Fields: units/],
  [`${kernel} --net negative.json --x x.npy`, /"units" must be a whole number from 1 .* got -8/],
  [`${kernel} --net broken.json --x x.npy`, /broken\.json: expected JSON/],
  [`${kernel} --net net.json --x x.npy --nope`, /unknown option '--nope'/],
  ['kernel --net net.json --x x.npy --out x.npy/k.npz', /folder .* cannot be written/],
  [`${kernel} --net net.json --x tall.npy`, /needs 1440\d{9} bytes on disk, the limit is \d+ .* Use fewer/],
  [`${empirical} --net huge.json --x x.npy`, /need 8\d+ bytes, the limit is \d+\. Use/],
  [`${empirical} --net net.json --x none.npy`, /got shape \[0, 2\]\. Give/],
  [
    `${empirical} --net net.json --x x.npy --params k.npz`,
    /members <layer>\.w and <layer>\.b .* got \[ntk\]/,
  ],
  [`${empirical} --net net.json --x x.npy --params null.json`, /null\.json: expected a list of \{ w, b \}/],
  [`${predict} --train ragged.csv`, /ragged\.csv: line 3/],
  [`${predict} --train empty.csv`, /empty\.csv: the file is empty/],
  [`${train} --config field-run.json`, /unknown field 'foo'\. Allowed: data/],
  [`${train} --config widths-run.json`, /'widths' must be a list .* got 5/],
  [`${train} --config data-run.json`, /'data' must be an object, got 3/],
  [`${train} --config dtype-run.json`, /'dtype' must be one of f32, f64, got "f16"/],
  [`${train} --config names-run.json`, /unknown name 'foo'\. Names: default/],
  [`${train} --config wide-run.json`, /width 1000000000 needs .* GiB .* above .* Use/],
  [`${train} --config null.json`, /expected an object .* got null/],
  ['train --workers 0 --quiet --config run.json --out x.npy', /folder x\.npy cannot be written/],
  ['scaling classify --scaling foo', /unknown name 'foo'\. Names:/],
  ['scaling classify --q-sigma pi --q-tilde 0', /an exponent must be .* got pi/],
  ['scaling classify --scaling ntk --q-sigma 1', /got both\. Leave one out/],
  ['bench --compare broken.json', /broken\.json: expected JSON/],
];

it('bad input: exit code 2, one line with the rule, nothing under a final name', async () => {
  for (let i = 0; i < bad.length; i += 2) {
    await Promise.all(
      bad.slice(i, i + 2).map(async ([line, rule], k) => {
        // Two commands may not write to one folder at once, so each has its own.
        const { code, stdout, stderr } = await run(line.replace('bad-run', `bad-run-${i + k}`));
        const errors = stderr.split('\n').filter((text) => text && !/^(done {2}|empirical: )/.test(text));
        expect({ line, code, stdout, lines: errors.length }).toEqual({ line, code: 2, stdout: '', lines: 1 });
        expect(errors[0], line).toMatch(/^error: /);
        expect(errors[0], line).toMatch(rule);
      }),
    );
  }
  const left = await readdir(cwd);
  expect(left.filter((name) => name === 'bad.npz' || name.endsWith('.tmp'))).toEqual([]);
  for (const folder of left.filter((name) => name.startsWith('bad-run'))) {
    const found = await readdir(join(cwd, folder), { recursive: true, withFileTypes: true });
    expect(found.filter((entry) => entry.isFile()).map(({ name }) => name)).toEqual([]);
  }
}, 60_000);

it('shows a stack trace with --debug alone', async () => {
  const { stderr } = await run(`${kernel} --net layer.json --x x.npy --debug`);
  expect(stderr).toMatch(/\n {4}at /);
});

it('Ctrl-C ends a long verb with exit code 1 and says what is kept', async () => {
  const { code, stderr } = await run('train --workers 1 --config long-run.json --out stopped', 2500);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^error: stopped by Ctrl-C; kept: /m);
  expect(await readdir(join(cwd, 'stopped'))).toEqual([]);
}, 30_000);

it('Ctrl-C ends an empirical kernel inside a tile', async () => {
  const wide = [
    { layer: 'dense', units: 1500 },
    { layer: 'tanh' },
    { layer: 'dense', units: 1500 },
    { layer: 'tanh' },
  ];
  const many = tensor(
    Float64Array.from({ length: 8000 }, (_, i) => (i % 13) / 13),
    [4000, 2],
  );
  await writeFile(join(cwd, 'wide.json'), JSON.stringify([...wide, { layer: 'dense', units: 10 }]));
  await writeFile(join(cwd, 'many.npy'), writeNpy(many));
  const line = 'empirical --workers 1 --net wide.json --x many.npy --out long.npz';
  const { code, stderr } = await run(line, 'MB for tiles');
  expect(code).toBe(1);
  expect(stderr).toMatch(/^error: stopped by Ctrl-C/m);
  expect((await readdir(cwd)).filter((name) => name.startsWith('long.npz'))).toEqual([]);
}, 60_000);

it('train, dynamics and empirical print one JSON document with the numbers of the library', async () => {
  const trained = JSON.parse((await run('train --workers 0 --config run.json --out good --json')).stdout);
  expect(trained.curves).toHaveLength(2);
  const mapped = JSON.parse((await run('dynamics catapult --learning-rates 3 --json')).stdout);
  const { phase, maxLoss } = catapult({ learningRate: 3, width: 1000, f0: 1 });
  expect(mapped.rows).toMatchObject([{ learningRate: 3, phase, maxLoss }]);
  const found = await run(
    'empirical --workers 0 --net net.json --x x.npy --seed 3 --out theta.npz --figure --json',
  );
  expect(JSON.parse(found.stdout)).toMatchObject({ shape: [3, 3], parameters: 24 });
  expect(found.stderr).toMatch(/empirical: .* MB for tiles of 3 samples/);
  for (const name of ['nngp', 'ntk']) {
    expect(await readFile(join(cwd, `theta-${name}.svg`), 'utf8')).toMatch(/^<svg/);
    expect(JSON.parse(await readFile(join(cwd, `theta-${name}.json`), 'utf8'))).toBeTypeOf('object');
  }
  await using engine = await createEngine({ variant: 'simd', workers: 0 });
  using model = createModel(engine, net as never, { inputShape: [2], seed: 3 });
  const { arrays } = await readNpz(await readFile(join(cwd, 'theta.npz')));
  expect(arrays['ntk']!.data).toEqual(empiricalNtk(model, x).data);
}, 30_000);
