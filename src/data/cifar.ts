// CIFAR-10 and CIFAR-100 binary batches: https://www.cs.toronto.edu/~kriz/cifar.html
import { tensor, type Tensor } from '../math/tensor.js';
import { knownFields } from '../wasm/engine.js';

const SIDE = 32;
const PIXELS = SIDE * SIDE;

export interface LabelledImages {
  /** Pixels 0..255, `(n, 32, 32, 3)`. */
  readonly x: Tensor<Float32Array>;
  /** `(n)`, classes 0..9 (CIFAR-10) or fine labels 0..99 (CIFAR-100). */
  readonly labels: Tensor<Float64Array>;
}

/**
 * The images of one binary batch file: records of label byte(s), then the red, green and blue planes. RangeError for
 * files of another length.
 */
export function readCifar(
  bytes: Uint8Array,
  options: { classes?: 10 | 100; name?: string } = {},
): LabelledImages {
  knownFields('readCifar', options, { classes: true, name: true });
  const { classes = 10, name = 'cifar' } = options;
  const labelBytes = classes === 100 ? 2 : 1; // CIFAR-100: coarse, then fine
  const record = labelBytes + 3 * PIXELS;
  const n = bytes.length / record;
  if (!Number.isInteger(n) || n === 0) {
    throw new RangeError(
      `${name}: expected records of ${record} bytes, got ${bytes.length} bytes in all. The file is truncated or not CIFAR-${classes} binary.`,
    );
  }
  const x = new Float32Array(n * 3 * PIXELS);
  const labels = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const start = i * record + labelBytes;
    const label = bytes[start - 1]!;
    if (label >= classes) {
      throw new RangeError(
        `${name}: record ${i} has label ${label}, expected 0..${classes - 1}. Is this CIFAR-${classes} binary?`,
      );
    }
    labels[i] = label;
    for (let p = 0; p < PIXELS; p++) {
      for (let c = 0; c < 3; c++) x[(i * PIXELS + p) * 3 + c] = bytes[start + c * PIXELS + p]!;
    }
  }
  return { x: tensor(x, [n, SIDE, SIDE, 3]), labels: tensor(labels) as Tensor<Float64Array> };
}
