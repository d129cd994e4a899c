// How what training does to a net falls with its width N. With zero-mean output weights the kernel's velocity, its change
// and the distance from the linearised net fall as 1/N; the change of parameters and the distance of the first kernel from
// the infinite one as N^-1/2. (Lee et al. 2019 prove N^-1/2 for all of them; the kernel's derivative is odd in the output
// weights, so its mean vanishes.) Where logits grow for ever the net leaves its linearisation later the wider it is.
import { empiricalNtk, empiricalNtkPerLayer } from '../empirical/kernels.js';
import { kernel } from '../kernel/index.js';
import { log } from '../math/elementary.js';
import { mean, rootMeanSquare, slopeFit, standardDeviation } from '../math/statistics.js';
import { asTensor, type Tensor } from '../math/tensor.js';
import { createModel, sgd, Trainer, type LossName, type Model, type NetDocument } from '../net/index.js';
import { evaluateLoss, prepareTargets } from '../net/losses.js';
import { preActivations } from '../scaling/experiments/terms.js';
import { compile } from '../net/program.js';
import { defineJob, knownFields, type Engine, type Fields, type Job } from '../wasm/engine.js';
import { kernelVelocity } from './kernel-orders.js';
import type { DynamicsData } from './data.js';
import { relativeChange } from './relative.js';

