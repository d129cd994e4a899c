// Values, locks and checksums of a store in a folder.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { crc32c, sealed, unsealed } from '#build/store/checksum.js';
import { folderStore } from '#build/store/folder.js';
import { keptIn } from '#build/store/kept.js';
import { acquire } from '#build/store/lock.js';
import { decodeRecord, encodeRecord } from '#build/store/record.js';
import { afterAll, beforeAll, expect, it } from 'vitest';

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'iw-store-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));
const bytes = (...list: number[]): Uint8Array => Uint8Array.from(list);

/** CRC-32C bit by bit, from the definition. */
function slowCrc(data: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of data) {
    c ^= byte;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
  }
  return ~c >>> 0;
}

it('computes CRC-32C as RFC 3720 says, of any length and in pieces', async () => {
  const crc = await crc32c();
  const ascending = Uint8Array.from({ length: 32 }, (_, i) => i);
  // RFC 3720, appendix B.4, and the check value of the catalogue of CRCs.
  expect(crc(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
  expect(crc(ascending)).toBe(0x46dd794e);
  expect(crc(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
  for (let length = 0; length < 40; length++) {
    const data = Uint8Array.from({ length }, (_, i) => (i * 89 + length) & 255);
    expect(crc(data)).toBe(slowCrc(data));
    expect(crc(data.subarray(length >> 1), crc(data.subarray(0, length >> 1)))).toBe(slowCrc(data));
  }
  const long = Uint8Array.from({ length: 2 ** 20 + 13 }, (_, i) => (i * i) & 255);
  expect(crc(long)).toBe(slowCrc(long));
});

it('sees every flipped bit and every cut', async () => {
  const whole = await sealed(bytes(1, 2, 3, 4, 5, 6, 7, 8, 9));
  expect(await unsealed(whole)).toEqual(bytes(1, 2, 3, 4, 5, 6, 7, 8, 9));
  for (let bit = 0; bit < 8 * whole.length; bit++) {
    const bad = whole.slice();
    bad[bit >> 3]! ^= 1 << (bit & 7);
    await expect(unsealed(bad)).rejects.toThrow(/checksum/);
  }
  for (let length = 0; length < whole.length; length++)
    await expect(unsealed(whole.subarray(0, length))).rejects.toThrow(/checksum|at least/);
});

it('gives records back with every bit, whatever they hold', async () => {
  const odd = {
    numbers: [0, -0, NaN, Infinity, -Infinity, 5e-324, 1.7976931348623157e308, 0.1],
    none: [undefined, null],
    $: { $: ['array', 'f64', 0, 9] },
    arrays: [
      Float64Array.of(NaN, -0, 1),
      Float32Array.of(1),
      new Int32Array(0),
      Uint8Array.of(9),
      Uint32Array.of(1),
    ],
    ['__proto__x']: 'text',
  };
  expect(await decodeRecord(await encodeRecord(odd))).toEqual(odd);
  const leaf = fc.oneof(
    fc.double(),
    fc.string(),
    fc.boolean(),
    fc.constant(null),
    fc.constant(undefined),
    fc.float64Array({ maxLength: 5 }),
    fc.float32Array({ maxLength: 5 }),
  );
  const tree = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.constantFrom('a', 'b', '$'), tie('value'), { noNullPrototype: true }),
    ),
  })).value;
  await fc.assert(
    fc.asyncProperty(tree, async (value) => {
      expect(await decodeRecord(await encodeRecord(value))).toEqual(value);
    }),
    { numRuns: 200, seed: 1 },
  );
  for (const bad of [() => 1, { at: new Map([[1, () => 2]]).get(1) }, [new BigInt64Array(1)]])
    await expect(encodeRecord(bad)).rejects.toThrow(/record: a/);
  const loop: unknown[] = [];
  loop.push(loop);
  await expect(encodeRecord(loop)).rejects.toThrow(/contains itself/);
});

it('reads no damaged record: any flipped byte, any cut', async () => {
  const record = await encodeRecord({ a: Float64Array.of(1, 2), b: [1, 'x'] });
  for (let at = 0; at < record.length; at++) {
    const bad = record.slice();
    bad[at]! ^= 0x55;
    await expect(decodeRecord(bad)).rejects.toThrow();
    await expect(decodeRecord(record.subarray(0, at))).rejects.toThrow();
  }
  const forged = await sealed(bytes(0x49, 0x57, 0x52, 0x31, 255, 255, 0, 0, 1));
  await expect(decodeRecord(forged)).rejects.toThrow();
});

