import fc from 'fast-check';
import {
  readCifar,
  readCsv,
  readIdx,
  readNpy,
  readNpz,
  tensor,
  writeCsv,
  writeNpy,
  writeNpz,
} from 'infinite-width';
import { describe, expect, it } from 'vitest';

const unhex = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));

/** A version 1.0 .npy file made by hand. */
function npy(descr: string, shape: string, data: ArrayLike<number>, fortran = 'False') {
  const kind = descr.startsWith('[') ? descr : `'${descr}'`;
  const text = `{'descr': ${kind}, 'fortran_order': ${fortran}, 'shape': ${shape}, }\n`;
  const head = [0x93, ...new TextEncoder().encode('NUMPY'), 1, 0, text.length, 0];
  return Uint8Array.from([...head, ...new TextEncoder().encode(text), ...Array.from(data)]);
}

describe('npy', () => {
  it('round-trips every shape and both float types', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }),
        fc.boolean(),
        fc.infiniteStream(fc.double()),
        (shape, single, numbers) => {
          const size = shape.reduce((a, b) => a * b, 1);
          const values = Array.from({ length: size }, () => numbers.next().value as number);
          const data = single ? Float32Array.from(values) : Float64Array.from(values);
          const back = readNpy(writeNpy(tensor(data, shape)));
          expect(back.shape).toEqual(shape);
          expect(back.data).toEqual(data);
        },
      ),
      { seed: 1, numRuns: 60 },
    );
  });

  it('reads integers, booleans, halves and big-endian numbers', () => {
    expect([...readNpy(npy('|u1', '(3,)', [0, 7, 255])).data]).toEqual([0, 7, 255]);
    expect([...readNpy(npy('|i1', '(2,)', [255, 5])).data]).toEqual([-1, 5]);
    expect([...readNpy(npy('|b1', '(2,)', [1, 0])).data]).toEqual([1, 0]);
    expect([...readNpy(npy('>i2', '(2,)', [0, 1, 255, 254])).data]).toEqual([1, -2]);
    expect([...readNpy(npy('<i8', '(1,)', [1, 1, 0, 0, 0, 0, 0, 0])).data]).toEqual([257]);
    expect([...readNpy(npy('>f8', '(1,)', unhex('400921fb54442d18'))).data]).toEqual([Math.PI]);
    // 1, -2, the smallest subnormal, the largest finite, infinity
    const halves = unhex('003c00c00100ff7b007c');
    expect([...readNpy(npy('<f2', '(5,)', halves)).data]).toEqual([1, -2, 2 ** -24, 65504, Infinity]);
  });

  it('turns column-major data into rows', () => {
    const columns = Uint8Array.of(1, 4, 2, 5, 3, 6);
    expect([...readNpy(npy('|u1', '(2, 3)', columns, 'True')).data]).toEqual([1, 2, 3, 4, 5, 6]);
    const cube = Uint8Array.from({ length: 24 }, (_, i) => i);
    const read = readNpy(npy('|u1', '(2, 3, 4)', cube, 'True'));
    expect(read.data[1 * 12 + 2 * 4 + 3]).toBe(1 + 2 * 2 + 3 * 6);
  });

  it('aligns the data to 64 bytes', () => {
    for (const shape of [[], [3], [2, 1, 3]]) {
      const size = shape.reduce((a, b) => a * b, 1);
      const bytes = writeNpy(tensor(new Float64Array(size), shape));
      expect((bytes.length - 8 * size) % 64).toBe(0);
    }
  });

  it.each([
    ['an empty file', new Uint8Array(), /got an empty file/],
    ['text', new TextEncoder().encode('a,b,c\n1,2,3\n'), /x\.npy: expected a \.npy file/],
    [
      'a truncated body',
      npy('<f8', '(2,)', new Uint8Array(15)),
      /needs 16 bytes, the file holds 15.*truncated/,
    ],
    ['a body too long', npy('|u1', '(2,)', [1, 2, 3]), /longer than its header/],
    ['complex numbers', npy('<c16', '(1,)', new Uint8Array(16)), /dtype '<c16'.*astype/],
    ['pickled objects', npy('|O', '(1,)', [1]), /dtype '\|O'/],
    ['an absurd size', npy('<f8', '(4294967296, 4294967296)', [1]), /beyond any memory/],
    ['a large false size', npy('<f8', '(1000000000,)', [1]), /needs 8000000000 bytes/],
    ['a cut header', npy('|u1', '(2,)', []).subarray(0, 30), /header is damaged/],
    ['a structured dtype', npy("[('a', '<f8')]", '(1,)', new Uint8Array(8)), /plain numbers/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => readNpy(bytes, 'x.npy')).toThrow(message);
    expect(() => readNpy(bytes, 'x.npy')).toThrow(RangeError);
  });
});

