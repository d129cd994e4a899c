// Tests of a scaling that practitioners run: where its terms go, whether coordinates stay of one size, and whether the
// best learning rate of a small net is that of a large one.
import { mean, standardDeviation } from '../../math/statistics.js';
import { knownFields, type Engine, type Fields } from '../../wasm/engine.js';
import { powersOf } from '../theory/exponents.js';
import { times, toNumber } from '../theory/rational.js';
import { scaling as complete } from '../theory/scalings.js';
import { optimumShift, type OptimumShift } from './optimum.js';
import { widthSlope, type Slope } from './slopes.js';
import { deepSweep, sweep, type Sweep } from './sweep.js';
import type { Term } from '../theory/classify.js';
import type { DeepTrace } from './deep-net.js';
import type { Coordinates } from '../one-hidden/run.js';
import { TRAINING_OPTIONS } from '../one-hidden/train-one-hidden.js';

type Deep<T> = T & {
  /** Hidden layers, all of the same width; default 1. */
  readonly hiddenLayers?: number;
};

/** What checks read of a run of any depth. */
type Shown = Pick<DeepTrace, 'meanAbsLogit' | 'trainLoss' | 'overflow'> & {
  readonly logitChange?: readonly number[];
  readonly coordinates?: readonly (Coordinates | readonly Coordinates[])[];
};

const sweepOf = (
  engine: Engine,
  name: string,
  hiddenLayers: number | undefined,
  options: Sweep,
): Promise<Shown[][]> =>
  (hiddenLayers ?? 1) === 1 ? sweep(engine, name, options) : deepSweep(engine, name, hiddenLayers!, options);

export interface TermMeasurement {
  readonly name: string;
  readonly widths: readonly number[];
  /** Variance over test points after training, geometric mean over seeds, one entry per width. */
  readonly variances: { readonly [K in Term]: number[] };
  readonly slopes: { readonly [K in Term]: Slope | null };
  /** Predicted power of each variance. */
  readonly theory: { readonly [K in Term]: number };
}

const TERMS: readonly Term[] = ['f0', 'fa', 'fw', 'faw'];

const SWEEP: Fields<Sweep> = { ...TRAINING_OPTIONS, scaling: true, widths: true };
const DEEP: Fields<Deep<Sweep>> = { ...SWEEP, hiddenLayers: true };

/**
 * Trains nets of several widths and splits their logits into the four terms of arXiv:2003.05884: output and input
 * weights each at their start or as increments, through the trained net's on/off pattern. RangeError for shapes, sizes
 * or options that do not fit (three widths at least).
 */
export async function measureTerms(engine: Engine, options: Sweep): Promise<TermMeasurement> {
  knownFields('measureTerms', options, SWEEP);
  const { widths } = options;
  const traces = await sweep(engine, 'measureTerms', {
    ...options,
    evaluateAt: [],
    keep: { decomposition: true },
  });
  const of = (term: Term): number[][] =>
    traces.map((row) => row.map(({ decomposition }) => standardDeviation(decomposition![term], 0) ** 2));
  const per = <T>(fn: (term: Term) => T): { [K in Term]: T } =>
    Object.fromEntries(TERMS.map((term) => [term, fn(term)])) as { [K in Term]: T };
  const { terms } = powersOf(options.scaling);
  return {
    name: complete(options.scaling).name,
    widths,
    variances: per((term) => widths.map((_, w) => mean(of(term).map((row) => row[w]!)))),
    slopes: per((term) => widthSlope(widths, of(term))),
    theory: per((term) => toNumber(times(terms[term], 2n))),
  };
}

/** One of the 2^L terms of a net with L matrices. */
export interface DeepTerm {
  /** The matrices, from 0 (input) to L - 1 (output), that are increments since the start. */
  readonly moved: readonly number[];
  /** Variance over test points after training, mean over seeds, one entry per width. */
  readonly variances: readonly number[];
  /** Power of the variance; null where a term is zero or overflowed. */
  readonly slope: Slope | null;
}

/**
 * As `measureTerms` for nets with any number of hidden layers of equal width: all 2^L terms of `expandTerms`. Errors
 * as there.
 */
export async function measureDeepTerms(
  engine: Engine,
  options: Deep<Sweep>,
): Promise<{ readonly name: string; readonly widths: readonly number[]; readonly terms: DeepTerm[] }> {
  knownFields('measureDeepTerms', options, DEEP);
  const { widths, hiddenLayers = 1, ...rest } = options;
  const traces = await deepSweep(engine, 'measureDeepTerms', hiddenLayers, {
    ...rest,
    widths,
    evaluateAt: [],
    keep: { decomposition: true },
  });
  const terms = Array.from({ length: 2 ** (hiddenLayers + 1) }, (_, t): DeepTerm => {
    const values = traces.map((row) => row.map(({ terms }) => terms[t]?.variance ?? NaN));
    // Term t: the first matrix is its highest bit.
    const moved = Array.from({ length: hiddenLayers + 1 }, (_, l) => l).filter(
      (l) => (t >> (hiddenLayers - l)) & 1,
    );
    const variances = widths.map((_, w) => mean(values.map((row) => row[w]!)));
    return { moved, variances, slope: widthSlope(widths, values) };
  });
  return { name: complete(options.scaling).name, widths, terms };
}

export interface CoordinateSlope extends Slope {
  readonly coordinate: 'hidden' | 'hiddenChange' | 'output' | 'outputChange';
  /** Number of the layer with weights, from 1. */
  readonly layer: number;
  readonly step: number;
  /** Mean over seeds, one entry per width. */
  readonly values: readonly number[];
}

