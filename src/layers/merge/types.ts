// Branches that meet. As parsed: every field is present, defaults are filled in.
import type { Layer } from '../vocabulary.js';

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
