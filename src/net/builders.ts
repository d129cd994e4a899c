// Functions that write Net documents: `serial(dense(512), relu(), dense(1))` is exactly the JSON of the format (docs/nets.md).
import { registerActivation, type ActivationDefinition } from '../layers/activation/functions.js';
import type { ActivationLayer, LayerName, LayerOf, Slice } from '../layers/vocabulary.js';
import { parseLayer, type LayerDocument, type NetDocument } from './document.js';

/**
 * The fields of layer `N` that have defaults; `Given` are those that its builder takes by position. Builders throw a
 * RangeError that names the field, its rule and what was given.
 */
export type LayerOptions<N extends LayerName, Given extends string = never> = {
  readonly [K in Exclude<keyof LayerOf<N>, 'layer' | Given>]?: LayerOf<N>[K] | undefined;
};

/** A frozen layer document with the fields given; throws as parseNet does. */
export function layer(name: LayerName, fields: Readonly<Record<string, unknown>> = {}): LayerDocument {
  const document = freeze({ ...fields, layer: name }) as LayerDocument;
  parseLayer(document, '');
  const { layer: first, ...rest } = document;
  return freeze({ layer: first, ...rest }) as LayerDocument;
}

function freeze(value: unknown, depth = 0): unknown {
  if (depth > 1000) throw new RangeError('net: a field is nested more than 1000 deep. Does it hold itself?');
  if (Array.isArray(value))
    return Object.isFrozen(value) ? value : Object.freeze(value.map((entry) => freeze(entry, depth + 1)));
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  return Object.freeze(Object.fromEntries(entries.map(([key, entry]) => [key, freeze(entry, depth + 1)])));
}

/** Layers one after the other. */
export function serial(...layers: readonly NetDocument[]): LayerDocument {
  return layer('serial', { layers });
}
/** `times` copies of `net`, each with its own weights. */
export function repeat(times: number, net: NetDocument): LayerDocument {
  return layer('repeat', { times, net });
}
/** Every branch sees the same input; results are added. */
export function sum(...branches: readonly NetDocument[]): LayerDocument {
  return layer('sum', { branches });
}
/** Every branch sees the same input; results are multiplied entry by entry. */
export function product(...branches: readonly NetDocument[]): LayerDocument {
  return layer('product', { branches });
}
/** Results side by side along `axis` (default -1, channels; all axes count, samples too). */
export function concat(branches: readonly NetDocument[], options: { axis?: number } = {}): LayerDocument {
  return layer('concat', { branches, ...options });
}
/** Nothing. */
export function identity(): LayerDocument {
  return layer('identity');
}
/**
 * x W wStd/sqrt(fan in) + bStd b on channels; `options`: wStd (1), bStd (null: no bias), parametrization ('ntk'; 'standard':
 * arXiv:2001.07301), s ([1, 1]), baseWidth (null).
 */
export function dense(units: number, options: LayerOptions<'dense', 'units'> = {}): LayerDocument {
  return layer('dense', { units, ...options });
}
type ConvBuilder = (
  channels: number,
  filter: readonly number[],
  options?: LayerOptions<'conv', 'channels' | 'filter'>,
) => LayerDocument;
const convBuilder =
  (name: 'conv' | 'convTranspose' | 'convLocal'): ConvBuilder =>
  (channels, filter, options = {}) =>
    layer(name, { channels, filter, ...options });
/** `options`: strides (ones), padding ('VALID', 'SAME', 'CIRCULAR'), and those of `dense`. */
export const conv: ConvBuilder = convBuilder('conv');
/** The transpose of `conv`, with its options. */
export const convTranspose: ConvBuilder = convBuilder('convTranspose');
/** `conv` with weights of its own at every position. */
export const convLocal: ConvBuilder = convBuilder('convLocal');
type PoolBuilder<N extends 'avgPool' | 'sumPool'> = (
  window: readonly number[],
  options?: LayerOptions<N, 'window'>,
) => LayerDocument;
/**
 * h_t = phi(x_t W + h_(t-1) U + b) over the only spatial axis, time; `options`: activation (needed), uStd (1), returnSequences
 * (false: the last state), and those of `dense`.
 */
