// What a tile is computed from and what it gives: plain data, so that it travels to workers.
import type { Pattern } from '../layers/kernel/state.js';
import type { Layer } from '../layers/vocabulary.js';
import type { Tensor } from '../math/tensor.js';

/** Everything a tile depends on, as plain data. */
export interface TileParams {
  readonly net: Layer;
  readonly x1: Tensor;
  /** null: the same samples as x1. */
  readonly x2: Tensor | null;
  readonly ntk: boolean;
  readonly dtype: 'f32' | 'f64';
  readonly diagonalSpatial: boolean;
  readonly maskConstant: number | null;
  readonly pattern1: Pattern | null;
  readonly pattern2: Pattern | null;
  readonly frozen: readonly string[];
  readonly tolerance: number;
}

/** Kernel entries (n1, n2, ...positions, zipped) of the whole tile, exact on the diagonal where x2 is null. */
export interface TileResult {
  readonly nngp: Float64Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
  readonly ntk: Float64Array<ArrayBuffer> | Float32Array<ArrayBuffer> | null;
}
