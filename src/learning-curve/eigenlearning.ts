// Kernel regression on n samples drawn at random, from the eigenvalues of the kernel operator alone (Simon et al.,
// arXiv:2110.03922; Bordelon, Canatar & Pehlevan, arXiv:2002.02561; Jacot et al., arXiv:2006.09796).
import { exp, log } from '../math/elementary.js';
import { asTensor, assertFinite, type TensorLike } from '../math/tensor.js';
import { knownFields } from '../wasm/engine.js';

export interface EigenlearningOptions {
  /** lambda_i of the kernel operator (expectation over samples), >= 0. */
  readonly eigenvalues: TensorLike;
  /** v_i^2: squared coefficients of the target in the eigenfunctions; summed over outputs. Their sum is E y^2. */
  readonly energy: TensorLike;
  /** n, train samples; > 0. */
  readonly samples: number;
  /** Added to the diagonal of the train kernel; default 0. */
  readonly ridge?: number;
  /** Variance of the label noise; default 0. */
  readonly noise?: number;
}

export interface Eigenlearning {
  /** The effective ridge: sum lambda_i / (lambda_i + kappa) + ridge / kappa = n. */
  readonly kappa: number;
  /** Learnabilities lambda_i / (lambda_i + kappa): the mean learned share of a target along eigenfunction i. Their sum is <= n. */
  readonly learnability: Float64Array;
  /** n / (n - sum L_i^2): how much fitting n samples inflates the error. */
  readonly overfitting: number;
  /** Mean squared errors: test (labels with noise), and train. */
  readonly test: number;
  readonly train: number;
  /** The parts of the test error beside the noise. */
  readonly bias: number;
  readonly variance: number;
}

/**
 * The predicted test error of kernel regression. Exact in the limit of many samples and Gaussian-like eigenfunctions; 1 to 5 %
 * off at tens of samples.
 *
 * @throws RangeError for eigenvalues or energies below 0 or of unequal number, and other arguments out of range.
 *
 * @example
 * const { test, learnability } = eigenlearning({ eigenvalues, energy, samples: 64, ridge: 0.1 });
 */
export function eigenlearning(options: EigenlearningOptions): Eigenlearning {
  const where = 'eigenlearning';
  knownFields(where, options, { eigenvalues: true, energy: true, samples: true, ridge: true, noise: true });
  const { samples, ridge = 0, noise = 0 } = options;
  const [lambda, energy] = [
    spectrumOf(where, 'eigenvalues', options.eigenvalues),
    spectrumOf(where, 'energy', options.energy),
  ];
  if (lambda.length !== energy.length)
    throw new RangeError(
      `${where}: expected as many energies as eigenvalues, got ${energy.length} and ${lambda.length}.`,
    );
  if (!(samples > 0) || !Number.isFinite(samples))
    throw new RangeError(`${where}: samples must be a positive number, got ${samples}.`);
  checkNonNegative(where, { ridge, noise });
  const kappa = effectiveRidge(lambda, samples, ridge);
  const learnability = lambda.map((value) => (value > 0 ? value / (value + kappa) : 0));
  const squares = learnability.reduce((sum, l) => sum + l * l, 0);
  if (!(squares < samples))
    throw new RangeError(
      `${where}: ${samples} samples fit all ${squares} directions of the kernel exactly, and the error has no finite value. Take more or fewer samples, or a ridge.`,
    );
  const overfitting = samples / (samples - squares);
  const bias = energy.reduce((sum, v, i) => sum + (1 - learnability[i]!) ** 2 * v, 0);
  const test = overfitting * (bias + noise);
  const shrink = kappa > 0 ? ridge / (samples * kappa) : 0;
  return {
    kappa,
    learnability,
    overfitting,
    test,
    train: shrink * shrink * test,
    bias,
    variance: test - bias - noise,
  };
}

/** @internal */
export function checkNonNegative(where: string, values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values))
    if (!(value >= 0) || !Number.isFinite(value))
      throw new RangeError(`${where}: ${name} must be a finite number >= 0, got ${value}.`);
}

/** @internal numbers >= 0, at least one of them positive; rounding noise below zero counts as 0 */
export function spectrumOf(where: string, name: string, value: TensorLike): Float64Array<ArrayBuffer> {
  const given = asTensor(value, `${where}: ${name}`);
  assertFinite(given, `${where}: ${name}`);
  const list = Float64Array.from(given.data);
  const most = list.reduce((top, entry) => Math.max(top, entry), 0);
  const wrong = list.find((entry) => entry < -1e-9 * most);
  if (wrong !== undefined || !(most > 0))
    throw new RangeError(
      `${where}: ${name} must be numbers >= 0, at least one above 0, got ${wrong ?? 'none above 0'}.`,
    );
  return list.map((entry) => Math.max(entry, 0));
}

/** kappa by Newton's method in log kappa, bracketed. */
function effectiveRidge(lambda: Float64Array, n: number, ridge: number): number {
  const positive = lambda.filter((value) => value > 0);
  if (ridge === 0 && n >= positive.length) return 0;
  const high = (positive.reduce((sum, value) => sum + value, 0) + ridge) / n;
  return exp(
    decreasingRoot(ridge > 0 ? log(ridge / n) : log(high) - 80, log(high), (x) => {
      const kappa = exp(x);
      let [value, slope] = [ridge / kappa - n, -ridge / kappa];
      for (const l of positive) {
        value += l / (l + kappa);
        slope -= (l * kappa) / (l + kappa) ** 2;
      }
      return [value, slope];
    }),
  );
}

/** @internal the root of a decreasing function given with its slope, between low and high */
export function decreasingRoot(
  low: number,
  high: number,
  f: (x: number) => readonly [value: number, slope: number],
): number {
  let [a, b, x] = [low, high, (low + high) / 2];
  for (let step = 0; step < 200; step++) {
    const [value, slope] = f(x);
    if (value > 0) a = x;
    else b = x;
    let next = x - value / slope;
    if (!(next > a && next < b)) next = (a + b) / 2;
    if (Math.abs(next - x) < 1e-15 * Math.max(1, Math.abs(x)) || b - a < 1e-15) return next;
    x = next;
  }
  return x;
}
