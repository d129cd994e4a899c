// Linear maps of single axes: resizing acts on each position, R K R^T; an index selects positions.
import { pickPositions } from '../affine/conv-kernel.js';
import { resizeMatrix, slicePositions } from '../geometry.js';
import { applyToJoint, applyToSide, combine, type AxisOperator } from '../states/operators.js';
import { NO_NOTE, type Rule } from '../states/rule.js';
import type { Shaped } from '../shapes.js';
import { positionPairs, type Layout } from '../states/state.js';
import type { ImageResizeLayer, IndexLayer } from '../vocabulary.js';

function resizers({ layer, input, output }: Shaped<ImageResizeLayer>): (AxisOperator | null)[] {
  return input.slice(0, -1).map((n, axis) => {
    const out = output[axis]!;
    if (layer.shape[axis + 1] === -1) return null;
    const matrix = resizeMatrix(n, out, layer.method, layer.antialias);
    const rows = Array.from({ length: out }, (_, b) => {
      const row: [number, number][] = [];
      for (let a = 0; a < n; a++) if (matrix[b * n + a] !== 0) row.push([a, matrix[b * n + a]!]);
      return row;
    });
    return { n, kind: 'each', rows };
  });
}

export const resizeRule: Rule<ImageResizeLayer> = {
  facts: (node, input) => ({ ...input, shape: node.output, offDiagonalZero: false }),
  demand(node, wanted) {
    if (resizers(node).every((axis) => axis === null)) return wanted;
    return { cov: wanted.cov === 'none' ? 'none' : 'full', joint: 'full' };
  },
  side(core, node, side) {
    const axes = resizers(node);
    const sources = axes.map((axis, i) =>
      axis
        ? axis.rows.map((row) => row.map((entry) => entry![0]))
        : Array.from({ length: side.spatial[i]! }, (_, p) => [p]),
    );
    const keep = side.keep && pickPositions(side.keep, side.ld, side.spatial, sources, 'any');
    return { side: { ...applyToSide(core, side, axes, node.output.slice(0, -1)), keep }, note: NO_NOTE };
  },
  joint: (core, node, joint) => applyToJoint(core, joint, resizers(node), node.output.slice(0, -1)),
};

/** Positions kept per axis. */
const kept = ({ layer, input }: Shaped<IndexLayer>): number[][] =>
  layer.slices.map((slice, axis) => slicePositions(slice, input[axis]!));

/** Old sheet of every new sheet: integers remove their axis, which leaves positions in the same order. */
function selection(node: Shaped<IndexLayer>, layout: Layout): [number, number][][] {
  const lists = kept(node);
  const sizes = lists.map((list) => list.length);
  const old = (p: number): number => {
    let [index, stride, rest] = [0, 1, p];
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      index += lists[axis]![rest % sizes[axis]!]! * stride;
      stride *= node.input[axis]!;
      rest = Math.floor(rest / sizes[axis]!);
    }
    return index;
  };
  const positions = layout.spatial.reduce((size, n) => size * n, 1);
  const sheetOf = new Map<number, number>();
  const before = positionPairs(layout);
  for (let i = 0; i < before.length; i += 2) sheetOf.set(before[i]! * positions + before[i + 1]!, i / 2);
  const after = positionPairs({ spatial: sizes, full: layout.full });
  return Array.from({ length: after.length / 2 }, (_, sheet) => {
    const [p, q] = [old(after[2 * sheet]!), old(after[2 * sheet + 1]!)];
    return [[sheetOf.get(p * positions + q)!, 1]];
  });
}

export const indexRule: Rule<IndexLayer> = {
  facts: (node, input) => ({ ...input, shape: node.output }),
  demand: (_node, wanted) => wanted,
  side(core, node, side) {
    const keep =
      side.keep &&
      pickPositions(
        side.keep,
        side.ld,
        side.spatial,
        kept(node).map((l) => l.map((p) => [p])),
        'all',
      );
    const spatial = node.output.slice(0, -1);
    let { cov } = side;
    if (cov) {
      const layout = { spatial: side.spatial, full: cov.full };
      const rows = selection(node, layout);
      cov = {
        ...cov,
        data: combine(core, cov.data, {
          outer: 1,
          nin: positionPairs(layout).length / 2,
          inner: side.ld,
          rows,
        }),
      };
    }
    return { side: { ...side, spatial, cov, keep }, note: NO_NOTE };
  },
  joint(core, node, joint) {
    const rows = selection(node, joint.layout);
    const sheets = positionPairs(joint.layout).length / 2;
    const inner = joint.rows * joint.ld;
    return {
      ...joint,
      layout: { ...joint.layout, spatial: node.output.slice(0, -1) },
      k: combine(core, joint.k, { outer: 1, nin: sheets, inner, rows }),
      t: joint.t && combine(core, joint.t, { outer: 1, nin: sheets, inner, rows }),
    };
  },
};
