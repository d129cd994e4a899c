// The binary problems nets under scalings are trained on: the XOR mixture, and two classes of an image data set.
import { xorMixture } from '../../data/index.js';
import { foldIn, permutation, randomKey, tensor } from '../../math/index.js';
import type { BinaryProblem } from '../../scaling/index.js';
import type { Engine } from '../../wasm/engine.js';
import { UsageError } from '../errors.js';
import { readImageSet } from '../images.js';

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
  const [first, second] = await Promise.all([
    readImageSet(images, { split: 'train' }),
    readImageSet(images, { split: 'test' }),
  ]);
  const classes = wish ?? (first.x.shape.at(-1) === 3 ? [0, 1] : [0, 6]);
  if (classes.length !== 2 || classes[0] === classes[1])
    throw new UsageError(`classes: expected two different classes, got [${classes.join(', ')}].`);
  const [shift, scale] = moments(first.x.data);
  const pick = (
    { x, labels }: typeof first,
    wanted: number,
    split: 'train' | 'test',
  ): [BinaryProblem['xTrain'], number[]] => {
    if (!labels) throw new UsageError(`${images}: no labels lie beside the ${split} images. Copy them too.`);
    const rows = classes.flatMap((label) => {
      const all = [...labels.data.keys()].filter((row) => labels.data[row] === label);
      const half = Math.min(all.length, wanted / 2);
      if (!Number.isInteger(half) || half < 1 || (split === 'train' && half < wanted / 2)) {
        throw new UsageError(
          `${images}: expected ${wanted / 2} ${split} images of class ${label}, got ${all.length}. Ask for an even number that is there, or for other classes.`,
        );
      }
      if (split === 'test') return all.slice(0, half);
      const order = permutation(engine, foldIn(randomKey(seed), 'images', label), all.length);
      return Array.from(order.subarray(0, half), (place) => all[place]!);
    });
    const order = permutation(engine, foldIn(randomKey(seed), 'images', split), rows.length);
    const size = x.data.length / x.shape[0]!;
    const data = new Float64Array(rows.length * size);
    const y = Array.from(order, (place, i) => {
      const from = rows[place]! * size;
      for (let k = 0; k < size; k++) data[i * size + k] = (x.data[from + k]! - shift) / scale;
      return labels.data[rows[place]!] === classes[1] ? 1 : -1;
    });
    return [tensor(data, [rows.length, size]), y];
  };
  const [xTrain, yTrain] = pick(first, train, 'train');
  const [xTest, yTest] = pick(second, test, 'test');
  return { xTrain, yTrain, xTest, yTest };
}

/** Mean and standard deviation of all pixels. */
function moments(pixels: ArrayLike<number>): [number, number] {
  let [sum, square] = [0, 0];
  for (let i = 0; i < pixels.length; i++) {
    sum += pixels[i]!;
    square += pixels[i]! * pixels[i]!; // sums of whole numbers up to 255^2: exact
  }
  const mean = sum / pixels.length;
  return [mean, Math.sqrt(square / pixels.length - mean * mean) || 1];
}
