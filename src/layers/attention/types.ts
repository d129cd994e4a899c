// Attention. As parsed: every field is present, defaults are filled in.
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
