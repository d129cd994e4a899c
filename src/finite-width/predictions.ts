// What the fluctuations of finite nets' kernels do to predictions, to first order in 1/width: a predictor h(K) has mean
// h + h'.E[dK] + h''.Cov/2 and variance h'.Cov.h' over nets; Bayesian nets weigh every kernel by its evidence.
import type { NetDocument } from '../net/document.js';
import { solve } from '../math/positive.js';
import { asTensor, assertFinite, type Tensor, type TensorLike } from '../math/tensor.js';
import { knownFields, type Engine } from '../wasm/engine.js';
import {
  finiteWidthCorrections,
  FINITE_WIDTH_FIELDS,
  type FiniteWidthKernels,
  type FiniteWidthOptions,
} from './corrections.js';
import { samplesOf } from './dense-chain.js';
import { pairList } from './pairs.js';

export interface FiniteWidthPredictOptions extends Omit<FiniteWidthOptions, 'perLayer'> {
  /** (n, features) and (tests, features): a handful. */
  readonly xTrain: TensorLike;
  readonly xTest: TensorLike;
  /** (n) or (n, 1). */
  readonly yTrain: TensorLike;
  /** Variance of the targets' noise, added to the diagonal of the train kernel; > 0. */
  readonly noise: number;
}

/** Means and variances over nets, (tests). */
export interface OrderOnePrediction {
  /** Of the infinitely wide net. */
  readonly limitMean: Float64Array;
  readonly limitVariance: Float64Array;
  /** What the width adds: of order 1/width. */
  readonly meanShift: Float64Array;
  readonly varianceShift: Float64Array;
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

export interface FiniteWidthPredictions {
  /**
   * Kernel regression with the empirical tangent kernel: the net linearised at its start, trained to the end, less its
   * first outputs. The limit is one function, so its variance is 0. A net that is trained itself moves its kernel, which
   * shifts the mean at the same order: extrapolate trained nets for it (`extrapolateTraining`).
   */
  readonly ntk: OrderOnePrediction;
  /** Posterior of the Bayesian net: noise-free outputs given the targets. */
  readonly bayes: OrderOnePrediction;
  readonly kernels: FiniteWidthKernels;
}

/**
 * Predictions of finite dense nets of one output, to first order in 1/width.
 *
 * @throws RangeError as `finiteWidthCorrections`, for nets with more outputs, a noise that is not positive, and targets
 * that do not fit.
 *
 * @example
 * const net = serial(dense(64), erf(), dense(1));
 * const { bayes } = await finiteWidthPredict(engine, net, { xTrain, yTrain, xTest, noise: 0.1 });
 */
export async function finiteWidthPredict(
  engine: Engine,
  net: NetDocument,
  options: FiniteWidthPredictOptions,
): Promise<FiniteWidthPredictions> {
  const where = 'finiteWidthPredict';
  const { perLayer: _, ...shared } = FINITE_WIDTH_FIELDS;
  knownFields(where, options, { ...shared, xTrain: true, xTest: true, yTrain: true, noise: true });
  const { xTrain, xTest, yTrain, noise, ...rest } = options;
  if (!(noise > 0) || !Number.isFinite(noise))
    throw new RangeError(`${where}: noise must be a positive number, got ${noise}.`);
  const [train, test] = [samplesOf(where, xTrain), samplesOf(where, xTest)];
  if (train.shape[1] !== test.shape[1])
    throw new RangeError(
      `${where}: xTrain has ${train.shape[1]} features and xTest ${test.shape[1]}; they must be as many.`,
    );
  const y = asTensor(yTrain, `${where}: yTrain`);
  assertFinite(y, `${where}: yTrain`);
  if (y.data.length !== train.n || y.shape[0] !== train.n)
    throw new RangeError(
      `${where}: yTrain must have shape [${train.n}] or [${train.n}, 1], got [${y.shape.join(', ')}]. Predict outputs one by one.`,
    );
  const x = new Float64Array(train.data.length + test.data.length);
  x.set(train.data);
  x.set(test.data, train.data.length);
  const kernels = await finiteWidthCorrections(
    engine,
    net,
    { data: x, shape: [train.n + test.n, train.shape[1]!] },
    rest,
  );
  const problem = { n: train.n, m: test.n, y: y.data, noise };
  return {
    ntk: await regression(engine, kernels, problem),
    bayes: await posterior(engine, kernels, problem),
    kernels,
  };
}

interface Problem {
  readonly n: number;
  readonly m: number;
  readonly y: ArrayLike<number>;
  readonly noise: number;
}

type Covariance = FiniteWidthKernels['nngpCovariance'];

/** A predictor at one test point and its derivatives by the kernel entries of the pairs. */
interface Predictor {
  readonly pairs: readonly [number, number][];
  readonly mean: number;
  readonly variance: number;
  /** First derivatives of mean, variance and log evidence. */
  readonly byMean: Float64Array;
  readonly byVariance: Float64Array;
  readonly byEvidence: Float64Array;
  /** Half the second derivatives of mean and variance, (pairs x pairs). */
  readonly halfMean: Float64Array;
  readonly halfVariance: Float64Array;
}

async function regression(
  engine: Engine,
  kernels: FiniteWidthKernels,
  problem: Problem,
): Promise<OrderOnePrediction> {
  const { ntk, ntkShift, ntkCovariance, samples } = kernels;
  const list: [number, number, number, number][] = [];
  for (const predictor of await predictors(engine, ntk, problem)) {
    const { pairs, mean, byMean, halfMean } = predictor;
    const covariance = covarianceOf(pairs, ntkCovariance);
    const shifts = pairs.map(([a, b]) => ntkShift.data[a * samples + b]!);
    list.push([mean, 0, dot(byMean, shifts) + dot(halfMean, covariance), quadratic(byMean, covariance)]);
  }
  return collected(list);
}

async function posterior(
  engine: Engine,
  kernels: FiniteWidthKernels,
  problem: Problem,
): Promise<OrderOnePrediction> {
  const { nngp, nngpShift, nngpCovariance, samples } = kernels;
  const list: [number, number, number, number][] = [];
  for (const predictor of await predictors(engine, nngp, problem)) {
    const { pairs, mean, variance, byMean, byVariance, byEvidence, halfMean, halfVariance } = predictor;
    const covariance = covarianceOf(pairs, nngpCovariance);
    const tilted = pairs.map(([a, b], p) => {
      let weighed = nngpShift.data[a * samples + b]!;
      for (let q = 0; q < pairs.length; q++) weighed += covariance[p * pairs.length + q]! * byEvidence[q]!;
      return weighed;
    });
    list.push([
      mean,
      variance,
      dot(byMean, tilted) + dot(halfMean, covariance),
      dot(byVariance, tilted) + dot(halfVariance, covariance) + quadratic(byMean, covariance),
    ]);
  }
  return collected(list);
}

function collected(list: readonly (readonly [number, number, number, number])[]): OrderOnePrediction {
  const column = (i: 0 | 1 | 2 | 3): Float64Array => Float64Array.from(list, (row) => row[i]);
  return {
    limitMean: column(0),
    limitVariance: column(1),
    meanShift: column(2),
    varianceShift: column(3),
    mean: Float64Array.from(list, (row) => row[0] + row[2]),
    variance: Float64Array.from(list, (row) => row[1] + row[3]),
  };
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};

function quadratic(a: Float64Array, m: Float64Array): number {
  let sum = 0;
  for (let p = 0; p < a.length; p++)
    for (let q = 0; q < a.length; q++) sum += a[p]! * m[p * a.length + q]! * a[q]!;
  return sum;
}

function covarianceOf(pairs: readonly [number, number][], of: Covariance): Float64Array {
  const size = pairs.length;
  return Float64Array.from({ length: size * size }, (_, i) =>
    of(...pairs[Math.floor(i / size)]!, ...pairs[i % size]!),
  );
}

/** The regression (K + noise)^-1 at every test point: only pairs of the train samples and that point count. */
async function predictors(engine: Engine, k: Tensor, { n, m, y, noise }: Problem): Promise<Predictor[]> {
  const size = n + m;
  const at = (i: number, j: number): number => k.data[i * size + j]!;
  const square = Float64Array.from({ length: n * n }, (_, i) => {
    const [row, column] = [Math.floor(i / n), i % n];
    return at(row, column) + (row === column ? noise : 0);
  });
  const identity = Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
  const inverse = (await solve(engine, { data: square, shape: [n, n] }, { data: identity, shape: [n, n] })).x
    .data;
  const times = (v: ArrayLike<number>): Float64Array =>
    Float64Array.from({ length: n }, (_, i) => dot(inverse.subarray(i * n, i * n + n), v));
  const alpha = times(y);
  return Array.from({ length: m }, (_, test) => predictorAt(n + test, { n, at, alpha, inverse, times }));
}

interface Regression {
  readonly n: number;
  readonly at: (i: number, j: number) => number;
  readonly alpha: Float64Array;
  readonly inverse: Float64Array | Float32Array;
  readonly times: (v: ArrayLike<number>) => Float64Array;
}

function predictorAt(star: number, { n, at, alpha, inverse, times }: Regression): Predictor {
  const members = [...Array.from({ length: n }, (_, i) => i), star];
  const pairs = pairList(n + 1).map(([a, b]): [number, number] => [members[a]!, members[b]!]);
  const size = pairs.length;
  const column = Float64Array.from({ length: n }, (_, i) => at(star, i));
  const w = times(column);
  const train = (i: number): boolean => i < n;
  /** E_p v of the train part, r_p = E_p[*, X] - w^T E_p[X, X], and R E_p[X, X] alpha. */
  const unit = ([a, b]: readonly [number, number], v: Float64Array): Float64Array => {
    const out = new Float64Array(n);
    if (!train(a) || !train(b)) return out;
    out[a]! += v[b]!;
    if (a !== b) out[b]! += v[a]!;
    return out;
  };
  const rows = pairs.map(([a, b]) => {
    const row = unit([a, b], w).map((value) => -value);
    if (b === star && a !== star) row[a]! += 1;
    return row;
  });
  const moved = pairs.map((pair) => times(unit(pair, alpha)));
  const turned = rows.map((row) => times(row));
  const byMean = Float64Array.from(rows, (row) => dot(row, alpha));
  const byVariance = Float64Array.from(pairs, ([a, b]) => {
    if (a === star && b === star) return 1;
    return b === star ? -2 * w[a]! : (a === b ? 1 : 2) * w[a]! * w[b]!;
  });
  const byEvidence = Float64Array.from(pairs, ([a, b]) =>
    b === star ? 0 : ((a === b ? 1 : 2) * (alpha[a]! * alpha[b]! - inverse[a * n + b]!)) / 2,
  );
  const fill = (entry: (p: number, q: number) => number): Float64Array =>
    Float64Array.from({ length: size * size }, (_, i) => entry(Math.floor(i / size), i % size));
  return {
    pairs,
    mean: dot(column, alpha),
    variance: at(star, star) - dot(column, w),
    ...{ byMean, byVariance, byEvidence },
    halfMean: fill((p, q) => -dot(rows[p]!, moved[q]!)),
    halfVariance: fill((p, q) => -dot(rows[p]!, turned[q]!)),
  };
}
