// Derivatives through normalisation: with f = v^(-1/2), dlog f = -dv f^2 / 2,
//   d(f1 f2 K) = f1 f2 (dK + (dlog f1 + dlog f2) K), and T alike.
import { groupMeans, normRule, type NormNote } from './kernel.js';
import { variances } from '../states/operators.js';
import { positionPairs, type Sheets } from '../states/state.js';
import { sheetsFrom, readSheets, type DerivativeNote, type DerivativeRule } from '../states/derivatives.js';
import type { NormLayer } from '../vocabulary.js';

/** dlog f per direction, (positions, ld); null: zero. */
type Turns = readonly (Float64Array | null)[];
const turnsOf = (note: DerivativeNote): Turns => note.own as Turns;

export const normDerivatives: DerivativeRule<NormLayer> = {
  side(core, node, { side, derivatives }, context) {
    const cov = side.cov!;
    const before = readSheets(core, cov.data);
    const { side: next, note } = normRule.side(core, node, side, context);
    const { factor, ld } = note as NormNote;
    const turns = derivatives.map((data) => {
      if (!data) return null;
      const dv = groupMeans(node, side, variances(core, { ...side, cov: { ...cov, data } }));
      return dv.map((value, i) => -0.5 * value * factor[i]! * factor[i]!);
    });
    const pairs = positionPairs({ spatial: side.spatial, full: cov.full });
    const moved = derivatives.map((data, d) => {
      if (!data) return null;
      const values = readSheets(core, data);
      data.release();
      const turn = turns[d]!;
      for (let at = 0; at < values.length; at++) {
        const [sheet, i] = [Math.floor(at / ld), at % ld];
        const [p, q] = [pairs[2 * sheet]! * ld + i, pairs[2 * sheet + 1]! * ld + i];
        values[at] = factor[p]! * factor[q]! * (values[at]! + (turn[p]! + turn[q]!) * before[at]!);
      }
      return sheetsFrom(core, values);
    });
    return { state: { side: next, derivatives: moved }, note: { note, own: turns } };
  },

  joint(core, node, { joint, derivatives }, { one, two, block, wanted }) {
    const [first, second] = [one.note as NormNote, two.note as NormNote];
    const pairs = positionPairs(joint.layout);
    const k = readSheets(core, joint.k);
    const t = joint.t && readSheets(core, joint.t);
    const { rows, ld } = joint;
    const next = normRule.joint(core, node, joint, { one: first, two: second, block, wanted });
    const push = (sheets: Sheets | null, value: Float64Array | null, d: number): Sheets | null => {
      const [a, b] = [turnsOf(one)[d] ?? null, turnsOf(two)[d] ?? null];
      if (!value || (!sheets && !a && !b)) return null;
      const values = sheets ? readSheets(core, sheets) : new Float64Array(value.length);
      sheets?.release();
      for (let at = 0; at < values.length; at++) {
        const [sheet, i, j] = [Math.floor(at / (rows * ld)), Math.floor(at / ld) % rows, at % ld];
        if (j >= second.ld) continue;
        const p = pairs[2 * sheet]! * first.ld + block.row + i;
        const q = pairs[2 * sheet + 1]! * second.ld + block.column + j;
        const turn = (a ? a[p]! : 0) + (b ? b[q]! : 0);
        values[at] = first.factor[p]! * second.factor[q]! * (values[at]! + turn * value[at]!);
      }
      return sheetsFrom(core, values);
    };
    return {
      joint: next,
      derivatives: derivatives.map((derivative, d) => ({
        k: push(derivative.k, k, d),
        t: push(derivative.t, t, d),
      })),
    };
  },
};
