// Any other activation: two-point functions from its Hermite series, four-point ones by the trapezoidal rule along the
// principal axes of the covariance, which converges faster than any power of the step for smooth functions.
import { termsAt } from '../layers/activation/dual/hermite.js';
import type { ScalarFunction } from '../layers/activation/functions.js';
import { sample } from '../layers/activation/dual/panels.js';
import { exp } from '../math/elementary.js';
import { NumericalError } from '../wasm/engine.js';
import type { Family, PairDual, Pattern, TwoPoint } from './family.js';
import { principalAxes } from './axes.js';

const TERMS = 1500;
/** Powers of the correlation below it hide every coefficient. */
const NEGLIGIBLE = 1e-30;
/** Derivatives of the series reach so many terms further. */
const REACH = 6;

export function smoothFamily(fn: ScalarFunction, name: string): Family {
  const series = new Map<number, Float64Array>();
  /** c_k(a) = E[phi(sqrt(a) g) h_k(g)], h_k orthonormal. */
  const coefficients = (a: number): Float64Array => {
    let found = series.get(a);
    if (!found) {
      const { a0, b } = termsAt(fn, a, { length: TERMS + REACH });
      const s = Math.sqrt(a);
      found = Float64Array.from({ length: b.length + 1 }, (_, k) => (k === 0 ? a0 : s * b[k - 1]!));
      series.set(a, found);
    }
    return found;
  };
  return {
    dual: (a, b, c, same) =>
      same ? diagonalDual(fn, a) : pairDual(name, [a, b, c], [coefficients(a), coefficients(c)]),
    block: (k, m, patterns) => blockOf(fn, name, { k, m, patterns }),
  };
}

/** E[phi^2] and E[phi'^2] as functions of the variance: d/da E f(sqrt(a) g) = E[f He_2] / (2a), twice E[f He_4] / (4 a^2). */
function diagonalDual(fn: ScalarFunction, a: number): PairDual {
  const s = Math.sqrt(a);
  const one: ScalarFunction = { value: () => 1, slope: () => 0, kinks: fn.kinks };
  const { z, phi: weights } = sample(one, s);
  const sums = [
    [0, 0, 0],
    [0, 0, 0],
  ] as [[number, number, number], [number, number, number]];
  for (const [i, g] of z.entries()) {
    const weight = weights[i]!;
    const two = g * g - 1;
    const four = g * g * (g * g - 6) + 3;
    for (const [which, f] of [fn.value(s * g), fn.slope(s * g)].entries()) {
      const square = weight * f * f;
      sums[which]![0] += square;
      sums[which]![1] += square * two;
      sums[which]![2] += square * four;
    }
  }
  const [kappa, slope] = sums.map(([value, first, second]): TwoPoint => ({
    value,
    first: [first / (2 * a)],
    second: [second / (4 * a * a)],
  })) as [TwoPoint, TwoPoint];
  return { kappa, slope, parallel: true };
}

function pairDual(
  name: string,
  [a, b, c]: readonly [number, number, number],
  [left, right]: readonly [Float64Array, Float64Array],
): PairDual {
  const rho = Math.max(-1, Math.min(1, b / Math.sqrt(a * c)));
  const [roots, rootsC] = [Math.sqrt(a), Math.sqrt(c)];
  /** <phi^(p)(z_a) phi^(q)(z_c)>. */
  const mixed = (p: number, q: number): number => {
    let [sum, power, last] = [0, 1, 0];
    for (let k = 0; k < TERMS && Math.abs(power) > NEGLIGIBLE; k++, power *= rho) {
      const term = power * raised(left, k, p) * raised(right, k, q);
      sum += term;
      if (k >= TERMS - 4) last = Math.max(last, Math.abs(term));
    }
    if (last * TERMS > 1e-5 * (Math.abs(sum) + Math.abs(raised(left, 0, p) * raised(right, 0, q)) + 1e-8)) {
      throw new NumericalError(
        `finiteWidthCorrections: the Hermite series of '${name}' does not settle in ${TERMS} terms at correlation ${rho}. Drop one of two almost equal samples, or scale the inputs down.`,
      );
    }
    return sum / (power1(roots, p) * power1(rootsC, q));
  };
  const packed = (o: number): TwoPoint => {
    const [ab, bc, ac] = [mixed(3 + o, 1 + o) / 2, mixed(1 + o, 3 + o) / 2, mixed(2 + o, 2 + o)];
    return {
      value: mixed(o, o),
      first: [mixed(2 + o, o) / 2, mixed(1 + o, 1 + o), mixed(o, 2 + o) / 2],
      second: [mixed(4 + o, o) / 4, ab, ac / 4, ab, ac, bc, ac / 4, bc, mixed(o, 4 + o) / 4],
    };
  };
  return { kappa: packed(0), slope: packed(1), parallel: false };
}

