// Activations of one bend at zero: slope `low` left of it, `high` right of it. Everything follows from ReLU in closed form.
import { asin } from '../math/elementary.js';
import type { Family, PairDual, Pattern, TwoPoint } from './family.js';
import { orthantMoment } from './orthants.js';

/** Directions closer than this angle count as one: derivatives there cancel to nothing in float64. */
const PARALLEL = 1e-3;

interface Relu {
  readonly kappa: TwoPoint;
  readonly slope: TwoPoint;
}

/** E[relu relu] and E[relu' relu'] at variances a, c and covariance b, with derivatives by (a, b, c). */
function reluPair(a: number, b: number, c: number): Relu {
  const d = Math.sqrt(a * c - b * b);
  const u = Math.PI / 2 + asin(b / Math.sqrt(a * c));
  const [two, four] = [2 * Math.PI, 4 * Math.PI];
  const slopeFirst = [-b / (four * a * d), 1 / (two * d), -b / (four * c * d)];
  const [sa, sb, sc] = slopeFirst as [number, number, number];
  const ac = 1 / (8 * Math.PI * d);
  const d3 = d * d * d;
  const slopeAa = (b / four) * (1 / (a * a * d) + c / (2 * a * d3));
  const slopeCc = (b / four) * (1 / (c * c * d) + a / (2 * c * d3));
  const [slopeAb, slopeBc, slopeAc] = [-c / (four * d3), -a / (four * d3), b / (8 * Math.PI * d3)];
  return {
    kappa: {
      value: (d + b * u) / two,
      first: [d / (four * a), u / two, d / (four * c)],
      second: [
        ...[(c / (2 * a * d) - d / (a * a)) / four, sa, ac],
        ...[sa, sb, sc],
        ...[ac, sc, (a / (2 * c * d) - d / (c * c)) / four],
      ],
    },
    slope: {
      value: u / two,
      first: slopeFirst,
      second: [slopeAa, slopeAb, slopeAc, slopeAb, b / (two * d3), slopeBc, slopeAc, slopeBc, slopeCc],
    },
  };
}

/** p f(b) + q f(-b), with derivatives by (a, b, c). */
function mirrored(plus: TwoPoint, minus: TwoPoint, p: number, q: number): TwoPoint {
  const odd = (i: number): number => (i === 1 ? -1 : 1);
  return {
    value: p * plus.value + q * minus.value,
    first: plus.first.map((value, i) => p * value + q * odd(i) * minus.first[i]!),
    second: plus.second.map(
      (value, ij) => p * value + q * odd(Math.floor(ij / 3)) * odd(ij % 3) * minus.second[ij]!,
    ),
  };
}

export function bentFamily(low: number, high: number): Family {
  const [squares, cross] = [low * low + high * high, low * high];
  /** z_b = r z_a: E[phi phi] is linear in the variance. */
  const along = (a: number, r: number): PairDual => {
    const slope = r > 0 ? squares / 2 : cross;
    return {
      kappa: { value: r * slope * a, first: [r * slope], second: [0] },
      slope: { value: slope, first: [0], second: [0] },
      parallel: true,
    };
  };
  return {
    dual(a, b, c, same) {
      if (same) return along(a, 1);
      const r = ratioOf(a, b, c);
      if (r !== null) return along(a, r);
      const [plus, minus] = [reluPair(a, b, c), reluPair(a, -b, c)];
      return {
        kappa: mirrored(plus.kappa, minus.kappa, squares, -2 * cross),
        slope: mirrored(plus.slope, minus.slope, squares, 2 * cross),
        parallel: false,
      };
    },
    block: (k, m, patterns) => patterns.map((pattern) => expectation(k, m, pattern, [low, high])),
  };
}

/** z_b / z_a where both have one direction, or opposite ones; else null. */
function ratioOf(a: number, b: number, c: number): number | null {
  const cosine = b / Math.sqrt(a * c);
  if (1 - Math.abs(cosine) > (PARALLEL * PARALLEL) / 2) return null;
  return Math.sign(b) * Math.sqrt(c / a);
}

/** Every sample is a multiple of one of those kept; a pattern is then a sum over the signs of these. */
function expectation(
  k: Float64Array,
  m: number,
  { phi, slope }: Pattern,
  slopes: readonly [low: number, high: number],
): number {
  const kept: number[] = [];
  const powers: number[] = [];
  /** Factors of the pattern where the kept sample is negative and where it is positive. */
  const factors: [number, number][] = [];
  const take = (sample: number, primed: boolean): void => {
    let at = -1;
    let ratio = 1;
    for (const [place, other] of kept.entries()) {
      const r =
        other === sample
          ? 1
          : ratioOf(k[other * m + other]!, k[other * m + sample]!, k[sample * m + sample]!);
      if (r === null) continue;
      [at, ratio] = [place, r];
      break;
    }
    if (at < 0) {
      at = kept.push(sample) - 1;
      powers.push(0);
      factors.push([1, 1]);
    }
    const scale = primed ? 1 : ratio;
    const [low, high] = slopes;
    factors[at]![0] *= scale * (ratio > 0 ? low : high);
    factors[at]![1] *= scale * (ratio > 0 ? high : low);
    if (!primed) powers[at]! += 1;
  };
  for (const sample of phi) take(sample, false);
  for (const sample of slope) take(sample, true);
  let total = 0;
  for (let signs = 0; signs < 1 << kept.length; signs++) {
    const sign = (i: number): number => ((signs >> i) & 1 ? 1 : -1);
    let factor = 1;
    for (const [i, [negative, positive]] of factors.entries())
      factor *= sign(i) > 0 ? positive : negative * (powers[i]! % 2 === 0 ? 1 : -1);
    if (factor === 0) continue;
    const turned = kept.flatMap((i, p) => kept.map((j, q) => sign(p) * sign(q) * k[i * m + j]!));
    total += factor * orthantMoment(turned, powers);
  }
  return total;
}
