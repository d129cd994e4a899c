// Kernel regression on n samples drawn without replacement from a pool of M labelled ones, tested on the rest: from the
// eigenvalues of the pool's kernel matrix and the targets along its eigenvectors. P^T (P (K + s) P^T)^-1 P is close to
// (K + k)^-1 for random eigenvectors; quadratic forms follow by differentiating in K.
import { exp, log } from '../math/elementary.js';
import { knownFields } from '../wasm/engine.js';
import type { TensorLike } from '../math/tensor.js';
import { checkNonNegative, decreasingRoot, spectrumOf } from './eigenlearning.js';

export interface PoolOptions {
  /** Eigenvalues of the pool's kernel matrix (M x M), not divided by M; M numbers. */
  readonly eigenvalues: TensorLike;
  /** Squared coefficients (u_i . y)^2 of the targets, summed over outputs. */
  readonly energy: TensorLike;
  /** n < M samples to train on. */
  readonly samples: number;
  /** Added to the diagonal of the train kernel; default 0. */
  readonly ridge?: number;
}

export interface PoolError {
  /** k: sum (lambda_i + ridge) / (lambda_i + k) = n. */
  readonly kappa: number;
  readonly learnability: Float64Array;
  /** Mean squared errors, summed over outputs: of the M - n samples left out, and of the n. */
  readonly test: number;
  readonly train: number;
}

/**
 * The predicted error on the rest of the pool. Noise in the targets needs no term of its own. On labels without noise that
 * follow the inputs closely it reads too low, by 2 to 8 % up to a quarter of the pool and up to a quarter beyond.
 *
 * @throws RangeError for a number of samples outside 1 .. M - 1, and where the kernel's rank is below it without a ridge.
 *
 * @example
 * const { values, energy } = await spectrum(engine, kernel, y);
 * const { test } = poolError({ eigenvalues: tensor(values), energy: tensor(energy), samples: 100 });
 */
export function poolError(options: PoolOptions): PoolError {
  const where = 'poolError';
  knownFields(where, options, { eigenvalues: true, energy: true, samples: true, ridge: true });
  const { samples: n, ridge: s = 0 } = options;
  const [lambda, energy] = [
    spectrumOf(where, 'eigenvalues', options.eigenvalues),
    spectrumOf(where, 'energy', options.energy),
  ];
  const m = lambda.length;
  if (energy.length !== m)
    throw new RangeError(
      `${where}: expected as many energies as eigenvalues, got ${energy.length} and ${m}.`,
    );
  checkNonNegative(where, { ridge: s });
  if (!Number.isSafeInteger(n) || n < 1 || n >= m)
    throw new RangeError(
      `${where}: samples must be a whole number from 1 to ${m - 1} (the pool less one), got ${n}.`,
    );
  const rank = lambda.filter((value) => value > 0).length;
  if (s === 0 && n >= rank)
    throw new RangeError(
      `${where}: the kernel has rank ${rank}, so ${n} samples without a ridge fit it exactly. Give a ridge, or fewer samples.`,
    );
  const top = log(lambda.reduce((sum, value) => sum + value + s, 0) / n);
  const k = exp(
    decreasingRoot(s > 0 ? log(s) : top - 80, top, (x) => {
      const at = exp(x);
      let [value, slope] = [-n, 0];
      for (const l of lambda) {
        value += (l + s) / (l + at);
        slope -= ((l + s) * at) / (l + at) ** 2;
      }
      return [value, slope];
    }),
  );
  /** E y^T P^T (..)^-1 P B P^T (..)^-1 P y for B of eigenvalues beta. */
  const form = (beta: (l: number) => number): number => {
    let [above, below] = [0, 0];
    for (const l of lambda) {
      above += beta(l) / (l + k) ** 2;
      below += (l + s) / (l + k) ** 2;
    }
    const moved = ((k - s) * above) / below;
    return energy.reduce((sum, w, i) => sum + (w * (beta(lambda[i]!) + moved)) / (lambda[i]! + k) ** 2, 0);
  };
  const learnability = lambda.map((l) => l / (l + k));
  const all = energy.reduce(
    (sum, w, i) => sum + w * (1 - 2 * learnability[i]!),
    form((l) => l * l),
  );
  const fitted = s * s * form(() => 1);
  return { kappa: k, learnability, test: (all - fitted) / (m - n), train: fitted / n };
}
