import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  catapult,
  createEngine,
  createModel,
  empiricalNtk,
  hierarchy,
  lazyDial,
  meanFieldEnergy,
  measureWidthLaws,
  momentum,
  orderChaos,
  scanLearningRates,
  spectrum,
  taylorErrors,
  tensor,
  trainJob,
  writeNpy,
  type Engine,
} from 'infinite-width';
import { afterAll, beforeAll, expect, it } from 'vitest';

const main = fileURLToPath(new URL('../../build/cli/main.js', import.meta.url));
const net = [{ layer: 'dense', units: 16 }, { layer: 'tanh' }, { layer: 'dense', units: 1 }];
const x = tensor(Float64Array.of(1, 2, -1, 0.5, 0.3, 0, -0.7, 0.4), [4, 2]);
const y = tensor(Float64Array.of(1, -1, 1, -1), [4, 1]);
const inputShape = [2];
let cwd: string;
let engine: Engine;

/** Runs a verb with --json and --out; every file it says it wrote is there, and the JSON ones parse. */
async function dynamics(verb: string, ...args: string[]): Promise<Record<string, unknown>> {
  const all = [main, 'dynamics', verb, ...args, '--json', '--quiet', '--workers', '0', '--out', verb];
  const { stdout } = await promisify(execFile)(process.execPath, all, { cwd });
  const json = JSON.parse(stdout) as Record<string, unknown>;
  const files = json['files'] as string[];
  expect(files.map((file) => file.split('/')[1]).sort()).toEqual((await readdir(join(cwd, verb))).sort());
  for (const ending of ['result.json', '.vl.json', '.svg', 'report.html'])
    expect(files.some((file) => file.endsWith(ending))).toBe(true);
  for (const file of files) {
    const text = await readFile(join(cwd, file), 'utf8');
    if (file.endsWith('.json')) JSON.parse(text);
    if (file.endsWith('.svg')) expect(text).toMatch(/^<svg[^]*<\/svg>\s*$/);
    expect(text).not.toMatch(/NaN|undefined/);
  }
  const { files: _, ...numbers } = json;
  const written = JSON.parse(await readFile(join(cwd, verb, 'result.json'), 'utf8')) as object;
  expect(written).toMatchObject({ kind: verb, data: numbers });
  return numbers;
}
const trained = ['--net', 'net.json', '--x', 'x.npy', '--y', 'y.npy'];
/** As it comes back from JSON. */
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, item: unknown) =>
      ArrayBuffer.isView(item) ? [...(item as Float64Array)] : item,
    ),
  );

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'iw-dynamics-'));
  engine = await createEngine({ variant: 'simd', workers: 0 });
  using model = createModel(engine, net, { inputShape });
  const files = { 'x.npy': x, 'y.npy': y, 'k.npy': empiricalNtk(model, x) };
  for (const [name, value] of Object.entries(files)) await writeFile(join(cwd, name), writeNpy(value));
  await writeFile(join(cwd, 'net.json'), JSON.stringify(net));
});
afterAll(async () => {
  engine.dispose();
  await rm(cwd, { recursive: true, force: true });
});

it('hierarchy', async () => {
  const got = await dynamics('hierarchy', ...trained, '--time', '2', '--steps', '10');
  using model = createModel(engine, net, { inputShape });
  const want = hierarchy(model, { x, y, time: 2, steps: 10 });
  const end = Array.from(want.outputs.data.slice(-4));
  const errors = want.truncations.map(({ order, outputs }) => {
    const squares = end.map((value, p) => (outputs.data[40 + p]! - value) ** 2);
    return { order, rms: Math.sqrt(squares.reduce((sum, value) => sum + value, 0) / 4) };
  });
  expect(got).toEqual({ time: 2, steps: 10, size: want.size, output: end, errors });
}, 60_000);

it('taylor', async () => {
  const got = await dynamics(
    'taylor',
    ...trained,
    '--orders',
    '1,2',
    '--steps',
    '6',
    '--learning-rate',
    '0.5',
  );
  const settings = { orders: [1, 2], steps: 6, learningRate: 0.5, loss: 'mse' as const };
  const curves = await taylorErrors(engine, net, { ...settings, x, y, model: { inputShape, seed: 0 } });
  expect(got).toEqual({ ...settings, momentum: 0, curves: plain(curves) });
}, 60_000);

