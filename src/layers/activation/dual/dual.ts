// Which dual an activation has: a closed form (kinds of assembly/dual.ts), a polynomial, or a Hermite series.
import type { ActivationLayer } from '../../vocabulary.js';
import { cos, sin } from '../../../math/elementary.js';
import { SELU_ALPHA, SELU_SCALE, SIGMOID_LIKE } from '../codes.js';
import { userActivation, type DualFunction } from '../functions.js';
import type { ScalarFunction } from '../functions.js';
import { scalarFunction } from './scalar.js';

/** Where the kernels of an activation come from. */
export type Dual =
  | {
      readonly form: 'closed';
      /** Number of the kind in assembly/dual.ts. */
      readonly kind: number;
      readonly params: readonly number[];
    }
  | { readonly form: 'polynomial'; readonly coefficients: readonly number[] }
  | { readonly form: 'hermite'; readonly degree: number }
  | {
      readonly form: 'series';
      readonly fn: ScalarFunction;
      /** gain x for x > 0, gain alpha (e^x - 1) below: exact where the series is slow, near c = 1 and -1. */
      readonly elu?: { readonly alpha: number; readonly gain: number };
    }
  /** A function in code. */
  | { readonly form: 'function'; readonly name: string; readonly fn: DualFunction };

const closed = (kind: number, ...params: number[]): Dual => ({ form: 'closed', kind, params });

/** The dual of a layer. */
export function dualOf(layer: ActivationLayer): Dual {
  switch (layer.layer) {
    case 'relu':
      return closed(1, 0, 1);
    case 'leakyRelu':
      return closed(1, layer.alpha, 1);
    case 'abs':
      return closed(1, -1, 1);
    case 'abRelu':
      return closed(1, layer.a, layer.b);
    case 'sign':
      return closed(2);
    case 'erf':
      return closed(3, layer.a, layer.b, layer.c);
    case 'sigmoidLike':
      return closed(3, 0.5, SIGMOID_LIKE, 0.5);
    case 'gelu':
      return closed(4);
    case 'sin':
      return closed(5, layer.a, layer.b, cos(2 * layer.c), 2 * sin(layer.c) ** 2);
    case 'cos':
      return closed(5, layer.a, layer.b, -cos(2 * layer.c), 2 * cos(layer.c) ** 2);
    case 'rbf':
      return closed(5, Math.SQRT2, Math.sqrt(2 * layer.gamma), 0, 1);
    case 'exp':
      return closed(6, layer.a, layer.b);
    case 'gaussian':
      return closed(7, layer.a, layer.b);
    case 'gabor':
      return closed(8);
    case 'expNormalized':
      return closed(9, layer.gamma, layer.shift, layer.doClip ? 1 : 0);
    case 'rectifiedMonomial':
      return closed(10, layer.degree);
    case 'hermite':
      return { form: 'hermite', degree: layer.degree };
    case 'monomial':
      return {
        form: 'polynomial',
        coefficients: Array.from({ length: layer.degree + 1 }, (_, i) => (i === layer.degree ? 1 : 0)),
      };
    case 'polynomial':
      return { form: 'polynomial', coefficients: layer.coefficients };
    case 'elementwise': {
      const { name, dual, scalar } = userActivation(layer.name);
      return dual ? { form: 'function', name, fn: dual } : { form: 'series', fn: scalar! };
    }
    case 'elu':
      return { form: 'series', fn: scalarFunction(layer), elu: { alpha: layer.alpha, gain: 1 } };
    case 'selu':
      return { form: 'series', fn: scalarFunction(layer), elu: { alpha: SELU_ALPHA, gain: SELU_SCALE } };
    default:
      return { form: 'series', fn: scalarFunction(layer) };
  }
}
