// Rough operation counts of the units of a study, for the time left: what counts are their ratios.
import type { Architecture } from './architectures.js';
import type { StudyData } from './data.js';
import type { TrainingSizes } from './training.js';

/** Of one nonlinearity of a kernel entry over one multiply-add of a matrix product. */
const ENTRY = 60;
/** Of a unit whatever its size. */
const CALL = 2e8;

const pixels = ({ xTrain }: StudyData): number => xTrain.shape[1]! * xTrain.shape[2]!;

/** One kernel, train-train and test-train. */
export function kernelWork(kind: Architecture, depth: number, data: StudyData): number {
  const [n, m] = [data.trainLabels.length, data.testLabels.length];
  const positions = pixels(data);
  const each = { FC: 1, 'Conv-Vec': positions, 'Conv-GAP': positions ** 2, 'WRN-LN': positions ** 2 }[kind];
  // Half the layers of WRN-LN lie behind a stride.
  const layers = kind === 'WRN-LN' ? 6 : depth + 1;
  return n * (n / 2 + m) * (each * ENTRY * layers + positions * data.xTrain.shape[3]!) + CALL;
}

/** Kernel regression on every train size. */
export function errorWork(trainSizes: readonly number[], data: StudyData): number {
  const one = (n: number): number => n ** 3 / 6 + n * (n + data.testLabels.length) * data.classes;
  return trainSizes.reduce((sum, n) => sum + one(n) + CALL / 5, 0);
}

/** A step of tuning: the kernel with its derivative by every width, and an inverse. */
export function tuningWork(depth: number, n: number): number {
  return (n ** 2 / 2) * ENTRY * depth * (depth + 1) + 2 * n ** 3;
}

/** Nets of one width and the prediction of their kernel. */
export function trainingWork(
  kind: Architecture,
  width: number,
  { train, depth, steps, batchSize, nets }: TrainingSizes,
  data: StudyData,
): number {
  const [height, wide, channels] = data.xTrain.shape.slice(1) as [number, number, number];
  const positions = kind === 'FC' ? 1 : height * wide;
  const fan = kind === 'FC' ? 1 : 9;
  const first = kind === 'FC' ? height * wide * channels : channels * fan;
  const parameters = width * (first + (depth - 1) * fan * width);
  // Forward and twice as much backward.
  const step = 3 * (batchSize ?? train) * positions * (parameters + ENTRY * depth * width);
  const kernel = kernelWork(kind, depth, { ...data, trainLabels: data.trainLabels.subarray(0, train) });
  return nets * steps * step + kernel + 9 * train ** 3;
}
