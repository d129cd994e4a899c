// What every covariance goes through before it is returned.
import { asTensor, assertFinite, type TensorLike } from '../math/tensor.js';
import { NumericalError } from '../wasm/engine.js';
import { targetShape, testKernelMatrix, type Layout } from './layout.js';

/** Rounding may leave a variance this far below 0, relative to the prior; below it something is wrong. */
const SLACK = 1e-6;

/** Symmetrised in place; small negative variances become 0. NumericalError for large ones or non-finite entries. */
export function finishCovariance(
  name: string,
  data: Float64Array,
  prior: Float64Array,
  size: number,
): Float64Array {
  let scale = 0;
  for (let i = 0; i < size; i++) scale = Math.max(scale, Math.abs(prior[i * size + i]!));
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < i; j++) {
      const mean = (data[i * size + j]! + data[j * size + i]!) / 2;
      data[i * size + j] = data[j * size + i] = mean;
      if (!Number.isFinite(mean)) throw bad(name, mean, scale);
    }
    data[i * size + i] = clamp(name, data[i * size + i]!, scale);
  }
  return data;
}

/** Prior variances minus scale * explained, clamped at 0 like a covariance's diagonal. */
export function finishVariance(
  before: Float64Array,
  explained: Float64Array | null,
  factor: number,
  prior: Float64Array = before,
): Float64Array {
  let scale = 0;
  for (const value of prior) scale = Math.max(scale, Math.abs(value));
  return before.map((value, i) =>
    clamp('variance', explained ? value - factor * explained[i]! : value, scale),
  );
}

function clamp(name: string, value: number, scale: number): number {
  if (value >= 0 && value !== Infinity) return value;
  if (value >= -SLACK * scale) return 0;
  throw bad(name, value, scale);
}

function bad(name: string, value: number, scale: number): NumericalError {
  return new NumericalError(
    `${name}: a predictive variance came out as ${value.toPrecision(4)} for prior variances up to ${scale.toPrecision(4)}. The kernels do not belong together, or the train kernel is too ill-conditioned: raise diagReg.`,
    { minEigenvalue: value },
  );
}

/** The prior variances of the test rows: from a full test-test kernel, or given as such. */
export function priorVariance(layout: Layout, prior: TensorLike, samples: number): Float64Array {
  const given = asTensor(prior, 'test-test kernel');
  const axes = layout.rowAxes.length;
  if (given.shape.length === axes) {
    const shape = targetShape(layout, samples).filter((_, axis) => layout.rowAxes.includes(axis));
    if (given.shape.some((size, axis) => size !== shape[axis]))
      throw new RangeError(
        `test-test kernel: a diagonal of shape [${shape.join(', ')}] is wanted, got [${given.shape.join(', ')}]`,
      );
    assertFinite(given, 'test-test kernel');
    return new Float64Array(given.data);
  }
  const full = testKernelMatrix(layout, given, 'test-test kernel', samples);
  const size = Math.round(Math.sqrt(full.length));
  return Float64Array.from({ length: size }, (_, i) => full[i * size + i]!);
}
