// The matrices of pools, resizing, indexing and permutations.
import type { Builder, ValueRef } from '../finite.js';
import { sizeOfShape } from '../finite.js';
import { poolAxes, resizeMatrix, slicePositions, windowTaps } from '../geometry.js';
import type { Shaped } from '../shapes.js';
import type { AvgPoolLayer, ImageResizeLayer, IndexLayer, PlainLayer, SumPoolLayer } from '../vocabulary.js';
import { positionMap, pushMap, separable, type Entries, type PositionMap } from './finite.js';

type Linear = AvgPoolLayer | SumPoolLayer | ImageResizeLayer | IndexLayer | PlainLayer;

/** Adds a pool, a global pool, a resize or an index. */
export function compilePositions(shaped: Shaped<Linear>, builder: Builder, input: ValueRef): ValueRef {
  const spatial = input.shape.slice(0, -1);
  return pushMap(builder, shaped.path, input, shaped.output, matrixOf(shaped.layer, spatial));
}

function matrixOf(layer: Linear, spatial: readonly number[]): PositionMap {
  switch (layer.layer) {
    case 'avgPool':
    case 'sumPool':
      return poolMatrix(layer, spatial);
    case 'imageResize':
      return separable(
        spatial.map((n, i) => {
          const out = layer.shape[i + 1] === -1 ? n : layer.shape[i + 1]!;
          return dense(resizeMatrix(n, out, layer.method, layer.antialias), out, n);
        }),
        spatial,
      );
    case 'index':
      return separable(
        spatial.map((n, i) => slicePositions(layer.slices[i]!, n).map((input) => [{ input, weight: 1 }])),
        spatial,
      );
    default: {
      const size = sizeOfShape(spatial);
      const weight = layer.layer === 'globalAvgPool' ? 1 / size : 1;
      return positionMap([Array.from({ length: size }, (_, input) => ({ input, weight }))], size);
    }
  }
}

function poolMatrix(layer: AvgPoolLayer | SumPoolLayer, spatial: readonly number[]): PositionMap {
  return separable(
    poolAxes(layer, spatial).map((axis) =>
      windowTaps(axis).map((taps) => {
        const byCount = layer.layer === 'avgPool' && layer.normalizeEdges && layer.padding === 'SAME';
        const weight = layer.layer === 'sumPool' ? 1 : 1 / (byCount ? taps.length : axis.size);
        return taps.map(({ input }) => ({ input, weight }));
      }),
    ),
    spatial,
  );
}

function dense(matrix: Float64Array, rows: number, columns: number): Entries[] {
  return Array.from({ length: rows }, (_, i) =>
    Array.from({ length: columns }, (_, input) => ({ input, weight: matrix[i * columns + input]! })).filter(
      (entry) => entry.weight !== 0,
    ),
  );
}

/** The matrix that reorders the axes of one sample, entry by entry: axis i of the result is axis `order[i]`. */
export function permutation(shape: readonly number[], order: readonly number[]): PositionMap {
  const strides = shape.map((_, i) => sizeOfShape(shape.slice(i + 1)));
  let flat = [0];
  for (const axis of order) {
    flat = flat.flatMap((at) => Array.from({ length: shape[axis]! }, (_, i) => at + i * strides[axis]!));
  }
  return positionMap(
    flat.map((input) => [{ input, weight: 1 }]),
    flat.length,
  );
}
