// Infinite width from a few widths: seed means are f + c_1/n + ..., so f is the intercept of a weighted fit in 1/n. The scatter
// of the seeds gives the weights, its power of n says whether there is a limit, and the residuals say whether the fit holds.
import { chiSquareTail } from '../math/chi-square.js';
import { eigh } from '../math/eigh.js';
import { exp, log } from '../math/elementary.js';
import { mean } from '../math/statistics.js';
import { tensor } from '../math/tensor.js';
import { knownFields, knownWord, NumericalError, type Engine } from '../wasm/engine.js';

export interface ExtrapolateOptions {
  /** Widths, at least three, growing. */
  readonly widths: readonly number[];
  /** Observables of every run: `runs[k][seed]` belongs to width k; at least two seeds each, equally many observables. */
  readonly runs: readonly (readonly ArrayLike<number>[])[];
  /**
   * Whether the limit is one function for all seeds (mean field, muP: the scatter must fall with width), or random (kernel limits
   * that keep their random start: the mean over seeds is extrapolated). Default `deterministic`.
   */
  readonly limit?: 'deterministic' | 'random';
}

export interface Extrapolation {
  /** The limit of every observable, with its standard error. */
  readonly estimate: Float64Array;
  readonly standardError: Float64Array;
  /** c_1/n at the largest width: how far those nets still are on average. */
  readonly bias: Float64Array;
  /** Powers of 1/n in the fit, and the widths it uses: the smallest are left out where they do not fit. */
  readonly powers: readonly number[];
  readonly widths: readonly number[];
  readonly seeds: readonly number[];
  /** P(a worse fit by chance), over all observables. */
  readonly pValue: number;
  /** The standard deviation over seeds falls as width to this power. */
  readonly scatterPower: number;
}

/** Fits with a smaller probability are refused. */
const LEAST_P = 0.05;
/** The scatter of limits without randomness must fall at least so fast. */
const LEAST_FALL = -0.3;

/**
 * The infinite-width limit of observables of trained nets (Richardson extrapolation with weights and a test of the fit).
 *
 * @throws RangeError for fewer than three widths or unequal sizes; NumericalError where the fit fails: no power law in 1/n goes
 * through the means, or the scatter between seeds does not fall.
 *
 * @example
 * const { estimate, standardError } = await extrapolate(engine, { widths: [32, 64, 128], runs });
 */
export async function extrapolate(engine: Engine, options: ExtrapolateOptions): Promise<Extrapolation> {
  const where = 'extrapolate';
  knownFields(where, options, { widths: true, runs: true, limit: true });
  const limit = knownWord(where, 'limit', options.limit ?? 'deterministic', ['deterministic', 'random']);
  const all = checked(where, options);
  const { means, variances } = momentsOf(all);
  if (![...means, ...variances].every((list) => list.every(Number.isFinite)))
    throw new NumericalError(
      `${where}: means or variances over seeds overflow. Scale the observables down, or look for runs that diverge.`,
    );
  const scatterPower = -scatterOf(all).power / 2;
  if (limit === 'deterministic' && all.varies && !(scatterPower <= LEAST_FALL))
    throw new NumericalError(
      `${where}: the scatter between seeds goes as width^${scatterPower.toFixed(2)}, expected at most ${LEAST_FALL}: training amplifies the random start (a chaotic or symmetric start, a catapult, a learning rate that is too large), or the limit is random. Lower the rate, train for fewer steps, or say limit: 'random'.`,
    );
  const tried: string[] = [];
  for (const [skip, powers] of plansOf(all.widths.length)) {
    const part = { ...all, widths: all.widths.slice(skip), runs: all.runs.slice(skip) };
    const fit = await fitOf(engine, part, powers);
    if (fit.pValue >= LEAST_P) return { ...fit, scatterPower };
    tried.push(
      `powers ${powers.join(', ')} from width ${part.widths[0]}: p = ${fit.pValue.toExponential(1)}`,
    );
  }
  throw new NumericalError(
    `${where}: no fit in 1/width goes through the means of widths ${all.widths.join(', ')} (${tried.join('; ')}; needed: p >= ${LEAST_P}). Take larger widths.`,
  );
}

