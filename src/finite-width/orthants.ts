// Moments of up to four jointly normal numbers on the orthant where all are positive, exact up to one smooth integral.
import { asin, sin } from '../math/elementary.js';
import { gaussLegendre } from '../math/quadrature.js';

/** A symmetric d x d covariance matrix, row-major. */
export type Covariance = ArrayLike<number>;

const NODES = 48;
const clip = (r: number): number => Math.max(-1, Math.min(1, r));

/** The correlations of a covariance matrix. */
export function correlations(k: Covariance, d: number): Float64Array {
  const r = new Float64Array(d * d);
  for (let i = 0; i < d; i++)
    for (let j = 0; j < d; j++)
      r[i * d + j] = i === j ? 1 : clip(k[i * d + j]! / Math.sqrt(k[i * d + i]! * k[j * d + j]!));
  return r;
}

/**
 * E[s_1 s_2 s_3 s_4] of the signs of four normal numbers with correlations `r`. Plackett's identity along I + t (r - I):
 * the derivative by a correlation is the density of its pair at zero times the sign correlation of the other pair given it.
 */
export function signProduct(r: Covariance): number {
  const { x, w } = gaussLegendre(NODES);
  let total = 0;
  for (let i = 0; i < 4; i++) {
    for (let j = i + 1; j < 4; j++) {
      const rij = r[4 * i + j]!;
      if (Math.abs(rij) < 1e-14) continue;
      const [k, l] = [0, 1, 2, 3].filter((m) => m !== i && m !== j) as [number, number];
      const angle = asin(clip(rij));
      let sum = 0;
      for (let node = 0; node < NODES; node++) {
        const along = sin((angle * (x[node]! + 1)) / 2);
        const [t, rest] = [along / rij, 1 - along * along];
        const [ik, jk, il, jl] = [t * r[4 * i + k]!, t * r[4 * j + k]!, t * r[4 * i + l]!, t * r[4 * j + l]!];
        const kk = 1 - (ik * ik + jk * jk - 2 * along * ik * jk) / rest;
        const ll = 1 - (il * il + jl * jl - 2 * along * il * jl) / rest;
        const kl = t * r[4 * k + l]! - (ik * il + jk * jl - along * (ik * jl + jk * il)) / rest;
        sum += w[node]! * asin(clip(kl / Math.sqrt(Math.max(kk * ll, 1e-300))));
      }
      total += (sum * angle) / 2;
    }
  }
  return (4 / Math.PI ** 2) * total;
}

/** P(all of d <= 4 normal numbers are positive). */
export function orthantProbability(k: Covariance, d: number): number {
  if (d === 0) return 1;
  if (d === 1) return 0.5;
  const r = correlations(k, d);
  let sum = 0;
  for (let i = 0; i < d; i++) for (let j = i + 1; j < d; j++) sum += asin(r[i * d + j]!);
  if (d === 2) return 1 / 4 + sum / (2 * Math.PI);
  if (d === 3) return 1 / 8 + sum / (4 * Math.PI);
  return 1 / 16 + sum / (8 * Math.PI) + signProduct(r) / 16;
}

/**
 * E[prod_i z_i^p_i 1(z_i > 0)], by Stein's identity E[z_i g] = sum_j K_ij E[d_j g]; the derivative of an indicator is the
 * density of its number at zero, given which the others are normal again.
 */
export function orthantMoment(k: Covariance, powers: readonly number[]): number {
  const d = powers.length;
  const most = Math.max(0, ...powers);
  if (most === 0) return orthantProbability(k, d);
  const m = powers.indexOf(most);
  const lower = powers.map((p, i) => (i === m ? p - 1 : p));
  let total = 0;
  for (let j = 0; j < d; j++) {
    const kmj = k[m * d + j]!;
    if (kmj === 0) continue;
    if (lower[j]! >= 1) {
      const next = lower.map((p, i) => (i === j ? p - 1 : p));
      total += kmj * lower[j]! * orthantMoment(k, next);
    } else total += kmj * atZero(k, lower, j);
  }
  return total;
}

/** The density of z_j at zero times the moment of the others given z_j = 0. */
function atZero(k: Covariance, powers: readonly number[], j: number): number {
  const d = powers.length;
  const others = Array.from({ length: d }, (_, i) => i).filter((i) => i !== j);
  const variance = k[j * d + j]!;
  const given = others.flatMap((a) =>
    others.map((b) => k[a * d + b]! - (k[a * d + j]! * k[j * d + b]!) / variance),
  );
  const moment = orthantMoment(
    given,
    others.map((i) => powers[i]!),
  );
  return moment / Math.sqrt(2 * Math.PI * variance);
}
