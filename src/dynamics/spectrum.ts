// What the eigenvalues of a tangent kernel say about training: gradient flow on sum (f - y)^2 / (2n) shrinks the residual
// in eigenmode j as exp(-lambda_j t / n), so everything below follows from one eigendecomposition.
import { eighInPlace } from '../math/eigh.js';
import { exp } from '../math/elementary.js';
import { symmetric } from '../math/check.js';
import { asTensor, assertFinite, type TensorLike } from '../math/tensor.js';
import {
  defineJob,
  knownFields,
  RUN_OPTIONS,
  type Engine,
  type Job,
  type RunOptions,
} from '../wasm/engine.js';

export interface Spectrum {
  /** Eigenvalues, largest first. */
  readonly values: Float64Array;
  /** c_j^2 = (u_j . y)^2, summed over the columns of y: the target's energy in each mode. */
  readonly energy: Float64Array;
  /** Share of the energy in modes 0..j. */
  readonly cumulativeEnergy: Float64Array;
  /** n / lambda_j in units of time (steps times learning rate); Infinity where the eigenvalue is zero to rounding. */
  readonly learningTimes: Float64Array;
  /** <K, y y^T> / (|K|_F |y|^2), between 0 and 1 for one column. */
  readonly alignment: number;
  /** lambda_max / lambda_min; Infinity for a singular kernel. */
  readonly condition: number;
  /** 2n / lambda_max: the largest stable learning rate of gradient descent on the mean loss. */
  readonly maxLearningRate: number;
  /** sum_j lambda_j / (lambda_j + ridge), the number of modes a ridge lets through; ridge absolute. */
  effectiveDimension(ridge: number): number;
  /** sum_j c_j^2 exp(-2 lambda_j t / n) / (2n): the training loss at time t of a net that starts at f = 0. */
  predictedLoss(time: number): number;
}

interface Decomposition {
  readonly values: Float64Array;
  readonly energy: Float64Array;
}

/** @internal */
export const spectrumJob: Job<{ kernel: Float64Array; y: Float64Array; n: number }, Decomposition> =
  defineJob('dynamics/spectrum', (core, { kernel, y, n }) =>
    core.heap.scope((scope) => {
      const w = scope.alloc('f64', n);
      const v = scope.alloc('f64', n * n);
      eighInPlace(core, scope.put(Float64Array.from(kernel)), w, v, { n });
      const columns = y.length / n;
      const ascending = core.heap.read(w);
      const energy = new Float64Array(n);
      for (let j = 0; j < n; j++) {
        const vector = core.heap.read(v, j * n, n);
        for (let c = 0; c < columns; c++) {
          let dot = 0;
          for (let i = 0; i < n; i++) dot += vector[i]! * y[i * columns + c]!;
          energy[n - 1 - j]! += dot * dot;
        }
      }
      return { values: ascending.reverse(), energy };
    }),
  );

/**
 * Eigen-analysis of the train kernel `(n, n)` for targets `y` of shape `(n)` or `(n, outputs)`. RangeError for other
 * shapes.
 */
export async function spectrum(
  engine: Engine,
  kernel: TensorLike,
  y: TensorLike,
  run: RunOptions = {},
): Promise<Spectrum> {
  knownFields('spectrum', run, RUN_OPTIONS);
  const matrix = symmetric(kernel, 'spectrum');
  const target = asTensor(y, 'spectrum: y');
  assertFinite(target, 'spectrum: y');
  const n = matrix.shape[0]!;
  if (target.shape[0] !== n || target.shape.length > 2) {
    throw new RangeError(
      `spectrum: y must have shape (${n}) or (${n}, outputs) to match the kernel, got [${target.shape.join(', ')}]`,
    );
  }
  const params = { kernel: Float64Array.from(matrix.data), y: Float64Array.from(target.data), n };
  const { values, energy } = await engine.run(spectrumJob, params, run);
  return describe(values, energy, n);
}

function describe(values: Float64Array, energy: Float64Array, n: number): Spectrum {
  const total = energy.reduce((sum, value) => sum + value, 0);
  let running = 0;
  const cumulativeEnergy = energy.map((value) => (total > 0 ? (running += value) / total : 1));
  const norm = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  const aligned = values.reduce((sum, value, j) => sum + value * energy[j]!, 0);
  const smallest = values[n - 1]!;
  const floor = n * 2 ** -52 * values[0]!; // eigenvalues below it are rounding noise
  return {
    values,
    energy,
    cumulativeEnergy,
    learningTimes: values.map((value) => (value > floor ? n / value : Infinity)),
    alignment: norm > 0 && total > 0 ? aligned / (norm * total) : 0,
    condition: smallest > floor ? values[0]! / smallest : Infinity,
    maxLearningRate: values[0]! > 0 ? (2 * n) / values[0]! : Infinity,
    effectiveDimension(ridge) {
      if (!(ridge > 0)) throw new RangeError(`effectiveDimension: ridge must be positive, got ${ridge}`);
      return values.reduce((sum, value) => sum + Math.max(value, 0) / (Math.max(value, 0) + ridge), 0);
    },
    predictedLoss(time) {
      if (!(time >= 0)) throw new RangeError(`predictedLoss: time must be >= 0, got ${time}`);
      // a null direction never moves, whatever the time
      return (
        values.reduce(
          (sum, value, j) => sum + energy[j]! * (value > floor ? exp((-2 * value * time) / n) : 1),
          0,
        ) /
        (2 * n)
      );
    },
  };
}
