import { imageFilesOf, readImages, standardizeImages, type ImageFile } from 'infinite-width';
import { describe, expect, it } from 'vitest';

/** An IDX file of unsigned bytes. */
function idx(shape: readonly number[], value: (i: number) => number): Uint8Array<ArrayBuffer> {
  const size = shape.reduce((product, n) => product * n, 1);
  const bytes = new Uint8Array(4 + 4 * shape.length + size);
  bytes.set([0, 0, 8, shape.length]);
  const view = new DataView(bytes.buffer);
  for (const [axis, n] of shape.entries()) view.setUint32(4 + 4 * axis, n);
  for (let i = 0; i < size; i++) bytes[4 + 4 * shape.length + i] = value(i);
  return bytes;
}

/** CIFAR records whose pixels are all the label times ten. */
function batch(labels: readonly number[], labelBytes = 1): Uint8Array<ArrayBuffer> {
  const record = labelBytes + 3072;
  const bytes = new Uint8Array(labels.length * record);
  for (const [i, label] of labels.entries()) {
    bytes.fill(label * 10, i * record, (i + 1) * record);
    bytes[i * record] = 0;
    bytes[i * record + labelBytes - 1] = label;
  }
  return bytes;
}

async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
const file = (name: string, bytes: Uint8Array<ArrayBuffer>): ImageFile => ({
  name,
  read: () => Promise.resolve(bytes),
});

describe('image sets', () => {
  it('reads IDX images with their labels, plain or gzipped', async () => {
    const images = idx([3, 2, 2], (i) => i);
    const labels = idx([3], (i) => 9 - i);
    const set = await readImages([file('i', images), file('l', await gzip(labels))]);
    expect(set.x.shape).toEqual([3, 2, 2, 1]);
    expect([...set.x.data]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect([...set.labels!.data]).toEqual([9, 8, 7]);
    const first = await readImages([file('i', await gzip(images)), file('l', labels)], { limit: 2 });
    expect(first.x.shape).toEqual([2, 2, 2, 1]);
    expect(first.x.data).toEqual(set.x.data.slice(0, 8));
    expect([...first.labels!.data]).toEqual([9, 8]);
    expect((await readImages([file('i', images)])).labels).toBeNull();
  });

  it('joins CIFAR batches and reads no more files than the limit needs', async () => {
    const never: ImageFile = { name: 'c', read: () => Promise.reject(new Error('read')) };
    const set = await readImages([file('a', batch([1, 2])), file('b', batch([3, 4])), never], { limit: 3 });
    expect(set.x.shape).toEqual([3, 32, 32, 3]);
    expect([...set.labels!.data]).toEqual([1, 2, 3]);
    expect([0, 3071, 3072, 9215].map((i) => set.x.data[i])).toEqual([10, 10, 20, 30]);
    const hundred = await readImages([file('train.bin', batch([25, 7], 2))]);
    expect([...hundred.labels!.data]).toEqual([25, 7]);
  });

  it('finds the files of a split by their published names', () => {
    const mnist = ['t10k-images-idx3-ubyte.gz', 'train-labels-idx1-ubyte', 'train-images-idx3-ubyte.gz', 'train-images-idx3-ubyte'];
    expect(imageFilesOf(mnist, 'train')).toEqual(['train-images-idx3-ubyte', 'train-labels-idx1-ubyte']);
    expect(imageFilesOf(mnist, 'test')).toEqual(['t10k-images-idx3-ubyte.gz']);
    const cifar = ['data_batch_2.bin', 'readme.html', 'data_batch_1.bin', 'test_batch.bin', 'batches.meta.txt'];
    expect(imageFilesOf(cifar, 'train')).toEqual(['data_batch_1.bin', 'data_batch_2.bin']);
    expect(imageFilesOf(cifar, 'test')).toEqual(['test_batch.bin']);
    expect(imageFilesOf(['notes.txt'], 'train')).toEqual([]);
  });

  it('refuses what does not belong together or is damaged', async () => {
    const images = file('i', idx([3, 2, 2], () => 0));
    await expect(readImages([images, file('l', idx([2], () => 0))])).rejects.toThrow(/3 images and 2 labels/);
    await expect(readImages([file('l', idx([2], () => 0))])).rejects.toThrow(/expected a file of images/);
    await expect(readImages([])).rejects.toThrow(RangeError);
    await expect(readImages([file('two', idx([2, 4], () => 0))])).rejects.toThrow(/two: expected images/);
    await expect(readImages([file('cut', batch([1]).slice(0, 3000))])).rejects.toThrow(/cut: expected records/);
    const packed = await gzip(idx([3, 2, 2], (i) => i));
    await expect(readImages([file('z', packed.slice(0, packed.length - 9))])).rejects.toThrow(/z: the compressed data is damaged/);
    const small = file('small', idx([1, 3, 3], () => 0));
    await expect(readImages([images, small])).rejects.toThrow(/different sizes/);
  });

  it('standardizes every channel by the statistics of the train images', async () => {
    const x = { data: Float64Array.of(1, 10, 3, 10, 5, 10), shape: [3, 2] };
    const { data } = standardizeImages(x);
    const unit = Math.sqrt(3 / 2);
    for (const [i, want] of [-unit, 0, 0, 0, unit, 0].entries()) expect(data[i]).toBeCloseTo(want, 14);
    const other = standardizeImages({ data: Float64Array.of(3, 11), shape: [1, 2] }, x);
    expect([...other.data]).toEqual([0, 0]);
    expect(() => standardizeImages({ data: new Float64Array(3), shape: [1, 3] }, x)).toThrow(/2 channels/);
  });
});
