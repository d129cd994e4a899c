// Measured powers of the width beside the ones the theory gives.
import { pow } from '../../math/elementary.js';
import { foldIn, normalAt, randomKey } from '../../math/random.js';
import { mean } from '../../math/statistics.js';
import { tensor } from '../../math/tensor.js';
import { slopeOf } from '../one-hidden/activation.js';
import { knownFields, type Engine, type Fields } from '../../wasm/engine.js';
import { classify } from '../theory/classify.js';
import { kernelChangePower, powersOf, weightPowers, type Powers } from '../theory/exponents.js';
import {
  TRAINING_OPTIONS,
  runAll,
  runsOf,
  type BinaryProblem,
  type TrainingOptions,
} from '../one-hidden/train-one-hidden.js';
import { add, max, rational, sum, toNumber, ZERO, type Rational } from '../theory/rational.js';
import { exponentsOf, scaling as complete, type ScalingSpec } from '../theory/scalings.js';
import { widthSlope, type Slope } from './slopes.js';
import type { RunTrace } from '../one-hidden/run.js';

export interface MeasureOptions extends Omit<TrainingOptions, 'data' | 'epochs' | 'seeds'> {
  readonly scaling: ScalingSpec;
  /** At least three; default 2^9 to 2^14. Slopes over less than six octaves are often not asymptotic. */
  readonly widths?: readonly number[];
  /** How many seeds, at least 2; default 5. */
  readonly seeds?: number;
  /** Full-batch steps; default 3. */
  readonly steps?: number;
  /** Default: 16 + 16 points on a sphere in 4 dimensions with labels of a noisy linear rule. */
  readonly data?: BinaryProblem;
  /** Largest difference from the theory that still agrees; default 0.1 (plus two standard errors). */
  readonly tolerance?: number;
}

export type MeasuredName =
  'logits' | 'outputKernel' | 'inputKernel' | 'kernelChange' | 'outputWeights' | 'inputWeights';

/** The power of one quantity after one step. */
export interface MeasuredSlope extends Slope {
  readonly quantity: MeasuredName;
  readonly step: number;
  /** The predicted power; null where none is derived. */
  readonly theory: number | null;
  readonly verdict: 'agrees' | 'differs' | 'no prediction';
  /** Geometric means over seeds, one per width. */
  readonly values: readonly number[];
}

export interface Measurement {
  readonly name: string;
  readonly widths: readonly number[];
  readonly seeds: number;
  readonly slopes: readonly MeasuredSlope[];
  /** Whether every prediction agrees. */
  readonly verdict: 'agrees' | 'differs';
  /** Widths and seeds that overflowed. */
  readonly overflows: readonly { readonly width: number; readonly seed: number; readonly step: number }[];
}

const { epochs: _epochs, ...TRAINING } = TRAINING_OPTIONS;
const MEASURE_OPTIONS: Fields<MeasureOptions> = {
  scaling: true,
  widths: true,
  steps: true,
  tolerance: true,
  ...TRAINING,
};

/**
 * Trains nets of growing width for a few steps and fits the powers of |f|, both kernel parts, the relative kernel
 * change and the hatted weight increments. Defaults suit exponents: reference width 1, rate 3, and the linear loss,
 * whose gradient does not saturate (small positive powers read low under the logistic loss). RangeError for shapes,
 * sizes or options that do not fit (three widths, two seeds at least).
 */
export async function measureExponents(engine: Engine, options: MeasureOptions): Promise<Measurement> {
  knownFields('measureExponents', options, MEASURE_OPTIONS);
  const {
    scaling,
    seeds = 5,
    steps = 3,
    tolerance = 0.1,
    widths = [512, 1024, 2048, 4096, 8192, 16384],
  } = options;
  if (!Number.isInteger(seeds) || seeds < 2)
    throw new RangeError(`measureExponents: standard errors need at least 2 seeds, got ${seeds}`);
  if (widths.length < 3 || new Set(widths).size !== widths.length)
    throw new RangeError(
      `measureExponents: expected at least three different widths, got [${widths.join(', ')}]`,
    );
  const { kernelPoints = 16 } = options;
  if (!(kernelPoints >= 1))
    throw new RangeError(`measureExponents: kernelPoints must be >= 1, got ${kernelPoints}`);
  const { scaling: spec, steps: _steps, tolerance: _tolerance, widths: _widths, ...rest } = options;
  const shared = {
    ...rest,
    data: options.data ?? sphereProblem(),
    epochs: steps,
    seeds: Array.from({ length: seeds }, (_, seed) => seed),
    baseWidth: options.baseWidth ?? 1,
    learningRate: options.learningRate ?? 3,
    loss: options.loss ?? 'linear',
    init: { law: 'normal', gain: 1, ...options.init },
    kernelPoints,
    keep: { grams: true, increments: true },
  } as const;
  const runs = widths.flatMap((width) => runsOf({ ...shared, scaling: spec, width }));
  const traces = await runAll(engine, runs, options);
  const at = (seed: number, width: number): RunTrace => traces[width * seeds + seed]!;
  const qSigma = toNumber(exponentsOf(scaling).qSigma);
  const slopes: MeasuredSlope[] = [];
  for (const quantity of QUANTITIES) {
    for (let step = quantity.first; step <= steps; step++) {
      const values = Array.from({ length: seeds }, (_, seed) =>
        widths.map((_, w) => quantity.of(at(seed, w), step)),
      );
      const fit = widthSlope(widths, values);
      if (!fit) continue;
      // Raw output increments over their initial size, which scales as wf^qSigma, are the hatted ones.
      const slope = quantity.name === 'outputWeights' ? fit.slope - qSigma : fit.slope;
      const theory = predict(scaling, quantity.name, step, slopeOf(options.activation ?? LEAKY) === null);
      const room = tolerance + 2 * (fit.standardError ?? 0);
      slopes.push({
        quantity: quantity.name,
        step,
        slope,
        standardError: fit.standardError,
        theory,
        verdict: theory === null ? 'no prediction' : Math.abs(slope - theory) <= room ? 'agrees' : 'differs',
        values: widths.map((_, w) => geometric(values.map((row) => row[w]!))),
      });
    }
  }
  return {
    name: complete(scaling).name,
    widths,
    seeds,
    slopes,
    verdict: slopes.some(({ verdict }) => verdict === 'differs') ? 'differs' : 'agrees',
    overflows: traces.flatMap(({ overflow, width, seed }) =>
      overflow ? [{ width, seed, step: overflow.epoch }] : [],
    ),
  };
}

