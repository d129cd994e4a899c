// Kernel matrices times blocks of vectors, without the matrix: each tile is computed, used and forgotten.
import { gemm } from '../../math/matmul.js';
import type { TensorLike } from '../../math/tensor.js';
import type { NetDocument } from '../../net/document.js';
import { defineJob, type Engine, type Job } from '../../wasm/engine.js';
import type { KernelName } from './checks.js';
import { prepare, reporter, tileParams, withSphere, type KernelOptions } from '../kernel.js';
import { computeTile } from './tile.js';
import type { TileParams } from './tile-params.js';

interface MultiplyParams {
  readonly tile: TileParams;
  readonly name: KernelName;
  /** Rows of the vectors that belong to the tile's columns, and (mirrored tiles only) to its rows. */
  readonly right: Float64Array;
  readonly left: Float64Array | null;
  readonly r: number;
}

/** @internal [T right, T' left] of one tile T. */
export const multiplyJob: Job<MultiplyParams, [Float64Array, Float64Array | null]> = defineJob(
  'kernel/multiply',
  (core, { tile, name, right, left, r }) => {
    const values = computeTile(core, tile)[name]!;
    return core.heap.scope((scope) => {
      const width = right.length / r;
      const height = values.length / width;
      const t = scope.put(new Float64Array(values));
      const times = (b: Float64Array, m: number, k: number, transA: boolean): Float64Array => {
        const c = scope.alloc('f64', m * r);
        gemm(core, [t, scope.put(new Float64Array(b)), c], [m, r, k], { transA });
        return core.heap.read(c);
      };
      return [times(right, height, width, false), left && times(left, width, height, true)];
    });
  },
);

export type MultiplyOptions = Omit<KernelOptions, 'get' | 'diagonalSpatial'> & {
  readonly get?: KernelName;
};

/** B, row-major, and its number of columns. */
export interface Factor {
  readonly b: Float64Array;
  readonly r: number;
}

/**
 * K B for the kernel K of x1 and x2 (null: x1 as the same samples; then half of K is computed) and B of `r` columns,
 * row-major. Of the n1 x n2 matrix only one tile per worker exists at a time. Bits do not depend on the workers.
 */
export async function kernelProduct(
  engine: Engine,
  net: NetDocument,
  x1: TensorLike,
  x2: TensorLike | null,
  { b, r, get = 'ntk', ...options }: MultiplyOptions & Factor,
): Promise<Float64Array> {
  const call = await withSphere(
    engine,
    prepare(engine, net, x1, x2, { dtype: 'f64', ...options, get: [get] }),
  );
  if (call.positions.length > 0)
    throw new RangeError(
      'kernelProduct: the net must end without spatial axes. Add flatten or a global pooling layer.',
    );
  const report = reporter(call, options);
  const rowsOf = (range: readonly [number, number]): Float64Array => b.slice(range[0] * r, range[1] * r);
  const out = new Float64Array(call.x1.shape[0]! * r);
  const add = (values: Float64Array, row: number): void => {
    for (let i = 0, at = row * r; i < values.length; i++, at++) out[at]! += values[i]!;
  };
  const window = Math.max(1, engine.workers) * 4;
  for (let i = 0; i < call.places.length; i += window) {
    const places = call.places.slice(i, i + window);
    const list = places.map((place) => ({
      tile: tileParams(call, place, engine.workers > 0),
      name: get,
      right: rowsOf(place.columns),
      left: !call.x2 && place.rows[0] !== place.columns[0] ? rowsOf(place.rows) : null,
      r,
    }));
    const results = await engine.map(multiplyJob, list, { signal: options.signal });
    for (const [j, [down, across]] of results.entries()) {
      add(down, places[j]!.rows[0]);
      if (across) add(across, places[j]!.columns[0]);
      report(places[j]!);
    }
  }
  return out;
}
