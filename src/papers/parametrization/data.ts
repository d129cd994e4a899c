// What the studies work on: images with ten or so classes, standardised with the train part's mean and deviation.
import { foldIn, permutation, randomKey } from '../../math/random.js';
import { mean, standardDeviation } from '../../math/statistics.js';
import { tensor, type Tensor } from '../../math/tensor.js';
import type { ImageSet } from '../../data/images.js';
import { digitsAttribution, loadDigits } from '../../data/digits.js';
import type { Core } from '../../wasm/engine.js';

export interface StudyData {
  readonly name: string;
  readonly classes: number;
  /** (n, height, width, channels) */
  readonly xTrain: Tensor;
  readonly xTest: Tensor;
  readonly trainLabels: Int32Array;
  readonly testLabels: Int32Array;
}

/** The embedded digits, shuffled and split. */
export async function digitsData(core: Core, train: number, test: number, seed: number): Promise<StudyData> {
  const { x, labels } = await loadDigits();
  const order = permutation(core, foldIn(randomKey(seed), 'study'), x.shape[0]!);
  const take = (from: number, count: number): ImageSet => {
    const rows = Array.from(order.subarray(from, from + count));
    const data = Float32Array.from(rows.flatMap((row) => [...x.data.subarray(row * 64, row * 64 + 64)]));
    const picked = Float64Array.from(rows, (row) => labels.data[row]!);
    return { x: tensor(data, [rows.length, 8, 8, 1]), labels: tensor(picked, [rows.length]) };
  };
  return imageData(digitsAttribution, take(0, train), take(train, test));
}

/** Train and test images as read; RangeError without labels or where they do not fit together. */
export function imageData(name: string, train: ImageSet, test: ImageSet): StudyData {
  if (!train.labels || !test.labels) throw new RangeError(`study: ${name} has images without labels.`);
  if (train.x.shape.slice(1).join() !== test.x.shape.slice(1).join())
    throw new RangeError(
      `study: train and test images must have one shape, got [${train.x.shape.join(', ')}] and [${test.x.shape.join(', ')}].`,
    );
  const shift = mean(train.x.data);
  const scale = standardDeviation(train.x.data) || 1;
  const standardised = ({ x }: ImageSet): Tensor => ({
    data: Float64Array.from(x.data, (value) => (value - shift) / scale),
    shape: x.shape,
  });
  const trainLabels = Int32Array.from(train.labels.data);
  const testLabels = Int32Array.from(test.labels.data);
  const classes = 1 + [...trainLabels, ...testLabels].reduce((most, label) => Math.max(most, label), 0);
  return { name, classes, xTrain: standardised(train), xTest: standardised(test), trainLabels, testLabels };
}

/** Samples [from, from + count). */
export function rowsOf({ data, shape }: Tensor, from: number, count: number): Tensor {
  const size = data.length / shape[0]!;
  return { data: data.slice(from * size, (from + count) * size), shape: [count, ...shape.slice(1)] };
}

/** The first `count` samples. */
export const first = (x: Tensor, count: number): Tensor => rowsOf(x, 0, count);

/** Another split: all samples in a random order, as many of them to train and to test on. Split 0 is the data as given. */
export function resplit(core: Core, data: StudyData, seed: number, split: number): StudyData {
  if (split === 0) return data;
  const [n, m] = [data.trainLabels.length, data.testLabels.length];
  const size = data.xTrain.data.length / n;
  const order = permutation(core, foldIn(randomKey(seed), 'split', split), n + m);
  const row = (i: number): ArrayLike<number> =>
    i < n
      ? data.xTrain.data.subarray(i * size, (i + 1) * size)
      : data.xTest.data.subarray((i - n) * size, (i - n + 1) * size);
  const label = (i: number): number => (i < n ? data.trainLabels[i]! : data.testLabels[i - n]!);
  const take = (from: number, count: number): { x: Tensor; labels: Int32Array } => {
    const rows = new Float64Array(count * size);
    for (let i = 0; i < count; i++) rows.set(row(order[from + i]!), i * size);
    const labels = Int32Array.from({ length: count }, (_, i) => label(order[from + i]!));
    return { x: tensor(rows, [count, ...data.xTrain.shape.slice(1)]), labels };
  };
  const [train, test] = [take(0, n), take(n, m)];
  return { ...data, xTrain: train.x, trainLabels: train.labels, xTest: test.x, testLabels: test.labels };
}

/** The samples as rows of one vector each, for nets without positions. */
export function flat({ data, shape }: Tensor): Tensor {
  return { data, shape: [shape[0]!, data.length / shape[0]!] };
}

/** The first train and test samples. */
export function firstOf(data: StudyData, train: number, test: number): StudyData {
  const cut = (x: Tensor, count: number): Tensor => first(x, Math.min(count, x.shape[0]!));
  return {
    ...data,
    xTrain: cut(data.xTrain, train),
    xTest: cut(data.xTest, test),
    trainLabels: data.trainLabels.slice(0, train),
    testLabels: data.testLabels.slice(0, test),
  };
}
