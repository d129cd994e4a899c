// Normalisation. As parsed: every field is present, defaults are filled in.
export interface LayerNormLayer {
  readonly layer: 'layerNorm';
  /** Counts all axes, samples included; negative from the end. */
  readonly axis: readonly number[];
  readonly eps: number;
}

export type NormLayer = LayerNormLayer;
