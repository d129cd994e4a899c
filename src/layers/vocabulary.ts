// The layers a Net document may hold, as parsed: every field present, defaults filled in. Their descriptors are in registry.ts.
import type { ActivationLayer } from './activation/types.js';
import type { ConvLayer, DenseLayer } from './affine/types.js';
import type { AttentionLayer } from './attention/types.js';
import type { DropoutLayer } from './dropout/types.js';
import type { ConcatLayer, MergeLayer } from './merge/types.js';
import type { NormLayer } from './norm/types.js';
import type { PositionLayer } from './position/types.js';
import type { RnnLayer } from './recurrent/types.js';
import type { RepeatLayer, SerialLayer } from './sequence/types.js';

export type * from './activation/types.js';
export type * from './affine/types.js';
export type * from './attention/types.js';
export type * from './dropout/types.js';
export type * from './merge/types.js';
export type * from './norm/types.js';
export type * from './position/types.js';
export type * from './recurrent/types.js';
export type * from './sequence/types.js';

export type Layer =
  | ActivationLayer
  | ConvLayer
  | DenseLayer
  | AttentionLayer
  | DropoutLayer
  | ConcatLayer
  | MergeLayer
  | NormLayer
  | PositionLayer
  | RnnLayer
  | RepeatLayer
  | SerialLayer;
export type LayerName = Layer['layer'];

type Named<L, N> = L extends { readonly layer: infer M } ? (N extends M ? L : never) : never;
/** The parsed layer of one name. */
export type LayerOf<N extends LayerName> = Named<Layer, N>;