export interface CoordinateCheck {
  readonly name: string;
  readonly widths: readonly number[];
  readonly slopes: readonly CoordinateSlope[];
  /** `flat`: nothing grows and everything moves; `grows`: some coordinate does; `vanishes`: hidden units or outputs stop moving. */
  readonly verdict: 'flat' | 'grows' | 'vanishes';
}

const { epochs: _epochs, ...FIRST_STEPS } = DEEP;

/**
 * The coordinate check of Tensor Programs V with a fitted verdict instead of a plot: mean absolute pre-activations of
 * every hidden layer, their change since the start, and outputs after each of the first steps, as powers of the width.
 * RangeError for shapes, sizes or options that do not fit (three widths at least).
 */
export async function coordinateCheck(
  engine: Engine,
  options: Deep<Omit<Sweep, 'epochs'>> & { readonly steps?: number; readonly tolerance?: number },
): Promise<CoordinateCheck> {
  knownFields('coordinateCheck', options, { ...FIRST_STEPS, steps: true, tolerance: true });
  const { steps = 4, tolerance = 0.15, widths, hiddenLayers = 1, ...rest } = options;
  const traces = await sweepOf(engine, 'coordinateCheck', hiddenLayers, {
    ...rest,
    widths,
    epochs: steps,
    keep: { coordinates: true },
  });
  const slopes: CoordinateSlope[] = [];
  let isFrozen = false;
  const add = (
    coordinate: CoordinateSlope['coordinate'],
    layer: number,
    step: number,
    of: (trace: Shown) => number | undefined,
  ): void => {
    const rows = traces.map((row) => row.map((trace) => of(trace) ?? NaN));
    const fit = widthSlope(widths, rows);
    if (!fit) {
      isFrozen ||= step > 0 && rows.some((row) => row.includes(0)); // nothing moves at all
      return;
    }
    const values = widths.map((_, w) => mean(rows.map((row) => row[w]!)));
    slopes.push({ coordinate, layer, step, ...fit, values });
  };
  for (let step = 0; step <= steps; step++) {
    for (let l = 0; l < hiddenLayers; l++) {
      const of = ({ coordinates }: Shown): Coordinates | undefined => [coordinates?.[step] ?? []].flat()[l];
      add('hidden', l + 1, step, (trace) => of(trace)?.hidden);
      if (step > 0) add('hiddenChange', l + 1, step, (trace) => of(trace)?.change);
    }
    add('output', hiddenLayers + 1, step, ({ meanAbsLogit }) => meanAbsLogit[step]);
    if (step > 0) add('outputChange', hiddenLayers + 1, step, ({ logitChange }) => logitChange?.[step]);
  }
  const overflowed = traces.some((row) => row.some(({ overflow }) => overflow));
  const moving = slopes.filter(({ step }) => step > 0);
  // Beyond the tolerance by more than the scatter of the seeds explains.
  const room = ({ standardError }: Slope): number => tolerance + 2 * (standardError ?? 0);
  const grows = overflowed || moving.some((row) => row.slope > room(row));
  const fades = ({ coordinate }: CoordinateSlope): boolean =>
    coordinate === 'hiddenChange' || coordinate === 'outputChange';
  const still = isFrozen || moving.some((row) => fades(row) && row.slope < -room(row));
  return {
    name: complete(options.scaling).name,
    widths,
    slopes,
    verdict: grows ? 'grows' : still ? 'vanishes' : 'flat',
  };
}

export interface RateTransfer extends OptimumShift {
  readonly name: string;
  readonly widths: readonly number[];
  readonly learningRates: readonly number[];
  /** Final training loss, mean over seeds: `[width][rate]`; Infinity where a run overflowed. */
  readonly losses: readonly (readonly number[])[];
}

const { learningRate: _rate, ...ALL_RATES } = DEEP;

/**
 * Sweeps the reference rate at several widths and measures how the best one moves; five seeds and more give an error that
 * tells. RangeError for shapes, sizes or
 * options that do not fit.
 */
export async function learningRateTransfer(
  engine: Engine,
  options: Deep<Omit<Sweep, 'learningRate'>> & {
    readonly learningRates: readonly number[];
    readonly tolerance?: number;
  },
): Promise<RateTransfer> {
  knownFields('learningRateTransfer', options, { ...ALL_RATES, learningRates: true, tolerance: true });
  const { learningRates, widths, hiddenLayers, tolerance = 0.1, ...rest } = options;
  const rates = [...learningRates].sort((a, b) => a - b);
  if (rates.length < 3)
    throw new RangeError(`learningRateTransfer: expected at least three rates, got ${rates.length}`);
  const columns: number[][][] = []; // [rate][width][seed]
  for (const [r, learningRate] of rates.entries()) {
    const traces = await sweepOf(engine, 'learningRateTransfer', hiddenLayers, {
      ...rest,
      widths,
      learningRate,
      evaluateAt: [rest.epochs],
      onProgress: ({ done, total }) =>
        rest.onProgress?.({ done: r * total + done, total: rates.length * total }),
    });
    columns.push(
      widths.map((_, w) => traces.map((row) => (row[w]!.overflow ? Infinity : row[w]!.trainLoss.at(-1)!))),
    );
  }
  const all = widths.map((_, w) => columns.map((column) => column[w]!));
  return {
    ...{ name: complete(options.scaling).name, widths, learningRates: rates },
    losses: all.map((row) => row.map((seeds) => mean(seeds))),
    ...optimumShift(widths, rates, all, tolerance),
  };
}
