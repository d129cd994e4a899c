// Leave-one-out predictions of kernel regression in closed form (Rasmussen & Williams 2006, eqs. 5.10-5.12):
// residual_i = [M^-1 y]_i / [M^-1]_ii with predictive variance 1 / [M^-1]_ii in units of the kernel's scale, which is
// profiled out: sigma^2 = mean of residual^2 / variance.
import { exp, log } from '../../math/elementary.js';

export interface LooResult {
  /** y - prediction without that sample, (n, outputs). */
  readonly residual: Float64Array;
  /** Predictive variance of a noisy observation per unit of sigma^2, (n). */
  readonly variance: Float64Array;
}

/** From the dual coefficients M^-1 y (n, outputs) and the diagonal of M^-1. */
export function leaveOneOut(dual: Float64Array, diagonal: Float64Array, outputs: number): LooResult {
  const variance = diagonal.map((value) => 1 / value);
  return { residual: dual.map((value, i) => value * variance[Math.floor(i / outputs)]!), variance };
}

/** sigma^2 per output: the scale of the kernel that fits the leave-one-out residuals best. */
export function profiledScale({ residual, variance }: LooResult, outputs: number): Float64Array {
  const scale = new Float64Array(outputs);
  for (let i = 0; i < residual.length; i++)
    scale[i % outputs]! += residual[i]! ** 2 / variance[Math.floor(i / outputs)]! / variance.length;
  return scale.map((value) => Math.max(value, 1e-300));
}

/** Mean log predictive density of an entry of y, in nats, at the profiled scale. */
export function gaussianScore(loo: LooResult, outputs: number): number {
  const scale = profiledScale(loo, outputs);
  let sum = 0;
  for (const variance of loo.variance) for (const s of scale) sum += log(2 * Math.PI * s) + log(variance) + 1;
  return -sum / (2 * loo.residual.length);
}

/** Class probabilities from Gaussian scores: softmax of the slope times the means, tempered by the variance. */
export interface ClassLink {
  readonly slope: number;
}

/** log p of every class for one sample: mean (outputs) and variance of the scores; MacKay's correction for variance. */
export function classLogProbabilities(
  { slope }: ClassLink,
  mean: ArrayLike<number>,
  offset: number,
  outputs: number,
  variance: number,
  out: Float64Array,
): void {
  const factor = slope / Math.sqrt(1 + (Math.PI / 8) * slope * slope * variance);
  let top = -Infinity;
  for (let k = 0; k < outputs; k++) top = Math.max(top, factor * mean[offset + k]!);
  let sum = 0;
  for (let k = 0; k < outputs; k++) sum += exp(Math.max(factor * mean[offset + k]! - top, -745));
  const norm = top + log(sum);
  for (let k = 0; k < outputs; k++) out[k] = factor * mean[offset + k]! - norm;
}

/** Mean log probability of the true classes under a link; `mean` (n, outputs) and `variance` (n) leave one out. */
function linkScore(
  link: ClassLink,
  mean: Float64Array,
  variance: Float64Array,
  labels: ArrayLike<number>,
  outputs: number,
): number {
  const p = new Float64Array(outputs);
  let sum = 0;
  for (let i = 0; i < variance.length; i++) {
    classLogProbabilities(link, mean, i * outputs, outputs, variance[i]!, p);
    sum += p[labels[i]!]!;
  }
  return sum / variance.length;
}

/** The slope of the best mean log probability: a grid of powers of sqrt(2), then golden section between neighbours. */
export function fitLink(
  mean: Float64Array,
  variance: Float64Array,
  labels: ArrayLike<number>,
  outputs: number,
  refine: number,
): { link: ClassLink; score: number } {
  const at = (power: number): number =>
    linkScore({ slope: exp(power * LN2) }, mean, variance, labels, outputs);
  let [best, score] = [0, -Infinity];
  for (let power = -1; power <= 8; power += 0.5) {
    const now = at(power);
    if (now > score) [best, score] = [power, now];
  }
  let [low, high] = [best - 0.5, best + 0.5];
  for (let k = 0; k < refine; k++) {
    const [a, b] = [high - GOLDEN * (high - low), low + GOLDEN * (high - low)];
    if (at(a) > at(b)) high = b;
    else low = a;
  }
  const power = refine > 0 ? (low + high) / 2 : best;
  return { link: { slope: exp(power * LN2) }, score: at(power) };
}
const LN2 = 0.6931471805599453;
const GOLDEN = 0.6180339887498949;

/** Leave-one-out class scores: y minus residual, on top of the class shares. */
export function looMeans(
  targets: Float64Array,
  { residual }: LooResult,
  centre: readonly number[],
): Float64Array {
  return targets.map((value, i) => value - residual[i]! + centre[i % centre.length]!);
}