/** sqrt((k + p)! / k!) c_{k + p}. */
function raised(c: Float64Array, k: number, p: number): number {
  let product = 1;
  for (let i = 1; i <= p; i++) product *= k + i;
  return Math.sqrt(product) * (c[k + p] ?? 0);
}

const power1 = (base: number, times: number): number => (times === 0 ? 1 : base * power1(base, times - 1));

/** Steps over the square root of the eigenvalue, and reach, by the number of axes. */
const STEPS = [0.1, 0.15, 0.3, 0.4] as const;
/** The same where phi has kinks: the rule gains only as a power of the step there. */
const FINE_STEPS = [0.0005, 0.02, 0.1, 0.2] as const;
const FAR = [9, 8.5, 7, 6.5] as const;
const LARGEST_STEP = 0.6;
/** Share of the outermost shell that is refused: what lies beyond is smaller by another factor of about 1000. */
const SHELL = 1e-3;
/** Relative changes, when the step is doubled, that are refused: halving it squares the error of a smooth function. */
const WORST = 1e-2;
/** The same where phi has kinks: halving the step quarters the error there. */
const WORST_KINKED = 1e-2;

interface Block {
  readonly k: Float64Array;
  readonly m: number;
  readonly patterns: readonly Pattern[];
}

function blockOf(fn: ScalarFunction, name: string, { k, m, patterns }: Block): number[] {
  const { axes, values, rank } = principalAxes(k, m);
  const fine = (fn.kinks.length > 0 ? FINE_STEPS : STEPS)[rank - 1]!;
  const steps = values.map((value) => Math.min(LARGEST_STEP, fine / Math.sqrt(value)));
  const counts = steps.map((step) => Math.floor(FAR[rank - 1]! / step));
  const sums = new Float64Array(patterns.length);
  /** The grid of twice the step, and what lies in the outer shell: both say how far the sums can be trusted. */
  const coarse = new Float64Array(patterns.length);
  const shell = new Float64Array(patterns.length);
  const sizes = new Float64Array(patterns.length);
  const factors = patterns.map(({ phi, slope }) => [...phi, ...slope.map((sample) => m + sample)]);
  const [f, z] = [new Float64Array(2 * m), new Float64Array(m)];
  const at = counts.map((count) => -count);
  let norm = 1;
  for (const step of steps) norm *= step / Math.sqrt(2 * Math.PI);
  for (;;) {
    let square = 0;
    z.fill(0);
    for (let j = 0; j < rank; j++) {
      const y = at[j]! * steps[j]!;
      square += y * y;
      for (let i = 0; i < m; i++) z[i]! += axes[j * m + i]! * y;
    }
    const weight = square > 80 ? 0 : norm * exp(-square / 2);
    if (weight > 1e-18) {
      for (let i = 0; i < m; i++) {
        f[i] = fn.value(z[i]!);
        f[m + i] = fn.slope(z[i]!);
      }
      const even = at.every((index) => index % 2 === 0);
      const outer = square > (FAR[rank - 1]! - 1) ** 2;
      for (const [p, [i, j, k2, l]] of factors.entries()) {
        const value = weight * f[i!]! * f[j!]! * f[k2!]! * f[l!]!;
        sums[p]! += value;
        sizes[p]! += Math.abs(value);
        if (even) coarse[p]! += value * (1 << rank);
        if (outer) shell[p]! += Math.abs(value);
      }
    }
    let axis = 0;
    while (axis < rank && at[axis] === counts[axis]) at[axis] = -counts[axis++]!;
    if (axis === rank) break;
    at[axis]! += 1;
  }
  for (const [p, size] of sizes.entries()) {
    const change = Math.abs(sums[p]! - coarse[p]!);
    const worst = fn.kinks.length > 0 ? WORST_KINKED : WORST;
    if (!(change <= worst * size) || !(shell[p]! <= SHELL * size))
      throw new NumericalError(
        `finiteWidthCorrections: a four-point expectation of '${name}' is not resolved (relative change ${(change / size).toExponential(1)} at half the step, ${(shell[p]! / size).toExponential(1)} far out). Scale the inputs down, or choose a smoother activation.`,
      );
  }
  return Array.from(sums);
}
