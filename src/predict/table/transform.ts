// Scales on which a numeric target is learned: as it is, its logarithm, a power (Yeo and Johnson 2000), or its normal
// score. They are compared by the leave-one-out density of the target itself, so the derivative of the scale counts.
import { exp, log, log1p, normalQuantile, pow } from '../../math/elementary.js';

/** A rising map of the target's unit-free values. Plain JSON: part of a saved model. */
export type Transform =
  | { readonly kind: 'none' }
  | { readonly kind: 'log' }
  | { readonly kind: 'power'; readonly lambda: number; readonly unit: number }
  | { readonly kind: 'ranks'; readonly knots: readonly number[]; readonly scores: readonly number[] };

const LAMBDAS = [-1, -0.5, 0, 0.25, 0.5, 0.75, 1.25, 1.5, 2] as const;
const KNOTS = 24;
const LEAST = 30; // values from which a shape can be told from chance

/** The transforms that a list of target values allows, `none` first. */
export function transformsOf(values: readonly number[]): Transform[] {
  const none: Transform = { kind: 'none' };
  const distinct = new Set(values).size;
  if (values.length < LEAST || distinct < 3) return [none];
  const low = values.reduce((a, b) => Math.min(a, b), Infinity);
  return [
    none,
    ...(low > 0 ? [{ kind: 'log' } as const] : []),
    ...powerOf(values),
    ...(distinct > 0.5 * values.length ? ranksOf(values) : []),
  ];
}

/** The power of the best Gaussian likelihood of the values alone. */
function powerOf(values: readonly number[]): Transform[] {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  const size = most * Math.sqrt(values.reduce((sum, value) => sum + (value / most) ** 2 / values.length, 0));
  if (!(size > 0)) return [];
  const scored = LAMBDAS.map((lambda) => {
    const transform: Transform = { kind: 'power', lambda, unit: size };
    const list = values.map((value) => forward(transform, value));
    const mean = list.reduce((a, b) => a + b, 0) / list.length;
    const variance = list.reduce((sum, value) => sum + (value - mean) ** 2 / list.length, 0);
    return { transform, score: logSlope(transform, values) - log(Math.max(variance, 1e-300)) / 2 };
  });
  return [scored.reduce((best, next) => (next.score > best.score ? next : best)).transform];
}

function ranksOf(values: readonly number[]): Transform[] {
  const sorted = [...values].sort((a, b) => a - b);
  const [knots, scores]: [number[], number[]] = [[], []];
  for (let k = 0; k < KNOTS; k++) {
    const rank = (k / (KNOTS - 1)) * (sorted.length - 1);
    const knot = sorted[Math.round(rank)]!;
    if (knots.length && !(knot > knots[knots.length - 1]!)) continue;
    knots.push(knot);
    scores.push(normalQuantile((Math.round(rank) + 0.5) / sorted.length));
  }
  return knots.length > 4 ? [{ kind: 'ranks', knots, scores }] : [];
}

/** The value on the scale of the transform. */
export function forward(transform: Transform, value: number): number {
  switch (transform.kind) {
    case 'none':
      return value;
    case 'log':
      return log(value);
    case 'power':
      return yeoJohnson(value / transform.unit, transform.lambda);
    case 'ranks':
      return along(transform.knots, transform.scores, value);
  }
}

/** The value whose transform this is; beyond the range of the scale its nearest end. */
export function backward(transform: Transform, score: number): number {
  switch (transform.kind) {
    case 'none':
      return score;
    case 'log':
      return exp(Math.max(-700, Math.min(700, score)));
    case 'power':
      return transform.unit * inverseYeoJohnson(score, transform.lambda);
    case 'ranks':
      return along(transform.scores, transform.knots, score);
  }
}

/** Mean logarithm of the derivative at these values. */
export function logSlope(transform: Transform, values: readonly number[]): number {
  const at = (value: number): number => {
    switch (transform.kind) {
      case 'none':
        return 0;
      case 'log':
        return -log(value);
      case 'power': {
        const u = value / transform.unit;
        return (transform.lambda - 1) * (u >= 0 ? log1p(u) : -log1p(-u)) - log(transform.unit);
      }
      case 'ranks':
        return log(slopeAlong(transform.knots, transform.scores, value));
    }
  };
  return values.reduce((sum, value) => sum + at(value) / values.length, 0);
}

