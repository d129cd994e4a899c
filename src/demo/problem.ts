// What the main job works on: the embedded digits, as a hard binary pair and as all ten classes.
import { loadDigits } from '../data/digits.js';
import { foldIn, permutation, randomKey } from '../math/random.js';
import { tensor, type Tensor } from '../math/tensor.js';
import type { Core } from '../wasm/engine.js';

export interface Split {
  /** (train, 64) and (test, 64): pixels minus the train mean, over the train standard deviation of all pixels. */
  readonly xTrain: Tensor<Float64Array>;
  readonly xTest: Tensor<Float64Array>;
  /** The digit of each row. */
  readonly trainLabels: Int32Array;
  readonly testLabels: Int32Array;
  readonly attribution: string;
}

const PIXELS = 64;

/** Shuffles the digits among `classes` and takes the first `train` rows to train on; the rest tests. */
export async function digitsSplit(
  core: Core,
  options: { classes: readonly number[]; train: number; seed: number },
): Promise<Split> {
  const { x, labels, attribution } = await loadDigits();
  const rows = [...labels.data.keys()].filter((row) => options.classes.includes(labels.data[row]!));
  const order = permutation(core, foldIn(randomKey(options.seed), 'digits', ...options.classes), rows.length);
  const shuffled = Array.from(order, (place) => rows[place]!);
  const [trainRows, testRows] = [shuffled.slice(0, options.train), shuffled.slice(options.train)];
  const [shift, scale] = moments(
    trainRows.flatMap((row) => [...x.data.subarray(row * PIXELS, (row + 1) * PIXELS)]),
  );
  const take = (list: readonly number[]): Tensor<Float64Array> => {
    const data = new Float64Array(list.length * PIXELS);
    for (const [i, row] of list.entries())
      for (let p = 0; p < PIXELS; p++) data[i * PIXELS + p] = (x.data[row * PIXELS + p]! - shift) / scale;
    return tensor(data, [list.length, PIXELS]);
  };
  const labelsOf = (list: readonly number[]): Int32Array => Int32Array.from(list, (row) => labels.data[row]!);
  return {
    xTrain: take(trainRows),
    xTest: take(testRows),
    trainLabels: labelsOf(trainRows),
    testLabels: labelsOf(testRows),
    attribution,
  };
}

/** Mean and standard deviation over all pixels: one shift and one scale, so that blank pixels stay alike. */
function moments(values: readonly number[]): readonly [number, number] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return [mean, Math.sqrt(variance)];
}

/** One-hot rows minus 1/classes: targets with mean zero, as suits a prior with mean zero. */
export function centredOneHot(labels: Int32Array, classes: number): Tensor<Float64Array> {
  const data = new Float64Array(labels.length * classes).fill(-1 / classes);
  for (const [i, label] of labels.entries()) data[i * classes + label] = 1 - 1 / classes;
  return tensor(data, [labels.length, classes]);
}

/** Share of rows whose largest output is the label's. */
export function accuracyOf(outputs: ArrayLike<number>, labels: Int32Array, classes: number): number {
  let right = 0;
  for (const [i, label] of labels.entries()) {
    let best = 0;
    for (let c = 1; c < classes; c++) if (outputs[i * classes + c]! > outputs[i * classes + best]!) best = c;
    if (best === label) right++;
  }
  return right / labels.length;
}