export const rnn = (
  units: number,
  options: LayerOptions<'rnn', 'units' | 'activation'> & {
    readonly activation: LayerDocument | ActivationLayer;
  },
): LayerDocument => layer('rnn', { units, ...options });
/** Means over windows; `options`: strides (ones, not the window), padding ('VALID'), normalizeEdges (false). */
export const avgPool: PoolBuilder<'avgPool'> = (window, options = {}) =>
  layer('avgPool', { window, ...options });
/** Sums over windows; `options`: strides (ones), padding ('VALID'). */
export const sumPool: PoolBuilder<'sumPool'> = (window, options = {}) =>
  layer('sumPool', { window, ...options });
/** Of finite nets: kernels by `monteCarloKernel`. */
export const maxPool: PoolBuilder<'sumPool'> = (window, options = {}) =>
  layer('maxPool', { window, ...options });
/** The mean over all positions. */
export const globalAvgPool = (): LayerDocument => layer('globalAvgPool');
/** The sum over all positions. */
export const globalSumPool = (): LayerDocument => layer('globalSumPool');
/** Positions become channels. */
export const flatten = (): LayerDocument => layer('flatten');
/** Mean 0 and variance 1 over `axis` (default [-1], channels; all axes count, samples too); `eps` 1e-12. */
export const layerNorm = (
  options: LayerOptions<'layerNorm', 'axis'> & { readonly axis?: number | readonly number[] } = {},
): LayerDocument => layer('layerNorm', options);
/** x / sqrt(eps + mean of x^2) over `axis` (default [-1]), without taking the mean off (arXiv:1910.07467); `eps` 1e-12. */
export const rmsNorm = (
  options: LayerOptions<'rmsNorm', 'axis'> & { readonly axis?: number | readonly number[] } = {},
): LayerDocument => layer('rmsNorm', options);
/** Keeps an entry with probability `keep` and divides it by that; `mode` 'test': nothing. */
export const dropout = (keep: number, options: LayerOptions<'dropout', 'keep'> = {}): LayerDocument =>
  layer('dropout', { keep, ...options });
/** Self-attention over all positions (arXiv:2006.10540); `options` must name channels, keyChannels, valueChannels and heads. */
export const attention = (
  options: LayerOptions<'attention', AttentionSizes> & Pick<LayerOf<'attention'>, AttentionSizes>,
): LayerDocument => layer('attention', options);
type AttentionSizes = 'channels' | 'keyChannels' | 'valueChannels' | 'heads';
/** y_j = sum_i x_i pattern_ij over `axis` (default: all spatial axes); the pattern is an argument of the call. */
export const aggregate = (
  options: { readonly axis?: number | readonly number[] | null } = {},
): LayerDocument => layer('aggregate', options);
/** `shape`: one size per axis, samples and channels too, -1 keeps it; `options`: method ('linear', 'nearest'), antialias (true). */
export const imageResize = (
  shape: readonly number[],
  options: LayerOptions<'imageResize', 'shape'> = {},
): LayerDocument => layer('imageResize', { shape, ...options });
/** Per spatial axis null (all), a number (the axis goes) or [start, stop, step] as in Python. */
export const index = (slices: readonly Slice[]): LayerDocument => layer('index', { slices });

type Activation<N extends ActivationLayer['layer']> = [keyof LayerOptions<N>] extends [never]
  ? () => LayerDocument
  : (options?: LayerOptions<N>) => LayerDocument;
const activation =
  <N extends ActivationLayer['layer']>(name: N) =>
  (options: LayerOptions<N> = {}): LayerDocument =>
    layer(name, options);
