// Spatial operators on states: an operator on one axis becomes a sparse combination of whole sheets.
import type { Core, Ptr, Ticket } from '../../wasm/engine.js';
import {
  sheetCount,
  Sheets,
  positionPairs,
  type Demand,
  type Joint,
  type Layout,
  type Side,
} from './state.js';

/** Row b lists (input position, weight) of output position b. */
export type AxisRows = readonly (readonly (readonly [number, number])[])[];

/** Rows of an operator on one axis: as seen by a pair of positions, or by one position of the pair. */
export interface AxisOperator {
  readonly n: number;
  /**
   * `shared`: both positions take the same tap, entry (b, b') = sum over r of w_r x[tap_r b, tap_r b'] (convolutions,
   * rows in the order of taps with holes as null); `each`: the operator acts on each position (poolings, resizing).
   */
  readonly kind: 'shared' | 'each';
  readonly rows: readonly (readonly (readonly [number, number] | null)[])[];
}

interface Sparse {
  readonly start: number[];
  readonly col: number[];
  readonly weight: number[];
}

function sparse(rows: AxisRows): Sparse {
  const result: Sparse = { start: [0], col: [], weight: [] };
  for (const row of rows) {
    for (const [col, weight] of row) {
      result.col.push(col);
      result.weight.push(weight);
    }
    result.start.push(result.col.length);
  }
  return result;
}

/** y[o, b, :] = sum of weight x[o, col, :] over the entries of row b; releases `x`. */
export function combine<D extends 'f32' | 'f64'>(
  core: Core,
  x: Sheets<D>,
  {
    outer,
    nin,
    inner,
    rows,
  }: { readonly outer: number; readonly nin: number; readonly inner: number; readonly rows: AxisRows },
): Sheets<D> {
  const { start, col, weight } = sparse(rows);
  const y = new Sheets(core, x.ticket.dtype, outer * rows.length * inner);
  core.heap.scope((scope) => {
    const name = x.ticket.dtype === 'f32' ? 'sheetsCombine_f32' : 'sheetsCombine_f64';
    (core.kernels[name] as typeof core.kernels.sheetsCombine_f64)(
      outer,
      nin,
      rows.length,
      inner,
      scope.put(Int32Array.from(start)).ptr,
      scope.put(Int32Array.from(col)).ptr,
      scope.put(Float64Array.from(weight)).ptr,
      x.ptr as Ptr<'f64'>,
      y.ptr as Ptr<'f64'>,
    );
  });
  x.release();
  return y;
}

/** Pairs of positions of one axis, zipped: row (b, b') of the operator on (a, a'). */
function pairRows({ n, rows }: AxisOperator): AxisRows {
  return rows.flatMap((row) =>
    rows.map((other) => {
      const entries: [number, number][] = [];
      for (const [r, left] of row.entries()) {
        const right = other[r];
        if (left && right) entries.push([left[0] * n + right[0], left[1]]);
      }
      return entries;
    }),
  );
}

const present = (rows: AxisOperator['rows']): AxisRows =>
  rows.map((row) => row.filter((entry) => entry !== null));
const squared = (rows: AxisRows): AxisRows => rows.map((row) => row.map(([col, w]) => [col, w * w] as const));

/** Applies one operator per spatial axis to a stack of sheets with `inner` entries each; releases `x`. */
export function applyAxes<D extends 'f32' | 'f64'>(
  core: Core,
  x: Sheets<D>,
  layout: Layout,
  inner: number,
  operators: readonly (AxisOperator | null)[],
): Sheets<D> {
  const sizes = [...layout.spatial];
  const power = layout.full ? 2 : 1;
  for (const [axis, operator] of operators.entries()) {
    if (!operator) continue;
    const outer = sizes.slice(0, axis).reduce((size, n) => size * n ** power, 1);
    const rest = sizes.slice(axis + 1).reduce((size, n) => size * n ** power, inner);
    const { n, kind, rows } = operator;
    const out = rows.length;
    if (!layout.full) {
      const one = present(rows);
      x = combine(core, x, { outer, nin: n, inner: rest, rows: kind === 'shared' ? one : squared(one) });
    } else if (kind === 'shared')
      x = combine(core, x, { outer, nin: n * n, inner: rest, rows: pairRows(operator) });
    else {
      x = combine(core, x, { outer, nin: n, inner: n * rest, rows: present(rows) });
      x = combine(core, x, { outer: outer * out, nin: n, inner: rest, rows: present(rows) });
    }
    sizes[axis] = out;
  }
  return x;
}

/** `applyAxes` on all arrays of a joint state; `spatial` is what comes out. */
export function applyToJoint(
  core: Core,
  joint: Joint,
  operators: readonly (AxisOperator | null)[],
  spatial: readonly number[],
): Joint {
  const inner = joint.rows * joint.ld;
  return {
    ...joint,
    layout: { ...joint.layout, spatial },
    k: applyAxes(core, joint.k, joint.layout, inner, operators),
    t: joint.t && applyAxes(core, joint.t, joint.layout, inner, operators),
  };
}

/** The same for a side; masks are left to the caller. */
export function applyToSide(
  core: Core,
  side: Side,
  operators: readonly (AxisOperator | null)[],
  spatial: readonly number[],
): Side {
  const { cov } = side;
  if (!cov) return { ...side, spatial };
  const layout = { spatial: side.spatial, full: cov.full };
  return { ...side, spatial, cov: { ...cov, data: applyAxes(core, cov.data, layout, side.ld, operators) } };
}

