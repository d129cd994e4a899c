// Layers one after the other. As parsed: every field is present, defaults are filled in.
import type { Layer } from '../vocabulary.js';

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
