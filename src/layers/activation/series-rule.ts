// Every activation as a rule on truncated power series: any derivative at a point is a coefficient of phi(x + eps).
// Kinks use the left side: relu'(0) = 0, leakyRelu'(0) = alpha, abs'(0) = -1, and higher derivatives are 0 there.
import {
  composeSeries,
  expSeries,
  integrateSeries,
  invertSeries,
  multiplySeries,
  type Series,
} from '../power-series.js';
import type { ActivationLayer } from '../vocabulary.js';
import { hermiteCoefficients, SELU_ALPHA, SELU_SCALE, SIGMOID_LIKE } from './codes.js';
import { UnsupportedError } from '../../wasm/engine.js';
import { difference, finiteFunction } from './functions.js';
import { cos, erf, exp, expm1, log1p, sin, tanh } from '../../math/elementary.js';

export type SeriesRule = (x: Series) => Series;

const scale = (x: Series, a: number): Series => x.map((value) => a * value);
const add = (x: Series, y: Series): Series => x.map((value, m) => value + y[m]!);
const shift = (x: Series, c: number): Series => x.map((value, m) => (m === 0 ? value + c : value));
const constant = (value: number, like: Series): Series => new Float64Array(like.length).fill(value, 0, 1);

const expOf: SeriesRule = (x) => expSeries(x, exp(x[0]!));
function sinCos(x: Series): { s: Series; c: Series } {
  const s = new Float64Array(x.length);
  const c = new Float64Array(x.length);
  s[0] = sin(x[0]!);
  c[0] = cos(x[0]!);
  for (let m = 1; m < x.length; m++) {
    for (let j = 1; j <= m; j++) {
      s[m]! += (j * x[j]! * c[m - j]!) / m;
      c[m]! -= (j * x[j]! * s[m - j]!) / m;
    }
  }
  return { s, c };
}
/** tanh: m t_m = sum_j j x_j (1 - t^2)_{m-j}, coefficient by coefficient. */
const tanhOf: SeriesRule = (x) => {
  const t = new Float64Array(x.length);
  t[0] = tanh(x[0]!);
  for (let m = 1; m < x.length; m++) {
    const d = shift(scale(multiplySeries(t, t), -1), 1);
    for (let j = 1; j <= m; j++) t[m]! += (j * x[j]! * d[m - j]!) / m;
  }
  return t;
};
const sigmoidOf: SeriesRule = (x) => scale(shift(tanhOf(scale(x, 0.5)), 1), 0.5);
const softplusOf: SeriesRule = (x) => {
  const x0 = x[0]!;
  return integrateSeries(x, Math.max(x0, 0) + log1p(exp(-Math.abs(x0))), sigmoidOf(x));
};
/** erf' = 2/sqrt(pi) exp(-x^2). */
const erfOf: SeriesRule = (x) =>
  integrateSeries(x, erf(x[0]!), scale(expOf(scale(multiplySeries(x, x), -1)), 2 / Math.sqrt(Math.PI)));
const polynomialOf =
  (coefficients: readonly number[]): SeriesRule =>
  (x) =>
    coefficients.reduceRight<Series>(
      (sum, c) => shift(multiplySeries(sum, x), c),
      new Float64Array(x.length),
    );
const powerOf =
  (degree: number): SeriesRule =>
  (x) => {
    let power = constant(1, x);
    for (let i = 0; i < degree; i++) power = multiplySeries(power, x);
    return power;
  };
const bent =
  (a: number, b: number): SeriesRule =>
  (x) =>
    scale(x, x[0]! > 0 ? b : a);
const waveOf =
  (a: number, b: number, c: number): SeriesRule =>
  (x) =>
    scale(sinCos(shift(scale(x, b), c)).s, a);
const eluOf =
  (alpha: number, gain: number): SeriesRule =>
  (x) => {
    if (x[0]! > 0) return scale(x, gain);
    const e = scale(expSeries(x, exp(x[0]!)), alpha * gain);
    e[0] = alpha * gain * expm1(x[0]!);
    return e;
  };
/** slope x + shift between two kinks, constant outside. */
const clipped =
  (least: number, most: number, slope = 1, at = 0): SeriesRule =>
  (x) => {
    const [first, last] = [slope * least + at, slope * most + at];
    if (x[0]! <= least) return constant(first, x);
    return x[0]! > most ? constant(last, x) : shift(scale(x, slope), at);
  };
