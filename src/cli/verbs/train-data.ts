// The binary problems nets under scalings are trained on: the XOR mixture, and two classes of an image data set.
import { xorMixture } from '../../data/index.js';
import { foldIn, permutation, randomKey } from '../../math/streams.js';
import { tensor } from '../../math/tensor.js';
import type { BinaryProblem } from '../../scaling/index.js';
import type { Engine } from '../../wasm/engine.js';
import { UsageError } from '../errors.js';
import { imageParts } from '../images.js';

/** An XOR mixture split into training and test points. */
export function xorProblem(train: number, test: number, features: number, seed: number): BinaryProblem {
  const { x, y } = xorMixture({ samples: train + test, features, seed });
  return {
    xTrain: tensor(x.data.slice(0, train * features), [train, features]),
    yTrain: tensor(y.data.slice(0, train)),
    xTest: tensor(x.data.slice(train * features), [test, features]),
    yTest: tensor(y.data.slice(train)),
  };
}

/** Two classes of an image data set. */
export interface ImagePair {
  /** A folder with the files of MNIST, Fashion-MNIST or CIFAR-10, of which both splits are read. */
  readonly images: string;
  /** The classes with labels -1 and 1; default 0 and 1 in colour (airplane, automobile), else 0 and 6 (T-shirt, shirt). */
  readonly classes?: readonly number[];
  /** Training images, half of each class, drawn by `seed`; default 1024. */
  readonly train?: number;
  /** Test images, the first of each class; default all. */
  readonly test?: number;
  readonly seed?: number;
}

/** Pixels are shifted and scaled by one mean and one deviation: those of all training images of the set. */
export async function imageProblem(
  engine: Engine,
  { images, classes: wish, train = 1024, test = Infinity, seed = 0 }: ImagePair,
): Promise<BinaryProblem> {
  const trainSet = await readPair(images, 'train', wish);
  const testSet = await readPair(images, 'test', wish);
  const { mean: shift, deviation: scale } = trainSet;
  const pick = (set: Pair, wanted: number, split: 'train' | 'test'): [BinaryProblem['xTrain'], number[]] => {
    const rows = set.rows.flatMap((all, k) => {
      const half = Math.min(all.length, wanted / 2);
      if (!Number.isInteger(half) || half < 1 || (split === 'train' && half < wanted / 2)) {
        throw new UsageError(
          `${images}: expected ${wanted / 2} ${split} images of class ${set.classes[k]}, got ${all.length}. Ask for an even number that is there, or for other classes.`,
        );
      }
      const order =
        split === 'test'
          ? all.keys()
          : permutation(engine, foldIn(randomKey(seed), 'images', set.classes[k]!), all.length);
      const label = k === 1 ? 1 : -1;
      return Array.from(order, (place) => ({ image: all[place]!, label })).slice(0, half);
    });
    const order = permutation(engine, foldIn(randomKey(seed), 'images', split), rows.length);
    const size = rows[0]!.image.length;
    const data = new Float64Array(rows.length * size);
    order.forEach((place, i) => {
      const { image } = rows[place]!;
      for (let k = 0; k < size; k++) data[i * size + k] = (image[k]! - shift) / scale;
    });
    return [tensor(data, [rows.length, size]), Array.from(order, (place) => rows[place]!.label)];
  };
  const [xTrain, yTrain] = pick(trainSet, train, 'train');
  const [xTest, yTest] = pick(testSet, test, 'test');
  return { xTrain, yTrain, xTest, yTest };
}

interface Pair {
  readonly classes: readonly number[];
  /** The images of either class, in stored order. */
  readonly rows: readonly Float32Array[][];
  /** Of all pixels of the split, of all classes. */
  readonly mean: number;
  readonly deviation: number;
}

/** Reads a split part by part and keeps the images of two classes. */
async function readPair(
  images: string,
  split: 'train' | 'test',
  wish: readonly number[] | undefined,
): Promise<Pair> {
  let classes = wish;
  const rows: Float32Array[][] = [[], []];
  let [sum, square, count] = [0, 0, 0];
  for await (const { x, labels } of imageParts(images, split)) {
    if (!labels) throw new UsageError(`${images}: no labels lie beside the ${split} images. Copy them too.`);
    classes ??= x.shape.at(-1) === 3 ? [0, 1] : [0, 6];
    if (classes.length !== 2 || classes[0] === classes[1])
      throw new UsageError(`classes: expected two different classes, got [${classes.join(', ')}].`);
    for (const pixel of x.data) {
      sum += pixel;
      square += pixel * pixel; // sums of whole numbers up to 255^2: exact
    }
    count += x.data.length;
    const size = x.data.length / x.shape[0]!;
    labels.data.forEach((label, row) =>
      rows[classes!.indexOf(label)]?.push(x.data.slice(row * size, (row + 1) * size)),
    );
  }
  const mean = sum / count;
  return { classes: classes!, rows, mean, deviation: Math.sqrt(square / count - mean * mean) || 1 };
}