it('widths', async () => {
  const args = ['--widths', '8,16', '--base-width', '16', '--seeds', '2', '--steps', '5'];
  const got = await dynamics('widths', ...trained, ...args);
  const sizes = { widths: [8, 16], baseWidth: 16, seeds: 2, steps: 5 };
  const want = await measureWidthLaws(engine, net, {
    ...sizes,
    x,
    y,
    learningRate: 1,
    loss: 'mse',
    threshold: 0.1,
  });
  expect(got).toEqual(plain(want));
}, 60_000);

it('scan', async () => {
  const got = await dynamics('scan', ...trained, '--multiples', '1,3', '--steps', '12');
  const settings = { multiples: [1, 3], steps: 12 };
  const points = await scanLearningRates(engine, net, { ...settings, x, y, model: { inputShape, seed: 0 } });
  expect(got).toEqual({ ...settings, points: plain(points) });
}, 60_000);

it('dial', async () => {
  const got = await dynamics('dial', ...trained, '--alphas', '0.5,5', '--steps', '8');
  const settings = { alphas: [0.5, 5], steps: 8, learningRate: 0.5, loss: 'mse' as const };
  const points = await lazyDial(engine, net, { ...settings, x, y, model: { inputShape, seed: 0 } });
  expect(got).toMatchObject({
    ...settings,
    points: points.map(({ alpha, kernelChange, parameterChange }) => ({
      alpha,
      kernelChange,
      parameterChange,
    })),
  });
}, 60_000);

it('energy', async () => {
  const got = await dynamics('energy', ...trained, '--steps', '8', '--decay', '0.1', '--loss', 'mse');
  const settings = { steps: 8, learningRate: 0.1, loss: 'mse' as const, decay: 0.1 };
  const model = { inputShape, seed: 0 };
  const want = await meanFieldEnergy(engine, net, { ...settings, x, y, model });
  expect(got).toEqual({ ...settings, ...(plain(want) as object) });
}, 60_000);

it('trace', async () => {
  const args = [
    '--steps',
    '6',
    '--record-at',
    '2,6',
    '--kernels',
    'nngp,ntk',
    '--probe',
    '3',
    '--batch',
    '2',
  ];
  const got = await dynamics(
    'trace',
    ...trained,
    ...args,
    '--optimizer',
    'momentum',
    '--learning-rate',
    '0.2',
  );
  const probe = {
    x: tensor(x.data.slice(0, 6), [3, 2]),
    y: tensor(y.data.slice(0, 3), [3, 1]),
    kernels: ['nngp', 'ntk'] as const,
    keep: false,
  };
  const { trace, losses } = await engine.run(trainJob, {
    net,
    model: { inputShape, seed: 0 },
    train: {
      ...{ x, y, loss: 'mse', steps: 6, optimizer: momentum(0.2), batchSize: 2, seed: 0 },
      ...{ recordAt: [2, 6], evaluate: { all: { x, y } }, probe },
    },
  });
  const rows = got['trace'] as Record<string, unknown>[];
  expect(rows.map(({ step }) => step)).toEqual([0, 2, 6]);
  rows.forEach((row, i) => {
    expect(row).toMatchObject({ loss: losses['all']![i], movement: trace[i]!.movement });
    const { nngp, ntk } = trace[i]!.kernels!;
    const numbers = [nngp!, ntk!].map(({ kernel, ...rest }) => {
      expect(kernel).toBeNull();
      return rest;
    });
    expect(row['kernels']).toEqual([
      { name: 'nngp', ...numbers[0] },
      { name: 'ntk', ...numbers[1] },
    ]);
  });
}, 60_000);

