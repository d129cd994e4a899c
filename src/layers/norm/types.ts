// Normalisation. As parsed: every field is present, defaults are filled in.
export interface LayerNormLayer {
  readonly layer: 'layerNorm';
  /** Counts all axes, samples included; negative from the end. */
  readonly axis: readonly number[];
  readonly eps: number;
}

/** Without means: x / sqrt(eps + mean of x^2). */
export interface RmsNormLayer {
  readonly layer: 'rmsNorm';
  /** Counts all axes, samples included; negative from the end. */
  readonly axis: readonly number[];
  readonly eps: number;
}

export type NormLayer = LayerNormLayer | RmsNormLayer;
