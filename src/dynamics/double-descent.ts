// Random-feature double descent: the test error of ridge(less) regression on P random ReLU features peaks at P = n and
// falls again beyond (Belkin et al. 2019, Mei & Montanari 2022).
import { eighInPlace } from '../math/eigh.js';
import { gemm } from '../math/matmul.js';
import { quantile } from '../math/statistics.js';
import { foldIn, normal, randomKey } from '../math/random.js';
import {
  defineJob,
  knownFields,
  RUN_OPTIONS,
  type Core,
  type Engine,
  type Fields,
  type Job,
  type RunOptions,
} from '../wasm/engine.js';

export interface DoubleDescentOptions {
  /** Training samples n; default 120. */
  readonly samples?: number;
  /** Test samples; default 500. */
  readonly testSamples?: number;
  /** Input dimension; default 30. */
  readonly dimension?: number;
  /** Standard deviation of the label noise; default 0.3. */
  readonly noise?: number;
  /** P/n, the features per training sample. */
  readonly ratios?: readonly number[];
  /** Ridge on the feature Gram matrix (P features scaled by 1/P); default 0: the minimum-norm interpolant. */
  readonly ridge?: number;
  /** Independent repetitions per ratio; default 20. */
  readonly repeats?: number;
  readonly seed?: number;
}

export interface DoubleDescentPoint {
  readonly ratio: number;
  readonly features: number;
  /** Median and quartiles over the repetitions of the mean squared error to the noiseless teacher. */
  readonly testMse: number;
  readonly quartiles: readonly [number, number];
  readonly trainMse: number;
}

type Params = Required<Omit<DoubleDescentOptions, 'ratios'>> & { readonly features: number };

/** @internal one ratio, all repetitions: test and train errors */
export const doubleDescentJob: Job<Params, { test: Float64Array; train: Float64Array }> = defineJob(
  'dynamics/double-descent',
  (core, params) => {
    const test = new Float64Array(params.repeats);
    const train = new Float64Array(params.repeats);
    for (let r = 0; r < params.repeats; r++) [test[r], train[r]] = once(core, params, r) as [number, number];
    return { test, train };
  },
);

const DEFAULT_RATIOS = [0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 1, 1.05, 1.1, 1.2, 1.5, 2, 3, 4, 10, 40];

const DESCENT_OPTIONS: Fields<DoubleDescentOptions> = {
  samples: true,
  testSamples: true,
  dimension: true,
  noise: true,
  ratios: true,
  ridge: true,
  repeats: true,
  seed: true,
};

/** Test error against the number of random ReLU features, for a linear teacher with label noise. */
export async function doubleDescent(
  engine: Engine,
  options: DoubleDescentOptions = {},
  run: RunOptions = {},
): Promise<DoubleDescentPoint[]> {
  knownFields('doubleDescent', run, RUN_OPTIONS);
  knownFields('doubleDescent', options, DESCENT_OPTIONS);
  const {
    ratios = DEFAULT_RATIOS,
    samples = 120,
    testSamples = 500,
    dimension = 30,
    noise = 0.3,
    ridge = 0,
    repeats = 20,
    seed = 0,
  } = options;
  for (const [name, value] of Object.entries({ samples, testSamples, dimension, repeats })) {
    if (!Number.isInteger(value) || value < 1)
      throw new RangeError(`doubleDescent: ${name} must be a whole number >= 1, got ${value}`);
  }
  for (const [name, value] of Object.entries({ noise, ridge })) {
    if (!(value >= 0) || !Number.isFinite(value))
      throw new RangeError(`doubleDescent: ${name} must be finite and >= 0, got ${value}`);
  }
  const list = ratios.map((ratio) => {
    const features = Math.round(ratio * samples);
    if (!(features >= 1))
      throw new RangeError(
        `doubleDescent: every ratio must give at least one feature, got ${ratio} of ${samples} samples`,
      );
    return { samples, testSamples, dimension, noise, ridge, repeats, seed, features };
  });
  const results = await engine.map(doubleDescentJob, list, run);
  return results.map(({ test, train }, i) => ({
    ratio: ratios[i]!,
    features: list[i]!.features,
    testMse: quantile(test, 0.5),
    quartiles: [quantile(test, 0.25), quantile(test, 0.75)],
    trainMse: quantile(train, 0.5),
  }));
}

/** One draw of data and features: mean squared test and train errors of the fit. */
function once(
  core: Core,
  { samples, testSamples, dimension, noise, ridge, seed, features }: Params,
  repeat: number,
): readonly [number, number] {
  const rows = samples + testSamples;
  const key = foldIn(randomKey(seed), 'double-descent', repeat);
  return core.heap.scope((scope) => {
    const x = normal(core, foldIn(key, 'x'), rows * dimension);
    const direction = normal(core, foldIn(key, 'teacher'), dimension);
    const norm = Math.sqrt(direction.reduce((sum, value) => sum + value * value, 0));
    const teacher = direction.map((value) => value / norm); // unit length: the same signal in every repetition
    const errors = normal(core, foldIn(key, 'noise'), samples, 'f64', [0, noise]); // test targets are noiseless
    const y = Float64Array.from({ length: rows }, (_, i) =>
      teacher.reduce((sum, weight, k) => sum + weight * x[i * dimension + k]!, errors[i] ?? 0),
    );
    const weights = scope.put(normal(core, foldIn(key, 'features'), dimension * features));
    const z = scope.alloc('f64', rows * features);
    gemm(core, [scope.put(x), weights, z], [rows, features, dimension], { alpha: 1 / Math.sqrt(dimension) });
    core.heap.write(
      z,
      core.heap.read(z).map((value) => Math.max(value, 0)),
    );
    const k = scope.alloc('f64', samples * rows); // kernel of every row with the training rows, transposed
    gemm(core, [z, z, k], [rows, samples, features], { transB: true, alpha: 1 / features });
    const coefficients = scope.put(
      dualSolution(core, core.heap.read(k, 0, samples * samples), y.slice(0, samples), ridge, features),
    );
    const f = scope.alloc('f64', rows);
    gemm(core, [k, coefficients, f], [rows, 1, samples]);
    const residual = core.heap.read(f).map((value, i) => (value - y[i]!) ** 2);
    const mean = (from: number, to: number): number =>
      residual.slice(from, to).reduce((sum, value) => sum + value, 0) / (to - from);
    return [mean(samples, rows), mean(0, samples)] as const;
  });
}

/** (K + ridge)^+ y with the rank of K at most `rank`: the pseudo-inverse keeps the min(n, rank) largest eigenvalues. */
function dualSolution(
  core: Core,
  kernel: Float64Array<ArrayBuffer>,
  y: Float64Array,
  ridge: number,
  rank: number,
): Float64Array<ArrayBuffer> {
  const n = y.length;
  return core.heap.scope((scope) => {
    const w = scope.alloc('f64', n);
    const v = scope.alloc('f64', n * n);
    eighInPlace(core, scope.put(kernel), w, v, { n });
    const values = core.heap.read(w);
    const vectors = core.heap.read(v);
    const alpha = new Float64Array(n);
    const noiseFloor = n * 2 ** -52 * values[n - 1]!;
    for (let j = Math.max(0, n - rank); j < n; j++) {
      if (values[j]! <= noiseFloor && ridge === 0) continue;
      let dot = 0;
      for (let i = 0; i < n; i++) dot += vectors[j * n + i]! * y[i]!;
      const scale = dot / (Math.max(values[j]!, 0) + ridge);
      for (let i = 0; i < n; i++) alpha[i]! += scale * vectors[j * n + i]!;
    }
    return alpha;
  });
}
