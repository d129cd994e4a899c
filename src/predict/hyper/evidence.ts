// How well a kernel explains targets, with exact gradients: the log marginal likelihood of a Gaussian process and the
// leave-one-out log predictive density (Rasmussen & Williams 2006, eqs. 5.8-5.13).
import { log } from '../../math/elementary.js';
import { kernelParameters } from '../../kernel/derivatives/directions.js';
import { contractKernel } from '../../kernel/derivatives/calls.js';
import { asTensor, assertFinite, type Tensor, type TensorLike } from '../../math/tensor.js';
import type { NetDocument } from '../../net/document.js';
import { knownFields, NumericalError, type Engine, type Fields } from '../../wasm/engine.js';
import { kernelPair } from '../kernels.js';
import { LOST, outerJob, product, relativeGap, whiten } from '../linear.js';
import { TrainSystem } from '../system.js';

/** Kernel, noise and whether derivatives are wanted. */
export interface EvidenceOptions {
  /** Prior covariance; default `nngp`. */
  readonly method?: 'nngp' | 'ntk';
  /** Noise variance over the mean diagonal of the kernel; default 1e-2. */
  readonly diagReg?: number;
  /** Also the derivatives, in forward mode: about as many kernels as parameters. Not for attention. */
  readonly gradient?: boolean;
  /** Names whose derivative is not wanted. */
  readonly freeze?: readonly string[];
  /** `profiled`: kernel and noise times the best constant for the data, which only their shape is left to explain. */
  readonly scale?: 'fixed' | 'profiled';
  readonly signal?: AbortSignal | undefined;
}

/** The value and, where asked for, its derivatives. */
export interface Evidence {
  /** Nats, of all targets together (output columns are independent). */
  readonly value: number;
  /** d value / d `layers.0.wStd`, `.bStd`, `.baseWidth` (`standard` parametrization), ..., and d value / d `diagReg`. */
  readonly gradient?: Readonly<Record<string, number>>;
}

type Objective = 'marginal' | 'leaveOneOut';

const EVIDENCE_OPTIONS: Fields<EvidenceOptions> = {
  method: true,
  diagReg: true,
  gradient: true,
  freeze: true,
  scale: true,
  signal: true,
};

/**
 * log p(y | x) of Gaussian targets with the net's kernel as prior and noise diagReg * mean diagonal. RangeError for
 * shapes, sizes or options that do not fit; NumericalError for a kernel that is not positive definite (Rasmussen &
 * Williams 2006, eq. 5.8).
 */
export function logMarginalLikelihood(
  engine: Engine,
  net: NetDocument,
  x: TensorLike,
  y: TensorLike,
  options: EvidenceOptions = {},
): Promise<Evidence> {
  knownFields('logMarginalLikelihood', options, EVIDENCE_OPTIONS);
  return evidence(engine, net, [x, y], 'marginal', options);
}

/**
 * sum over samples of log p(y_i | all others), in closed form. Errors as of `logMarginalLikelihood` (Rasmussen &
 * Williams 2006, eqs. 5.10-5.13).
 */
export function leaveOneOutLogDensity(
  engine: Engine,
  net: NetDocument,
  x: TensorLike,
  y: TensorLike,
  options: EvidenceOptions = {},
): Promise<Evidence> {
  knownFields('leaveOneOutLogDensity', options, EVIDENCE_OPTIONS);
  return evidence(engine, net, [x, y], 'leaveOneOut', options);
}