function yeoJohnson(u: number, lambda: number): number {
  if (u >= 0) return lambda === 0 ? log1p(u) : (pow(1 + u, lambda) - 1) / lambda;
  return lambda === 2 ? -log1p(-u) : -(pow(1 - u, 2 - lambda) - 1) / (2 - lambda);
}

function inverseYeoJohnson(z: number, lambda: number): number {
  if (z >= 0) return lambda === 0 ? exp(Math.min(z, 700)) - 1 : pow(positive(1 + lambda * z), 1 / lambda) - 1;
  return lambda === 2
    ? 1 - exp(Math.min(-z, 700))
    : 1 - pow(positive(1 - (2 - lambda) * z), 1 / (2 - lambda));
}

/** Scales with an end have no value beyond it. */
const positive = (value: number): number => Math.max(value, 1e-6);

/** The piece of a rising polygon that holds a point; the first and last piece go on. */
function piece(xs: readonly number[], x: number): number {
  let [low, high] = [0, xs.length - 2];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (xs[middle]! <= x) low = middle;
    else high = middle - 1;
  }
  return low;
}

function along(xs: readonly number[], ys: readonly number[], x: number): number {
  const k = piece(xs, x);
  return ys[k]! + ((x - xs[k]!) * (ys[k + 1]! - ys[k]!)) / (xs[k + 1]! - xs[k]!);
}

function slopeAlong(xs: readonly number[], ys: readonly number[], x: number): number {
  const k = piece(xs, x);
  return (ys[k + 1]! - ys[k]!) / (xs[k + 1]! - xs[k]!);
}

/** A target of numbers on the scale on which it is learned: transformed, then standardised. */
export interface Scale {
  readonly transform: Transform;
  readonly centre: number;
  readonly deviation: number;
  /** Ends of what a bent scale may predict: the target's smallest and largest value and their distance more. */
  readonly ends: readonly [number, number];
}

/** The scale of a transform for these values. */
export function scaleOf(transform: Transform, values: readonly number[]): Scale {
  const list = values.map((value) => forward(transform, value));
  const low = values.reduce((a, b) => Math.min(a, b), Infinity);
  const high = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const within = (value: number): number => Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value));
  const room = within(high - low);
  const ends = [within(low - room), within(high + room)] as const;
  // A mean that is rounded would leave residuals of a constant, and they have the constant's size.
  if (list.every((value) => value === list[0])) return { transform, centre: list[0]!, deviation: 1, ends };
  let unit = 0;
  for (const value of list) unit = Math.max(unit, Math.abs(value));
  const mean = list.reduce((sum, value) => sum + value / unit / list.length, 0);
  const spread = Math.sqrt(list.reduce((sum, value) => sum + (value / unit - mean) ** 2, 0) / list.length);
  return { transform, centre: within(unit * mean), deviation: unit * spread || unit, ends };
}

/** The standardised value on the scale. */
export const scaled = ({ transform, centre, deviation }: Scale, value: number): number =>
  (forward(transform, value) - centre) / deviation;

/** The target's value for a standardised one. A bent scale ends where `ends` says: beyond, it would explode. */
export function valueOf({ transform, centre, deviation, ends }: Scale, z: number): number {
  const value = backward(transform, centre + deviation * z);
  return transform.kind === 'none' ? value : Math.max(ends[0], Math.min(ends[1], value));
}

/** Whether a value of a parsed JSON document is a `Scale`. */
export function isScale(value: unknown): value is Scale {
  if (typeof value !== 'object' || value === null) return false;
  const { transform, centre, deviation, ends } = value as Record<string, unknown>;
  const finite = [centre, deviation, ...(Array.isArray(ends) ? (ends as unknown[]) : [])];
  return (
    finite.length === 4 &&
    finite.every(Number.isFinite) &&
    (deviation as number) > 0 &&
    isTransform(transform)
  );
}

function isTransform(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, lambda, unit, knots, scores } = value as Record<string, unknown>;
  if (kind === 'none' || kind === 'log') return true;
  if (kind === 'power') return Number.isFinite(lambda) && Number.isFinite(unit) && (unit as number) > 0;
  const rising = (list: unknown): list is number[] =>
    Array.isArray(list) &&
    list.every((item, i) => Number.isFinite(item) && (i === 0 || (item as number) > (list[i - 1] as number)));
  return (
    kind === 'ranks' && rising(knots) && rising(scores) && knots.length === scores.length && knots.length > 1
  );
}
