// What a worker takes from a queue, without servers: messages of any other form are refused.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { idOf, makerOf, parseMessage, type Message } from '#build/queue/message.js';
import { Objects } from '#build/queue/objects.js';
import { queueAddress } from '#build/queue/connection.js';
import { folderStore } from '#build/store/folder.js';
import { partOf, shardFromEnvironment, shardOf } from '#build/cli/shard.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'iw-queue-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));

const key = 'a'.repeat(64);
const good = async (): Promise<readonly Message[]> => {
  const maker = await makerOf('simd');
  return [
    { kind: 'tiles', run: '/a/k.zarr', tiles: [0, 5], maker },
    { kind: 'jobs', job: 'kernel/tile', keys: [key], maker },
    { kind: 'product', run: '/k.zarr', kernel: 'ntk', vectors: key, rows: [1], maker },
  ];
};

it('takes what drivers write, and names the same work the same', async () => {
  const list = await good();
  for (const message of list) expect(parseMessage(JSON.parse(JSON.stringify(message)))).toEqual(message);
  expect(new Set(list.map(idOf)).size).toBe(3);
  expect(idOf(list[0]!)).toBe(idOf((await good())[0]!));
});

it('refuses everything else in one line', async () => {
  const [tiles, jobs, product] = (await good()) as unknown as Record<string, unknown>[];
  const bad: readonly (readonly [unknown, RegExp])[] = [
    [null, /expected an object/],
    ['x'.repeat(10), /expected an object/],
    [[], /its kind/],
    [{ ...tiles, kind: 'eval' }, /its kind/],
    [{ ...tiles, kind: 'constructor' }, /its kind/],
    [{ ...tiles, kind: ['tiles'] }, /its kind/],
    [{ ...tiles, code: 'process.exit()' }, /unknown field "code"/],
    [{ ...tiles, maker: undefined }, /which version/],
    [{ ...tiles, maker: { version: 1, variant: 'simd', wasm: '' } }, /which version/],
    [{ ...tiles, run: '/../../etc/passwd' }, /run must be a name in the store/],
    [{ ...tiles, run: '/etc\0' }, /run must be/],
    [{ ...tiles, run: 'k.zarr' }, /run must be/],
    [{ ...tiles, run: 5 }, /run must be/],
    [{ ...tiles, tiles: [] }, /tiles must be/],
    [{ ...tiles, tiles: [-1] }, /tiles must be/],
    [{ ...tiles, tiles: [0.5] }, /tiles must be/],
    [{ ...tiles, tiles: ['0'] }, /tiles must be/],
    [{ ...tiles, tiles: { length: 3 } }, /tiles must be/],
    [{ ...tiles, tiles: Array.from({ length: 5000 }, () => 0) }, /tiles must be/],
    [{ ...jobs, job: 'no/such' }, /unknown job "no\/such"/],
    [{ ...jobs, job: 'toString' }, /unknown job/],
    [{ ...jobs, job: { toString: () => 'kernel/tile' } }, /unknown job/],
    [{ ...jobs, keys: ['../../x'] }, /keys must be/],
    [{ ...jobs, keys: [key.toUpperCase()] }, /keys must be/],
    [{ ...product, kernel: 'x1' }, /kernel must be/],
    [{ ...product, vectors: '/objects/x' }, /vectors must be/],
    [{ ...product, rows: [NaN] }, /rows must be/],
  ];
  for (const [data, message] of bad) {
    expect(() => parseMessage(data)).toThrow(message);
    expect(() => parseMessage(data)).toThrow(/^queue: refused a message: [^\n]{1,200}Nothing was run\.$/);
  }
});

describe('parameters in the store', () => {
  it('come back with all their bits; large arrays are stored once', async () => {
    const store = folderStore(join(folder, 'objects'));
    const [driver, worker] = [new Objects(store), new Objects(store)];
    const shared = Float64Array.from({ length: 2000 }, (_, i) => Math.sin(i));
    const params = [0, 1].map((i) => ({
      x: shared,
      small: Float32Array.of(i, NaN),
      text: 'a',
      none: undefined,
    }));
    const keys = await Promise.all(params.map((value) => driver.put('kernel/tile', value)));
    expect(keys[0]).not.toBe(keys[1]);
    for (const [i, name] of keys.entries())
      expect(await worker.params('kernel/tile', name)).toEqual(params[i]);
    const names = [];
    for await (const name of store.list('/objects/')) names.push(name);
    expect(names).toHaveLength(1);
    await expect(worker.params('kernel/multiply', keys[0]!)).rejects.toThrow(/not what its name says/);
    await expect(worker.params('kernel/tile', key)).rejects.toThrow(/is not there/);
  });

  it('are refused where anything of them was changed, and a damaged result is no result', async () => {
    const store = folderStore(join(folder, 'changed'));
    const driver = new Objects(store);
    const name = await driver.put('a', { x: new Float64Array(1000), y: 1 });
    const files: string[] = [];
    for await (const at of store.list('/')) files.push(join(folder, 'changed', at));
    expect(files).toHaveLength(2);
    for (const file of files) {
      const whole = await readFile(file);
      const bad = Uint8Array.from(whole);
      bad[20]! ^= 1;
      await writeFile(file, bad);
      await expect(new Objects(store).params('a', name)).rejects.toThrow(/damaged/);
      await writeFile(file, whole);
    }
    await driver.keepResult(name, { value: 1 });
    expect(await driver.result(name)).toEqual({ value: { value: 1 } });
    await writeFile(join(folder, 'changed', 'jobs', `${name}.result`), 'x');
    expect(await driver.result(name)).toBeUndefined();
    expect(await driver.hasResult(name)).toBe(false);
  });
});

it('knows its part of a run from what schedulers say', () => {
  expect(shardOf('2/5')).toEqual({ index: 2, count: 5 });
  for (const text of ['5/5', '1', '-1/3', 'a/b', '1/0']) expect(() => shardOf(text)).toThrow(/i\/n/);
  const slurm = { SLURM_ARRAY_TASK_ID: '12', SLURM_ARRAY_TASK_MIN: '10', SLURM_ARRAY_TASK_COUNT: '4' };
  expect(shardFromEnvironment(slurm)).toEqual({ index: 2, count: 4 });
  expect(shardFromEnvironment({ JOB_COMPLETION_INDEX: '3', JOB_COMPLETIONS: '7' })).toEqual({
    index: 3,
    count: 7,
  });
  expect(shardFromEnvironment({ PARALLEL_SEQ: '1', PARALLEL_TOTAL: '2' })).toEqual({ index: 0, count: 2 });
  expect(() => shardFromEnvironment({ JOB_COMPLETION_INDEX: '3' })).toThrow(/JOB_COMPLETIONS=nothing/);
  expect(() => shardFromEnvironment({})).toThrow(/variables of a scheduler/);
  const all = Array.from({ length: 4 }, (_, index) => partOf({ index, count: 4 }, 10));
  expect(all.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 10 }, (_, i) => i));
  expect(partOf({ index: 5, count: 8 }, 3)).toEqual([]);
});

it('refuses addresses that are none, without their password', async () => {
  await expect(queueAddress('http://me:secret@host')).rejects.toThrow(/expected redis:/);
  await expect(queueAddress('http://me:secret@host')).rejects.not.toThrow(/secret/);
  const { shown } = await queueAddress('redis://me:secret@host:7/prefix');
  expect(shown).toBe('redis://me@host:7/prefix');
});
