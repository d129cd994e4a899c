// `scaling measure`, `coord-check`, `limit` and `plane` as processes.
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type {
  Classification,
  CoordinateCheck,
  DeepClassification,
  LimitResult,
  Measurement,
  RateTransfer,
  RuleCheck,
  ScalingTable,
} from 'infinite-width';
import { afterAll, beforeAll, expect, it } from 'vitest';

const main = fileURLToPath(new URL('../../build/cli/main.js', import.meta.url));
interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}
const run = (line: string): Promise<Ended> =>
  new Promise((resolve) =>
    execFile(
      process.execPath,
      [main, 'scaling', ...line.split(' '), '--workers', '1'],
      { maxBuffer: 1 << 26 },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    ),
  );
const parse = <T>({ code, stdout, stderr }: Ended): T => {
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as T;
};
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'iw-scaling-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it('checks coordinates of nets of any depth, and says how far it is', async () => {
  const widths = '--widths 64,128,256 --seeds 2 --steps 2';
  const deep = await run(`coord-check --scaling muP --depth 2 ${widths} --json`);
  const { verdict, slopes } = parse<CoordinateCheck>(deep);
  expect(verdict).toBe('flat');
  expect([...new Set(slopes.map(({ layer }) => layer))]).toEqual([1, 2, 3]);
  expect(deep.stderr).toMatch(/^done {2}training {2}[\d.]+ s$/m);
  const { code, stdout } = await run(`coord-check --scaling default --depth 2 ${widths}`);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^default: grows\n/);
  expect(stdout).toMatch(/^hiddenChange {2}2 +2 +\.?0?\.?\d+/m);
  const wrong = await run(`coord-check --scaling icMeanField --depth 2 ${widths}`);
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toMatch(
    /initCorrection 'simple' exists for one hidden layer only, got hiddenLayers 2/,
  );
  expect((await run(`coord-check --scaling muP --depth 0 ${widths}`)).code).toBe(2);
});

it('measures powers of the width', async () => {
  const ended = await run('measure --scaling ntk --widths 256,1024,4096 --seeds 3 --steps 2 --json');
  const { verdict, slopes } = parse<Measurement>(ended);
  expect(verdict).toBe('agrees');
  expect(slopes.filter(({ quantity }) => quantity === 'logits').map(({ theory }) => theory)).toEqual([
    0, 0, 0,
  ]);
});

it('simulates a limit, with errors over simulations', async () => {
  const small = '--scaling meanField --particles 1024 --epochs 20';
  const { traces } = parse<LimitResult>(await run(`limit ${small} --json`));
  expect(traces.map(({ seed }) => seed)).toEqual([0, 1]);
  for (const trace of traces) expect(trace.meanAbsLogit[0]).toBe(0);
  const { stdout } = await run(`limit ${small}`);
  expect(stdout).toMatch(/means of 2 simulations ± standard error/);
  const [, mean, error] = /^ +20 +(\S+) +(\S+)/m.exec(stdout)!;
  const last = traces.map(({ trainLoss }) => trainLoss.at(-1)!);
  expect(Number(mean)).toBeCloseTo((last[0]! + last[1]!) / 2, 3);
  expect(Number(error)).toBeCloseTo(Math.abs(last[0]! - last[1]!) / 2, 3); // over sqrt(n): sqrt(1/2) of the difference, over sqrt(2)
});

it.each(['meanField', 'ntk', 'symDefault'])(
  'prints what came before an overflow of %s, and fails',
  async (name) => {
    const ended = await run(
      `limit --scaling ${name} --particles 256 --epochs 4 --learning-rate 1e300 --json`,
    );
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(
      /error: limit: outputs overflow in epoch 1, step 0 \(seed 0\); the numbers before it are above\. Use a smaller/,
    );
    const { traces } = JSON.parse(ended.stdout) as LimitResult;
    for (const { epochs, overflow, meanAbsLogit } of traces) {
      expect(epochs).toEqual([0]);
      expect(overflow).toEqual({ epoch: 1, step: 0 });
      expect(meanAbsLogit.every((value) => value < 1)).toBe(true);
    }
    const risen = await run(`limit --scaling ntk --epochs 2 --learning-rate 1e9`);
    expect(risen.code).toBe(0);
    expect(risen.stderr).toMatch(/note: the training loss rose from 0\.\d+ to .*: this rate is too large/);
  },
);

