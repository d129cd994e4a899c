// The upper end of the catapult phase: the largest multiple c of 1/lambda_max(Theta_0/n) at which gradient descent still
// converges (Lewkowycz et al. 2020: 4 for two linear layers, more for ReLU), found net by net, and whether it depends on width.
import { log } from '../math/elementary.js';
import { mean, slopeFit, standardDeviation } from '../math/statistics.js';
import type { Tensor } from '../math/tensor.js';
import { asTensor } from '../math/tensor.js';
import type { NetDocument } from '../net/index.js';
import { defineJob, knownFields, type Engine, type Job } from '../wasm/engine.js';
import type { DynamicsData } from './data.js';
import { learningRateJob } from './learning-rate-scan.js';

export interface LargestRateOptions extends DynamicsData {
  /** At least two; units and channels of the hidden layers are multiplied by width / baseWidth. */
  readonly widths: readonly number[];
  readonly baseWidth: number;
  /** Nets per width; default 3. */
  readonly seeds?: number;
  /** Steps in which the loss must come down again; default 300. */
  readonly steps?: number;
  /** How exactly c is found; default 0.05. */
  readonly precision?: number;
  readonly signal?: AbortSignal;
  /** Nets done and in total. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

export interface LargestRates {
  /** The largest multiple of every net, their mean and standard deviation. */
  readonly points: readonly {
    readonly width: number;
    readonly multiples: readonly number[];
    readonly mean: number;
    readonly deviation: number;
  }[];
  /** d log c / d log width over all nets, with its standard error: 0 where c does not depend on width. */
  readonly slope: number;
  readonly standardError: number;
}

interface Params {
  readonly net: NetDocument;
  readonly x: Tensor;
  readonly y: Tensor;
  readonly width: number;
  readonly baseWidth: number;
  readonly seed: number;
  readonly steps: number;
  readonly precision: number;
}

/** Growth of the multiple while it is sought, from just above where the lazy phase ends. */
const [START, GROWTH, MOST] = [2.05, 1.15, 64];

/** @internal one net: the last multiple before the first at which training does not converge */
export const largestRateJob: Job<Params, number> = defineJob(
  'dynamics/largest-rate',
  async (core, { net, x, y, width, baseWidth, seed, steps, precision }, context) => {
    const shared = {
      net,
      x,
      y,
      steps,
      taylor: null,
      model: { inputShape: x.shape.slice(1), seed, width, baseWidth },
    };
    const quiet = { ...context, send: () => {} };
    const converges = async (multiple: number): Promise<boolean> => {
      const { loss, finalLoss, divergedAt } = await learningRateJob.run(core, { ...shared, multiple }, quiet);
      return divergedAt === null && finalLoss < loss[0]!;
    };
    let [stable, unstable] = [0, START];
    while (unstable <= MOST && (await converges(unstable)))
      [stable, unstable] = [unstable, GROWTH * unstable];
    while (unstable - stable > precision) {
      const middle = (stable + unstable) / 2;
      if (await converges(middle)) stable = middle;
      else unstable = middle;
    }
    return stable;
  },
);

/**
 * The largest stable multiple of the catapult phase over widths. One job per net; squared loss, full batch.
 *
 * @throws RangeError for shapes, sizes or options that do not fit.
 *
 * @example
 * const { points, slope } = await largestRates(engine, net, { x, y, widths: [128, 256, 512], baseWidth: 128 });
 */
export async function largestRates(
  engine: Engine,
  net: NetDocument,
  options: LargestRateOptions,
): Promise<LargestRates> {
  const where = 'largestRates';
  knownFields(where, options, {
    ...{ x: true, y: true, widths: true, baseWidth: true, seeds: true, steps: true, precision: true },
    ...{ signal: true, onProgress: true },
  });
  const { widths, baseWidth, seeds = 3, steps = 300, precision = 0.05, signal, onProgress } = options;
  for (const [name, value] of Object.entries({ seeds, steps }))
    if (!Number.isSafeInteger(value) || value < 1)
      throw new RangeError(`${where}: ${name} must be a whole number >= 1, got ${value}.`);
  if (!(precision > 0 && precision < 1))
    throw new RangeError(`${where}: precision must be between 0 and 1, got ${precision}.`);
  if (new Set(widths).size < 2)
    throw new RangeError(`${where}: expected at least two widths, got [${widths.join(', ')}].`);
  const [x, y] = [asTensor(options.x, `${where}: x`), asTensor(options.y, `${where}: y`)];
  const list = widths.flatMap((width) =>
    Array.from({ length: seeds }, (_, seed): Params => ({
      net,
      x,
      y,
      width,
      baseWidth,
      seed,
      steps,
      precision,
    })),
  );
  const found = await engine.map(largestRateJob, list, {
    signal,
    onDone: (done, total) => onProgress?.({ done, total }),
  });
  const points = widths.map((width, k) => {
    const multiples = found.slice(k * seeds, (k + 1) * seeds);
    return { width, multiples, mean: mean(multiples), deviation: standardDeviation(multiples) };
  });
  const fit = slopeFit(
    list.map(({ width }) => log(width)),
    found.map((multiple) => log(Math.max(multiple, precision))),
  );
  return { points, slope: fit.slope, standardError: fit.standardError };
}
