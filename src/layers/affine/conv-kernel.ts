// Convolutions average covariances over taps, the same tap for both positions, then act as weights (dense/kernel.ts):
// A K[p, q] = 1/prod(filter) sum_r K[p t - lo + r, q t - lo + r], zeros (or the torus) outside.
// convLocal has weights of its own at every position: different positions are independent after it.
import { affineJoint, affineSide } from '../states/affine-map.js';
import { weightsAffine } from './kernel.js';
import { convAxes, convTaps, transposedTaps, type TransposedAxis } from '../geometry.js';
import {
  applyToJoint,
  applyToSide,
  spreadDiagonal,
  spreadJoint,
  type AxisOperator,
} from '../states/operators.js';
import { NO_NOTE, type Note, type Rule } from '../states/rule.js';
import type { Shaped } from '../shapes.js';
import type { Side } from '../states/state.js';
import type { ConvLayer } from '../vocabulary.js';

function operators(node: Shaped<ConvLayer>): AxisOperator[] {
  const spatial = node.input.slice(0, -1);
  return convTaps(node.layer, spatial).map((taps, axis) => {
    const size = node.layer.filter[axis]!;
    const rows = taps.map((list) => {
      const row: ([number, number] | null)[] = Array.from({ length: size }, () => null);
      for (const { input, tap } of list) row[tap] = [input, 1 / size];
      return row;
    });
    return { n: spatial[axis]!, kind: 'shared', rows };
  });
}

/** Masks are read at window centres; a transposed convolution masks what any masked input reaches. */
function convMask(node: Shaped<ConvLayer>, side: Side): Side['keep'] {
  if (!side.keep) return null;
  const input = node.input.slice(0, -1);
  if (node.layer.layer !== 'convTranspose') {
    const centres = convAxes(node.layer, input).map((axis) =>
      Array.from({ length: axis.out }, (_, p) => {
        const raw = p * axis.stride - axis.lo + Math.floor((axis.size - 1) / 2);
        return axis.circular ? ((raw % axis.n) + axis.n) % axis.n : raw;
      }),
    );
    return pickPositions(
      side.keep,
      side.ld,
      input,
      centres.map((list) => list.map((p) => [p])),
      'all',
    );
  }
  const axes = convAxes(node.layer, input) as TransposedAxis[];
  return pickPositions(
    side.keep,
    side.ld,
    input,
    axes.map((axis) => transposedTaps(axis).map((taps) => taps.map((tap) => tap.input))),
    'all',
  );
}

/**
 * keep of new positions: per axis, `sources[b]` lists the old positions that new position b looks at (outside: visible);
 * `all` of them must be visible, or `any`.
 */
export function pickPositions(
  keep: Float64Array,
  ld: number,
  spatial: readonly number[],
  sources: readonly (readonly (readonly number[])[])[],
  rule: 'all' | 'any',
): Float64Array<ArrayBuffer> {
  const out = sources.reduce((size, list) => size * list.length, 1);
  const result = new Float64Array(out * ld).fill(rule === 'all' ? 1 : 0);
  const visit = (axis: number, to: number, from: number): void => {
    if (axis === spatial.length) {
      for (let i = 0; i < ld; i++) {
        const [at, value] = [to * ld + i, keep[from * ld + i]!];
        result[at] = rule === 'all' ? Math.min(result[at]!, value) : Math.max(result[at]!, value);
      }
      return;
    }
    const n = spatial[axis]!;
    for (const [b, list] of sources[axis]!.entries()) {
      for (const a of list)
        if (a >= 0 && a < n) visit(axis + 1, to * sources[axis]!.length + b, from * n + a);
    }
  };
  visit(0, 0, 0);
  return result;
}

export const convRule: Rule<ConvLayer, Note> = {
  facts: (node, input) => ({
    ...input,
    shape: node.output,
    gaussian: true,
    offDiagonalZero: node.layer.layer === 'convLocal',
  }),
  demand(node, wanted) {
    if (node.layer.layer !== 'convLocal') return wanted;
    return { cov: wanted.cov === 'none' ? 'none' : 'diagonal', joint: 'diagonal' };
  },
  side(core, node, side, { wanted }) {
    const { alpha, beta } = weightsAffine(node.layer, 1, true);
    const keep = convMask(node, side);
    const spatial = node.output.slice(0, -1);
    let next = affineSide(core, applyToSide(core, side, operators(node), spatial), alpha, beta);
    if (node.layer.layer === 'convLocal' && next.cov && wanted.cov === 'full') {
      next = { ...next, cov: { full: true, data: spreadDiagonal(core, next.cov.data, spatial, side.ld) } };
    }
    return { side: { ...next, keep }, note: NO_NOTE };
  },
  joint(core, node, joint, { block, wanted }) {
    const affine = weightsAffine(node.layer, node.input.at(-1)!, block.frozen.has(node.path));
    const next = affineJoint(
      core,
      applyToJoint(core, joint, operators(node), node.output.slice(0, -1)),
      affine,
    );
    return node.layer.layer === 'convLocal' && wanted.joint === 'full' ? spreadJoint(core, next) : next;
  },
};