/** First 1/n through all widths, then without the smallest or with 1/n^2. */
function plansOf(count: number): [skip: number, powers: readonly number[]][] {
  const plans: [number, readonly number[]][] = [[0, [1]]];
  if (count >= 4) plans.push([1, [1]], [0, [1, 2]]);
  if (count >= 5) plans.push([2, [1]], [1, [1, 2]]);
  return plans;
}

interface Sample {
  readonly widths: readonly number[];
  readonly runs: ExtrapolateOptions['runs'];
  readonly size: number;
  /** Whether anything differs between seeds. */
  readonly varies: boolean;
}

function checked(where: string, { widths, runs }: ExtrapolateOptions): Sample {
  const wrong = widths.findIndex(
    (width, k) => !(width > (k === 0 ? 0 : widths[k - 1]!)) || !Number.isFinite(width),
  );
  if (widths.length < 3 || wrong >= 0)
    throw new RangeError(
      `${where}: widths must be at least three growing positive numbers, got ${widths.join(', ') || 'none'}. With fewer there is no test of the fit.`,
    );
  if (runs.length !== widths.length)
    throw new RangeError(`${where}: expected the runs of ${widths.length} widths, got ${runs.length}.`);
  const size = runs[0]?.[0]?.length ?? 0;
  let varies = false;
  for (const [k, list] of runs.entries()) {
    if (list.length < 2)
      throw new RangeError(`${where}: width ${widths[k]} needs at least two seeds, got ${list.length}.`);
    for (const [seed, run] of list.entries()) {
      if (run.length !== size || size === 0)
        throw new RangeError(
          `${where}: every run must have the same number of observables, at least one, got ${size} and ${run.length}.`,
        );
      for (let j = 0; j < size; j++) {
        if (!Number.isFinite(run[j]!))
          throw new RangeError(
            `${where}: observable ${j} of seed ${seed} at width ${widths[k]} is ${run[j]}.`,
          );
        if (run[j] !== list[0]![j]) varies = true;
      }
    }
  }
  return { widths, runs, size, varies };
}

interface Moments {
  readonly means: Float64Array[];
  readonly variances: Float64Array[];
}

function momentsOf({ runs, size }: Sample): Moments {
  const means = runs.map((list) =>
    Float64Array.from({ length: size }, (_, j) => mean(list.map((run) => run[j]!))),
  );
  const variances = runs.map((list, k) =>
    Float64Array.from(
      { length: size },
      (_, j) => list.reduce((sum, run) => sum + (run[j]! - means[k]![j]!) ** 2, 0) / (list.length - 1),
    ),
  );
  return { means, variances };
}

/** Variance over seeds as c_j n^-power: one power for all observables. */
function scatterOf(sample: Sample): { power: number; variance: (k: number, j: number) => number } {
  const { variances } = momentsOf(sample);
  const { size, widths, runs } = sample;
  const moving = Array.from({ length: size }, (_, j) => j).filter((j) => variances.every((v) => v[j]! > 0));
  if (moving.length === 0) return { power: 1, variance: () => 0 };
  const x = widths.map((width) => log(width));
  const weights = runs.map((list) => list.length - 1);
  const total = weights.reduce((sum, w) => sum + w, 0);
  const centre = x.reduce((sum, value, k) => sum + weights[k]! * value, 0) / total;
  let [above, below] = [0, 0];
  for (const [k, value] of x.entries()) {
    const level = mean(moving.map((j) => log(variances[k]![j]!)));
    above += weights[k]! * (value - centre) * level;
    below += weights[k]! * (value - centre) ** 2;
  }
  const power = -above / below;
  const scale = Float64Array.from(
    { length: size },
    (_, j) =>
      x.reduce((sum, value, k) => sum + weights[k]! * variances[k]![j]! * exp(power * value), 0) / total,
  );
  return { power, variance: (k, j) => scale[j]! * exp(-power * x[k]!) };
}

type Fit = Omit<Extrapolation, 'scatterPower'>;