describe('npz', () => {
  // numpy.savez_compressed(f, a=numpy.arange(6.).reshape(2, 3), b=numpy.float32([.5])), numpy 2.4.6
  const savez = unhex(
    '504b03042d000000080000002100f0cd3b46ffffffffffffffff05001400612e6e707901001000b00000000000000057000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a1aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91a463a0ac69a3a0ab50a64032e0614f0c11eca7080501c505a004a8b380000504b03042d0000000800000021001aaed448ffffffffffffffff05001400622e6e707901001000840000000000000048000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91a863a9a3a0ab50a14002e0606067b00504b01022d032d000000080000002100f0cd3b4657000000b0000000050000000000000000000000800100000000612e6e7079504b01022d032d0000000800000021001aaed448480000008400000005000000000000000000000080018e000000622e6e7079504b05060000000002000200660000000d0100000000',
  );

  it('reads what numpy writes', async () => {
    const { arrays } = await readNpz(savez);
    expect(arrays['a']!.shape).toEqual([2, 3]);
    expect([...arrays['a']!.data]).toEqual([0, 1, 2, 3, 4, 5]);
    expect(arrays['b']!.data).toEqual(Float32Array.of(0.5));
  });

  it('round-trips arrays and meta', async () => {
    const k = tensor(Float64Array.of(1, -2.5, 1e300), [3, 1]);
    const meta = { net: [{ layer: 'dense' }], note: 'größer' };
    const bytes = await writeNpz({ k }, meta);
    expect(await readNpz(bytes)).toEqual({ arrays: { k }, meta });
    expect(await writeNpz({ k }, meta)).toEqual(bytes);
  });

  it('refuses damaged archives', async () => {
    await expect(readNpz(savez.subarray(0, savez.length - 30), 'k.npz')).rejects.toThrow(
      /k\.npz: .*truncated/,
    );
    await expect(readNpz(new TextEncoder().encode('hello'), 'k.npz')).rejects.toThrow(/expected an \.npz/);
    const flipped = savez.slice();
    flipped[60]! ^= 0xff;
    await expect(readNpz(flipped, 'k.npz')).rejects.toThrow(RangeError);
    const stored = await writeNpz({ k: tensor(Float64Array.of(1), [1]) });
    stored[30 + 5 + 128]! ^= 1;
    await expect(readNpz(stored, 'k.npz')).rejects.toThrow(/checksum/);
  });

  it('refuses names that are no array names', async () => {
    const one = tensor(Float64Array.of(1), [1]);
    await expect(writeNpz({ meta: one })).rejects.toThrow(/other than 'meta'/);
    await expect(writeNpz({ '../x': one })).rejects.toThrow(RangeError);
  });
});

