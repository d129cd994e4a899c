// Buckets with the interface of S3, Python's zarr on what we write, and ours on what Python writes.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readNpz } from 'infinite-width';
import { folderStore } from '#build/store/folder.js';
import { s3Store } from '#build/store/s3.js';
import { openArray } from '#build/store/zarr.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { alone, problemIn, SAMPLES } from './problem.js';
import { cli, startS3 } from './servers.js';

let folder: string;
let problem: string[];
let s3: Awaited<ReturnType<typeof startS3>>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'iw-stores-'));
  problem = problemIn(folder);
  s3 = await startS3('runs');
  Object.assign(process.env, s3.env);
  await alone(folder, problem);
});
afterAll(async () => {
  await s3.stop();
  rmSync(folder, { recursive: true, force: true });
});
const at = (name: string): string => join(folder, name);
const python = (code: string): string => {
  const { status, stdout, stderr } = spawnSync('python3', ['-c', code], { encoding: 'utf8', cwd: folder });
  expect(status, stderr).toBe(0);
  return stdout.trim();
};

it('a bucket is a store: values, once, lists of many pages, names that lead out', async () => {
  const store = await s3Store('s3://runs/some/prefix');
  const value = Uint8Array.of(1, 2, 3);
  expect(await store.get('/a')).toBeUndefined();
  expect(await store.has('/a')).toBe(false);
  await store.set('/a', value);
  expect(await store.get('/a')).toEqual(value);
  const tries = await Promise.all([0, 1, 2].map((i) => store.create('/once', Uint8Array.of(i))));
  expect(tries.filter(Boolean)).toHaveLength(1);
  await Promise.all(Array.from({ length: 1005 }, (_, i) => store.set(`/many/${i}`, value)));
  let count = 0;
  for await (const key of store.list('/many/')) {
    expect(key).toMatch(/^\/many\/\d+$/);
    count++;
  }
  expect(count).toBe(1005);
  await store.delete('/a');
  expect(await store.has('/a')).toBe(false);
  await expect(store.get('/../b')).rejects.toThrow(/a name must be/);
  await expect((await s3Store('s3://no-such-bucket/x')).set('/a', value)).rejects.toThrow(
    /writing \/a in s3:.*404 NoSuchBucket/,
  );
});

it('a kernel in a bucket, by two shards, has the bytes of one in a folder', async () => {
  for (const shard of ['0/2', '1/2'])
    expect(
      (await cli(['kernel', ...problem, '--workers', '1', '--out', 's3://runs/k.zarr', '--shard', shard]).end)
        .code,
    ).toBe(0);
  const [bucket, disk] = [await s3Store('s3://runs/k.zarr'), folderStore(at('alone.zarr'))];
  let chunks = 0;
  for await (const key of disk.list('/ntk/c/')) {
    expect(await bucket.get(key)).toEqual(await disk.get(key));
    chunks++;
  }
  expect(chunks).toBe(81);
  expect((await cli(['verify', 's3://runs/k.zarr']).end).code).toBe(0);
});

it("Python's zarr reads our kernels, and sees a flipped byte", async () => {
  expect((await cli(['kernel', ...problem, '--workers', '1', '--out', at('k.npz')]).end).code).toBe(0);
  const { arrays } = await readNpz(readFileSync(at('k.npz')));
  expect(arrays['ntk']!.shape).toEqual([SAMPLES, SAMPLES]);
  const compare = `
import numpy as np, zarr
g = zarr.open_group('alone.zarr', mode='r'); z = np.load('k.npz')
for name in ('nngp', 'ntk'): assert np.array_equal(g[name][:], z[name]), name
assert np.array_equal(g['ntk'][:], g['ntk'][:].T)
print(g['ntk'].shape, g['ntk'].chunks)`;
  expect(python(compare)).toBe('(108, 108) (12, 12)');
  spawnSync('cp', ['-r', at('alone.zarr'), at('bad.zarr')]);
  const bytes = readFileSync(at('bad.zarr/ntk/c/0/0'));
  bytes[5]! ^= 8;
  writeFileSync(at('bad.zarr/ntk/c/0/0'), bytes);
  expect(
    python(
      "import zarr\ntry: zarr.open_array('bad.zarr/ntk', mode='r')[:]\nexcept Exception as e: print('seen', type(e).__name__)",
    ),
  ).toMatch(/^seen/);
});

it("reads what Python's zarr writes, compressed or not, and sees damage there", async () => {
  python(`
import numpy as np, zarr
from zarr.codecs import Crc32cCodec, ZstdCodec, BloscCodec, GzipCodec
x = np.arange(7000, dtype='float64').reshape(100, 70) / 7
np.save('p.npy', x)
for name, codecs in dict(raw=[], zstd=[ZstdCodec(level=1)], blosc=[BloscCodec(cname='lz4', typesize=8)], gzip=[GzipCodec()]).items():
    zarr.create_array('py/' + name, data=x, chunks=(32, 32), compressors=[*codecs, Crc32cCodec()], overwrite=True)`);
  const store = folderStore(at('py'));
  const want = Float64Array.from({ length: 7000 }, (_, i) => i / 7);
  for (const name of ['raw', 'zstd', 'blosc', 'gzip']) {
    const array = await openArray(store, name);
    expect((await array.rows(0, 100)).data).toEqual(want);
    const file = at(`py/${name}/c/1/1`);
    const bytes = readFileSync(file);
    bytes[30]! ^= 1;
    writeFileSync(file, bytes);
    await expect(array.read([1, 1])).rejects.toThrow(/damaged/);
  }
});
