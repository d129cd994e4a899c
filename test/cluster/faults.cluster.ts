// What goes wrong with workers, queues and stores, one fault each: nothing is lost, nothing is wrong, and one line says what it is.
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Queue } from 'bullmq';
import { makerOf } from '#build/queue/message.js';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { alone, chunksOf, problemIn, TILES } from './problem.js';
import { cli, gone, PASSWORD, Redis, sleep, until, Workers } from './servers.js';

let folder: string;
let redis: Redis;
let problem: string[];
let want: string;
let workers: Workers;
let count = 0;
const at = (name: string): string => join(folder, name);
const places = (): string[] => ['--queue', redis.url, '--store', folder];
const start = (n: number, ...more: string[]): Workers => {
  workers = new Workers(at(`log-${++count}`), [...places(), '--lock', '2', ...more]);
  workers.start(n);
  return workers;
};
const done = (): number => new Set(workers.said('done').map(({ detail }) => detail)).size;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'iw-faults-'));
  problem = problemIn(folder);
  redis = await Redis.start(at('redis'));
  want = await alone(folder, problem);
});
afterEach(async () => {
  await workers?.stop();
  redis.cli('FLUSHALL');
});
afterAll(async () => {
  await redis.stop();
  rmSync(folder, { recursive: true, force: true });
});

it('a worker stopped beyond its lock, two drivers on one run, and a queue that loses everything', async () => {
  start(2);
  await until('workers', () => workers.said('ready').length === 2);
  const drivers = [0, 1].map((i) =>
    cli(['kernel', ...problem, ...places(), '--out', at('k.zarr'), '--resume'], { DRIVER: String(i) }),
  );
  await until('some tiles', () => done() > 4);
  workers.list[0]!.kill('SIGSTOP');
  await sleep(5000);
  workers.list[0]!.kill('SIGCONT');
  redis.cli('FLUSHALL');
  for (const driver of drivers) {
    const { code, stderr } = await driver.end;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  }
  expect(chunksOf(at('k.zarr'))).toBe(want);
});

it('a driver that is killed: its run is continued by another', async () => {
  start(1);
  const first = cli(['kernel', ...problem, ...places(), '--out', at('driver.zarr')]);
  await until('some tiles', () => done() > 3);
  first.child.kill('SIGKILL');
  await first.end;
  redis.cli('FLUSHALL');
  const again = await cli(['kernel', ...problem, ...places(), '--out', at('driver.zarr')]).end;
  expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('--resume') as string });
  expect(
    (await cli(['kernel', ...problem, ...places(), '--out', at('driver.zarr'), '--resume']).end).code,
  ).toBe(0);
  expect(chunksOf(at('driver.zarr'))).toBe(want);
});

it('a process that dies between two chunks of a tile leaves a tile that is made again', async () => {
  const script = at('dying.mjs');
  const build = fileURLToPath(new URL('../../build', import.meta.url));
  writeFileSync(
    script,
    `import { createEngine } from '${build}/index.js';
import { folderStore } from '${build}/store/folder.js';
import { openKernelRun } from '${build}/store/kernel-run.js';
import { makeTiles, missingTiles } from '${build}/store/kernel-tiles.js';
const store = folderStore(process.argv[2]);
let left = Number(process.argv[3]);
const set = store.set;
store.set = async (key, value) => { await set(key, value); if (--left === 0) process.kill(process.pid, 'SIGKILL'); };
const run = await openKernelRun(store);
await makeTiles(await createEngine({ variant: 'simd' }), run, await missingTiles(run));
`,
  );
  // A run that is begun and has one tile.
  const run = at('dying.zarr');
  start(0);
  const first = cli(['kernel', ...problem, '--workers', '1', '--out', run]);
  await until('a tile', () => spawnSync('ls', [join(run, 'ntk/c/0/0')]).status === 0);
  first.child.kill('SIGKILL');
  await first.end;
  for (const writes of [1, 2, 3, 4, 5, 6, 7]) {
    const child = spawn(process.execPath, [script, run, String(writes)], { stdio: 'inherit' });
    await gone(child);
    expect(child.signalCode).toBe('SIGKILL');
    expect((await cli(['verify', run]).end).code).toBe(0);
  }
  expect((await cli(['kernel', ...problem, '--workers', '1', '--out', run, '--resume']).end).code).toBe(0);
  expect(chunksOf(run)).toBe(want);
});

it('a flipped byte is found by verify, deleted by --repair and made again', async () => {
  start(0);
  const run = at('flipped.zarr');
  spawnSync('cp', ['-r', at('alone.zarr'), run]);
  const file = join(run, 'nngp/c/2/5');
  const bytes = readFileSync(file);
  bytes[77]! ^= 1;
  writeFileSync(file, bytes);
  const found = await cli(['verify', run]).end;
  expect(found.code).toBe(1);
  expect(found.stdout).toContain('nngp/c/2/5: checksum');
  expect((await cli(['verify', run, '--repair']).end).code).toBe(0);
  expect((await cli(['status', run]).end).stdout).toContain(`${TILES - 1} of ${TILES} tiles`);
  expect((await cli(['kernel', ...problem, '--out', run, '--resume', '--workers', '1']).end).code).toBe(0);
  expect(chunksOf(run)).toBe(want);
});

