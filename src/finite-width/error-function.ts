// phi(z) = amplitude erf(rate z) in closed form: erf(z) is the mean sign of z plus noise of variance 1/2, and its derivative a
// Gaussian, which only reweights the others.
import { asin } from '../math/elementary.js';
import type { Family, PairDual, Pattern, TwoPoint } from './family.js';
import { correlations, signProduct } from './orthants.js';

export function erfFamily(amplitude: number, rate: number): Family {
  const [square, bent] = [rate * rate, amplitude * amplitude];
  const scaled = ({ value, first, second }: TwoPoint, by: number): TwoPoint => ({
    value: by * value,
    first: first.map((d) => by * square * d),
    second: second.map((d) => by * square * square * d),
  });
  return {
    dual(a, b, c, same) {
      const { kappa, slope } = erfPair(square * a, square * b, square * c);
      const along = (f: TwoPoint): TwoPoint => (same ? diagonal(f) : f);
      return {
        kappa: scaled(along(kappa), bent),
        slope: scaled(along(slope), bent * square),
        parallel: same,
      };
    },
    block(k, m, patterns) {
      const turned = k.map((value) => square * value);
      return patterns.map(
        (pattern) => bent * bent * power(square, pattern.slope.length / 2) * expectation(turned, m, pattern),
      );
    },
  };
}

const power = (base: number, times: number): number => (times === 0 ? 1 : base * power(base, times - 1));

/** A function of (a, b, c) along a = b = c. */
function diagonal({ value, first, second }: TwoPoint): TwoPoint {
  const sum = (list: readonly number[]): number => list.reduce((total, entry) => total + entry, 0);
  return { value, first: [sum(first)], second: [sum(second)] };
}

function erfPair(a: number, b: number, c: number): Omit<PairDual, 'parallel'> {
  const [p, q] = [1 + 2 * a, 1 + 2 * c];
  const root = 1 / Math.sqrt(p * q - 4 * b * b);
  const root3 = root * root * root;
  const root5 = root3 * root * root;
  const { PI } = Math;
  const [sa, sb, sc] = [(-4 / PI) * q * root3, (16 / PI) * b * root3, (-4 / PI) * p * root3];
  const slopeAc = (-4 / PI) * (2 * root3 - 3 * p * q * root5);
  const [slopeAb, slopeBc] = [(-48 / PI) * q * b * root5, (-48 / PI) * p * b * root5];
  const kappaAc = ((4 * b) / PI) * root3;
  return {
    kappa: {
      value: (2 / PI) * asin((2 * b) / Math.sqrt(p * q)),
      first: [((-4 * b) / (PI * p)) * root, (4 / PI) * root, ((-4 * b) / (PI * q)) * root],
      second: [
        ...[((4 * b) / PI) * ((2 / (p * p)) * root + (q / p) * root3), sa, kappaAc],
        ...[sa, sb, sc],
        ...[kappaAc, sc, ((4 * b) / PI) * ((2 / (q * q)) * root + (p / q) * root3)],
      ],
    },
    slope: {
      value: (4 / PI) * root,
      first: [sa, sb, sc],
      second: [
        ...[(12 / PI) * q * q * root5, slopeAb, slopeAc],
        ...[slopeAb, (16 / PI) * (root3 + 12 * b * b * root5), slopeBc],
        ...[slopeAc, slopeBc, (12 / PI) * p * p * root5],
      ],
    },
  };
}

/** The Gaussians of the primed samples, then the signs of the others at the covariance (I + 2 K E)^-1 K. */
function expectation(k: ArrayLike<number>, m: number, { phi, slope }: Pattern): number {
  const covariance = Array.from(k);
  let factor = power(4 / Math.PI, slope.length / 2);
  for (const sample of slope) {
    // One Gaussian e^{-z^2} at a time: the covariance loses 2 K_.s K_s. / (1 + 2 K_ss), the weight is (1 + 2 K_ss)^-1/2.
    const scale = 1 + 2 * covariance[sample * m + sample]!;
    const row = Array.from({ length: m }, (_, i) => covariance[sample * m + i]!);
    factor /= Math.sqrt(scale);
    for (let i = 0; i < m; i++)
      for (let j = 0; j < m; j++) covariance[i * m + j]! -= (2 * row[i]! * row[j]!) / scale;
  }
  if (phi.length === 0) return factor;
  if (phi.length === 2) {
    const [i, j] = phi as [number, number];
    const variances = (1 + 2 * covariance[i * m + i]!) * (1 + 2 * covariance[j * m + j]!);
    return factor * (2 / Math.PI) * asin((2 * covariance[i * m + j]!) / Math.sqrt(variances));
  }
  const noisy = phi.flatMap((i, p) => phi.map((j, q) => covariance[i * m + j]! + (p === q ? 0.5 : 0)));
  return factor * signProduct(correlations(noisy, 4));
}
