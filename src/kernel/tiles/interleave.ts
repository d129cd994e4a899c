// Between sheets of samples x samples, as layers work on them, and samples with their positions, as callers have them.
import { padded } from '../../layers/states/state.js';

type Floats = Float64Array<ArrayBuffer> | Float32Array<ArrayBuffer>;

/** (sheets, rows, ld) to (rows, columns, sheets). */
export function interleave(
  values: Floats,
  sheets: number,
  { rows, ld }: { readonly rows: number; readonly ld: number },
  columns: number,
): Floats {
  const out = new (values.constructor as typeof Float64Array)(rows * columns * sheets);
  for (let sheet = 0; sheet < sheets; sheet++) {
    for (let i = 0; i < rows; i++) {
      const from = (sheet * rows + i) * ld;
      for (let j = 0; j < columns; j++) out[(i * columns + j) * sheets + sheet] = values[from + j]!;
    }
  }
  return out;
}

/** (rows, columns, sheets) to (sheets, rows, padded columns): the inverse of `interleave`. */
export function separate(
  data: Float64Array | Float32Array,
  sheets: number,
  rows: number,
  columns: number,
): Floats {
  const ld = padded(columns);
  const out = new (data.constructor as typeof Float64Array)(sheets * rows * ld);
  for (let sheet = 0; sheet < sheets; sheet++) {
    for (let i = 0; i < rows; i++) {
      const to = (sheet * rows + i) * ld;
      for (let j = 0; j < columns; j++) out[to + j] = data[(i * columns + j) * sheets + sheet]!;
    }
  }
  return out;
}