export async function evidence(
  engine: Engine,
  net: NetDocument,
  [xLike, yLike]: readonly [x: TensorLike, y: TensorLike],
  objective: Objective,
  {
    method = 'nngp',
    diagReg = 1e-2,
    gradient = false,
    freeze = [],
    scale = 'fixed',
    signal,
  }: EvidenceOptions,
): Promise<Evidence> {
  const name = objective === 'marginal' ? 'logMarginalLikelihood' : 'leaveOneOutLogDensity';
  const { x, y, n, outputs } = inputs(name, xLike, yLike);
  const kernel = (await kernelPair(engine, net, { x }, null, { signal }))[method];
  const system = new TrainSystem(engine, name, kernel, n, { diagReg });
  const factor = await system.factor({ signal });
  if (factor.jitter > 0)
    throw new NumericalError(
      `${name}: the kernel is singular (a jitter of ${factor.jitter.toPrecision(2)} would be needed), its density is not defined. Raise diagReg.`,
      { jitter: factor.jitter, condition: factor.condition },
    );
  // In the units of the scaled system: y / sqrt(scale) has covariance M / scale.
  const root = Math.sqrt(system.scale);
  const targets = y.map((value) => value / root);
  const identity = new Float64Array(n * n);
  for (let i = 0; i < n; i++) identity[i * n + i] = 1;
  const inverse = await engine.run(outerJob, {
    x: await whiten(engine, factor, identity, 'whole', { signal }),
    n,
    k: n,
  });
  const dual = await product(engine, inverse, targets, [n, outputs, n], { signal });
  const image = await product(engine, system.matrix, dual, [n, outputs, n], { signal });
  const gap = relativeGap(targets, image);
  if (gap > LOST)
    throw new NumericalError(
      `${name}: the kernel is singular to working precision (|y - M w| / |y| is ${gap.toPrecision(2)}), its density is not defined. Raise diagReg.`,
      { condition: factor.condition },
    );
  let offset = -0.5 * n * outputs * (log(2 * Math.PI) + log(system.scale));
  if (scale === 'profiled') {
    // The derivative of the best value is that at the best scale held fixed.
    const best = bestScale(objective, inverse, dual, targets, outputs);
    if (!(best > 0)) throw new RangeError(`${name}: the best scale of targets that are all zero is 0.`);
    offset -= 0.5 * n * outputs * log(best);
    for (let i = 0; i < dual.length; i++) {
      dual[i]! /= Math.sqrt(best);
      targets[i]! /= Math.sqrt(best);
    }
  }
  const scored =
    objective === 'marginal'
      ? marginal(inverse, dual, targets, { lower: factor.lower, n, outputs })
      : leftOut(inverse, dual, n, outputs);
  const value = scored.value + offset;
  if (!gradient) return { value };
  const weights = await scored.weights(engine);
  const units = { kernel, scale: system.scale, method, diagReg, freeze, signal };
  return { value, gradient: await pullBack(engine, net, x, weights, units) };
}

/** The mean square of targets (or leave-one-out residuals) in units of their variances. */
function bestScale(
  objective: Objective,
  inverse: Float64Array,
  dual: Float64Array,
  targets: Float64Array,
  outputs: number,
): number {
  const n = dual.length / outputs;
  return dual.reduce((sum, value, i) => {
    const other =
      objective === 'marginal' ? targets[i]! : value / inverse[Math.floor(i / outputs) * (n + 1)]!;
    return sum + (value * other) / dual.length;
  }, 0);
}

interface Units {
  readonly kernel: Float64Array;
  readonly scale: number;
  readonly method: 'nngp' | 'ntk';
  readonly diagReg: number;
  readonly freeze: readonly string[];
  readonly signal: AbortSignal | undefined;
}

/** From d value / d M (n, n), overwritten, to the derivative in every parameter of the net and in diagReg. */
async function pullBack(
  engine: Engine,
  net: NetDocument,
  x: Tensor,
  weights: Float64Array,
  { kernel, scale, method, diagReg, freeze, signal }: Units,
): Promise<Readonly<Record<string, number>>> {
  const n = x.shape[0]!;
  // M = K + diagReg * mean(diag K) I: the diagonal of K counts twice.
  let trace = 0;
  let mean = 0;
  for (let i = 0; i < n; i++) {
    trace += weights[i * n + i]!;
    mean += kernel[i * n + i]! / scale / n;
  }
  for (let i = 0; i < n; i++) weights[i * n + i]! += (diagReg * trace) / n;
  const parameters = kernelParameters(net, x.shape.slice(1)).filter((known) => !freeze.includes(known.name));
  // Base widths change the NTK only.
  const names = parameters
    .filter(({ field }) => method === 'ntk' || field !== 'baseWidth')
    .map((known) => known.name);
  const inUnits = weights.map((entry) => entry / scale);
  const slopes = await contractKernel(engine, net, x, {
    names,
    weights: inUnits,
    ntk: method === 'ntk',
    signal,
  });
  const entries = parameters.map((known) => {
    const place = names.indexOf(known.name);
    return [known.name, place < 0 ? 0 : slopes[place]!] as const;
  });
  return Object.fromEntries([...entries, ['diagReg', trace * mean]]);
}

