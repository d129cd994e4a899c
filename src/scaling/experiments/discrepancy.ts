// How far a model's predictions are, over seeds, from those of the reference net (arXiv:2006.06574, appendix F).
import { digamma, exp, lgamma, log, sigmoid } from '../../math/elementary.js';

/** Logits of several seeds on the same points: `logits[seed][point]`. */
export type SeedLogits = readonly ArrayLike<number>[];

export interface Discrepancies {
  /** KL divergence of Gaussians fitted to each point's logits over seeds. */
  readonly logit: { readonly perPoint: Float64Array; readonly mean: number };
  /** KL divergence of Beta laws fitted to each point's probabilities by moments. */
  readonly prob: { readonly perPoint: Float64Array; readonly mean: number };
  /** Difference of the fractions of seeds that predict class 1. */
  readonly class: { readonly perPoint: Float64Array; readonly mean: number };
  /** Mean logit KL of two groups of as many seeds from one law: values near it mean "no difference seen". */
  readonly noiseFloor: number;
}

/** Mean of the Gaussian KL between two independent groups of `n` seeds with equal laws; RangeError unless n > 3. */
export function klNoiseFloor(n: number): number {
  if (!Number.isInteger(n) || n <= 3)
    throw new RangeError(`klNoiseFloor: needs more than 3 seeds (the mean is infinite below), got ${n}`);
  return (((n - 1) / (n - 3)) * (1 + 2 / n) - 1) / 2;
}

/** Compares two groups of runs; both need more than 3 seeds of the same points. RangeError for fewer. */
export function discrepancies(logits: SeedLogits, reference: SeedLogits): Discrepancies {
  const points = check(logits, 'logits', logits[0]?.length ?? 0);
  check(reference, 'reference', points);
  const fit = (group: SeedLogits, map: (f: number) => number, at: number): Moments =>
    moments(group.map((row) => map(row[at]!)));
  const per = (fn: (at: number) => number): { perPoint: Float64Array; mean: number } => {
    const perPoint = Float64Array.from({ length: points }, (_, at) => fn(at));
    return { perPoint, mean: perPoint.reduce((sum, value) => sum + value, 0) / points };
  };
  const share = (group: SeedLogits, at: number): number =>
    group.filter((row) => row[at]! > 0).length / group.length;
  const same = (f: number): number => f;
  return {
    logit: per((at) => gaussianKl(fit(logits, same, at), fit(reference, same, at))),
    prob: per((at) => betaKl(betaFit(fit(logits, sigmoid, at)), betaFit(fit(reference, sigmoid, at)))),
    class: per((at) => Math.abs(share(logits, at) - share(reference, at))),
    noiseFloor: klNoiseFloor(Math.min(logits.length, reference.length)),
  };
}

function check(group: SeedLogits, name: string, points: number): number {
  if (group.length <= 3)
    throw new RangeError(`discrepancies: ${name} needs more than 3 seeds, got ${group.length}`);
  if (points === 0 || group.some((row) => row.length !== points))
    throw new RangeError(`discrepancies: ${name} must have the same ${points} points for every seed`);
  return points;
}

interface Moments {
  readonly mean: number;
  readonly variance: number; // n - 1
}

function moments(values: readonly number[]): Moments {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const square = values.reduce((sum, value) => sum + (value - mean) * (value - mean), 0);
  return { mean, variance: square / (values.length - 1) };
}

function gaussianKl(p: Moments, q: Moments): number {
  const ratio = p.variance / q.variance;
  const shift = q.mean - p.mean;
  return (ratio + (shift * shift) / q.variance - 1 - log(ratio)) / 2;
}

const EPS = 0.01;
const clip = (value: number): number => Math.max(EPS, Math.min(1 / EPS, value));

/** Parameters of the Beta law with these moments, regularised as in the published figures. */
function betaFit({ mean, variance }: Moments): readonly [number, number] {
  const c = (mean * (1 - mean) + EPS) / (variance + EPS) - 1;
  return [clip(mean * c), clip((1 - mean) * c)];
}

function betaKl([a, b]: readonly [number, number], [ar, br]: readonly [number, number]): number {
  const logBeta = (x: number, y: number): number => lgamma(x) + lgamma(y) - lgamma(x + y);
  return (
    logBeta(ar, br) -
    logBeta(a, b) +
    (a - ar) * digamma(a) +
    (b - br) * digamma(b) +
    (ar - a + br - b) * digamma(a + b)
  );
}

/** Exponential smoothing of positive values in log space, from the last entry backwards; `alpha` = 1: none. */
export function smoothLog(values: ArrayLike<number>, alpha: number): Float64Array {
  if (!(alpha > 0 && alpha <= 1)) throw new RangeError(`smoothLog: alpha must be in (0, 1], got ${alpha}`);
  const out = new Float64Array(values.length);
  let state = 0;
  for (let i = values.length - 1; i >= 0; i--) {
    const value = log(Math.max(-1000, Math.min(1000, values[i]!)));
    state = i === values.length - 1 ? value : alpha * value + (1 - alpha) * state;
    out[i] = exp(state);
  }
  return out;
}
