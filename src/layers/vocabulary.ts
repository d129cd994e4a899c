// The layers a Net document may hold, as parsed: every field present, defaults filled in.

export type Padding = 'VALID' | 'SAME' | 'CIRCULAR';
export type Parametrization = 'ntk' | 'standard';

export interface SerialLayer {
  readonly layer: 'serial';
  readonly layers: readonly Layer[];
}
/** `times` copies of `net` in a row, each with weights of its own. */
export interface RepeatLayer {
  readonly layer: 'repeat';
  readonly times: number;
  readonly net: Layer;
}
/** Every branch sees the same input; the results are added or multiplied entry by entry. */
export interface MergeLayer {
  readonly layer: 'sum' | 'product';
  readonly branches: readonly Layer[];
}
export interface ConcatLayer {
  readonly layer: 'concat';
  readonly branches: readonly Layer[];
  /** Counts all axes, samples included; negative from the end. */
  readonly axis: number;
}
/** Layers without fields. */
export interface PlainLayer {
  readonly layer: 'identity' | 'globalAvgPool' | 'globalSumPool' | 'flatten';
}
interface Weights {
  readonly wStd: number;
  /** `null`: no bias exists; 0: a bias exists with zero variance at the start. */
  readonly bStd: number | null;
  readonly parametrization: Parametrization;
  /** [sIn, sOut]: the true channel count is `units * sOut`. */
  readonly s: readonly [number, number];
  /**
   * `standard` only: the base width N of the inputs, any positive number; `null`: their channels / sIn. A finite layer
   * with C input channels then is the layer of sIn = C / N.
   */
  readonly baseWidth: number | null;
}
export interface DenseLayer extends Weights {
  readonly layer: 'dense';
  readonly units: number;
}
export interface ConvLayer extends Weights {
  readonly layer: 'conv' | 'convTranspose' | 'convLocal';
  readonly channels: number;
  readonly filter: readonly number[];
  readonly strides: readonly number[];
  readonly padding: Padding;
}
/** Unrolled over its only spatial axis, time, with the same weights at every step. */
export interface RnnLayer extends Weights {
  readonly layer: 'rnn';
  readonly units: number;
  /** Standard deviation of the recurrent weights, as wStd. */
  readonly uStd: number;
  readonly activation: ActivationLayer;
  /** The states of all steps; else the last one. */
  readonly returnSequences: boolean;
}
export interface AvgPoolLayer {
  readonly layer: 'avgPool';
  readonly window: readonly number[];
  readonly strides: readonly number[];
  readonly padding: Padding;
  /** Divide by the number of entries inside the image (SAME only) instead of the window size. */
  readonly normalizeEdges: boolean;
}
export interface SumPoolLayer {
  /** `maxPool` is a layer of finite nets: it has no limit in closed form. */
  readonly layer: 'sumPool' | 'maxPool';
  readonly window: readonly number[];
  readonly strides: readonly number[];
  readonly padding: Padding;
}
export interface LayerNormLayer {
  readonly layer: 'layerNorm';
  /** Counts all axes, samples included; negative from the end. */
  readonly axis: readonly number[];
  readonly eps: number;
}
export interface DropoutLayer {
  readonly layer: 'dropout';
  /** The probability of keeping. */
  readonly keep: number;
  readonly mode: 'train' | 'test';
}
export interface AttentionLayer {
  readonly layer: 'attention';
  readonly channels: number;
  readonly keyChannels: number;
  readonly valueChannels: number;
  readonly heads: number;
  readonly linearScaling: boolean;
  readonly keyStd: number;
  readonly valueStd: number;
  readonly queryStd: number;
  readonly outStd: number;
  readonly bStd: number | null;
  readonly mechanism: 'softmax' | 'identity' | 'abs' | 'relu';
  readonly positional: 'none' | 'sum' | 'concat';
  readonly positionalStd: number;
  /** `null`: as many as the input has. */
  readonly positionalChannels: number | null;
  readonly valuePositional: boolean;
}
export interface AggregateLayer {
  readonly layer: 'aggregate';
  /** `null`: all spatial axes; counts all axes, samples included. */
  readonly axis: readonly number[] | null;
}
export interface ImageResizeLayer {
  readonly layer: 'imageResize';
  /** One entry per axis, samples and channels included; -1 keeps the axis. */
  readonly shape: readonly number[];
  readonly method: 'linear' | 'nearest';
  readonly antialias: boolean;
}
/** One entry per spatial axis: `null` = all, an integer removes the axis, `[start, stop, step]` as in Python. */
export type Slice = null | number | readonly [number | null, number | null, number | null];
export interface IndexLayer {
  readonly layer: 'index';
  readonly slices: readonly Slice[];
}

/** Activations; the parameters of the functions are those of the documents. */
export type ActivationLayer =
  | {
      readonly layer:
        | 'relu'
        | 'abs'
        | 'sign'
        | 'sigmoidLike'
        | 'gabor'
        | 'tanh'
        | 'sigmoid'
        | 'softplus'
        | 'swish'
        | 'selu'
        | 'mish'
        | 'softsign'
        | 'hardTanh'
        | 'hardSigmoid'
        | 'hardSwish'
        | 'relu6';
    }
  | { readonly layer: 'leakyRelu' | 'elu'; readonly alpha: number }
  | { readonly layer: 'abRelu' | 'exp' | 'gaussian'; readonly a: number; readonly b: number }
  | {
      readonly layer: 'erf' | 'sin' | 'cos';
      readonly a: number;
      readonly b: number;
      readonly c: number;
    }
  | { readonly layer: 'gelu'; readonly approximate: boolean }
  | { readonly layer: 'rbf'; readonly gamma: number }
  | {
      readonly layer: 'expNormalized';
      readonly gamma: number;
      readonly shift: number;
      readonly doClip: boolean;
    }
  | { readonly layer: 'hermite' | 'monomial' | 'rectifiedMonomial'; readonly degree: number }
  | { readonly layer: 'polynomial'; readonly coefficients: readonly number[] }
  /** A function in code, by the name `defineActivation` gave it. */
  | { readonly layer: 'elementwise'; readonly name: string };

export type Layer =
  | SerialLayer
  | RepeatLayer
  | MergeLayer
  | ConcatLayer
  | PlainLayer
  | DenseLayer
  | ConvLayer
  | RnnLayer
  | AvgPoolLayer
  | SumPoolLayer
  | LayerNormLayer
  | DropoutLayer
  | AttentionLayer
  | AggregateLayer
  | ImageResizeLayer
  | IndexLayer
  | ActivationLayer;
export type LayerName = Layer['layer'];
/** The parsed layer of one name. */
export type LayerOf<N extends LayerName> = Extract<Layer, { readonly layer: N }>;

const ACTIVATIONS = [
  ...[
    'relu',
    'abs',
    'sign',
    'sigmoidLike',
    'gabor',
    'leakyRelu',
    'abRelu',
    'erf',
    'sin',
    'cos',
    'gelu',
    'rbf',
  ],
  ...['exp', 'gaussian', 'expNormalized', 'hermite', 'monomial', 'rectifiedMonomial', 'polynomial'],
  ...['tanh', 'sigmoid', 'softplus', 'swish', 'elu', 'selu', 'mish', 'softsign', 'elementwise'],
  ...['hardTanh', 'hardSigmoid', 'hardSwish', 'relu6'],
] as readonly ActivationLayer['layer'][];
const activationNames: ReadonlySet<string> = new Set(ACTIVATIONS);

export function isActivation(layer: Layer): layer is ActivationLayer {
  return activationNames.has(layer.layer);
}
