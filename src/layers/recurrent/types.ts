// Recurrent layers. As parsed: every field is present, defaults are filled in.
import type { ActivationLayer } from '../activation/types.js';
import type { Weights } from '../affine/types.js';

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