const LEAKY = { layer: 'leakyRelu', alpha: 0.1 } as const;
const geometric = (values: readonly number[]): number => {
  // Products of a few positive numbers, taken root by root to stay within range.
  let result = 1;
  for (const value of values) result *= value > 0 ? pow(value, 1 / values.length) : 0;
  return result;
};

const QUANTITIES: readonly {
  name: MeasuredName;
  first: number;
  of: (trace: RunTrace, step: number) => number;
}[] = [
  { name: 'logits', first: 0, of: (trace, k) => trace.meanAbsLogit[k] ?? NaN },
  { name: 'outputKernel', first: 0, of: (trace, k) => mean(trace.outputKernel[k] ?? [NaN]) },
  { name: 'inputKernel', first: 0, of: (trace, k) => mean(trace.inputKernel[k] ?? [NaN]) },
  { name: 'kernelChange', first: 1, of: kernelChange },
  { name: 'outputWeights', first: 1, of: (trace, k) => trace.increments![k]?.output ?? NaN },
  { name: 'inputWeights', first: 1, of: (trace, k) => trace.increments![k]?.input ?? NaN },
];

/** || K_k - K_0 || / || K_0 || in the Frobenius norm. */
function kernelChange({ grams }: RunTrace, step: number): number {
  const [now, start] = [grams![step], grams![0]];
  if (!now || !start) return NaN;
  let [difference, size] = [0, 0];
  start.output.forEach((value, i) => {
    const before = value + start.input[i]!;
    const change = now.output[i]! + now.input[i]! - before;
    difference += change * change;
    size += before * before;
  });
  return Math.sqrt(difference / size);
}

/** The power that theory gives for a quantity after `step` steps; null where none is derived. */
function predict(spec: ScalingSpec, quantity: MeasuredName, step: number, smooth: boolean): number | null {
  const powers = powersOf(spec);
  const { status, symmetric, properties, exponents } = classify(spec);
  const path = weightPowers(powers, step);
  const [before, now] = [path[Math.max(0, step - 1)]!, path[step]!];
  const base = add(powers.A, rational(1n, 2n)); // qSigma + 1
  if (status === 'unstable' && step > 1) return null;
  switch (quantity) {
    case 'logits':
      if (step === 0) return exponents.A; // 0 where the initial logits are put back
      if (status === 'unstable') return unstableFirst(powers, base);
      return exponents.logits;
    case 'outputKernel': // sums of phi(w x)^2
      return toNumber(sum(base, powers.u, now.w, now.w));
    case 'inputKernel': // sums of a^2
      return toNumber(sum(base, powers.v, now.a, now.a));
    case 'outputWeights':
      return toNumber(add(powers.u, before.w));
    case 'inputWeights':
      return toNumber(add(powers.v, before.a));
    case 'kernelChange':
      if (step < 2 || status === 'unstable') return null; // in the first step both powers of the sum still show
      if (symmetric)
        return powers.D.num > 0n ? null : toNumber(kernelChangePower(powers, smooth ? 'smooth' : 'reluLike'));
      return properties.kernelsEvolve && powers.u.num >= 0n ? 0 : null;
  }
}

/** f after one step: the linear terms and the product of both increments, one of them incoherent. */
const unstableFirst = ({ D, u, v }: Powers, base: Rational): number =>
  toNumber(max(add(base, D), sum(base, u, v, rational(-1n, 2n)), ZERO));

/** Points on a sphere of radius sqrt(inputs), so that pre-activations have unit variance. */
function sphereProblem(points = 16, inputs = 4): BinaryProblem {
  const key = foldIn(randomKey(0), 'sphere');
  const make = (first: number): { x: ReturnType<typeof tensor>; y: ReturnType<typeof tensor> } => {
    const x = Float64Array.from({ length: points * inputs }, (_, i) => normalAt(key, first * inputs + i));
    const y = new Float64Array(points);
    for (let i = 0; i < points; i++) {
      const row = x.subarray(i * inputs, (i + 1) * inputs);
      const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0) / inputs);
      row.forEach((value, k) => (row[k] = value / length));
      y[i] = row[0]! + 0.5 * row[1]! + 0.3 * normalAt(key, 1_000_000 + first + i) > 0 ? 1 : -1;
    }
    return { x: tensor(x, [points, inputs]), y: tensor(y) };
  };
  const [train, test] = [make(0), make(points)];
  return { xTrain: train.x, yTrain: train.y, xTest: test.x, yTest: test.y };
}