/** Weighted sum of all sheets into one; releases `x`. `weight(p, q)` by positions. */
export function collapse<D extends 'f32' | 'f64'>(
  core: Core,
  x: Sheets<D>,
  layout: Layout,
  inner: number,
  weight: (p: number, q: number) => number,
): Sheets<D> {
  const pairs = positionPairs(layout);
  const row: [number, number][] = [];
  for (let sheet = 0; sheet < pairs.length / 2; sheet++) {
    const w = weight(pairs[2 * sheet]!, pairs[2 * sheet + 1]!);
    if (w !== 0) row.push([sheet, w]);
  }
  return combine(core, x, { outer: 1, nin: pairs.length / 2, inner, rows: [row] });
}

/** Only the sheets of equal positions; releases `x`. */
export function takeDiagonal<D extends 'f32' | 'f64'>(
  core: Core,
  x: Sheets<D>,
  spatial: readonly number[],
  inner: number,
): Sheets<D> {
  const pairs = positionPairs({ spatial, full: true });
  const rows: [number, number][][] = [];
  for (let sheet = 0; sheet < pairs.length / 2; sheet++) {
    if (pairs[2 * sheet] === pairs[2 * sheet + 1]) rows.push([[sheet, 1]]);
  }
  return combine(core, x, { outer: 1, nin: pairs.length / 2, inner, rows });
}

/** All pairs from equal positions, the others zero; releases `x`. */
export function spreadDiagonal<D extends 'f32' | 'f64'>(
  core: Core,
  x: Sheets<D>,
  spatial: readonly number[],
  inner: number,
): Sheets<D> {
  const pairs = positionPairs({ spatial, full: true });
  const rows: [number, number][][] = [];
  for (let sheet = 0; sheet < pairs.length / 2; sheet++) {
    const p = pairs[2 * sheet]!;
    rows.push(p === pairs[2 * sheet + 1] ? [[p, 1]] : []);
  }
  return combine(core, x, { outer: 1, nin: sheetCount({ spatial, full: false }), inner, rows });
}

/** x[sheet, i, j] *= one[p, row + i] two[q, column + j]; `one` and `two` are (positions, ld) of the sides. */
export function scaleJoint(
  core: Core,
  joint: Joint,
  {
    one,
    oneLd,
    two,
    twoLd,
    corner: [row, column],
  }: {
    readonly one: Float64Array;
    readonly oneLd: number;
    readonly two: Float64Array;
    readonly twoLd: number;
    readonly corner: readonly [number, number];
  },
): void {
  const pairs = positionPairs(joint.layout);
  const dtype = joint.k.ticket.dtype;
  core.heap.scope((scope) => {
    const put = (values: Float64Array): Ticket =>
      scope.put(dtype === 'f32' ? Float32Array.from(values) : Float64Array.from(values));
    const bytes = dtype === 'f32' ? 4 : 8;
    const [o, w, index] = [put(one), put(two), scope.put(pairs)];
    const scale = core.kernels[
      dtype === 'f32' ? 'sheetsScale_f32' : 'sheetsScale_f64'
    ] as typeof core.kernels.sheetsScale_f64;
    for (const sheets of [joint.k, joint.t]) {
      if (!sheets) continue;
      scale(
        pairs.length / 2,
        joint.rows,
        joint.ld,
        index.ptr,
        (o.ptr + row * bytes) as Ptr<'f64'>,
        oneLd,
        0,
        (w.ptr + column * bytes) as Ptr<'f64'>,
        twoLd,
        sheets.ptr as Ptr<'f64'>,
      );
    }
  });
}

/** cov[sheet, j] *= factor[p, j] factor[q, j]. */
export function scaleSide(core: Core, side: Side, factor: Float64Array): void {
  const { cov } = side;
  if (!cov) return;
  const pairs = positionPairs({ spatial: side.spatial, full: cov.full });
  core.heap.scope((scope) => {
    const f = scope.put(Float64Array.from(factor)).ptr;
    core.kernels.sheetsScale_f64(
      pairs.length / 2,
      1,
      side.ld,
      scope.put(pairs).ptr,
      f,
      side.ld,
      1,
      f,
      side.ld,
      cov.data.ptr,
    );
  });
}

/** The variances of a side, (positions, ld), copied out. */
export function variances(core: Core, side: Side): Float64Array<ArrayBuffer> {
  const cov = side.cov!;
  if (!cov.full) return core.heap.read(cov.data.ticket);
  const diagonal = takeDiagonal(core, cov.data.share(), side.spatial, side.ld);
  const values = core.heap.read(diagonal.ticket);
  diagonal.release();
  return values;
}

/** A joint state on all pairs of positions, those of different positions zero. */
export function spreadJoint(core: Core, joint: Joint): Joint {
  const inner = joint.rows * joint.ld;
  const { spatial } = joint.layout;
  return {
    ...joint,
    layout: { spatial, full: true },
    k: spreadDiagonal(core, joint.k, spatial, inner),
    t: joint.t && spreadDiagonal(core, joint.t, spatial, inner),
  };
}

/** The part of a joint state that `wanted` asks for. */
export function restrictJoint(core: Core, joint: Joint, wanted: Demand): Joint {
  if (!joint.layout.full || wanted.joint === 'full') return joint;
  const inner = joint.rows * joint.ld;
  const { spatial } = joint.layout;
  return {
    ...joint,
    layout: { spatial, full: false },
    k: takeDiagonal(core, joint.k, spatial, inner),
    t: joint.t && takeDiagonal(core, joint.t, spatial, inner),
  };
}

/** The part of a side that `wanted` asks for. */
export function restrictSide(core: Core, side: Side, wanted: Demand): Side {
  if (!side.cov) return side;
  if (wanted.cov === 'none') {
    side.cov.data.release();
    return { ...side, cov: null };
  }
  if (!side.cov.full || wanted.cov === 'full') return side;
  return { ...side, cov: { full: false, data: takeDiagonal(core, side.cov.data, side.spatial, side.ld) } };
}
