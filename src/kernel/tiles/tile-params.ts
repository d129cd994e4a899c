// What a tile is computed from and what it gives: plain data, so that it travels to workers.
import type { Pattern } from '../../layers/states/state.js';
import type { Layer } from '../../layers/vocabulary.js';
import type { Tensor } from '../../math/tensor.js';

/** Everything a tile depends on, as plain data. */
export interface TileParams {
  readonly net: Layer;
  readonly x1: Tensor;
  /** null: the same samples as x1. */
  readonly x2: Tensor | null;
  readonly ntk: boolean;
  /** false: nobody wants the NNGP, and that of the result may be empty. */
  readonly nngp?: false | undefined;
  readonly dtype: 'f32' | 'f64';
  readonly diagonalSpatial: boolean;
  readonly maskConstant: number | null;
  readonly pattern1: Pattern | null;
  readonly pattern2: Pattern | null;
  readonly frozen: readonly string[];
  readonly tolerance: number;
  /** Inputs of one norm: the kernels of the net as functions of the angle, in place of its layers. */
  readonly sphere?: SphereTable | undefined;
  /** Mean square of all samples of a net without positions where it is known: they then share one series. */
  readonly square?: number;
}

/** Kernels as Chebyshev series in u = sqrt(1 - |c|), c = cos(x, x'). */
export interface SphereTable {
  /** Mean square of every input. */
  readonly square: number;
  /** Per term: K at c >= 0, K at c < 0, T at c >= 0, T at c < 0. */
  readonly series: Float64Array<ArrayBuffer>;
  /** K and T of a sample with itself. */
  readonly diagonal: readonly [number, number];
}

/** Kernel entries (n1, n2, ...positions, zipped) of the whole tile, exact on the diagonal where x2 is null. */
export interface TileResult {
  readonly nngp: Float64Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
  readonly ntk: Float64Array<ArrayBuffer> | Float32Array<ArrayBuffer> | null;
}