async function fitOf(engine: Engine, sample: Sample, powers: readonly number[]): Promise<Fit> {
  const { widths, runs, size } = sample;
  const { means } = momentsOf(sample);
  const { variance } = scatterOf(sample);
  const design = widths.map((width) => [
    1,
    ...powers.map((power) => (power === 1 ? 1 / width : 1 / (width * width))),
  ]);
  const [estimate, standardError, bias] = [0, 1, 2].map(() => new Float64Array(size)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const residuals = widths.map(() => new Float64Array(size));
  const free: number[] = [];
  for (let j = 0; j < size; j++) {
    // What does not differ between seeds has no weights: plain least squares, no standard error, no part in the test.
    const exact = !(variance(0, j) > 0);
    const weights = runs.map((list, k) => (exact ? 1 : list.length / variance(k, j)));
    const { solution, inverse } = leastSquares(
      design,
      weights,
      means.map((m) => m[j]!),
    );
    estimate[j] = solution[0]!;
    standardError[j] = exact ? 0 : Math.sqrt(inverse);
    bias[j] = solution[1]! / widths.at(-1)!;
    if (exact) continue;
    free.push(j);
    for (const [k, row] of design.entries()) {
      const fitted = row.reduce((sum, value, i) => sum + value * solution[i]!, 0);
      residuals[k]![j] = (means[k]![j]! - fitted) * Math.sqrt(weights[k]!);
    }
  }
  return {
    ...{ estimate, standardError, bias, powers, widths, seeds: runs.map((list) => list.length) },
    pValue: await fitTest(engine, sample, { free, residuals, freedom: widths.length - design[0]!.length }),
  };
}

/** Weighted least squares of a few terms by elimination; `inverse`: the variance of the first one. */
function leastSquares(
  design: readonly (readonly number[])[],
  weights: readonly number[],
  y: readonly number[],
): { solution: number[]; inverse: number } {
  const terms = design[0]!.length;
  // Columns in units of their largest entry: 1/n^2 is small.
  const units = Array.from({ length: terms }, (_, i) => Math.max(...design.map((row) => Math.abs(row[i]!))));
  const system = Array.from({ length: terms }, (_, i) => {
    const entry = (f: (k: number) => number): number =>
      design.reduce((sum, row, k) => sum + (weights[k]! * row[i]! * f(k)) / units[i]!, 0);
    const line = Array.from({ length: terms }, (__, j) => entry((k) => design[k]![j]! / units[j]!));
    return [...line, entry((k) => y[k]!), i === 0 ? 1 : 0];
  });
  for (let i = 0; i < terms; i++)
    for (let j = 0; j < terms; j++) {
      if (i === j) continue;
      const factor = system[j]![i]! / system[i]![i]!;
      for (let k = i; k < terms + 2; k++) system[j]![k]! -= factor * system[i]![k]!;
    }
  const solution = system.map((line, i) => line[terms]! / line[i]! / units[i]!);
  return { solution, inverse: system[0]![terms + 1]! / system[0]![0]! / (units[0]! * units[0]!) };
}

/** Observables of one run are correlated: residuals are whitened by the seeds' pooled correlation first. */
async function fitTest(
  engine: Engine,
  { runs }: Sample,
  {
    free,
    residuals,
    freedom,
  }: { free: readonly number[]; residuals: readonly Float64Array[]; freedom: number },
): Promise<number> {
  const q = free.length;
  if (q === 0 || freedom === 0) return 1;
  const correlation = new Float64Array(q * q);
  let degrees = 0;
  for (const list of runs) {
    const columns = free.map((j) => {
      const values = list.map((run) => run[j]!);
      const centre = mean(values);
      const spread = Math.sqrt(values.reduce((sum, v) => sum + (v - centre) ** 2, 0) / (values.length - 1));
      return values.map((v) => (spread > 0 ? (v - centre) / spread : 0));
    });
    degrees += list.length - 1;
    for (let a = 0; a < q; a++)
      for (let b = 0; b <= a; b++) {
        let sum = 0;
        for (let s = 0; s < list.length; s++) sum += columns[a]![s]! * columns[b]![s]!;
        correlation[a * q + b]! += sum;
        if (a !== b) correlation[b * q + a]! += sum;
      }
  }
  const { values, vectors } = await eigh(
    engine,
    tensor(
      correlation.map((value) => value / degrees),
      [q, q],
    ),
  );
  let [chi, kept] = [0, 0];
  for (let e = 0; e < q; e++) {
    if (values.data[e]! <= 1e-2 * values.data[q - 1]!) continue;
    kept++;
    for (const residual of residuals) {
      let along = 0;
      for (const [a, j] of free.entries()) along += vectors.data[e * q + a]! * residual[j]!;
      chi += (along * along) / values.data[e]!;
    }
  }
  return chiSquareTail(chi, freedom * kept);
}
