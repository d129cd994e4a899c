// Tests of a scaling that practitioners run: where its terms go, whether coordinates stay of one size, and whether the
// best learning rate of a small net is that of a large one.
import { log, pow } from '../math/elementary.js';
import { mean, slopeFit, standardDeviation } from '../math/statistics.js';
import type { Engine } from '../wasm/engine.js';
import { powersOf } from './exponents.js';
import { runAll, runsOf, type TrainingOptions } from './onehidden.js';
import { times, toNumber } from './rational.js';
import { scaling as complete, type ScalingSpec } from './scalings.js';
import { widthSlope, type Slope } from './slopes.js';
import type { Term } from './classify.js';
import type { RunTrace } from './run.js';

type Sweep = Omit<TrainingOptions, 'seeds'> & {
  readonly scaling: ScalingSpec;
  /** At least three. */
  readonly widths: readonly number[];
  /** How many; at least 2. */
  readonly seeds: number;
};

async function sweep(
  engine: Engine,
  name: string,
  { seeds, widths, ...options }: Sweep,
): Promise<RunTrace[][]> {
  if (!Number.isInteger(seeds) || seeds < 2)
    throw new RangeError(`${name}: standard errors need at least 2 seeds, got ${seeds}`);
  if (new Set(widths).size < 3)
    throw new RangeError(`${name}: expected at least three different widths, got [${widths.join(', ')}]`);
  const list = Array.from({ length: seeds }, (_, seed) => seed);
  const runs = widths.flatMap((width) => runsOf({ ...options, width, seeds: list }));
  const traces = await runAll(engine, runs, options);
  return list.map((seed) => widths.map((_, w) => traces[w * seeds + seed]!));
}

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

/**
 * Trains nets of several widths and splits their logits into the four terms of arXiv:2003.05884: output and input
 * weights each at their start or as increments, through the trained net's on/off pattern.
 */
export async function measureTerms(engine: Engine, options: Sweep): Promise<TermMeasurement> {
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

export interface CoordinateSlope extends Slope {
  readonly coordinate: 'hidden' | 'hiddenChange' | 'output';
  readonly step: number;
  /** Mean over seeds, one entry per width. */
  readonly values: readonly number[];
}

export interface CoordinateCheck {
  readonly name: string;
  readonly widths: readonly number[];
  readonly slopes: readonly CoordinateSlope[];
  /** `flat`: nothing grows and everything moves; `grows`: some coordinate does; `vanishes`: hidden units stop moving. */
  readonly verdict: 'flat' | 'grows' | 'vanishes';
}

/**
 * The coordinate check of Tensor Programs V with a fitted verdict instead of a plot: mean absolute pre-activations,
 * their change since the start, and outputs after each of the first steps, as powers of the width.
 */
export async function coordinateCheck(
  engine: Engine,
  options: Omit<Sweep, 'epochs'> & { readonly steps?: number; readonly tolerance?: number },
): Promise<CoordinateCheck> {
  const { steps = 4, tolerance = 0.15, widths, ...rest } = options;
  const traces = await sweep(engine, 'coordinateCheck', {
    ...rest,
    widths,
    epochs: steps,
    keep: { coordinates: true },
  });
  const slopes: CoordinateSlope[] = [];
  const add = (
    coordinate: CoordinateSlope['coordinate'],
    step: number,
    of: (trace: RunTrace) => number,
  ): void => {
    const values = traces.map((row) => row.map(of));
    const fit = widthSlope(widths, values);
    if (fit)
      slopes.push({
        coordinate,
        step,
        ...fit,
        values: widths.map((_, w) => mean(values.map((row) => row[w]!))),
      });
  };
  for (let step = 0; step <= steps; step++) {
    add('hidden', step, ({ coordinates }) => coordinates![step]?.hidden ?? NaN);
    if (step > 0) add('hiddenChange', step, ({ coordinates }) => coordinates![step]?.change ?? NaN);
    add('output', step, ({ meanAbsLogit }) => meanAbsLogit[step] ?? NaN);
  }
  const overflowed = traces.some((row) => row.some(({ overflow }) => overflow));
  const moving = slopes.filter(({ step }) => step > 0);
  const grows = overflowed || moving.some(({ slope }) => slope > tolerance);
  const still = moving.some(({ coordinate, slope }) => coordinate === 'hiddenChange' && slope < -tolerance);
  return {
    name: complete(options.scaling).name,
    widths,
    slopes,
    verdict: grows ? 'grows' : still ? 'vanishes' : 'flat',
  };
}

export interface RateTransfer {
  readonly name: string;
  readonly widths: readonly number[];
  readonly learningRates: readonly number[];
  /** Final training loss, mean over seeds: `[width][rate]`; Infinity where a run overflowed. */
  readonly losses: readonly (readonly number[])[];
  /** Rate of least loss per width (parabola through the best three in log rate); null at an edge of the sweep. */
  readonly best: readonly (number | null)[];
  /** Power of the width in the best rate: 0 means rates transfer. null with fewer than two interior optima. */
  readonly shift: number | null;
  readonly verdict: 'transfers' | 'shifts' | 'unknown';
}

/** Sweeps the reference rate at several widths and measures how the best one moves. */
export async function learningRateTransfer(
  engine: Engine,
  options: Omit<Sweep, 'learningRate'> & {
    readonly learningRates: readonly number[];
    readonly tolerance?: number;
  },
): Promise<RateTransfer> {
  const { learningRates, widths, tolerance = 0.2, ...rest } = options;
  const rates = [...learningRates].sort((a, b) => a - b);
  if (rates.length < 3)
    throw new RangeError(`learningRateTransfer: expected at least three rates, got ${rates.length}`);
  const columns: number[][] = [];
  for (const learningRate of rates) {
    const traces = await sweep(engine, 'learningRateTransfer', {
      ...rest,
      widths,
      learningRate,
      evaluateAt: [rest.epochs],
    });
    columns.push(
      widths.map((_, w) =>
        mean(traces.map((row) => (row[w]!.overflow ? Infinity : row[w]!.trainLoss.at(-1)!))),
      ),
    );
  }
  const losses = widths.map((_, w) => columns.map((column) => column[w]!));
  const best = losses.map((row) => bestRate(rates, row));
  const found = widths.flatMap((width, w) =>
    best[w] === null ? [] : [[log(width), log(best[w]!)] as const],
  );
  const shift =
    found.length < 2
      ? null
      : slopeFit(
          found.map(([x]) => x),
          found.map(([, y]) => y),
        ).slope;
  const verdict = shift === null ? 'unknown' : Math.abs(shift) <= tolerance ? 'transfers' : 'shifts';
  return { name: complete(options.scaling).name, widths, learningRates: rates, losses, best, shift, verdict };
}

function bestRate(rates: readonly number[], losses: readonly number[]): number | null {
  const at = losses.indexOf(Math.min(...losses));
  if (at <= 0 || at >= rates.length - 1) return null;
  const [left, middle, right] = [losses[at - 1]!, losses[at]!, losses[at + 1]!];
  if (!Number.isFinite(left) || !Number.isFinite(right)) return rates[at]!;
  // Vertex of the parabola in log rate, for rates spaced evenly; within half a step otherwise too.
  const bend = left - 2 * middle + right;
  const shift = bend > 0 ? Math.max(-0.5, Math.min(0.5, (left - right) / (2 * bend))) : 0;
  const neighbour = rates[at + (shift > 0 ? 1 : -1)]!;
  return rates[at]! * pow(neighbour / rates[at]!, Math.abs(shift));
}
