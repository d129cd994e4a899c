// Regression from a stored kernel: by the workers of a queue, killed and stopped, with the bits of one process.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEngine, kernel, predict, readNpy, tensor } from 'infinite-width';
import { queuePool } from '#build/queue/index.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { alone, problemIn } from './problem.js';
import { cli, PASSWORD, Redis, sleep, until, Workers } from './servers.js';

let folder: string;
let redis: Redis;
let workers: Workers;
let problem: string[];
beforeAll(async () => {
  process.env['INFINITE_WIDTH_QUEUE_PASSWORD'] = PASSWORD;
  folder = mkdtempSync(join(tmpdir(), 'iw-solve-'));
  problem = problemIn(folder);
  redis = await Redis.start(join(folder, 'redis'));
  workers = new Workers(join(folder, 'log'), ['--queue', redis.url, '--store', folder, '--lock', '2']);
  workers.start(3);
  await alone(folder, problem);
});
afterAll(async () => {
  await workers.stop();
  await redis.stop();
  rmSync(folder, { recursive: true, force: true });
});

const at = (name: string): string => join(folder, name);
const solve = (out: string, ...more: string[]): ReturnType<typeof cli> =>
  cli([
    'solve',
    at('alone.zarr'),
    '--y',
    at('y.npy'),
    '--diag-reg',
    '1e-5',
    '--rank',
    '3',
    '--tolerance',
    '1e-10',
    '--out',
    at(out),
    '--json',
    ...more,
  ]);

it('conjugate gradients on three workers, two of them killed, give the bits of one process', async () => {
  const one = JSON.parse((await solve('one.npy', '--workers', '1').end).stdout) as { iterations: number };
  expect(one.iterations).toBeGreaterThan(5);
  await until('workers', () => workers.said('ready').length >= 3);
  const driver = solve('three.npy', '--queue', redis.url, '--store', folder);
  for (const i of [0, 1]) {
    await sleep(1500);
    workers.kill(i);
  }
  const { code, stdout, stderr } = await driver.end;
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(stdout)).toMatchObject({ iterations: one.iterations });
  expect(readFileSync(at('three.npy')).equals(readFileSync(at('one.npy')))).toBe(true);
});

it('a solve goes on at its last iteration after a kill, with the same bits; Cholesky agrees', async () => {
  const driver = solve('killed.npy', '--queue', redis.url, '--store', folder);
  await until('a checkpoint', () => {
    try {
      return readdirSync(at('alone.zarr/solve')).some((name) => name.endsWith('.record'));
    } catch {
      return false;
    }
  });
  driver.child.kill('SIGKILL');
  await driver.end;
  expect((await solve('killed.npy', '--workers', '1').end).code).toBe(0);
  expect(readFileSync(at('killed.npy')).equals(readFileSync(at('one.npy')))).toBe(true);
  expect((await solve('tiled.npy', '--solver', 'tiled').end).code).toBe(0);
  const [cg, tiled] = ['one.npy', 'tiled.npy'].map((name) => readNpy(readFileSync(at(name))).data);
  const scale = Math.max(...Array.from(tiled!, Math.abs));
  for (const [i, value] of tiled!.entries()) expect(Math.abs(cg![i]! - value) / scale).toBeLessThan(1e-6);
});

it("a program of one's own runs on the workers: kernels and matrix-free predictions, same bits", async () => {
  const net = JSON.parse(readFileSync(at('net.json'), 'utf8')) as never;
  const all = readNpy(readFileSync(at('x.npy'))).data as Float64Array<ArrayBuffer>;
  const x = tensor(all.slice(0, 40 * 64), [40, 8, 8, 1]);
  const y = tensor(
    Float64Array.from({ length: 40 }, (_, i) => Math.cos(i)),
    [40],
  );
  const pool = await queuePool({ queue: redis.url, store: folder, seconds: 2 });
  expect(pool.workers).toBe(3);
  await using far = await createEngine({ variant: 'simd', pool });
  await using near = await createEngine({ variant: 'simd' });
  const options = { tile: 16 };
  expect((await kernel(far, net, x, null, options)).ntk.data).toEqual(
    (await kernel(near, net, x, null, options)).ntk.data,
  );
  const task = {
    xTrain: x,
    yTrain: y,
    xTest: tensor(all.slice(0, 5 * 64), [5, 8, 8, 1]),
    diagReg: 1e-3,
    solver: 'cg',
    rank: 4,
  } as const;
  const [a, b] = [await predict(far, net, task), await predict(near, net, task)];
  expect(a.mean.data).toEqual(b.mean.data);
  await expect(
    kernel(
      far,
      net,
      tensor(
        x.data.map((value) => value * 1e200),
        x.shape,
      ),
      null,
      options,
    ),
  ).rejects.toThrow(/overflow/i);
});
