// One hidden layer whose width grows with the samples: the posterior of a Bayesian net of N hidden units is that of a Gaussian
// process whose kernel has a random scale Q. Exact for linear activations; for others the part of the kernel's fluctuations
// that does not vanish (Li & Sompolinsky, arXiv:2012.04030; Pacelli et al., arXiv:2209.04882).
import { eigh } from '../math/eigh.js';
import { exp, log } from '../math/elementary.js';
import { asTensor, assertFinite, type TensorLike } from '../math/tensor.js';
import { knownFields, type Engine } from '../wasm/engine.js';

export interface ProportionalOptions {
  /** NNGP of the train samples (n, n), between tests and train samples (tests, n), and of the tests with themselves (tests). */
  readonly nngp: TensorLike;
  readonly nngpTestTrain: TensorLike;
  readonly nngpTestTest: TensorLike;
  /** (n) or (n, 1): one output. */
  readonly y: TensorLike;
  /** Variance of the targets' noise; > 0. */
  readonly noise: number;
  /** N, hidden units of the one hidden layer. */
  readonly width: number;
}

export interface ProportionalPosterior {
  /** Of the noise-free outputs, (tests). */
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  /** The infinitely wide net's: Q = 1. */
  readonly limitMean: Float64Array;
  readonly limitVariance: Float64Array;
  /** The kernel's scale: its posterior mean, and the saddle that holds where width and samples are large. */
  readonly scale: { readonly mean: number; readonly saddle: number };
}

const NODES = 400;

/**
 * The posterior of a Bayesian net with one hidden layer of finite width, by one eigendecomposition: p(Q | y) is proportional to
 * Q^(N/2 - 1) e^(-N Q / 2) N(y; 0, Q K + noise), and every Q has the Gaussian process of the kernel Q K.
 *
 * @throws RangeError for shapes that do not fit, a width that is no whole number >= 1, or a noise that is not positive.
 *
 * @example
 * const { nngp } = await kernel(engine, serial(dense(1), erf(), dense(1)), x);
 * const { mean, scale } = await proportionalPosterior(engine, { nngp, nngpTestTrain, nngpTestTest, y, noise: 0.1, width: 20 });
 */