it('a store that is full, read-only or gone: one line, exit code, and the run goes on afterwards', async () => {
  start(0);
  const disk = at('disk');
  mkdirSync(disk);
  const mount = (...args: string[]): void => expect(spawnSync('mount', args).status).toBe(0);
  mount('-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk);
  try {
    const run = join(disk, 'k.zarr');
    const kernel = (): ReturnType<typeof cli>['end'] =>
      cli(['kernel', ...problem, '--workers', '1', '--out', run, '--resume']).end;
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(700_000));
    const early = await kernel(); // the result is 187 kB, and the inputs 55: what is free is known before
    appendFileSync(join(disk, 'ballast'), '');
    if (early.code !== 0)
      expect(early.stderr).toMatch(/^error: (--out: needs \d+ bytes|store: .*no space left)[^\n]*\n$/);
    rmSync(join(disk, 'ballast'));
    mount('-o', 'remount,ro', disk);
    const readOnly = await kernel();
    expect(readOnly.code).toBe(2);
    expect(readOnly.stderr).toMatch(/^error: [^\n]*(read-only|EROFS)[^\n]*\n$/);
    mount('-o', 'remount,rw', disk);
    expect((await kernel()).code).toBe(0);
    expect(chunksOf(run)).toBe(want);
    rmSync(join(run, 'run.json'));
    const lost = await cli(['status', run]).end;
    expect(lost).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^error: [^\n]*holds no run[^\n]*\n$/) as string,
    });
  } finally {
    spawnSync('umount', ['-l', disk]);
  }
});

it('hostile messages are refused in one line, nothing is run, and work goes on; 100 MB too', async () => {
  start(1);
  await until('a worker', () => workers.said('ready').length === 1);
  const connection = { host: '127.0.0.1', port: redis.port, password: PASSWORD };
  const queue = new Queue('jobs', { connection, prefix: 'test' });
  try {
    const maker = { version: '0', variant: 'simd', wasm: '0' };
    const bad = [
      { kind: 'jobs', job: 'no/such', keys: ['a'.repeat(64)], maker },
      { kind: 'tiles', run: '/../../etc', tiles: [0], maker },
      { kind: 'jobs', job: 'kernel/tile', keys: ['../x'], maker },
      { kind: 'tiles', run: '/k.zarr', tiles: [0], maker, code: 'process.exit()' },
      { kind: 'jobs', job: 'kernel/tile', keys: ['x'.repeat(1e8)], maker },
    ];
    for (const [i, data] of bad.entries()) await queue.add('x', data, { jobId: `bad-${i}` });
    await until('refusals', () => workers.said('refused').length === bad.length, 60);
    for (const { detail } of workers.said('refused'))
      expect(detail).toMatch(/^queue: refused a message: .{1,200}Nothing was run\.$/);
    expect(workers.said('start')).toEqual([]);
    expect(workers.list[0]!.exitCode).toBeNull();
  } finally {
    await queue.close();
  }
});

it('a worker refuses the work of another version, variant or kernels and stops; the work stays for others', async () => {
  const good = await makerOf('simd');
  for (const other of [{ version: '0.0.0' }, { variant: 'relaxed' }, { wasm: '0'.repeat(16) }]) {
    start(1);
    await until('a worker', () => workers.said('ready').length === 1);
    const connection = { host: '127.0.0.1', port: redis.port, password: PASSWORD };
    const queue = new Queue('jobs', { connection, prefix: 'test' });
    try {
      await queue.add(
        'x',
        { kind: 'tiles', run: '/alone.zarr', tiles: [0], maker: { ...good, ...other } },
        { jobId: 'other' },
      );
      await gone(workers.list[0]!);
      expect(workers.list[0]!.exitCode).toBeGreaterThan(0);
      expect(workers.said('start')).toEqual([]);
      expect(['waiting', 'delayed']).toContain(await queue.getJobState('other'));
      await queue.remove('other');
    } finally {
      await queue.close();
    }
  }
});

it('a supervisor starts its child again', async () => {
  const { main } = await import('./servers.js');
  const log = at('supervised');
  writeFileSync(log, '');
  start(0);
  const parent = spawn(
    process.execPath,
    [main, 'work', ...places(), '--workers', '1', '--log', log, '--quiet'],
    {
      stdio: 'ignore',
      env: { ...process.env, INFINITE_WIDTH_QUEUE_PASSWORD: PASSWORD },
    },
  );
  const ready = (): number[] =>
    readFileSync(log, 'utf8')
      .split('\n')
      .filter((line) => line.includes('"ready"'))
      .map((line) => (JSON.parse(line) as { pid: number }).pid);
  await until('a child', () => ready().length === 1);
  process.kill(ready()[0]!, 'SIGKILL');
  await until('another child', () => ready().length === 2);
  parent.kill('SIGTERM');
  await gone(parent);
  await until('the end of the child', () => {
    try {
      process.kill(ready()[1]!, 0);
      return false;
    } catch {
      return true;
    }
  });
});
