// Training at infinite width for any net: nets of a few widths and many seeds, and the limit of their outputs with error bars.
import { pow } from '../math/elementary.js';
import { mean, standardDeviation } from '../math/statistics.js';
import { asTensor, tensor, type Tensor, type TensorLike } from '../math/tensor.js';
import { parseNet, sgd, toJson, type LossName, type ModelOptions, type NetDocument } from '../net/index.js';
import { classify } from '../scaling/theory/classify.js';
import { powersOf } from '../scaling/theory/exponents.js';
import { multipliers } from '../scaling/theory/multipliers.js';
import { equal, toNumber } from '../scaling/theory/rational.js';
import { scaling as complete, type ScalingSpec } from '../scaling/theory/scalings.js';
import { knownFields, type Engine } from '../wasm/engine.js';
import { extrapolate, type Extrapolation } from './extrapolate.js';
import { trained, type FinishedRuns, type RunParams } from './runs.js';

export interface ExtrapolateTrainingOptions {
  /** (n, ...inputShape), (n, outputs); and the points whose outputs are wanted, (tests, ...inputShape). */
  readonly x: TensorLike;
  readonly y: TensorLike;
  readonly xTest: TensorLike;
  /** Widths, at least three, growing; the net's units and channels are multiplied by width / baseWidth. */
  readonly widths: readonly number[];
  /** The width written in the net. */
  readonly baseWidth: number;
  /**
   * How initial weights and rates change with width: a stable scaling for nets in standard parametrisation. Without one every
   * width trains as the net says, which has a limit in NTK parametrisation.
   */
  readonly scaling?: ScalingSpec;
  /** Seeds per width, or how many at the largest: narrower nets get more, in inverse proportion to the width. Default 16. */
  readonly seeds?: number | readonly number[];
  readonly steps: number;
  /** Steps whose outputs are wanted, growing; default the last one. */
  readonly recordAt?: readonly number[];
  /** Of the net of the base width; default 0.1. */
  readonly learningRate?: number;
  /** Default `mse`. */
  readonly loss?: LossName;
  /** Default: all samples in every step. */
  readonly batchSize?: number;
  /** Whether the limit is one function or random; default: what the scaling says (without one: random). */
  readonly limit?: 'deterministic' | 'random';
  readonly init?: ModelOptions['init'];
  readonly finished?: FinishedRuns;
  readonly signal?: AbortSignal;
  /** Runs done and in total. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

/** Lists run over records, then test points and outputs. */
export interface TrainingLimit extends Omit<Extrapolation, 'estimate' | 'standardError' | 'bias'> {
  readonly recordAt: readonly number[];
  /** (records, tests, outputs): outputs of the infinitely wide net over (width / baseWidth)^power, and standard errors. */
  readonly outputs: Tensor<Float64Array>;
  readonly standardErrors: Tensor<Float64Array>;
  readonly power: number;
  readonly limit: 'deterministic' | 'random';
  /** Means and standard deviations over seeds, (records, tests, outputs) for every width asked for. */
  readonly nets: readonly {
    readonly width: number;
    readonly seeds: number;
    readonly mean: Float64Array;
    readonly deviation: Float64Array;
  }[];
}

/**
 * The outputs of an infinitely wide net while it trains, for any net and any stable scaling, from nets of a few widths. Where a
 * limit is known in closed form it agrees within the standard errors; where none exists the call refuses.
 *
 * @throws RangeError for unstable scalings, fewer than three widths, nets of another parametrisation than the scaling needs;
 * NumericalError where a net diverges, where the scatter between seeds does not fall with width (chaotic training, learning
 * rates in the catapult phase), or where no fit in 1/width goes through the means.
 *
 * @example
 * const { outputs, standardErrors } = await extrapolateTraining(engine, net, {
 *   x, y, xTest, baseWidth: 1, widths: [16, 32, 64, 128], scaling: scalings.muP, steps: 30, learningRate: 0.3,
 * });
 */
export async function extrapolateTraining(
  engine: Engine,
  net: NetDocument,
  options: ExtrapolateTrainingOptions,
): Promise<TrainingLimit> {
  const where = 'extrapolateTraining';
  knownFields(where, options, {
    ...{
      x: true,
      y: true,
      xTest: true,
      widths: true,
      baseWidth: true,
      scaling: true,
      seeds: true,
      steps: true,
    },
    ...{
      recordAt: true,
      learningRate: true,
      loss: true,
      batchSize: true,
      limit: true,
      init: true,
      finished: true,
    },
    ...{ signal: true, onProgress: true },
  });
  const { widths, steps, recordAt = [steps] } = options;
  checkSteps(where, steps, recordAt);
  const counts = seedCounts(where, options);
  const law = lawOf(where, net, options);
  const jobs = widths.flatMap((width, k) =>
    Array.from({ length: counts[k]! }, (_, seed) => runOf(net, options, { width, seed })),
  );
  const runs = await trained(engine, jobs, options);
  const perWidth = widths.map((width, k) => {
    const factor = pow(width / options.baseWidth, -law.power);
    return runs.splice(0, counts[k]!).map((run) => (factor === 1 ? run : run.map((value) => factor * value)));
  });
  const {
    estimate,
    standardError,
    bias: _,
    ...fit
  } = await extrapolate(engine, { widths, runs: perWidth, limit: law.limit });
  const shape = [
    recordAt.length,
    jobs[0]!.xTest.shape[0]!,
    estimate.length / recordAt.length / jobs[0]!.xTest.shape[0]!,
  ];
  const nets = widths.map((width, k) => {
    const column = (j: number): number[] => perWidth[k]!.map((run) => run[j]!);
    const of = (f: (values: number[]) => number): Float64Array =>
      Float64Array.from(estimate, (__, j) => f(column(j)));
    return { width, seeds: counts[k]!, mean: of(mean), deviation: of((values) => standardDeviation(values)) };
  });
  return {
    ...fit,
    ...law,
    recordAt,
    outputs: tensor(estimate, shape),
    standardErrors: tensor(standardError, shape),
    nets,
  };
}

function checkSteps(where: string, steps: number, recordAt: readonly number[]): void {
  if (!Number.isSafeInteger(steps) || steps < 1)
    throw new RangeError(`${where}: steps must be a whole number >= 1, got ${steps}.`);
  const wrong = recordAt.findIndex(
    (step, i) =>
      !Number.isSafeInteger(step) || step < 0 || step > steps || (i > 0 && step <= recordAt[i - 1]!),
  );
  if (wrong >= 0 || recordAt.length === 0)
    throw new RangeError(
      `${where}: recordAt must list growing whole numbers from 0 to ${steps}, got [${recordAt.join(', ')}].`,
    );
}

function seedCounts(where: string, { widths, seeds = 16 }: ExtrapolateTrainingOptions): number[] {
  const most = widths.at(-1) ?? 0;
  const counts =
    typeof seeds === 'number' ? widths.map((width) => Math.round((seeds * most) / width)) : [...seeds];
  if (counts.length !== widths.length || counts.some((count) => !Number.isSafeInteger(count) || count < 2))
    throw new RangeError(
      `${where}: seeds must be a whole number >= 2, or one per width, got ${JSON.stringify(seeds)} for ${widths.length} widths.`,
    );
  return counts;
}

/** The power of width in the outputs, and whether they keep a random start. */
function lawOf(
  where: string,
  net: NetDocument,
  { scaling, limit, baseWidth, widths }: ExtrapolateTrainingOptions,
): Pick<TrainingLimit, 'power' | 'limit'> {
  if (!(baseWidth > 0)) throw new RangeError(`${where}: baseWidth must be positive, got ${baseWidth}.`);
  if (widths.length < 3)
    throw new RangeError(
      `${where}: expected at least three widths, got ${widths.length}. With fewer there is no test of the fit.`,
    );
  if (!scaling) return { power: 0, limit: limit ?? 'random' };
  const { name, initCorrection } = complete(scaling);
  const { status } = classify(scaling);
  if (status !== 'stable')
    throw new RangeError(`${where}: ${name} is ${status}: it has no limit. See classify and explain.`);
  if (initCorrection !== 'none')
    throw new RangeError(
      `${where}: ${name} puts initial outputs back, which deep nets do not have. Use one without initCorrection.`,
    );
  const other = parametrizations(toJson(parseNet(net))).find((kind) => kind !== 'standard');
  if (other)
    throw new RangeError(
      `${where}: scalings are powers beside the standard parametrisation, got a layer in '${other}'. Set parametrization: 'standard'.`,
    );
  const { A, logits } = powersOf(scaling);
  return { power: toNumber(logits), limit: limit ?? (equal(A, logits) ? 'random' : 'deterministic') };
}

/** Of every layer with weights. */
function parametrizations(layer: Readonly<Record<string, unknown>>): string[] {
  const children = [...((layer['layers'] ?? layer['branches'] ?? []) as Record<string, unknown>[])];
  if (layer['net']) children.push(layer['net'] as Record<string, unknown>);
  const has = layer['units'] !== undefined || layer['channels'] !== undefined;
  return [
    ...(has ? [(layer['parametrization'] as string | undefined) ?? 'ntk'] : []),
    ...children.flatMap(parametrizations),
  ];
}

function runOf(
  net: NetDocument,
  options: ExtrapolateTrainingOptions,
  { width, seed }: { width: number; seed: number },
): RunParams {
  const {
    baseWidth,
    scaling,
    learningRate = 0.1,
    loss = 'mse',
    batchSize,
    init,
    recordAt = [options.steps],
  } = options;
  const where = 'extrapolateTraining';
  const x = asTensor(options.x, `${where}: x`);
  const factors = scaling ? multipliers(scaling, width / baseWidth) : null;
  return {
    net,
    model: {
      ...{ inputShape: x.shape.slice(1), seed, width, baseWidth },
      ...(init ? { init } : {}),
      ...(factors ? { multipliers: factors.weights } : {}),
    },
    train: {
      ...{ x, y: asTensor(options.y, `${where}: y`), loss, optimizer: sgd(learningRate), seed },
      ...(batchSize === undefined ? {} : { batchSize }),
      ...(factors ? { rates: factors.rates } : {}),
    },
    ...{ xTest: asTensor(options.xTest, `${where}: xTest`), recordAt },
  };
}