it('writes values whole or not at all, once where asked, and lists them', async () => {
  const store = folderStore(join(folder, 'values'));
  expect(await store.get('/a')).toBeUndefined();
  await store.set('/a', bytes(1));
  await store.set('/b/c', bytes(2));
  expect(await store.get('/a')).toEqual(bytes(1));
  const tries = await Promise.all(Array.from({ length: 8 }, (_, i) => store.create('/once', bytes(i))));
  expect(tries.filter(Boolean)).toHaveLength(1);
  expect(await store.get('/once')).toEqual(bytes(tries.indexOf(true)));
  const all = [];
  for await (const key of store.list('/')) all.push(key);
  expect(all.sort()).toEqual(['/a', '/b/c', '/once']);
  expect(await readdir(join(folder, 'values', '.tmp'))).toEqual([]);
  await store.delete('/a');
  expect(await store.has('/a')).toBe(false);
  for (const key of [
    '/../a',
    '/a//b',
    '/a/./b',
    'a',
    '/',
    '/a/../../b',
    `/${'a'.repeat(600)}`,
    '/a\0b',
    '/a b',
  ])
    await expect(store.get(key as '/a')).rejects.toThrow(/a name must be/);
});

it('says in one line that a store is gone or cannot be written', async () => {
  const at = join(folder, 'none', 'below');
  await expect(folderStore(at).set('/a', bytes(1))).rejects.toThrow(
    /writing \/a in .*below failed: the folder is not there/,
  );
  await writeFile(join(folder, 'file'), '');
  await expect(folderStore(join(folder, 'file')).set('/a', bytes(1))).rejects.toThrow(/failed: .*folder/);
});

it('sweeps what processes that are gone left, and nothing else', async () => {
  const store = folderStore(join(folder, 'swept'));
  await store.set('/a', bytes(1));
  const temporary = join(folder, 'swept', '.tmp');
  await mkdir(temporary, { recursive: true });
  await writeFile(join(temporary, `${hostname()}-999999999-abc`), '');
  await writeFile(join(temporary, `${hostname()}-${process.pid}-abc`), '');
  await writeFile(join(temporary, 'elsewhere-1-abc'), '');
  expect(await store.sweep!()).toBe(1);
  expect((await readdir(temporary)).sort()).toEqual(
    [`elsewhere-1-abc`, `${hostname()}-${process.pid}-abc`].sort(),
  );
});

it('lets one process write, and takes over from one that is gone', async () => {
  const store = folderStore(join(folder, 'locked'));
  const lock = await acquire(store);
  await expect(acquire(store)).rejects.toThrow(new RegExp(`process ${process.pid} on .* writes to`));
  await lock.release();
  await (await acquire(store)).release();
  const gone = { host: hostname(), pid: 999999999, started: '1', mark: 'x' };
  await store.set('/.lock', new TextEncoder().encode(JSON.stringify(gone)));
  const several = await Promise.allSettled(Array.from({ length: 6 }, () => acquire(store)));
  const won = several.filter(({ status }) => status === 'fulfilled');
  expect(won).toHaveLength(1);
  await (won[0] as PromiseFulfilledResult<{ release(): Promise<void> }>).value.release();
  // A process that has the number of another one is not that one.
  await store.set('/.lock', new TextEncoder().encode(JSON.stringify({ ...gone, pid: process.pid })));
  await (await acquire(store)).release();
  await store.set('/.lock', new TextEncoder().encode(JSON.stringify({ ...gone, host: 'elsewhere' })));
  await expect(acquire(store)).rejects.toThrow(/on elsewhere/);
});

it('keeps parts by name; a damaged one is said and starts again', async () => {
  const said: string[] = [];
  const kept = keptIn(folderStore(join(folder, 'kept')), (line) => said.push(line));
  expect(await kept.load('a b')).toBeNull();
  await kept.keep('a b', { w: Float64Array.of(1, NaN) });
  expect(await kept.load('a b')).toEqual({ w: Float64Array.of(1, NaN) });
  expect(said).toEqual([]);
  const file = join(folder, 'kept', 'a_b.record');
  const whole = await readFile(file);
  for (let at = 0; at < whole.length; at += 3) {
    const bad = Uint8Array.from(whole);
    bad[at]! ^= 4;
    await writeFile(file, bad);
    expect(await kept.load('a b')).toBeNull();
  }
  expect(said.length).toBe(Math.ceil(whole.length / 3));
  expect(said[0]).toMatch(/damaged .*starts again/);
});