export async function proportionalPosterior(
  engine: Engine,
  options: ProportionalOptions,
): Promise<ProportionalPosterior> {
  const where = 'proportionalPosterior';
  knownFields(where, options, {
    nngp: true,
    nngpTestTrain: true,
    nngpTestTest: true,
    y: true,
    noise: true,
    width: true,
  });
  const { noise, width } = options;
  if (!(noise > 0) || !Number.isFinite(noise))
    throw new RangeError(`${where}: noise must be a positive number, got ${noise}.`);
  if (!Number.isSafeInteger(width) || width < 1)
    throw new RangeError(`${where}: width must be a whole number >= 1, got ${width}.`);
  const y = read(where, 'y', options.y);
  const n = y.length;
  const [test, own] = [
    read(where, 'nngpTestTrain', options.nngpTestTrain),
    read(where, 'nngpTestTest', options.nngpTestTest),
  ];
  const { values, vectors } = await eigh(engine, options.nngp);
  if (values.data.length !== n || test.length !== own.length * n)
    throw new RangeError(
      `${where}: expected kernels of shapes [n, n], [tests, n] and [tests] for the ${n} targets, got ${values.data.length ** 2}, ${test.length} and ${own.length} numbers.`,
    );
  const lambda = values.data.map((value) => Math.max(value, 0));
  const rotate = (v: (i: number) => number): Float64Array =>
    Float64Array.from({ length: n }, (_, j) => {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += vectors.data[j * n + i]! * v(i);
      return sum;
    });
  const target = rotate((i) => y[i]!);
  const tests = Array.from({ length: own.length }, (_, t) => rotate((i) => test[t * n + i]!));
  const problem: Problem = { lambda, target, tests, own, noise, width };
  const { scales, weights } = scaleLaw(problem);
  const [mean, square, variance] = [0, 1, 2].map(() => new Float64Array(own.length)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  for (const [i, q] of scales.entries()) {
    const one = processAt(q, problem);
    for (let t = 0; t < own.length; t++) {
      mean[t]! += weights[i]! * one.mean[t]!;
      square[t]! += weights[i]! * one.mean[t]! * one.mean[t]!;
      variance[t]! += weights[i]! * one.variance[t]!;
    }
  }
  const limit = processAt(1, problem);
  return {
    mean,
    variance: variance.map((value, t) => value + square[t]! - mean[t]! * mean[t]!),
    limitMean: limit.mean,
    limitVariance: limit.variance,
    scale: { mean: scales.reduce((sum, q, i) => sum + weights[i]! * q, 0), saddle: saddle(problem) },
  };
}

interface Problem {
  readonly lambda: Float64Array;
  readonly target: Float64Array;
  readonly tests: readonly Float64Array[];
  readonly own: Float64Array;
  readonly noise: number;
  readonly width: number;
}

function read(where: string, name: string, value: TensorLike): Float64Array {
  const given = asTensor(value, `${where}: ${name}`);
  assertFinite(given, `${where}: ${name}`);
  return Float64Array.from(given.data);
}

/** Minus the log of p(log Q | y), up to a constant. */
function energy({ lambda, target, noise, width }: Problem, t: number): number {
  const q = exp(t);
  let sum = (width / 2) * (q - t);
  for (let j = 0; j < lambda.length; j++) {
    const variance = q * lambda[j]! + noise;
    sum += (log(variance) + (target[j]! * target[j]!) / variance) / 2;
  }
  return sum;
}

/** Nodes and weights of the law of Q: ten standard deviations of log Q around its mode. */
function scaleLaw(problem: Problem): { scales: Float64Array; weights: Float64Array } {
  const [from, to, coarse] = [-12, 12, 2400];
  const step = (to - from) / coarse;
  let [best, least] = [0, Infinity];
  for (let i = 0; i <= coarse; i++) {
    const value = energy(problem, from + i * step);
    if (value < least) [best, least] = [from + i * step, value];
  }
  const curvature = (energy(problem, best + step) + energy(problem, best - step) - 2 * least) / (step * step);
  const reach = 10 / Math.sqrt(Math.max(curvature, 1e-2));
  const grid = Float64Array.from({ length: NODES }, (_, i) => best - reach + (2 * reach * i) / (NODES - 1));
  const weights = grid.map((t) => exp(least - energy(problem, t)));
  const total = weights.reduce((sum, value) => sum + value, 0);
  return { scales: grid.map((t) => exp(t)), weights: weights.map((value) => value / total) };
}

/** The Gaussian process of the kernel Q K. */
function processAt(
  q: number,
  { lambda, target, tests, own, noise }: Problem,
): { mean: Float64Array; variance: Float64Array } {
  const [mean, variance] = [new Float64Array(own.length), new Float64Array(own.length)];
  for (const [t, row] of tests.entries()) {
    let [sum, explained] = [0, 0];
    for (let j = 0; j < lambda.length; j++) {
      const share = (q * row[j]!) / (q * lambda[j]! + noise);
      sum += share * target[j]!;
      explained += share * q * row[j]!;
    }
    mean[t] = sum;
    variance[t] = q * own[t]! - explained;
  }
  return { mean, variance };
}

/** The root of 1 - 1/Q + (1/N) [tr K (QK + s)^-1 - y^T (QK + s)^-1 K (QK + s)^-1 y], by bisection in log Q. */
function saddle({ lambda, target, noise, width }: Problem): number {
  let [low, high] = [-30, 30];
  for (let step = 0; step < 100; step++) {
    const middle = (low + high) / 2;
    const q = exp(middle);
    let slope = 1 - 1 / q;
    for (let j = 0; j < lambda.length; j++) {
      const variance = q * lambda[j]! + noise;
      slope += ((lambda[j]! / variance) * (1 - (target[j]! * target[j]!) / variance)) / width;
    }
    if (slope > 0) high = middle;
    else low = middle;
  }
  return exp((low + high) / 2);
}
