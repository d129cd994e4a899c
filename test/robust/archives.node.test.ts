// Small files that stand for much memory, and archives that are not what they say.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync, gzipSync } from 'node:zlib';
import { readCsv, readImages, readNpy, readNpz, parseTable, writeNpy } from 'infinite-width';
import { listZip, writeZip } from '#build/data/zip.js';
import { readTensor } from '#build/cli/files.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const MB = 2 ** 20;

/** A zip of deflated members; `announce` changes what directory and headers say of a size. */
function zip(members: { name: string; body: Uint8Array; announce?: number; at?: number }[]): Uint8Array {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const { name, body, announce = body.length, at: start = at } of members) {
    const packed = deflateRawSync(body);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(8, 4);
    fields.writeUInt32LE(crc32(body), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(announce, 18);
    fields.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), fields, Buffer.from(name), packed]);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(start, 10);
    directory.push(
      Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.of(20, 0), fields, place, Buffer.from(name)]),
    );
    parts.push(local);
    at += local.length;
  }
  const listed = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06');
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(listed.length, 12);
  end.writeUInt32LE(at, 16);
  return new Uint8Array(Buffer.concat([...parts, listed, end]));
}
const npy = (values: readonly number[]): Uint8Array =>
  writeNpy({ data: Float64Array.from(values), shape: [values.length] });
const zeros = (bytes: number): Uint8Array =>
  Buffer.concat([writeNpy({ data: new Float64Array(0), shape: [0] }), new Uint8Array(bytes)]);

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'archives-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('npz', () => {
  it('reads deflated members, and those asked for only', async () => {
    const bytes = zip([
      { name: 'x.npy', body: npy([1, 2]) },
      { name: 'broken.npy', body: npy([3]), announce: 7 },
    ]);
    const { arrays } = await readNpz(bytes, 'k.npz', { only: ['x'] });
    expect([...arrays['x']!.data]).toEqual([1, 2]);
    expect(Object.keys(arrays)).toEqual(['x']);
    await expect(readNpz(bytes, 'k.npz')).rejects.toThrow(
      /broken.npy: it unpacks to more than 7 bytes|damaged/,
    );
    await expect(readNpz(bytes, 'k.npz', { only: ['y'] })).rejects.toThrow(
      /no member 'y'. Members: x, broken/,
    );
  });

  it('checks announced sizes before it unpacks, and real ones while it does', async () => {
    const bomb = zip([{ name: 'x.npy', body: zeros(64 * MB) }]);
    expect(bomb.length).toBeLessThan(MB / 10);
    const before = process.memoryUsage().arrayBuffers;
    await expect(readNpz(bomb, 'b.npz', { memoryBytes: MB })).rejects.toThrow(
      /b.npz: its arrays unpack to 67108992 bytes, the limit is 1048576/,
    );
    const lying = zip([{ name: 'x.npy', body: zeros(64 * MB), announce: 1000 }]);
    await expect(readNpz(lying, 'l.npz')).rejects.toThrow(/unpacks to more than 1000 bytes/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * MB);
  });

  it('numbers stored in one byte are counted as they are held', async () => {
    const head = Buffer.from(
      `\x93NUMPY\x01\x00\x76\x00{'descr': '|u1', 'fortran_order': False, 'shape': (${MB},), }`.padEnd(127) +
        '\n',
      'latin1',
    );
    const bytes = zip([{ name: 'x.npy', body: Buffer.concat([head, new Uint8Array(MB)]) }]);
    await expect(readNpz(bytes, 'u.npz', { memoryBytes: 4 * MB })).rejects.toThrow(
      /u.npz:x: the array needs 8388608 bytes/,
    );
    expect((await readNpz(bytes, 'u.npz', { memoryBytes: 8 * MB })).arrays['x']!.shape).toEqual([MB]);
    expect(() => readNpy(Buffer.concat([head, new Uint8Array(MB)]), 'u.npy', { memoryBytes: MB })).toThrow(
      /8388608 bytes/,
    );
  });

  it('refuses members that overlap or have one name', () => {
    const body = npy([1]);
    expect(() => listZip(zip([{ name: 'a.npy', body }, { name: 'b.npy', body, at: 0 }]), 'o.npz')).toThrow(/overlaps another one/); // prettier-ignore
    expect(() => listZip(zip([{ name: 'a.npy', body }, { name: 'a.npy', body }]), 'o.npz')).toThrow(/two members a.npy/); // prettier-ignore
    expect(listZip(writeZip([{ name: 'a', bytes: body }]), 'w').map(({ name }) => name)).toEqual(['a']);
  });

  it('a member named __proto__ is an array like any other', async () => {
    const { arrays } = await readNpz(zip([{ name: '__proto__.npy', body: npy([5]) }]));
    expect(Object.keys(arrays)).toEqual(['__proto__']);
  });

  it('the command line unpacks the named member alone', async () => {
    const path = join(folder, 'two.npz');
    await writeFile(path, zip([{ name: 'x.npy', body: npy([4]) }, { name: 'bomb.npy', body: zeros(64 * MB) }])); // prettier-ignore
    const limit = { memoryBytes: MB };
    expect([...(await readTensor(`${path}:x`, limit)).data]).toEqual([4]);
    await expect(readTensor(path, limit)).rejects.toThrow(/expected one member, got \[x, bomb\]/);
    await expect(readTensor(`${path}:bomb`, limit)).rejects.toThrow(/unpack to 67108992 bytes/);
  });
});

describe('gzipped images', () => {
  const head = (n: number): Uint8Array =>
    Buffer.of(0, 0, 8, 3, n >>> 24, n >>> 16, n >>> 8, n, 0, 0, 0, 28, 0, 0, 0, 28);
  const file = (bytes: Uint8Array, name = 'x.gz') => ({
    name,
    read: async () => new Uint8Array(bytes) as Uint8Array<ArrayBuffer>,
  });
  const many = gzipSync(Buffer.concat([head(200_000), new Uint8Array(200_000 * 784)]), { level: 1 });

  it('a limit unpacks no more than it needs', async () => {
    expect(many.length).toBeLessThan(MB);
    const { x } = await readImages([file(many)], { limit: 5, memoryBytes: MB });
    expect(x.shape).toEqual([5, 28, 28, 1]);
  });

  it('without one the memory limit holds', async () => {
    await expect(readImages([file(many)], { memoryBytes: 4 * MB })).rejects.toThrow(
      /x.gz: it unpacks to .*4194304/,
    );
    const damaged = many.subarray(0, many.length - 200);
    await expect(readImages([file(damaged)])).rejects.toThrow(
      /the gzip data is damaged|the compressed data is damaged/,
    );
  });
});

// Quadratic in the columns, this took minutes: the limit of the test catches it.
it('wide CSV is read at once', { timeout: 30_000 }, () => {
  const columns = 300_000;
  const text = `${Array.from({ length: columns }, (_, i) => `c${i}`).join()}\n${'1,'.repeat(columns - 1)}1\n`;
  expect(readCsv(text).data.shape).toEqual([1, columns]);
  expect(parseTable(text).columns).toHaveLength(columns);
});
