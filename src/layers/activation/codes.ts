// How the activations of the format are spelled for the kernels of assembly/activation.ts.
import type { ActivationLayer } from '../vocabulary.js';
import { finiteFunction } from './functions.js';
import type { ScalarFunction } from './functions.js';

/** An activation for the kernels: a code, three parameters and, for polynomials, coefficients. */
export interface ActivationCode {
  readonly code: number;
  readonly parameters: readonly [number, number, number];
  /** Entry k: the ascending coefficients of the derivative of order k, 0 to 3; empty for what is no polynomial. */
  readonly coefficients: readonly Float64Array<ArrayBuffer>[];
  /** A function in code: no kernel knows it. Code -1 without it: the scalar function of the layer. */
  readonly fn?: ScalarFunction;
}

const CODES = {
  linear: 0,
  sign: 1,
  erf: 2,
  sin: 3,
  exp: 4,
  gaussian: 5,
  gabor: 6,
  gelu: 7,
  geluTanh: 8,
  polynomial: 9,
  rectified: 10,
  tanh: 11,
  sigmoid: 12,
  softplus: 13,
  swish: 14,
  elu: 15,
  mish: 16,
  softsign: 17,
  cos: 18,
} as const;

/** Constants of Klambauer et al. (2017). */
export const SELU_ALPHA = 1.6732632423543772;
export const SELU_SCALE = 1.0507009873554805;
/** The slope of the erf closest to the logistic function. */
export const SIGMOID_LIKE: number = 1 / 2.4020563531719796;

const simple = (name: keyof typeof CODES, p = 0, q = 0, r = 0): ActivationCode => ({
  code: CODES[name],
  parameters: [p, q, r],
  coefficients: [],
});
const series = (name: 'polynomial' | 'rectified', coefficients: readonly number[]): ActivationCode => ({
  ...simple(name),
  coefficients: [0, 1, 2, 3].map((order) => Float64Array.from(derivativeCoefficients(coefficients, order))),
});
const monomial = (degree: number): number[] => [...new Array<number>(degree).fill(0), 1];

/** The code of a layer. `expNormalized` has none: it is defined by its kernel alone. */
export function activationCode(layer: ActivationLayer): ActivationCode {
  switch (layer.layer) {
    case 'relu':
      return simple('linear', 0, 1);
    case 'leakyRelu':
      return simple('linear', layer.alpha, 1);
    case 'abs':
      return simple('linear', -1, 1);
    case 'abRelu':
      return simple('linear', layer.a, layer.b);
    case 'erf':
    case 'sin':
    case 'cos':
      return simple(layer.layer, layer.a, layer.b, layer.c);
    case 'sigmoidLike':
      return simple('erf', 0.5, SIGMOID_LIKE, 0.5);
    case 'gelu':
      return simple(layer.approximate ? 'geluTanh' : 'gelu');
    case 'rbf':
      return simple('sin', Math.SQRT2, Math.sqrt(2 * layer.gamma), Math.PI / 4);
    case 'exp':
    case 'gaussian':
      return simple(layer.layer, layer.a, layer.b);
    case 'hermite':
      return series('polynomial', hermiteCoefficients(layer.degree));
    case 'monomial':
      return series('polynomial', monomial(layer.degree));
    case 'rectifiedMonomial':
      return series('rectified', monomial(layer.degree));
    case 'polynomial':
      return series('polynomial', layer.coefficients);
    case 'elu':
      return simple('elu', layer.alpha, 1);
    case 'selu':
      return simple('elu', SELU_ALPHA * SELU_SCALE, SELU_SCALE);
    case 'sign':
    case 'gabor':
    case 'tanh':
    case 'sigmoid':
    case 'softplus':
    case 'swish':
    case 'mish':
    case 'softsign':
      return simple(layer.layer);
    case 'hardTanh':
    case 'hardSigmoid':
    case 'hardSwish':
    case 'relu6':
      return { code: -1, parameters: [0, 0, 0], coefficients: [] };
    case 'elementwise':
      return { code: -1, parameters: [0, 0, 0], coefficients: [], fn: finiteFunction(layer.name) };
    case 'expNormalized':
      throw new RangeError('expNormalized: it is defined by its kernel alone; no finite net has it.');
  }
}

/** He_n / sqrt(n!) as ascending coefficients. */
export function hermiteCoefficients(degree: number): number[] {
  let before = [0];
  let now = [1];
  for (let n = 0; n < degree; n++) {
    const next = [0, ...now].map((value, i) => (value - Math.sqrt(n) * (before[i] ?? 0)) / Math.sqrt(n + 1));
    before = now;
    now = next;
  }
  return now;
}

/** The ascending coefficients of the derivative of order `order`. */
function derivativeCoefficients(coefficients: readonly number[], order: number): number[] {
  let now = [...coefficients];
  for (let k = 0; k < order; k++) now = now.slice(1).map((c, i) => c * (i + 1));
  return now;
}
