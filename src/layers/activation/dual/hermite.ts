// Hermite series of activations without a closed dual. With u = s z, z ~ N(0, 1) and orthonormal Hermite functions h_l:
//   a_0 = E phi(s z),  B_l = E[phi'(s z) h_l(z)] / sqrt(l + 1),
//   kappa = a_0 a_0 + k12 P(c),  kappa' = P(c) + c P'(c),  P(c) = sum_l B_l(k11) B_l(k22) c^l.        (Mehler)
import { NumericalError } from '../../../wasm/engine.js';
import { sample } from './panels.js';
import type { ScalarFunction } from '../functions.js';

/** More terms than this do not pay: what is left lies at |c| ~ 1 only. */
const MOST_TERMS = 400;

/** The terms at one variance k. */
export interface Term {
  readonly a0: number;
  readonly kappa: number;
  readonly slope: number;
  readonly kappaRate: number;
  readonly slopeRate: number;
  /** The terms, and EXTRA more. */
  readonly b: Float64Array;
}

/** Derivatives in the variance move the index by so much. */
export const EXTRA = 2;

/** B_l until the terms hold all of E[phi'^2] but `tolerance`, or exactly `length` of them; and EXTRA more. */
export function termsAt(
  fn: ScalarFunction,
  variance: number,
  stop: { tolerance: number } | { length: number },
): Term {
  const { z, slope, slopeSquare, a0, kappa, bends } = sample(fn, Math.sqrt(variance));
  let most = ('length' in stop ? stop.length : MOST_TERMS) + EXTRA;
  const b: number[] = [];
  let low = new Float64Array(z.length);
  let high = new Float64Array(z.length).fill(1);
  let [held, quiet] = [0, 0];
  for (let l = 0; l < most; l++) {
    let sum = 0;
    const [root, rootNext] = [Math.sqrt(l), Math.sqrt(l + 1)];
    for (let i = 0; i < z.length; i++) {
      const h = high[i]!;
      sum += slope[i]! * h;
      low[i] = (z[i]! * h - root * low[i]!) / rootNext;
    }
    [low, high] = [high, low];
    b.push(sum / rootNext);
    if ('length' in stop || most < MOST_TERMS) continue;
    held += sum * sum;
    quiet = sum * sum <= 0.1 * stop.tolerance * slopeSquare ? quiet + 1 : 0;
    if (quiet >= 4 && slopeSquare - held <= stop.tolerance * slopeSquare)
      most = Math.min(most, l + 1 + EXTRA);
  }
  if (fn.name !== undefined && !('length' in stop))
    checkParseval(fn.name, variance, { a0, kappa, slope: slopeSquare, b: b.slice(0, -EXTRA) });
  const [kappaRate, slopeRate] = bends.map((bend) => (variance > 0 ? bend / (2 * variance) : 0)) as [
    number,
    number,
  ];
  return { a0, kappa, slope: slopeSquare, kappaRate, slopeRate, b: Float64Array.from(b) };
}

/**
 * What the terms leave out of E[phi^2] is at most k / (L + 1) times what they leave out of E[phi'^2], if phi is the integral
 * of phi'; and must be small.
 */
function checkParseval(
  name: string,
  k: number,
  { a0, kappa, slope, b }: { a0: number; kappa: number; slope: number; b: readonly number[] },
): void {
  const variance = kappa - a0 * a0;
  const value = variance - b.reduce((sum, term) => sum + k * term * term, 0);
  const rest = slope - b.reduce((sum, term, l) => sum + (l + 1) * term * term, 0);
  const scale = Math.max(variance, k * slope);
  const rounding = 1e-9 * scale + 1e-14 * kappa;
  if (Math.abs(value) > (k * Math.max(0, rest)) / (b.length + 1) + rounding) {
    throw new NumericalError(
      `kernel: elementwise '${name}' is not the integral of its derivative: at variance ${k} they differ by ${value} in E[phi(u)^2]. Correct derivative, name the kinks; functions that jump need kernelFunction.`,
    );
  }
  if (value > WORST * scale + rounding) {
    throw new NumericalError(
      `kernel: ${b.length} Hermite terms of elementwise '${name}' at variance ${k} leave a relative error of ${(value / scale).toExponential(1)}. Scale its input down, or give kernelFunction.`,
    );
  }
}

/** Estimated relative errors above this are refused. */
const WORST = 1e-3;

/** P(c) = B_0^2 + c^power Q(c^step): of even or odd phi', up to a constant, every other term is zero. */
export interface Parity {
  readonly power: 1 | 2;
  readonly step: 1 | 2;
}

/** Whether B_l is one of them. */
export function hasTerm({ power, step }: Parity, l: number): boolean {
  return l === 0 || (l >= power && (l - power) % step === 0);
}

const parities = new WeakMap<ScalarFunction, Parity>();

/** From the terms at two variances, so that it is a property of the function alone. */
export function parityOf(fn: ScalarFunction): Parity {
  let parity = parities.get(fn);
  if (parity) return parity;
  const terms = [1, 16].map((variance) => termsAt(fn, variance, { length: 60 }).b);
  const vanish = (odd: number): boolean =>
    terms.every((b) => {
      const most = 1e-15 * Math.max(...b.map(Math.abs));
      return b.every((value, l) => l === 0 || l % 2 !== odd || Math.abs(value) <= most);
    });
  if (vanish(1)) parity = { power: 2, step: 2 };
  else parity = { power: 1, step: vanish(0) ? 2 : 1 };
  parities.set(fn, parity);
  return parity;
}
