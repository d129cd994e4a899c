// Functions that write Net documents: `serial(dense(512), relu(), dense(1))` is exactly the JSON of the format.
import { registerActivation, type ActivationDefinition } from '../layers/activation/functions.js';
import { parseLayer, type LayerDocument, type NetDocument } from './document.js';

/** Fields of a layer with defaults; the format lists them. */
export type LayerOptions = Readonly<Record<string, unknown>>;

/** A frozen layer document with the fields given; throws as parseNet does. */
export function layer(name: string, fields: LayerOptions = {}): LayerDocument {
  const document = freeze({ ...fields, layer: name }) as LayerDocument;
  parseLayer(document, '');
  const { layer: first, ...rest } = document;
  return freeze({ layer: first, ...rest }) as LayerDocument;
}

function freeze(value: unknown): unknown {
  if (Array.isArray(value)) return Object.isFrozen(value) ? value : Object.freeze(value.map(freeze));
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  return Object.freeze(Object.fromEntries(entries.map(([key, entry]) => [key, freeze(entry)])));
}

export function serial(...layers: readonly NetDocument[]): LayerDocument {
  return layer('serial', { layers });
}
/** `times` copies of `net`, each with its own weights. */
export function repeat(times: number, net: NetDocument): LayerDocument {
  return layer('repeat', { times, net });
}
/** Named after the format; every branch sees the same input. */
export function sum(...branches: readonly NetDocument[]): LayerDocument {
  return layer('sum', { branches });
}
export function product(...branches: readonly NetDocument[]): LayerDocument {
  return layer('product', { branches });
}
export function concat(branches: readonly NetDocument[], options: { axis?: number } = {}): LayerDocument {
  return layer('concat', { branches, ...options });
}
export function identity(): LayerDocument {
  return layer('identity');
}
/** x W wStd/sqrt(fan in) + bStd b; `options`: wStd, bStd, parametrization, s. */
export function dense(units: number, options: LayerOptions = {}): LayerDocument {
  return layer('dense', { units, ...options });
}
type ConvBuilder = (channels: number, filter: readonly number[], options?: LayerOptions) => LayerDocument;
const convBuilder =
  (name: string): ConvBuilder =>
  (channels, filter, options = {}) =>
    layer(name, { channels, filter, ...options });
/** `options`: strides, padding, wStd, bStd, parametrization, s. */
export const conv: ConvBuilder = convBuilder('conv');
export const convTranspose: ConvBuilder = convBuilder('convTranspose');
export const convLocal: ConvBuilder = convBuilder('convLocal');
type PoolBuilder = (window: readonly number[], options?: LayerOptions) => LayerDocument;
/** `options`: activation (needed), uStd, returnSequences, wStd, bStd, parametrization, s. The input has one spatial axis, time. */
export const rnn = (units: number, options: LayerOptions): LayerDocument =>
  layer('rnn', { units, ...options });
/** `options`: strides (ones, not the window), padding, normalizeEdges. */
export const avgPool: PoolBuilder = (window, options = {}) => layer('avgPool', { window, ...options });
export const sumPool: PoolBuilder = (window, options = {}) => layer('sumPool', { window, ...options });
/** Of finite nets: kernels by `monteCarloKernel`. */
export const maxPool: PoolBuilder = (window, options = {}) => layer('maxPool', { window, ...options });
export const globalAvgPool = (): LayerDocument => layer('globalAvgPool');
export const globalSumPool = (): LayerDocument => layer('globalSumPool');
export const flatten = (): LayerDocument => layer('flatten');
export const layerNorm = (options: LayerOptions = {}): LayerDocument => layer('layerNorm', options);
/** `keep` is the probability of keeping. */
export const dropout = (keep: number, options: LayerOptions = {}): LayerDocument =>
  layer('dropout', { keep, ...options });
/** `options` must name channels, keyChannels, valueChannels and heads. */
export const attention = (options: LayerOptions): LayerDocument => layer('attention', options);
export const aggregate = (options: LayerOptions = {}): LayerDocument => layer('aggregate', options);
export const imageResize = (shape: readonly number[], options: LayerOptions = {}): LayerDocument =>
  layer('imageResize', { shape, ...options });
export const index = (slices: readonly unknown[]): LayerDocument => layer('index', { slices });

type Activation = (options?: LayerOptions) => LayerDocument;
const activation =
  (name: string): Activation =>
  (options = {}) =>
    layer(name, options);
export const relu: Activation = activation('relu');
export const abs: Activation = activation('abs');
export const sign: Activation = activation('sign');
export const sigmoidLike: Activation = activation('sigmoidLike');
export const gabor: Activation = activation('gabor');
export const erf: Activation = activation('erf');
export const sin: Activation = activation('sin');
export const cos: Activation = activation('cos');
export const gelu: Activation = activation('gelu');
export const rbf: Activation = activation('rbf');
export const exp: Activation = activation('exp');
export const gaussian: Activation = activation('gaussian');
export const expNormalized: Activation = activation('expNormalized');
export const tanh: Activation = activation('tanh');
export const sigmoid: Activation = activation('sigmoid');
export const softplus: Activation = activation('softplus');
export const swish: Activation = activation('swish');
export const elu: Activation = activation('elu');
export const selu: Activation = activation('selu');
export const mish: Activation = activation('mish');
export const softsign: Activation = activation('softsign');
/** min(max(x, -1), 1). */
export const hardTanh: Activation = activation('hardTanh');
/** min(max(x / 6 + 1/2, 0), 1) (Howard et al. 2019). */
export const hardSigmoid: Activation = activation('hardSigmoid');
/** x hardSigmoid(x). */
export const hardSwish: Activation = activation('hardSwish');
/** min(max(x, 0), 6). */
export const relu6: Activation = activation('relu6');
export const leakyRelu = (alpha: number): LayerDocument => layer('leakyRelu', { alpha });
/** a min(x, 0) + b max(x, 0). */
export const abRelu = (a: number, b: number): LayerDocument => layer('abRelu', { a, b });
export const hermite = (degree: number): LayerDocument => layer('hermite', { degree });
export const monomial = (degree: number): LayerDocument => layer('monomial', { degree });
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
