// Derivatives through layer normalisation: with f = v^(-1/2), dlog f = -dv f^2 / 2,
//   d(f1 f2 K) = f1 f2 (dK + (dlog f1 + dlog f2) K), and T alike.
import { groupMeans, normRule, type NormNote } from './kernel.js';
import { variances } from '../states/operators.js';
import { positionPairs, type Planes } from '../states/state.js';
import { planesFrom, readPlanes, type TangentNote, type TangentRule } from '../states/derivatives.js';
import type { LayerNormLayer } from '../vocabulary.js';

/** dlog f per direction, (positions, ld); null: zero. */
type Turns = readonly (Float64Array | null)[];
const turnsOf = (note: TangentNote): Turns => note.own as Turns;

export const normTangents: TangentRule<LayerNormLayer> = {
  side(core, node, { side, tangents }, context) {
    const cov = side.cov!;
    const before = readPlanes(core, cov.data);
    const { side: next, note } = normRule.side(core, node, side, context);
    const { factor, ld } = note as NormNote;
    const turns = tangents.map((data) => {
      if (!data) return null;
      const dv = groupMeans(node, side, variances(core, { ...side, cov: { ...cov, data } }));
      return dv.map((value, i) => -0.5 * value * factor[i]! * factor[i]!);
    });
    const pairs = positionPairs({ spatial: side.spatial, full: cov.full });
    const moved = tangents.map((data, d) => {
      if (!data) return null;
      const values = readPlanes(core, data);
      data.release();
      const turn = turns[d]!;
      for (let at = 0; at < values.length; at++) {
        const [plane, i] = [Math.floor(at / ld), at % ld];
        const [p, q] = [pairs[2 * plane]! * ld + i, pairs[2 * plane + 1]! * ld + i];
        values[at] = factor[p]! * factor[q]! * (values[at]! + (turn[p]! + turn[q]!) * before[at]!);
      }
      return planesFrom(core, values);
    });
    return { state: { side: next, tangents: moved }, note: { note, own: turns } };
  },

  joint(core, node, { joint, tangents }, one, two, block, wanted) {
    const [first, second] = [one.note as NormNote, two.note as NormNote];
    const pairs = positionPairs(joint.layout);
    const k = readPlanes(core, joint.k);
    const t = joint.t && readPlanes(core, joint.t);
    const { rows, ld } = joint;
    const next = normRule.joint(core, node, joint, first, second, block, wanted);
    const push = (planes: Planes | null, value: Float64Array | null, d: number): Planes | null => {
      const [a, b] = [turnsOf(one)[d] ?? null, turnsOf(two)[d] ?? null];
      if (!value || (!planes && !a && !b)) return null;
      const values = planes ? readPlanes(core, planes) : new Float64Array(value.length);
      planes?.release();
      for (let at = 0; at < values.length; at++) {
        const [plane, i, j] = [Math.floor(at / (rows * ld)), Math.floor(at / ld) % rows, at % ld];
        if (j >= second.ld) continue;
        const p = pairs[2 * plane]! * first.ld + block.row + i;
        const q = pairs[2 * plane + 1]! * second.ld + block.column + j;
        const turn = (a ? a[p]! : 0) + (b ? b[q]! : 0);
        values[at] = first.factor[p]! * second.factor[q]! * (values[at]! + turn * value[at]!);
      }
      return planesFrom(core, values);
    };
    return {
      joint: next,
      tangents: tangents.map((tangent, d) => ({ k: push(tangent.k, k, d), t: push(tangent.t, t, d) })),
    };
  },
};
