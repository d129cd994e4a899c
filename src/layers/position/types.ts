// Layers that act on positions. As parsed: every field is present, defaults are filled in.
import type { Padding } from '../affine/types.js';

export interface AvgPoolLayer {
  readonly layer: 'avgPool';
  readonly window: readonly number[];
  readonly strides: readonly number[];
  readonly padding: Padding;
  /** Divide by the number of entries inside the image (SAME only) instead of the window size. */
  readonly normalizeEdges: boolean;
}
export interface SumPoolLayer {
  /** `maxPool` is a layer of finite nets: it has no limit in closed form. */
  readonly layer: 'sumPool' | 'maxPool';
  readonly window: readonly number[];
  readonly strides: readonly number[];
  readonly padding: Padding;
}
export interface AggregateLayer {
  readonly layer: 'aggregate';
  /** `null`: all spatial axes; counts all axes, samples included. */
  readonly axis: readonly number[] | null;
}
export interface ImageResizeLayer {
  readonly layer: 'imageResize';
  /** One entry per axis, samples and channels included; -1 keeps the axis. */
  readonly shape: readonly number[];
  readonly method: 'linear' | 'nearest';
  readonly antialias: boolean;
}
/** One entry per spatial axis: `null` = all, an integer removes the axis, `[start, stop, step]` as in Python. */
export type Slice = null | number | readonly [number | null, number | null, number | null];
export interface IndexLayer {
  readonly layer: 'index';
  readonly slices: readonly Slice[];
}
/** Layers without fields. */
export interface PlainLayer {
  readonly layer: 'identity' | 'globalAvgPool' | 'globalSumPool' | 'flatten';
}

export type PositionLayer =
  AvgPoolLayer | SumPoolLayer | AggregateLayer | ImageResizeLayer | IndexLayer | PlainLayer;
