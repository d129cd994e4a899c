// Linear layers without weights: one sparse matrix between positions (or between entries), its transpose for backward.
import type { Builder, Numbers, Pass, ValueRef } from '../finite.js';
import { sizeOfShape } from '../finite.js';
import { kernelOf } from '../rows.js';

/** A matrix (out, in) in compressed rows that acts on every sample and channel alike. */
export interface PositionMap {
  readonly out: number;
  readonly in: number;
  readonly starts: Int32Array<ArrayBuffer>;
  readonly columns: Int32Array<ArrayBuffer>;
  readonly weights: Float64Array<ArrayBuffer>;
}

/** Entries of one output position. */
export type Entries = readonly { readonly input: number; readonly weight: number }[];

export function positionMap(rows: readonly Entries[], inputs: number): PositionMap {
  const starts = new Int32Array(rows.length + 1);
  rows.forEach((row, p) => (starts[p + 1] = starts[p]! + row.length));
  const all = rows.flat();
  return {
    out: rows.length,
    in: inputs,
    starts,
    columns: Int32Array.from(all, (entry) => entry.input),
    weights: Float64Array.from(all, (entry) => entry.weight),
  };
}

/** The product of one matrix per axis, row-major over axes. */
export function separable(axes: readonly (readonly Entries[])[], sizes: readonly number[]): PositionMap {
  let rows: Entries[] = [[{ input: 0, weight: 1 }]];
  axes.forEach((axis, i) => {
    rows = rows.flatMap((row) =>
      axis.map((entries) =>
        row.flatMap((left) =>
          entries.map((right) => ({
            input: left.input * sizes[i]! + right.input,
            weight: left.weight * right.weight,
          })),
        ),
      ),
    );
  });
  return positionMap(rows, sizeOfShape(sizes));
}

export function transposed(map: PositionMap): PositionMap {
  const rows: { input: number; weight: number }[][] = Array.from({ length: map.in }, () => []);
  for (let p = 0; p < map.out; p++) {
    for (let e = map.starts[p]!; e < map.starts[p + 1]!; e++) {
      rows[map.columns[e]!]!.push({ input: p, weight: map.weights[e]! });
    }
  }
  return positionMap(rows, map.out);
}

/** Adds `y = map x` with `channels` numbers per position. */
export function pushMap(
  builder: Builder,
  path: string,
  input: ValueRef,
  shape: readonly number[],
  map: PositionMap,
): ValueRef {
  const output = builder.value(shape);
  const channels = sizeOfShape(input.shape) / map.in;
  const back = transposed(map);
  const x = input.id;
  const y = output.id;
  builder.push({
    path,
    inputs: [x],
    output: y,
    parameter: null,
    forward(pass, order) {
      if (pass.isZero(x, order)) pass.core.heap.fill(pass.value(y, order), 0);
      else applyMap(pass, map, channels, { x: pass.value(x, order), beta: 0, y: pass.value(y, order) });
    },
    backward(pass, order) {
      const target = pass.addTo(x, order);
      if (target)
        applyMap(pass, back, channels, { x: pass.cotangent(y, order), beta: target.beta, y: target.to });
    },
  });
  return output;
}

/** y = beta y + map x for all samples. */
export function applyMap(
  pass: Pass,
  map: PositionMap,
  channels: number,
  { x, beta, y }: { readonly x: Numbers; readonly beta: number; readonly y: Numbers },
): void {
  const starts = pass.table(map.starts, () => map.starts).ptr;
  const columns = pass.table(map.columns, () => map.columns).ptr;
  const weights = pass.constants(map.weights, () => map.weights).ptr;
  kernelOf(
    pass.core,
    'poolMap',
    pass.dtype,
  )(
    ...[pass.n, map.out, channels, x.ptr, map.in * channels, starts, columns, weights],
    ...[beta, y.ptr, map.out * channels],
  );
}
