// Dropout. As parsed: every field is present, defaults are filled in.
export interface DropoutLayer {
  readonly layer: 'dropout';
  /** The probability of keeping. */
  readonly keep: number;
  readonly mode: 'train' | 'test';
}