it('draws what it measured, and where the best rate goes', async () => {
  const out = join(folder, 'figures');
  const small = '--widths 64,128,256 --seeds 2';
  const lines = [
    `transfer --scaling muP --depth 2 ${small} --steps 3 --rates 0.1,0.4,1.6`,
    `coord-check --scaling muP --depth 2 ${small} --steps 2`,
    'measure --scaling ntk --widths 128,256,512 --seeds 2 --steps 2',
    'limit --scaling symDefault --particles 256 --epochs 4',
  ];
  const names = ['transfer', 'coordinates', 'measure', 'limit'];
  for (const [k, line] of lines.entries()) {
    const ended = await run(`${line} --out ${out}${k} --json`);
    parse(ended);
    expect((await readdir(`${out}${k}`)).sort()).toEqual(
      ['report.html', 'result.json', `${names[k]}.svg`, `${names[k]}.vl.json`].sort(),
    );
    expect(ended.stderr).toMatch(/^done /m);
  }
  const { losses, verdict } = parse<RateTransfer>(await run(`${lines[0]!} --json`));
  expect(losses.map((row) => row.length)).toEqual([3, 3, 3]);
  const { stdout } = await run(lines[0]!);
  expect(stdout.split('\n')[0]).toMatch(new RegExp(`^muP: ${verdict}, `));
  expect((await run(`transfer --scaling muP ${small} --rates 0.1,0.2`)).stderr).toMatch(
    /at least three rates, got 2/,
  );
  const refused = await run(`transfer --scaling muP ${small} --out /proc/none`);
  expect([refused.code, refused.stderr]).toEqual([
    2,
    expect.stringContaining('/proc/none cannot be written'),
  ]);
});

it('refuses a folder it cannot write before it trains', async () => {
  const started = performance.now();
  const { code, stderr } = await run('plane --heat trainLoss --width 65536 --steps 500 --out /proc/none');
  expect(code).toBe(2);
  expect(stderr).toMatch(/--out: the folder \/proc\/none cannot be written/);
  expect(performance.now() - started).toBeLessThan(30_000); // the heat map would take an hour
  const ended = await run(`plane --points default,-1/2:1/4 --out ${join(folder, 'plane')} --json`);
  parse(ended);
  expect((await readdir(join(folder, 'plane'))).sort()).toEqual([
    'plane.svg',
    'plane.vl.json',
    'report.html',
    'result.json',
  ]);
});

it('classifies nets of any depth and prints the table of a rule for a net or a list of parameters', async () => {
  const adam = parse<DeepClassification>(
    await run('classify --a 0,0,0 --b 0,1/2,1/2 --c 1 --optimizer adam --json'),
  );
  expect(adam).toMatchObject({ class: 'unstable', logits: { change: '1/2' } });
  expect((await run('classify --alpha 1/2 --optimizer adam')).stdout).toMatch(
    /^Stable and learning, but lazy/,
  );
  const corrected = parse<Classification>(await run('classify --scaling icMeanField --json'));
  expect(Object.values(corrected.properties)).toEqual([true, true, true, true]);
  expect((await run('classify --scaling icMeanField')).stdout).toContain('keeps 4:');
  const net = join(folder, 'net.json');
  const layers = [64, 64, 10]
    .flatMap((units) => [{ layer: 'dense', units, bStd: 0 }, { layer: 'relu' }])
    .slice(0, -1);
  await writeFile(net, JSON.stringify({ layer: 'serial', layers }));
  const table = parse<ScalingTable & { net: unknown }>(
    await run(
      `rules --optimizer adamw --net ${net} --input-shape 5 --width-factor 16 --weight-decay 0.1 --json`,
    ),
  );
  expect(table).toMatchObject({ schema: 'scaling-table/1', verdict: { maximal: true, decayKept: true } });
  expect(table.parameters.map(({ kind }) => kind)).toEqual([
    'input',
    'bias',
    'hidden',
    'bias',
    'readout',
    'readoutBias',
  ]);
  expect(table.parameters[2]).toMatchObject({ shape: [1024, 1024], lr: 2.5e-4, weightDecay: 0.4 });
  const list = join(folder, 'list.json');
  await writeFile(list, JSON.stringify([{ name: 'fc', shape: [64, 64], kind: 'hidden' }]));
  expect(
    parse<ScalingTable>(await run(`rules --optimizer sgd --net ${list} --width-factor 4 --json`)).parameters,
  ).toHaveLength(1);
  expect((await run('rules')).stdout).toMatch(/completep +adamw +feature +yes +yes +yes +complete/);
  const wrong = await run(`rules --optimizer nope --net ${list}`);
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringMatching(/Expected one of sgd, momentum/)]);
  const check = parse<RuleCheck>(
    await run('check --rule nanogpt-mup --weight-decay 0.1 --sizes 16,32,64 --seeds 2 --steps 1 --json'),
  );
  expect(check.first).toMatch(/^Without training/);
});