export interface WidthLawOptions extends DynamicsData {
  /** At least two; units and channels of the hidden layers of `net` are multiplied by width/baseWidth. */
  readonly widths: readonly number[];
  readonly baseWidth: number;
  /** Nets per width; default 8. */
  readonly seeds?: number;
  /** Steps of full-batch gradient descent; default 300. */
  readonly steps?: number;
  /** Default 1. */
  readonly learningRate?: number;
  /** Default `mse`. */
  readonly loss?: LossName;
  /** Root mean square of outputs minus those of the linearised net that counts as leaving it; default 0.1. */
  readonly threshold?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

/** Relative Frobenius norms but `linearisation` (root mean square of outputs) and `onset` (steps). */
export interface WidthLawQuantities {
  /** |dTheta/dt| / |Theta| at the start, under gradient flow of the squared loss. */
  readonly kernelVelocity: number;
  /** |Theta_end - Theta_0| / |Theta_0|. */
  readonly kernelChange: number;
  /** The same for the Gram matrix of the last hidden layer. */
  readonly featureChange: number;
  /** |theta_end - theta_0| / |theta_0|. */
  readonly parameterChange: number;
  /** Root mean square over samples and hidden nodes of the change of a node's preactivation. */
  readonly nodeMovement: number;
  /** Outputs on the training set minus those of the net linearised at its own start. */
  readonly linearisation: number;
  /** |Theta_0 - Theta_infinity| / |Theta_infinity|. */
  readonly kernelFluctuation: number;
  /** The step at which `linearisation` passed the threshold; null when it never did. */
  readonly onset: number | null;
}

export interface WidthLaws {
  /** Root mean squares over the seeds; `onset` is the mean over the nets that left, null unless all did. */
  readonly points: readonly (WidthLawQuantities & { readonly width: number })[];
  /**
   * Powers of the width fitted to the points. `theory` as above; the change of parameters falls as 1/N where hidden layers
   * feed hidden layers, N^2 parameters then share the same movement.
   */
  readonly slopes: readonly {
    readonly quantity: keyof WidthLawQuantities;
    readonly slope: number;
    /** From the scatter around the line (three widths or more) or over the seeds (two or more), whichever is larger. */
    readonly standardError: number | null;
    readonly theory: number | null;
  }[];
}

const THEORY: Readonly<Record<keyof WidthLawQuantities, number | null>> = {
  kernelVelocity: -1,
  kernelChange: -1,
  featureChange: -1,
  parameterChange: -1 / 2,
  nodeMovement: -1 / 2,
  linearisation: -1,
  kernelFluctuation: -1 / 2,
  onset: null,
};

type Params = Required<Omit<WidthLawOptions, 'widths' | 'seeds' | 'signal' | 'onProgress' | 'x' | 'y'>> & {
  readonly net: NetDocument;
  readonly x: Tensor;
  readonly y: Tensor;
  readonly width: number;
  readonly seed: number;
  /** Theta_infinity, (n, n). */
  readonly limit: Tensor;
};

/** @internal one net */
export const widthLawJob: Job<Params, WidthLawQuantities> = defineJob(
  'dynamics/width-law',
  async (core, params, { breathe }) => {
    const { net, x, y, width, baseWidth, seed, steps, learningRate, loss, threshold, limit } = params;
    using model = createModel(core, net, { inputShape: x.shape.slice(1), width, baseWidth, seed });
    const { theta, velocity } = kernelVelocity(model, { x, y });
    const [kernel0, feature0] = [empiricalNtk(model, x), lastLayer(model, x)];
    const nodes = hiddenNodes(model, x);
    const trainer = new Trainer(model, { x, y, loss, optimizer: sgd(learningRate) });
    try {
      const [n, o] = [x.shape[0]!, model.outputSize];
      const targets = prepareTargets('measureWidthLaws', loss, y, n, o);
      const linear = Float64Array.from(model.forward(x).data);
      let distance = 0;
      let onset: number | null = null;
      for (let step = 1; step <= steps; step++) {
        const { cotangent } = evaluateLoss(core, loss, linear, targets, { outputs: o });
        for (let p = 0; p < linear.length; p++) {
          let sum = 0;
          for (let q = 0; q < linear.length; q++) sum += theta.data[p * linear.length + q]! * cotangent[q]!;
          linear[p]! -= learningRate * sum;
        }
        trainer.next();
        const { data } = model.forward(x);
        distance = rootMeanSquare(linear.map((value, p) => data[p]! - value));
        if (onset === null && distance > threshold) onset = step;
        await breathe();
      }
      const end = core.heap.read(model.theta);
      return {
        kernelVelocity: rootMeanSquare(velocity.data) / rootMeanSquare(theta.data),
        kernelChange: relativeChange(empiricalNtk(model, x).data, kernel0.data),
        featureChange: relativeChange(lastLayer(model, x).data, feature0.data),
        parameterChange: relativeChange(end, trainer.initial),
        nodeMovement: rootMeanSquare(hiddenNodes(model, x).map((value, i) => value - nodes[i]!)),
        linearisation: distance,
        kernelFluctuation: relativeChange(kernel0.data, limit.data),
        onset,
      };
    } finally {
      trainer.dispose();
    }
  },
);

/** Preactivations of all hidden layers, one after the other. */
function hiddenNodes(model: Model, x: Tensor): Float64Array {
  return Float64Array.from(
    preActivations(model, x)
      .slice(0, -1)
      .flatMap(({ data }) => [...data]),
  );
}

/** The part of the last layer in the kernel: the Gram matrix of its inputs. */
function lastLayer(...[model, x]: Parameters<typeof empiricalNtk>): Tensor {
  return empiricalNtkPerLayer(model, x).at(-1)!.ntk;
}

const LAW_OPTIONS: Fields<WidthLawOptions> = {
  x: true,
  y: true,
  widths: true,
  baseWidth: true,
  seeds: true,
  steps: true,
  learningRate: true,
  loss: true,
  threshold: true,
  signal: true,
  onProgress: true,
};

/**
 * Trains `seeds` nets at every width on the engine's workers and fits powers of the width. A handful of samples: the
 * linearised net needs the kernel of all outputs. RangeError for shapes, sizes or options that do not fit (two widths
 * at least). Source: Lee et al. 2019.
 */
export async function measureWidthLaws(
  engine: Engine,
  net: NetDocument,
  options: WidthLawOptions,
): Promise<WidthLaws> {
  knownFields('measureWidthLaws', options, LAW_OPTIONS);
  const {
    widths,
    baseWidth,
    seeds = 8,
    steps = 300,
    learningRate = 1,
    loss = 'mse',
    threshold = 0.1,
  } = options;
  for (const [name, value] of Object.entries({ seeds, steps })) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new RangeError(`measureWidthLaws: ${name} must be a whole number >= 1, got ${value}.`);
  }
  if (new Set(widths).size < 2)
    throw new RangeError(`measureWidthLaws: expected at least two widths, got [${widths.join(', ')}].`);
  if (!(threshold > 0))
    throw new RangeError(`measureWidthLaws: threshold must be positive, got ${threshold}.`);
  const [x, y] = [asTensor(options.x, 'measureWidthLaws: x'), asTensor(options.y, 'measureWidthLaws: y')];
  const limit = (await kernel(engine, net, x, null, { get: ['ntk'] })).ntk!;
  const shared = { net, x, y, baseWidth, steps, learningRate, loss, threshold, limit };
  const list = widths.flatMap((width) =>
    Array.from({ length: seeds }, (_, seed): Params => ({ ...shared, width, seed })),
  );
  const results = await engine.map(widthLawJob, list, {
    signal: options.signal,
    onDone: (done, total) => options.onProgress?.({ done, total }),
  });
  const nets = widths.map((_, i) => results.slice(i * seeds, (i + 1) * seeds));
  const points = widths.map((width, i) => ({ width, ...summary(nets[i]!) }));
  const deep = compile(net, x.shape.slice(1)).parameters.length > 2;
  const slopes = (Object.keys(THEORY) as (keyof WidthLawQuantities)[]).flatMap((quantity) => {
    const values = points.map((point) => point[quantity]);
    if (values.some((value) => value === null || !(value > 0))) return [];
    const scatter = nets.map((list) => scatterOfLog(list, quantity));
    const fit = slopeWithError(widths.map(log), (values as number[]).map(log), scatter);
    const theory = quantity === 'parameterChange' && deep ? -1 : THEORY[quantity];
    return [{ quantity, ...fit, theory }];
  });
  return { points, slopes };
}

