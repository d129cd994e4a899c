// What the recursion asks of an activation: its two-point functions with derivatives, and four-point expectations.
import type { ActivationLayer } from '../layers/vocabulary.js';
import { finiteFunction } from '../layers/activation/functions.js';
import { scalarFunction } from '../layers/activation/dual/scalar.js';
import { bentFamily } from './bent.js';
import { erfFamily } from './error-function.js';
import { smoothFamily } from './smooth.js';

/** The activation between two dense layers; `linear`: none. */
export type HiddenActivation = ActivationLayer | { readonly layer: 'linear' };

/** A function of the variances and covariance (aa, ab, bb), or of the variance alone where both samples are one. */
export interface TwoPoint {
  readonly value: number;
  /** First derivatives by the variables, and the matrix of second ones, row-major. */
  readonly first: readonly number[];
  readonly second: readonly number[];
}

/** kappa = E[phi phi] and slope = E[phi' phi'] of a pair of samples. */
export interface PairDual {
  readonly kappa: TwoPoint;
  readonly slope: TwoPoint;
  /** Samples of one direction (or opposite): functions of the first one's variance alone, as if both were that sample. */
  readonly parallel: boolean;
}

/** Which of the samples of a block stand in phi, and which in phi'; four in all. */
export interface Pattern {
  readonly phi: readonly number[];
  readonly slope: readonly number[];
}

export interface Family {
  /** Variances a and c, covariance b; `same`: both samples are one. */
  dual(a: number, b: number, c: number, same: boolean): PairDual;
  /** E[prod phi(z_i) prod phi'(z_j)] of every pattern, for the m x m covariance of a block. */
  block(k: Float64Array, m: number, patterns: readonly Pattern[]): number[];
}

/** RangeError for activations whose derivative is no function, or that have no finite net. */
export function familyOf(activation: HiddenActivation): Family {
  switch (activation.layer) {
    case 'linear':
      return bentFamily(1, 1);
    case 'relu':
      return bentFamily(0, 1);
    case 'leakyRelu':
      return bentFamily(activation.alpha, 1);
    case 'abs':
      return bentFamily(-1, 1);
    case 'abRelu':
      return bentFamily(activation.a, activation.b);
    case 'sign':
    case 'expNormalized':
      throw new RangeError(
        `finiteWidthCorrections: '${activation.layer}' has no finite net with a tangent kernel. Choose an activation with a derivative.`,
      );
    case 'erf':
      if (activation.c === 0) return erfFamily(activation.a, activation.b);
      return smoothFamily(scalarFunction(activation), activation.layer);
    case 'elementwise':
      return smoothFamily(finiteFunction(activation.name), activation.name);
    default:
      return smoothFamily(scalarFunction(activation), activation.layer);
  }
}
