// Layers with weights. As parsed: every field is present, defaults are filled in.
export type Padding = 'VALID' | 'SAME' | 'CIRCULAR';
export type Parametrization = 'ntk' | 'standard';
/** What layers with weights share. */
export interface Weights {
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