const hardSigmoid = clipped(-3, 3, 1 / 6, 0.5);
/** The rule of an activation of the format; its parameters are those of net-format. */
export function seriesRule(layer: ActivationLayer): SeriesRule {
  switch (layer.layer) {
    case 'relu':
      return bent(0, 1);
    case 'leakyRelu':
      return bent(layer.alpha, 1);
    case 'abs':
      return bent(-1, 1);
    case 'abRelu':
      return bent(layer.a, layer.b);
    case 'sign':
      return (x) => constant(Math.sign(x[0]!), x);
    case 'erf':
      return (x) => shift(scale(erfOf(scale(x, layer.b)), layer.a), layer.c);
    case 'sigmoidLike':
      return (x) => shift(scale(erfOf(scale(x, SIGMOID_LIKE)), 0.5), 0.5);
    case 'gelu':
      return layer.approximate ? approximateGelu : gelu;
    case 'sin':
      return waveOf(layer.a, layer.b, layer.c);
    case 'cos':
      return (x) => scale(sinCos(shift(scale(x, layer.b), layer.c)).c, layer.a);
    case 'rbf':
      return waveOf(Math.SQRT2, Math.sqrt(2 * layer.gamma), Math.PI / 4);
    case 'exp':
      return (x) => scale(expOf(scale(x, layer.b)), layer.a);
    case 'gaussian':
      return (x) => scale(expOf(scale(multiplySeries(x, x), layer.b)), layer.a);
    case 'gabor':
      return (x) => multiplySeries(expOf(scale(multiplySeries(x, x), -1)), sinCos(x).s);
    case 'hermite':
      return polynomialOf(hermiteCoefficients(layer.degree));
    case 'monomial':
      return powerOf(layer.degree);
    case 'rectifiedMonomial': {
      const power = powerOf(layer.degree);
      return (x) => (x[0]! > 0 ? power(x) : new Float64Array(x.length));
    }
    case 'polynomial':
      return polynomialOf(layer.coefficients);
    case 'tanh':
      return tanhOf;
    case 'sigmoid':
      return sigmoidOf;
    case 'softplus':
      return softplusOf;
    case 'swish':
      return (x) => multiplySeries(x, sigmoidOf(x));
    case 'elu':
      return eluOf(layer.alpha, 1);
    case 'selu':
      return eluOf(SELU_ALPHA, SELU_SCALE);
    case 'mish':
      return (x) => multiplySeries(x, tanhOf(softplusOf(x)));
    case 'softsign':
      return (x) => multiplySeries(x, invertSeries(shift(scale(x, x[0]! < 0 ? -1 : 1), 1)));
    case 'hardTanh':
      return clipped(-1, 1);
    case 'relu6':
      return clipped(0, 6);
    case 'hardSigmoid':
      return hardSigmoid;
    case 'hardSwish':
      return (x) => multiplySeries(x, hardSigmoid(x));
    case 'elementwise':
      return seriesOf(layer.name);
    case 'expNormalized':
      throw new RangeError('expNormalized: it is defined by its kernel alone; no finite net has it.');
  }
}

/** A function in code: its second derivative by differences of the first, none above. */
function seriesOf(name: string): SeriesRule {
  const { value, slope, kinks } = finiteFunction(name);
  return (x) => {
    if (x.length > 3)
      throw new UnsupportedError(
        `a derivative of order ${x.length - 1} of elementwise '${name}'`,
        'Use an activation of the format.',
      );
    const d = x.map((entry, m) => (m === 0 ? 0 : entry));
    const terms = [
      value(x[0]!),
      x.length > 1 ? slope(x[0]!) : 0,
      x.length > 2 ? difference(slope, x[0]!, kinks) / 2 : 0,
    ];
    return composeSeries(Float64Array.from(terms.slice(0, x.length)), d);
  };
}

const gelu: SeriesRule = (x) => multiplySeries(x, scale(shift(erfOf(scale(x, Math.SQRT1_2)), 1), 0.5));
const approximateGelu: SeriesRule = (x) => {
  const inner = add(x, scale(powerOf(3)(x), 0.044715));
  return multiplySeries(scale(x, 0.5), shift(tanhOf(scale(inner, Math.sqrt(2 / Math.PI))), 1));
};
