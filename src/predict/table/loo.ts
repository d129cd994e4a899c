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

/**
 * Class probabilities from Gaussian scores: softmax of the slope times the means, tempered by the variance, and mixed
 * with the shares of the classes. The floor keeps them honest where the training rows are separable: n rows without an
 * error do not show that errors are rarer than one in n + 2 (Laplace's rule of succession).
 */
export interface ClassLink {
  readonly slope: number;
  /** Weight of the shares. */
  readonly floor: number;
  readonly shares: readonly number[];
}

/** The smallest weight of the class shares that so many rows allow. */
export const leastFloor = (rows: number): number => 1 / (rows + 2);

/** Mean and variance of the scores of one sample. */
export interface ClassScore {
  readonly mean: ArrayLike<number>;
  /** Where the means of the sample begin. */
  readonly offset: number;
  readonly variance: number;
}

/** p of every class for one sample, into `out` (classes); MacKay's correction for variance. */
export function classProbabilities(link: ClassLink, score: ClassScore, out: Float64Array): void {
  const { slope, floor, shares } = link;
  const { mean, offset, variance } = score;
  const factor = slope / Math.sqrt(1 + (Math.PI / 8) * slope * slope * variance);
  let top = -Infinity;
  for (let k = 0; k < out.length; k++) top = Math.max(top, factor * mean[offset + k]!);
  let sum = 0;
  for (let k = 0; k < out.length; k++) {
    out[k] = exp(Math.max(factor * mean[offset + k]! - top, -745));
    sum += out[k]!;
  }
  for (let k = 0; k < out.length; k++) out[k] = ((1 - floor) * out[k]!) / sum + floor * shares[k]!;
}

/** Leave-one-out means (n, classes) and variances (n) with the true classes. */
interface Scored {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  readonly labels: ArrayLike<number>;
}

/** Mean log probability of the true classes under a link. */
function linkScore(link: ClassLink, { mean, variance, labels }: Scored): number {
  const p = new Float64Array(link.shares.length);
  let sum = 0;
  for (let i = 0; i < variance.length; i++) {
    classProbabilities(link, { mean, offset: i * p.length, variance: variance[i]! }, p);
    sum += log(Math.max(p[labels[i]!]!, 1e-300));
  }
  return sum / variance.length;
}

/** How finely a link is fitted. */
export interface LinkSearch {
  /** Steps of golden section after the grid of slopes. */
  readonly refine: number;
  /** Weights of the class shares that are tried, beside the smallest. */
  readonly floors: readonly number[];
}
export const ROUGH: LinkSearch = { refine: 0, floors: [] };
export const FINE: LinkSearch = { refine: 30, floors: [0.003, 0.01, 0.03, 0.1, 0.3, 1] };

/**
 * The slope and floor of the best mean log probability: a grid of powers of sqrt(2), then golden section between
 * neighbours, for each floor.
 */
export function fitLink(
  mean: Float64Array,
  variance: Float64Array,
  labels: ArrayLike<number>,
  shares: readonly number[],
  search: LinkSearch,
): { link: ClassLink; score: number } {
  const least = leastFloor(variance.length);
  const scored = { mean, variance, labels };
  return [least, ...search.floors.filter((floor) => floor > least)]
    .map((floor) => fitSlope({ floor, shares }, scored, search.refine))
    .reduce((best, next) => (next.score > best.score ? next : best));
}

function fitSlope(
  fixed: Omit<ClassLink, 'slope'>,
  scored: Scored,
  refine: number,
): { link: ClassLink; score: number } {
  const at = (power: number): number => linkScore({ ...fixed, slope: exp(power * LN2) }, scored);
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
  return { link: { ...fixed, slope: exp(power * LN2) }, score: at(power) };
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
