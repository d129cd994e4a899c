// Branches that see the same input and are independent given it: sums add kernels, products multiply them
// (T' = sum_i T_i prod_{j != i} K_j), concatenation averages by width or puts blocks side by side.
import type { Core, Ptr } from '../../wasm/engine.js';
import { combine } from '../states/operators.js';
import { layerError } from '../states/rule.js';
import { normaliseAxis, type Shaped } from '../shapes.js';
import { Sheets, positionPairs, type Facts, type Joint, type Layout, type Side } from '../states/state.js';
import type { ConcatLayer, MergeLayer } from '../vocabulary.js';

export type Merging = Shaped<MergeLayer | ConcatLayer>;

/** The axis a concat works on, counted in (spatial..., channels). */
const concatAxis = (node: Merging): number =>
  node.layer.layer === 'concat' ? normaliseAxis(node.layer.axis, node.output.length + 1) - 1 : -1;
const byChannels = (node: Merging): boolean => concatAxis(node) === node.output.length - 1;

/** Facts after a merge, `bare` of whose branches have no weights of their own. */
export function mergeFacts(node: Merging, branches: readonly Facts[], bare: number): Facts {
  const { layer } = node;
  const gaussian = branches.every((facts) => facts.gaussian);
  if (branches.length > 1) {
    const additive = layer.layer === 'sum' || (layer.layer === 'concat' && !byChannels(node));
    if (additive && !gaussian) {
      throw layerError(
        node,
        'needs Gaussian branches (means are not tracked): end every branch with dense or conv',
      );
    }
    if (layer.layer !== 'concat' && bare > 1) {
      throw layerError(node, 'has several branches without weights of their own, which are not independent');
    }
  }
  const only = branches.length === 1;
  return {
    shape: node.output,
    gaussian: only ? gaussian : layer.layer === 'sum' || (layer.layer === 'concat' && !byChannels(node)),
    offDiagonalZero: branches.every((facts) => facts.offDiagonalZero),
  };
}

/** Old sheet (or none) of every sheet of a concatenation along a spatial axis, for the branch from `start` on. */
function blockRows(branch: Layout, axis: number, start: number, total: number): [number, number][][] {
  const spatial = branch.spatial.map((n, i) => (i === axis ? total : n));
  const extent = branch.spatial[axis]!;
  const inside = (p: number, sizes: readonly number[]): number => {
    let [index, stride, rest] = [0, 1, p];
    for (let i = sizes.length - 1; i >= 0; i--) {
      const at = (rest % sizes[i]!) - (i === axis ? start : 0);
      if (at < 0 || at >= branch.spatial[i]!) return -1;
      index += at * stride;
      stride *= branch.spatial[i]!;
      rest = Math.floor(rest / sizes[i]!);
    }
    return index;
  };
  const positions = branch.spatial.reduce((size, n) => size * n, 1);
  const sheetOf = new Map<number, number>();
  const before = positionPairs(branch);
  for (let i = 0; i < before.length; i += 2) sheetOf.set(before[i]! * positions + before[i + 1]!, i / 2);
  const after = positionPairs({ spatial, full: branch.full });
  return Array.from({ length: extent && after.length / 2 }, (_, sheet) => {
    const [p, q] = [inside(after[2 * sheet]!, spatial), inside(after[2 * sheet + 1]!, spatial)];
    const from = p < 0 || q < 0 ? undefined : sheetOf.get(p * positions + q);
    return from === undefined ? [] : [[from, 1]];
  });
}

function addInto<D extends 'f32' | 'f64'>(
  core: Core,
  sum: Sheets<D>,
  other: Sheets<D>,
  factor: number,
): void {
  const add = core.kernels[
    sum.ticket.dtype === 'f32' ? 'sheetsAdd_f32' : 'sheetsAdd_f64'
  ] as typeof core.kernels.sheetsAdd_f64;
  add(sum.ticket.length, factor, other.ptr as Ptr<'f64'>, sum.ptr as Ptr<'f64'>);
  other.release();
}

