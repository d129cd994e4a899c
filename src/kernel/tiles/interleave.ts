// Between planes of samples x samples, as layers work on them, and samples with their positions, as callers have them.
import { padded } from '../../layers/states/state.js';

type Floats = Float64Array<ArrayBuffer> | Float32Array<ArrayBuffer>;

/** (planes, rows, ld) to (rows, columns, planes). */
export function interleave(
  values: Floats,
  planes: number,
  { rows, ld }: { readonly rows: number; readonly ld: number },
  columns: number,
): Floats {
  const out = new (values.constructor as typeof Float64Array)(rows * columns * planes);
  for (let plane = 0; plane < planes; plane++) {
    for (let i = 0; i < rows; i++) {
      const from = (plane * rows + i) * ld;
      for (let j = 0; j < columns; j++) out[(i * columns + j) * planes + plane] = values[from + j]!;
    }
  }
  return out;
}

/** (rows, columns, planes) to (planes, rows, padded columns): the inverse of `interleave`. */
export function separate(
  data: Float64Array | Float32Array,
  planes: number,
  rows: number,
  columns: number,
): Floats {
  const ld = padded(columns);
  const out = new (data.constructor as typeof Float64Array)(planes * rows * ld);
  for (let plane = 0; plane < planes; plane++) {
    for (let i = 0; i < rows; i++) {
      const to = (plane * rows + i) * ld;
      for (let j = 0; j < columns; j++) out[to + j] = data[(i * columns + j) * planes + plane]!;
    }
  }
  return out;
}