describe('csv', () => {
  it('reads headers, separators, quotes, line ends and a byte order mark', () => {
    expect([...readCsv('1,2\n3,4\n').data.data]).toEqual([1, 2, 3, 4]);
    expect(readCsv('\uFEFFa;b\r\n1;-2e3\r\n').data.data).toEqual(Float64Array.of(1, -2000));
    const quoted = readCsv('"x, in ""m""",y\n1,2\n\n3,4');
    expect(quoted.columns).toEqual(['x, in "m"', 'y']);
    expect(quoted.data.shape).toEqual([2, 2]);
  });

  it('codes text columns', () => {
    const { data, categories } = readCsv('x,kind\n1,b\n2,a\n3,b\n', { categorical: ['kind'] });
    expect(categories).toEqual({ kind: ['b', 'a'] });
    expect([...data.data]).toEqual([1, 0, 2, 1, 3, 0]);
  });

  it('reads back what it writes', () => {
    const text = writeCsv(
      ['a', 'b, c'],
      [
        [1 / 3, 1e-300],
        [-0.1, 5],
      ],
    );
    expect(readCsv(text).columns).toEqual(['a', 'b, c']);
    expect([...readCsv(text).data.data]).toEqual([1 / 3, 1e-300, -0.1, 5]);
  });

  it.each([
    ['no rows', '\n\n', /file is empty/],
    ['only a header', 'a,b\n', /after the header, got none/],
    ['text in a row', '1,2\n3,x\n', /t\.csv: line 2, column '1': expected a finite number, got 'x'/],
    ['an empty field', '1,2\n3,\n', /line 2, column '1' is empty/],
    ['NaN', 'a,b\n1,NaN\n', /got 'NaN'/],
    ['infinity', 'a\n1e999\n', /got '1e999'/],
    ['a short row', '1,2\n3\n', /line 2 has 1 fields, expected 2/],
    ['columns of one name', 'a,a\n1,2\n', /'a' appears twice/],
  ])('refuses %s', (_, text, message) => {
    expect(() => readCsv(text, { name: 't.csv' })).toThrow(message);
    expect(() => readCsv(text, { name: 't.csv' })).toThrow(RangeError);
  });
});

describe('idx and cifar', () => {
  it('reads idx of bytes and of floats', () => {
    const bytes = readIdx(Uint8Array.of(0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 3, 9, 0, 255));
    expect(bytes).toEqual(tensor(Float64Array.of(9, 0, 255), [1, 3]));
    expect(readIdx(Uint8Array.of(0, 0, 13, 1, 0, 0, 0, 1, 0x3f, 0x80, 0, 0)).data).toEqual(
      Float32Array.of(1),
    );
  });

  it('refuses other files, gzip and truncation', () => {
    expect(() => readIdx(Uint8Array.of(0x1f, 0x8b, 8, 0), 'train-images')).toThrow(/gunzip/);
    expect(() => readIdx(Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 3, 9), 'train-images')).toThrow(/needs 3 bytes/);
    expect(() => readIdx(Uint8Array.of(0, 0, 7, 1, 0, 0, 0, 0))).toThrow(RangeError);
    expect(() => readIdx(Uint8Array.of(0, 0, 8, 4, 255, 255))).toThrow(RangeError);
  });

  it('puts the colour planes of cifar last', () => {
    const file = new Uint8Array(2 * 3073);
    file[3073] = 7; // second record
    file[3073 + 1 + 33] = 10; // red, row 1, column 1
    file[3073 + 1 + 2048 + 33] = 30; // blue
    const { x, labels } = readCifar(file);
    expect(x.shape).toEqual([2, 32, 32, 3]);
    expect([...labels.data]).toEqual([0, 7]);
    expect([...x.data.subarray(3 * (1024 + 33), 3 * (1024 + 34))]).toEqual([10, 0, 30]);
  });

  it('refuses cifar files of the wrong kind', () => {
    expect(() => readCifar(new Uint8Array(3072))).toThrow(/records of 3073 bytes/);
    expect(() => readCifar(new Uint8Array(0))).toThrow(RangeError);
    expect(() => readCifar(new Uint8Array(3073).fill(77))).toThrow(/label 77/);
    expect(readCifar(new Uint8Array(3074).fill(77), { classes: 100 }).labels.data[0]).toBe(77);
  });
});