/** Merges arrays of one kind that are added: sums, means by width, blocks. */
function addArrays<D extends 'f32' | 'f64'>(
  core: Core,
  node: Merging,
  arrays: readonly Sheets<D>[],
  full: boolean,
  inner: number,
): Sheets<D> {
  const axis = concatAxis(node);
  const widths = node.children.map((child) => child.output[axis] ?? 1);
  const total = widths.reduce((sum, width) => sum + width, 0);
  const channels = axis >= 0 && byChannels(node);
  let start = 0;
  const parts = arrays.map((array, i) => {
    if (axis < 0 || channels) return array;
    const layout = { spatial: node.children[i]!.output.slice(0, -1), full };
    const rows = blockRows(layout, axis, start, total);
    start += widths[i]!;
    return combine(core, array, { outer: 1, nin: positionPairs(layout).length / 2, inner, rows });
  });
  const sum = new Sheets(core, parts[0]!.ticket.dtype, parts[0]!.ticket.length, true);
  for (const [i, part] of parts.entries()) addInto(core, sum, part, channels ? widths[i]! / total : 1);
  return sum;
}

/** Merges arrays by products; `t` alike where there is one. Releases all but what it returns. */
function multiply(
  core: Core,
  ks: readonly Sheets[],
  ts: readonly (Sheets | null)[],
): [Sheets, Sheets | null] {
  const k = ks[0]!.own(core);
  const t = ts[0]?.own(core) ?? null;
  const run = core.kernels[
    k.ticket.dtype === 'f32' ? 'sheetsProduct_f32' : 'sheetsProduct_f64'
  ] as typeof core.kernels.sheetsProduct_f64;
  for (let i = 1; i < ks.length; i++) {
    const [k2, t2] = [ks[i]!, ts[i] ?? null];
    const zero = 0 as Ptr<'f64'>;
    const tangent = t && t2 ? [t.ptr, t2.ptr] : [zero, zero];
    run(
      k.ticket.length,
      k.ptr as Ptr<'f64'>,
      tangent[0] as Ptr<'f64'>,
      k2.ptr as Ptr<'f64'>,
      tangent[1] as Ptr<'f64'>,
    );
    k2.release();
    t2?.release();
  }
  return [k, t];
}

export function mergeJoints(core: Core, node: Merging, joints: readonly Joint[]): Joint {
  const first = joints[0]!;
  const layout = { ...first.layout, spatial: node.output.slice(0, -1) };
  if (node.layer.layer === 'product') {
    const [k, t] = multiply(
      core,
      joints.map((joint) => joint.k),
      joints.map((joint) => joint.t),
    );
    return { ...first, layout, k, t };
  }
  const inner = first.rows * first.ld;
  const add = (arrays: readonly Sheets[]): Sheets => addArrays(core, node, arrays, first.layout.full, inner);
  return {
    ...first,
    layout,
    k: add(joints.map((joint) => joint.k)),
    t: first.t && add(joints.map((joint) => joint.t!)),
  };
}

export function mergeSides(core: Core, node: Merging, sides: readonly Side[]): Side {
  const first = sides[0]!;
  const spatial = node.output.slice(0, -1);
  const keep = mergeMasks(node, sides);
  if (!first.cov) return { ...first, spatial, keep };
  const arrays = sides.map((side) => side.cov!.data);
  const data =
    node.layer.layer === 'product'
      ? (multiply(core, arrays, [])[0] as Sheets<'f64'>)
      : addArrays(core, node, arrays, first.cov.full, first.ld);
  return { ...first, spatial, keep, cov: { ...first.cov, data } };
}

/** A position is visible while any branch sees it; concatenated positions keep their own masks. */
function mergeMasks(node: Merging, sides: readonly Side[]): Float64Array<ArrayBuffer> | null {
  if (sides.every((side) => !side.keep)) return null;
  const positions = (side: Side): number => side.spatial.reduce((size, n) => size * n, 1);
  const keeps = sides.map((side) => side.keep ?? new Float64Array(positions(side) * side.ld).fill(1));
  const axis = concatAxis(node);
  if (axis < 0 || byChannels(node)) {
    return keeps.reduce((all, keep) => all.map((value, i) => Math.max(value, keep[i]!)));
  }
  const { ld } = sides[0]!;
  const total = node.output[axis]!;
  const result = new Float64Array(node.output.slice(0, -1).reduce((size, n) => size * n, 1) * ld);
  let start = 0;
  for (const [i, side] of sides.entries()) {
    const rows = blockRows({ spatial: side.spatial, full: false }, axis, start, total);
    for (const [p, row] of rows.entries()) {
      if (row[0]) result.set(keeps[i]!.subarray(row[0][0] * ld, (row[0][0] + 1) * ld), p * ld);
    }
    start += side.spatial[axis]!;
  }
  return result;
}