/** max(x, 0). */
export const relu: Activation<'relu'> = activation('relu');
/** |x|. */
export const abs: Activation<'abs'> = activation('abs');
/** -1, 0 or 1. */
export const sign: Activation<'sign'> = activation('sign');
/** (1 + erf(x / 2.402)) / 2, near the logistic function. */
export const sigmoidLike: Activation<'sigmoidLike'> = activation('sigmoidLike');
/** e^(-x^2) sin x. */
export const gabor: Activation<'gabor'> = activation('gabor');
/** a erf(b x) + c; a 1, b 1, c 0. */
export const erf: Activation<'erf'> = activation('erf');
/** a sin(b x + c); a 1, b 1, c 0. */
export const sin: Activation<'sin'> = activation('sin');
/** a cos(b x + c); a 1, b 1, c 0. */
export const cos: Activation<'cos'> = activation('cos');
/** x (1 + erf(x / sqrt 2)) / 2; `approximate`: with tanh. */
export const gelu: Activation<'gelu'> = activation('gelu');
/** sqrt(2) sin(sqrt(2 gamma) x + pi/4), whose NNGP is a Gaussian of the distance; gamma 1. */
export const rbf: Activation<'rbf'> = activation('rbf');
/** a e^(b x); a 1, b 1. */
export const exp: Activation<'exp'> = activation('exp');
/** a e^(b x^2); a 1, b -1. */
export const gaussian: Activation<'gaussian'> = activation('gaussian');
/** Only a kernel: sqrt(k11 k22) e^(gamma (c + shift)) of the cosine c; gamma 1, shift -1. */
export const expNormalized: Activation<'expNormalized'> = activation('expNormalized');
/** tanh x. */
export const tanh: Activation<'tanh'> = activation('tanh');
/** 1 / (1 + e^-x). */
export const sigmoid: Activation<'sigmoid'> = activation('sigmoid');
/** log(1 + e^x). */
export const softplus: Activation<'softplus'> = activation('softplus');
/** x / (1 + e^-x). */
export const swish: Activation<'swish'> = activation('swish');
/** x, below 0 alpha (e^x - 1); alpha 1 (Clevert et al. 2016). */
export const elu: Activation<'elu'> = activation('elu');
/** elu with the constants of Klambauer et al. 2017. */
export const selu: Activation<'selu'> = activation('selu');
/** x tanh(log(1 + e^x)). */
export const mish: Activation<'mish'> = activation('mish');
/** x / (1 + |x|). */
export const softsign: Activation<'softsign'> = activation('softsign');
/** min(max(x, -1), 1). */
export const hardTanh: Activation<'hardTanh'> = activation('hardTanh');
/** min(max(x / 6 + 1/2, 0), 1) (Howard et al. 2019). */
export const hardSigmoid: Activation<'hardSigmoid'> = activation('hardSigmoid');
/** x hardSigmoid(x). */
export const hardSwish: Activation<'hardSwish'> = activation('hardSwish');
/** min(max(x, 0), 6). */
export const relu6: Activation<'relu6'> = activation('relu6');
/** x, below 0 alpha x. */
export const leakyRelu = (alpha: number): LayerDocument => layer('leakyRelu', { alpha });
/** a min(x, 0) + b max(x, 0). */
export const abRelu = (a: number, b: number): LayerDocument => layer('abRelu', { a, b });
/** The Hermite polynomial He_n / sqrt(n!). */
export const hermite = (degree: number): LayerDocument => layer('hermite', { degree });
/** x^degree. */
export const monomial = (degree: number): LayerDocument => layer('monomial', { degree });
/** x^degree, 0 below 0. */
export const rectifiedMonomial = (degree: number): LayerDocument => layer('rectifiedMonomial', { degree });
/** Coefficients ascending. */
export const polynomial = (coefficients: readonly number[]): LayerDocument =>
  layer('polynomial', { coefficients });
/** The activation that `defineActivation` knows by this name. */
export const elementwise = (name: string): LayerDocument => layer('elementwise', { name });

/**
 * Gives an activation in code a name, so that net documents stay JSON: `{ "layer": "elementwise", "name": name }`; returns a
 * function that makes that layer. Its kernels are a Hermite series of `fn`, or `kernelFunction`. Nets that hold it run on
 * the calling thread, because functions do not cross to workers. A name is defined once per program.
 */
export function defineActivation(name: string, definition: ActivationDefinition): () => LayerDocument {
  const document = elementwise(name);
  registerActivation(name, definition);
  return () => document;
}