it('trace goes on after a kill, with the numbers of a call that was not killed', async () => {
  const args = ['dynamics', 'trace', ...trained, '--steps', '4000', '--batch', '3', '--optimizer', 'adam'];
  const shared = [main, ...args, '--learning-rate', '0.001', '--json', '--save', '--kernels', 'ntk,nngp'];
  const whole = await promisify(execFile)(process.execPath, [...shared, '--out', 'whole'], { cwd });
  const again = [...shared, '--checkpoint-every', '0', '--out', 'killed'];
  const child = spawn(process.execPath, again, { cwd, stdio: 'ignore' });
  const ended = new Promise<string | null>((resolve) => child.on('exit', (_, signal) => resolve(signal)));
  const runs = join(cwd, 'killed', 'runs');
  const whenKept = setInterval(() => {
    readdir(runs).then(
      (names) => names.some((name) => name.endsWith('.record')) && child.kill('SIGKILL'),
      () => undefined,
    );
  }, 1);
  expect(await ended).toBe('SIGKILL');
  clearInterval(whenKept);
  const { stdout, stderr } = await promisify(execFile)(process.execPath, again, { cwd });
  expect(stderr).toMatch(/goes on at step \d+00 of 4000/);
  expect(stdout.replaceAll('killed', 'whole')).toBe(whole.stdout);
  const [left, right] = await Promise.all(
    ['whole', 'killed'].map((name) => readFile(join(cwd, name, 'kernels.npz'))),
  );
  expect(right!.equals(left!)).toBe(true);
  expect(await readdir(join(cwd, 'killed'))).toEqual(await readdir(join(cwd, 'whole')));
}, 60_000);

it('spectrum', async () => {
  const got = await dynamics(
    'spectrum',
    '--kernel',
    'k.npy',
    '--y',
    'y.npy',
    '--times',
    '1,10',
    '--ridge',
    '0.1',
  );
  using model = createModel(engine, net, { inputShape });
  const want = await spectrum(engine, empiricalNtk(model, x), y);
  const { values, energy, alignment, condition, maxLearningRate } = want;
  expect(got).toMatchObject({
    ...{ values: [...values], energy: [...energy], alignment, condition, maxLearningRate },
    effectiveDimension: want.effectiveDimension(0.1),
    losses: [1, 10].map((time) => ({ time, loss: want.predictedLoss(time) })),
  });
}, 60_000);

it('catapult', async () => {
  const got = await dynamics('catapult', '--learning-rates', '1,3', '--width', '100');
  const rows = [1, 3].map((learningRate) => {
    const { phase, maxLoss, maxLossStep, finalLambda, divergedAt } = catapult({
      learningRate,
      width: 100,
      f0: 1,
    });
    return { learningRate, phase, maxLoss, maxLossStep, finalLambda, divergedAt };
  });
  expect(got).toEqual({ width: 100, f0: 1, rows });
}, 60_000);

it('phases', async () => {
  const got = await dynamics('phases', '--activation', 'erf', '--w-stds', '0.9,2', '--b-stds', '0.3');
  const activation = { layer: 'erf' };
  const rows = [];
  for (const wStd of [0.9, 2])
    rows.push({ wStd, bStd: 0.3, ...(await orderChaos(engine, { activation, wStd, bStd: 0.3 })) });
  expect(got).toEqual({ activation, rows: plain(rows) });
}, 60_000);

it('an output folder is checked before the work, and is not left behind by a run that fails', async () => {
  const fails = async (...args: string[]): Promise<string> => {
    const all = [main, 'dynamics', ...args, '--quiet', '--workers', '0'];
    try {
      await promisify(execFile)(process.execPath, all, { cwd });
    } catch (error) {
      expect(error).toMatchObject({ code: 2, stdout: '' });
      return (error as { stderr: string }).stderr;
    }
    throw new Error('the verb should have failed');
  };
  // x.npy is a file, so no folder can be made there; a million steps would take minutes
  expect(await fails('scan', ...trained, '--steps', '1000000', '--out', 'x.npy')).toMatch(
    /^error: --out: the folder x\.npy cannot be written/,
  );
  expect(await fails('phases', '--activation', 'dense', '--out', 'left')).toMatch(
    /^error: net: activation \(dense\)/,
  );
  expect(await fails('phases', '--activation', 'flatten', '--out', 'left')).toMatch(
    /^error: orderChaos: activation must be an activation/,
  );
  expect(await readdir(cwd)).not.toContain('left');
}, 60_000);

it('Ctrl-C stops a net in training on the calling thread', async () => {
  const args = [main, 'dynamics', 'scan', ...trained, '--steps', '100000000', '--multiples', '1'];
  const child = spawn(process.execPath, [...args, '--workers', '0'], { cwd });
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  const ended = new Promise<number | null>((resolve) => child.on('exit', (code) => resolve(code)));
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const asked = Date.now();
  child.kill('SIGINT');
  expect(await ended).toBe(1);
  expect(Date.now() - asked).toBeLessThan(5000);
  expect(stderr).toMatch(/stopped by Ctrl-C; kept: nothing/);
}, 60_000);