interface Scored {
  readonly value: number;
  /** d value / d M, symmetric. */
  weights(engine: Engine): Promise<Float64Array>;
}

/** -(y' M^-1 y + log det M)/2 per output; derivative (alpha alpha' - outputs M^-1)/2. */
function marginal(
  inverse: Float64Array,
  dual: Float64Array,
  y: Float64Array,
  { lower, n, outputs }: { readonly lower: Float64Array; readonly n: number; readonly outputs: number },
): Scored {
  let [fit, half] = [0, 0];
  for (let i = 0; i < y.length; i++) fit += y[i]! * dual[i]!;
  for (let i = 0; i < n; i++) half += log(lower[i * n + i]!);
  return {
    value: -0.5 * fit - outputs * half,
    weights: async (engine) => {
      const outer = await product(engine, dual, dual, [n, n, outputs], { transB: true });
      return outer.map((value, i) => 0.5 * (value - outputs * inverse[i]!));
    },
  };
}

/** sum_i log(B_ii)/2 - alpha_i^2 / (2 B_ii) with B = M^-1; derivative -(B diag(c) B) - sym((B e) alpha'). */
function leftOut(inverse: Float64Array, dual: Float64Array, n: number, outputs: number): Scored {
  let value = 0;
  const c = new Float64Array(n);
  const e = new Float64Array(n * outputs);
  for (let i = 0; i < n; i++) {
    const b = inverse[i * n + i]!;
    for (let k = 0; k < outputs; k++) {
      const a = dual[i * outputs + k]!;
      value += 0.5 * log(b) - (0.5 * a * a) / b;
      c[i]! += 0.5 / b + (0.5 * a * a) / (b * b);
      e[i * outputs + k] = -a / b;
    }
  }
  return {
    value,
    weights: async (engine) => {
      const scaled = inverse.map((entry, i) => entry * c[i % n]!);
      const first = await product(engine, scaled, inverse, [n, n, n]);
      const pulled = await product(engine, inverse, e, [n, outputs, n]);
      const second = await product(engine, pulled, dual, [n, n, outputs], { transB: true });
      const out = new Float64Array(n * n);
      for (let i = 0; i < n; i++)
        for (let j = 0; j < n; j++)
          out[i * n + j] = -first[i * n + j]! - 0.5 * (second[i * n + j]! + second[j * n + i]!);
      return out;
    },
  };
}

export function inputs(
  name: string,
  xLike: TensorLike,
  yLike: TensorLike,
): { x: Tensor; y: Float64Array; n: number; outputs: number } {
  const x = asTensor(xLike, `${name}: x`);
  const y = asTensor(yLike, `${name}: y`);
  if (x.shape.length < 2 || x.shape.includes(0))
    throw new RangeError(`${name}: x must be (n, ...) with n >= 1, got [${x.shape.join(', ')}]`);
  if (y.shape[0] !== x.shape[0] || y.shape.length > 2)
    throw new RangeError(
      `${name}: y must be (${x.shape[0]}) or (${x.shape[0]}, outputs), got [${y.shape.join(', ')}]`,
    );
  assertFinite(x, `${name}: x`);
  assertFinite(y, `${name}: y`);
  return { x, y: Float64Array.from(y.data), n: x.shape[0]!, outputs: y.shape[1] ?? 1 };
}
