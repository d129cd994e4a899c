// The operations a net is made of on two spatial axes (one axis: a single row; none: a single position).
import type { ActivationLayer } from '../vocabulary.js';
import type { MixAxis } from './axis.js';

/** Thrown while lowering a net that planes cannot represent; `planOffsets` turns it into a reason. */
export class NotByOffsets extends Error {}

export interface Filter {
  readonly kh: number;
  readonly kw: number;
  readonly th: number;
  readonly tw: number;
  readonly lh: number;
  readonly lw: number;
}
export const POINT: Filter = { kh: 1, kw: 1, th: 1, tw: 1, lh: 0, lw: 0 };

interface Base {
  readonly inputs: readonly number[];
  readonly H: number;
  readonly W: number;
  /** True channel count: units * sOut, times positions after flatten. */
  readonly C: number;
  /** Which of the two axes the document knows, in its order: [0, 1], [1], [0] or []. */
  readonly axes: readonly (0 | 1)[];
  readonly path: string;
}
export interface AffineNode extends Base {
  readonly op: 'affine';
  readonly filter: Filter;
  /** Windows wrap around: only on modular planes. */
  readonly circular: boolean;
  /** K' = w box(K) + b2, T' = w box(T + gamma K) + bT. */
  readonly w: number;
  readonly b2: number;
  readonly bT: number;
  readonly gamma: number;
}
export interface ActivationNode extends Base {
  readonly op: 'activation';
  readonly activation: Activation;
}
/**
 * relu: a min(x,0) + b max(x,0). erf: a erf(b x) + c. dual: a number and parameters of assembly/dual.ts; `watched`: the layer whose
 * variances TypeScript looks at, `width` the values that it puts into the record per position (1: it makes no tables).
 */
export type Activation =
  | { readonly kind: 'relu'; readonly a: number; readonly b: number }
  | { readonly kind: 'erf'; readonly a: number; readonly b: number; readonly c: number }
  | {
      readonly kind: 'dual';
      readonly dual: number;
      readonly params: readonly number[];
      readonly watched?: ActivationLayer;
      readonly width: number;
    };
export interface NormNode extends Base {
  readonly op: 'norm';
  readonly rows: boolean;
  readonly cols: boolean;
  readonly eps: number;
}
/** Mixes offsets; one pair of axes per input. */
export interface MixNode extends Base {
  readonly op: 'mix';
  readonly maps: readonly (readonly [MixAxis, MixAxis])[];
  /** Masks: the tap ids of the window's centre (pools, convolutions); else the output is masked where all sources are. */
  readonly centre?: readonly [number, number];
  /** Masks: masked where any source is (transposed convolutions). */
  readonly any?: boolean;
}
/** The scaled sum over all pairs of positions, or over equal positions only. */
export interface CollapseNode extends Base {
  readonly op: 'collapse';
  readonly pairing: 'all' | 'same';
  readonly scale: number;
  /** Masked positions are left out of the mean. */
  readonly average: boolean;
}
export interface MergeNode extends Base {
  readonly op: 'sum' | 'product';
  /** Weights of the terms of a sum (a concatenation of channels is a weighted mean). */
  readonly weights: readonly number[];
}
/** Where a net starts: images, or planes that other layers have left. */
export interface PlainNode extends Base {
  readonly op: 'input' | 'state';
}
export interface DropoutNode extends Base {
  readonly op: 'dropout';
  readonly keep: number;
}
export type Node =
  PlainNode | AffineNode | ActivationNode | NormNode | MixNode | CollapseNode | MergeNode | DropoutNode;
