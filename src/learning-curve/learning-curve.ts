// The public call: how the test error of a kernel falls with the samples, beside measured points.
import { spectrumJob } from '../dynamics/spectrum.js';
import { kernel } from '../kernel/index.js';
import { log, exp } from '../math/elementary.js';
import { symmetric } from '../math/check.js';
import { foldIn, permutation, randomKey } from '../math/random.js';
import { mean, standardDeviation } from '../math/statistics.js';
import { asTensor, assertFinite, tensor, type Tensor, type TensorLike } from '../math/tensor.js';
import type { NetDocument } from '../net/document.js';
import { knownFields, knownWord, type Engine, type RunOptions } from '../wasm/engine.js';
import { checkNonNegative } from './eigenlearning.js';
import { poolError } from './pool.js';
import { fitPowerLaw, valueAt } from './power-law.js';
import { subsetsJob, type Pool, type SubsetErrors } from './subsets.js';

export interface LearningCurveOptions {
  /** A pool of M labelled samples: its kernel matrix (M, M), or a net and inputs (M, ...). */
  readonly kernel?: TensorLike;
  readonly net?: NetDocument;
  readonly x?: TensorLike;
  /** Which kernel of the net; default `ntk`. */
  readonly get?: 'nngp' | 'ntk';
  /** (M) or (M, outputs): errors are squared and summed over outputs. */
  readonly y: TensorLike;
  /** Train samples, each below M; default: eight sizes from 16 to M/2, evenly in the logarithm. */
  readonly samples?: readonly number[];
  /** Added to the diagonal of the train kernel; default 0. */
  readonly ridge?: number;
  /** Random train sets per size, measured on the rest of the pool; default 4; 0 measures nothing. */
  readonly draws?: number;
  /** Sizes beyond the pool, up to four times M, to extrapolate to; default none. */
  readonly beyond?: readonly number[];
  readonly seed?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

export interface LearningCurvePoint {
  readonly samples: number;
  /** Errors by the eigenvalues of the pool's kernel: on what is left of the pool, and on the train samples. */
  readonly test: number;
  readonly train: number;
  readonly kappa: number;
  /** Mean share of the target that is learned: sum of learnability times energy over the energy. */
  readonly learned: number;
  /** Means over the random train sets, with the standard error of the test error. */
  readonly measured?: {
    readonly test: number;
    readonly standardError: number;
    readonly leaveOneOut: number;
    readonly gcv: number;
  };
}

export interface LearningCurve {
  /** M. */
  readonly pool: number;
  readonly ridge: number;
  readonly points: readonly LearningCurvePoint[];
  /**
   * The error of training on the whole pool: the mean leave-one-out error, with an interval of 2.5 standard errors, and
   * generalised cross-validation (which is KARE too) beside it.
   */
  readonly whole: {
    readonly leaveOneOut: number;
    readonly interval: readonly [number, number];
    readonly gcv: number;
  };
  /** Beyond the pool, with one standard deviation (jackknife over ten tenths of the pool). */
  readonly beyond: readonly { readonly samples: number; readonly test: number; readonly deviation: number }[];
  /** Eigenvalues of the pool's kernel, largest first, and the targets' energy along them. */
  readonly eigenvalues: Float64Array;
  readonly energy: Float64Array;
  /** Where the numbers are not to be trusted, in sentences; empty where nothing speaks against them. */
  readonly cautions: readonly string[];
}

/** The formula, and cross-validation, may be so far below the leave-one-out error before a caution says it. */
const GAP = 0.05;
/** Largest size over the pool's that is extrapolated to. */
const FURTHEST = 4;

/**
 * Predicts the test error of kernel regression over the number of samples, from one labelled pool: inside the pool by the
 * eigenvalues of its kernel (eigenlearning), at the pool's size by leaving one out, beyond it by a power law through
 * leave-one-out errors of subsets. One eigendecomposition, and a Cholesky factor per measured set.
 *
 * @throws RangeError for shapes that do not fit, sizes outside the pool or more than four times beyond it, and where the
 * kernel's rank is too low without a ridge; NumericalError where a train kernel is singular.
 *
 * @example
 * const { points, whole, cautions } = await learningCurve(engine, { net, x, y, samples: [16, 64, 256], ridge: 1e-3 });
 */
export async function learningCurve(engine: Engine, options: LearningCurveOptions): Promise<LearningCurve> {
  const where = 'learningCurve';
  checkFields(where, options);
  const { draws = 4, seed = 0, ridge = 0, beyond = [], signal } = options;
  checkNonNegative(where, { ridge });
  for (const [name, value] of Object.entries({ draws, seed }))
    if (!Number.isSafeInteger(value) || value < 0)
      throw new RangeError(`${where}: ${name} must be a whole number >= 0, got ${value}.`);
  const pool = await poolOf(engine, where, options, ridge);
  const { m } = pool;
  const samples = options.samples ?? defaultSizes(m);
  checkSizes(where, samples, [1, m - 1], 'the pool less one: the rest measures');
  checkSizes(where, beyond, [m + 1, FURTHEST * m], 'more than the pool, at most four times it');
  const run = { signal };
  const { values, energy } = await engine.run(spectrumJob, { kernel: pool.kernel, y: pool.y, n: m }, run);
  const total = 2 + (draws > 0 ? samples.length : 0) + (beyond.length > 0 ? 11 : 0);
  let done = 0;
  const tick = (): void => options.onProgress?.({ done: ++done, total });
  tick();
  const sum = energy.reduce((all, value) => all + value, 0);
  const points: LearningCurvePoint[] = [];
  for (const n of samples) {
    const { test, train, kappa, learnability } = poolError({
      eigenvalues: tensor(values),
      energy: tensor(energy),
      samples: n,
      ridge,
    });
    const learned = learnability.reduce((all, l, i) => all + l * energy[i]!, 0) / sum;
    const point = { samples: n, test, train, kappa, learned };
    if (draws === 0) points.push(point);
    else {
      points.push({ ...point, measured: await measure(engine, pool, { n, draws, seed }, run) });
      tick();
    }
  }
  const order = Int32Array.from({ length: m }, (_, i) => i);
  const [whole] = await engine.run(subsetsJob, { ...pool, order, size: m }, run);
  tick();
  const reach = (2.5 * whole!.spread) / Math.sqrt(m);
  const { leaveOneOut, gcv } = whole!;
  return {
    ...{ pool: m, ridge, points, eigenvalues: values, energy },
    whole: { leaveOneOut, interval: [Math.max(0, leaveOneOut - reach), leaveOneOut + reach], gcv },
    beyond: beyond.length === 0 ? [] : await extrapolated(engine, pool, { beyond, seed, tick }, run),
    cautions: cautionsOf(points, { leaveOneOut, gcv }, m),
  };
}

function checkFields(where: string, options: LearningCurveOptions): void {
  knownFields(where, options, {
    ...{ kernel: true, net: true, x: true, get: true, y: true, samples: true, ridge: true },
    ...{ draws: true, beyond: true, seed: true, signal: true, onProgress: true },
  });
  if ((options.kernel === undefined) === (options.net === undefined))
    throw new RangeError(
      `${where}: give kernel, or net and x, got ${options.kernel === undefined ? 'neither' : 'both'}.`,
    );
  if ((options.net === undefined) !== (options.x === undefined))
    throw new RangeError(`${where}: net and x belong together, got one of them.`);
}

async function poolOf(
  engine: Engine,
  where: string,
  options: LearningCurveOptions,
  ridge: number,
): Promise<Pool> {
  const { get = 'ntk', signal } = options;
  knownWord(where, 'get', get, ['nngp', 'ntk']);
  const matrix: Tensor = options.kernel
    ? symmetric(options.kernel, where)
    : (
        await kernel(engine, options.net!, options.x!, null, {
          get,
          dtype: 'f64',
          ...(signal ? { signal } : {}),
        })
      )[get];
  if (matrix.shape.length !== 2)
    throw new RangeError(
      `${where}: the net must end without spatial axes, its kernel has shape [${matrix.shape.join(', ')}]. Add flatten or a global pooling layer.`,
    );
  const m = matrix.shape[0]!;
  const y = asTensor(options.y, `${where}: y`);
  assertFinite(y, `${where}: y`);
  if (y.shape[0] !== m || y.shape.length > 2)
    throw new RangeError(
      `${where}: y must have shape [${m}] or [${m}, outputs], got [${y.shape.join(', ')}].`,
    );
  if (m < 4) throw new RangeError(`${where}: expected a pool of at least 4 samples, got ${m}.`);
  return {
    kernel: Float64Array.from(matrix.data),
    y: Float64Array.from(y.data),
    m,
    outputs: y.data.length / m,
    ridge,
  };
}

/** Eight sizes, evenly in the logarithm. */
function geometric(from: number, to: number): number[] {
  const sizes = Array.from({ length: 8 }, (_, i) =>
    Math.floor(exp(log(from) + (log(to / from) * i) / 7) + 1e-9),
  );
  return [...new Set(sizes)];
}

const defaultSizes = (m: number): number[] =>
  geometric(Math.min(16, Math.max(1, m >> 2)), Math.max(2, m >> 1));

function checkSizes(
  where: string,
  sizes: readonly number[],
  [low, high]: readonly [number, number],
  why: string,
): void {
  const wrong = sizes.find((n) => !Number.isSafeInteger(n) || n < low || n > high);
  if (wrong !== undefined)
    throw new RangeError(
      `${where}: sizes must be whole numbers from ${low} to ${high} (${why}), got ${wrong}.`,
    );
}

/** Random subsets of one size of the members of the pool, as lists of indices one after the other. */
function randomSubsets(
  engine: Engine,
  members: ArrayLike<number>,
  { n, draws, seed }: { n: number; draws: number; seed: number },
): Int32Array {
  const order = new Int32Array(draws * n);
  for (let draw = 0; draw < draws; draw++) {
    const all = permutation(engine, foldIn(randomKey(seed), 'learning-curve', n, draw), members.length);
    for (let i = 0; i < n; i++) order[draw * n + i] = members[all[i]!]!;
  }
  return order;
}

async function measure(
  engine: Engine,
  pool: Pool,
  { n, draws, seed }: { n: number; draws: number; seed: number },
  run: RunOptions,
): Promise<NonNullable<LearningCurvePoint['measured']>> {
  const members = Int32Array.from({ length: pool.m }, (_, i) => i);
  const order = randomSubsets(engine, members, { n, draws, seed });
  const found = await engine.run(subsetsJob, { ...pool, order, size: n }, run);
  const tests = found.map(({ test }) => test!);
  return {
    test: mean(tests),
    standardError: standardDeviation(tests) / Math.sqrt(draws),
    leaveOneOut: mean(found.map(({ leaveOneOut }) => leaveOneOut)),
    gcv: mean(found.map(({ gcv }) => gcv)),
  };
}

/** Leave-one-out errors of random subsets of growing size, and the law through them; again without every tenth. */
async function extrapolated(
  engine: Engine,
  pool: Pool,
  { beyond, seed, tick }: { beyond: readonly number[]; seed: number; tick: () => void },
  run: RunOptions,
): Promise<LearningCurve['beyond']> {
  const folds = 10;
  const shuffled = permutation(engine, foldIn(randomKey(seed), 'learning-curve', 'folds'), pool.m);
  const law = async (members: Int32Array): Promise<number[]> => {
    const sizes = geometric(Math.min(16, members.length >> 1), members.length);
    const errors: number[] = [];
    for (const n of sizes) {
      const draws = Math.max(1, Math.floor((2 * members.length) / n));
      const found: SubsetErrors[] = await engine.run(
        subsetsJob,
        { ...pool, order: randomSubsets(engine, members, { n, draws, seed }), size: n },
        run,
      );
      errors.push(mean(found.map(({ leaveOneOut }) => leaveOneOut)));
    }
    tick();
    const fitted = fitPowerLaw(sizes, errors);
    return beyond.map((n) => valueAt(fitted, n));
  };
  const all = await law(Int32Array.from(shuffled));
  const without: number[][] = [];
  for (let fold = 0; fold < folds; fold++)
    without.push(await law(Int32Array.from(shuffled).filter((_, i) => i % folds !== fold)));
  return beyond.map((samples, i) => {
    const values = without.map((list) => list[i]!);
    return {
      samples,
      test: all[i]!,
      deviation: ((folds - 1) / Math.sqrt(folds)) * standardDeviation(values),
    };
  });
}

function cautionsOf(
  points: readonly LearningCurvePoint[],
  whole: { leaveOneOut: number; gcv: number },
  m: number,
): string[] {
  const said: string[] = [];
  const percent = (ratio: number): string => `${(100 * ratio).toFixed(0)} %`;
  const low = points.filter(({ test, measured }) => measured && test < (1 - GAP) * measured.leaveOneOut);
  if (low.length > 0) {
    const worst = low.reduce((a, b) =>
      a.test / a.measured!.leaveOneOut < b.test / b.measured!.leaveOneOut ? a : b,
    );
    said.push(
      `The formula reads ${percent(1 - worst.test / worst.measured!.leaveOneOut)} below the leave-one-out error at ${worst.samples} samples: the labels follow the inputs more closely than random eigenvectors allow. Use the leave-one-out errors.`,
    );
  }
  if (whole.gcv < (1 - GAP) * whole.leaveOneOut)
    said.push(
      `Generalised cross-validation is ${percent(1 - whole.gcv / whole.leaveOneOut)} below the leave-one-out error of the whole pool: trust the latter.`,
    );
  if (m < 100)
    said.push(
      `The pool has ${m} samples: its eigenvalues and errors are themselves uncertain by about ${percent(1 / Math.sqrt(m))}.`,
    );
  return said;
}
