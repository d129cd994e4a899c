// How every quantity of a one-hidden-layer classifier scales with the width factor (arXiv:2006.06574, section 2).
import {
  add,
  HALF,
  max,
  negate,
  ONE,
  rational,
  snap,
  subtract,
  sum,
  times,
  toNumber,
  ZERO,
  type Rational,
} from './rational.js';
import { exponentsOf, type ScalingSpec } from './scalings.js';

/** Powers of the width factor, as exact fractions. */
export interface Powers {
  /** Logits at initialisation. */
  readonly A: Rational;
  /** Derivative kernel at initialisation (the larger of its two parts). */
  readonly B: Rational;
  /** Kernel over logits at initialisation. */
  readonly C: Rational;
  /** Relative change of the faster layer's hatted weights in a step. */
  readonly D: Rational;
  /** Step of the hatted output weights, `qTildeA + qSigma`. */
  readonly u: Rational;
  /** Step of the hatted input weights, `qTildeW + qSigma`. */
  readonly v: Rational;
  /** Logits after the first step; runs away where the scaling is unstable. */
  readonly logits: Rational;
  /** Hatted weights after the first steps (fixed point of the growth recursion). */
  readonly outputWeights: Rational;
  readonly inputWeights: Rational;
  readonly outputKernelAtInit: Rational;
  readonly inputKernelAtInit: Rational;
  readonly outputKernel: Rational;
  readonly inputKernel: Rational;
  /** Terms of the logit: with a and w at their start or as increments. */
  readonly terms: {
    readonly f0: Rational;
    readonly fa: Rational;
    readonly fw: Rational;
    readonly faw: Rational;
  };
}

/** Values this close to a line, relative to the exponents, count as on it when they came from binary numbers. */
export const LINE_TOLERANCE = 1e-9;

/** The exact exponents of a scaling. */
export function powersOf(spec: ScalingSpec): Powers {
  const { qSigma, qTildeA, qTildeW } = exponentsOf(spec);
  const size = Math.max(1, ...[qSigma, qTildeA, qTildeW].map((q) => Math.abs(toNumber(q))));
  const tidy = (value: Rational): Rational => snap(value, LINE_TOLERANCE * size);
  const A = tidy(add(qSigma, HALF));
  // Everything else follows from A, u and v, so that sums that vanish together vanish exactly.
  const uSum = add(qTildeA, qSigma);
  const vSum = add(qTildeW, qSigma);
  const onLower = (value: Rational): Rational => subtract(tidy(add(value, HALF)), HALF);
  const u = onLower(tidy(uSum));
  const same = snap(subtract(uSum, vSum), LINE_TOLERANCE * size).num === 0n;
  const v = same ? u : onLower(tidy(vSum));
  const D = max(u, v);
  const C = add(D, HALF);
  const B = tidy(add(A, C));
  const outputWeights = max(ZERO, u);
  const inputWeights = max(ZERO, v);
  const base = subtract(add(A, HALF), ZERO); // qSigma + 1, snapped
  const coherent = sum(base, u, v, D);
  const incoherent = sum(base, u, v, negate(HALF));
  return {
    A,
    B,
    C,
    D,
    u,
    v,
    logits: max(A, tidy(add(base, D))),
    outputWeights,
    inputWeights,
    outputKernelAtInit: tidy(add(base, u)),
    inputKernelAtInit: tidy(add(base, v)),
    outputKernel: tidy(sum(base, u, times(inputWeights, 2n))),
    inputKernel: tidy(sum(base, v, times(outputWeights, 2n))),
    terms: { f0: A, fa: tidy(add(base, u)), fw: tidy(add(base, v)), faw: tidy(max(coherent, incoherent)) },
  };
}

/**
 * The power of the relative change of the tangent kernel in the first step of a stable symmetric scaling with
 * D <= 0. The part linear in the increments is odd in the output weights and averages out; what is left is the
 * second order, wf^(2D), and fluctuations: wf^(D - 1/2) for smooth activations, wf^((D - 1)/2) where random mask
 * flips of ReLU-like ones make them.
 */
export function kernelChangePower({ D }: Pick<Powers, 'D'>, activation: 'smooth' | 'reluLike'): Rational {
  const fluctuation = activation === 'smooth' ? subtract(D, HALF) : times(subtract(D, ONE), 1n, 2n);
  return max(times(D, 2n), fluctuation);
}

/** The order of each logit after `k` steps (k >= 1) where nothing bounds it: the recursion of |a| and |w|. */
export function weightPowers(
  { u, v }: Pick<Powers, 'u' | 'v'>,
  steps: number,
): { a: Rational; w: Rational }[] {
  const path = [{ a: rational(0n, 1n), w: rational(0n, 1n) }];
  for (let k = 0; k < steps; k++) {
    const { a, w } = path[k]!;
    path.push({ a: max(a, add(u, w)), w: max(w, add(v, a)) });
  }
  return path;
}