function summary(nets: readonly WidthLawQuantities[]): WidthLawQuantities {
  const rms = (quantity: Exclude<keyof WidthLawQuantities, 'onset'>): number =>
    rootMeanSquare(nets.map((net) => net[quantity]));
  const left = nets.flatMap(({ onset }) => onset ?? []);
  return {
    kernelVelocity: rms('kernelVelocity'),
    kernelChange: rms('kernelChange'),
    featureChange: rms('featureChange'),
    parameterChange: rms('parameterChange'),
    nodeMovement: rms('nodeMovement'),
    linearisation: rms('linearisation'),
    kernelFluctuation: rms('kernelFluctuation'),
    onset: left.length === nets.length ? left.reduce((sum, step) => sum + step, 0) / left.length : null,
  };
}

/** The standard error of the logarithm of a point, from its nets; null for a single one. */
function scatterOfLog(
  nets: readonly WidthLawQuantities[],
  quantity: keyof WidthLawQuantities,
): number | null {
  if (nets.length < 2) return null;
  const isSteps = quantity === 'onset'; // a mean; the others are roots of mean squares
  const values = nets.map((net) => (isSteps ? net.onset! : net[quantity]! ** 2));
  const relative = standardDeviation(values) / mean(values) / Math.sqrt(values.length);
  return isSteps ? relative : relative / 2;
}

/** The slope of y over x; its error is that of the scatter around the line or of the points, whichever is larger. */
function slopeWithError(
  x: readonly number[],
  y: readonly number[],
  errors: readonly (number | null)[],
): { slope: number; standardError: number | null } {
  const { slope, standardError } = slopeFit(x, y);
  const around = x.length > 2 ? standardError : null;
  const middle = mean(x);
  let [spread, variance] = [0, 0];
  x.forEach((value, i) => {
    spread += (value - middle) ** 2;
    variance += ((value - middle) * (errors[i] ?? 0)) ** 2;
  });
  const within = errors.every((error) => error !== null) ? Math.sqrt(variance) / spread : null;
  const known = [around, within].filter((error) => error !== null);
  return { slope, standardError: known.length > 0 ? Math.max(...known) : null };
}
