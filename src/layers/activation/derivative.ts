// Derivatives through an activation, entry by entry: with F the dual and G = kappa',
//   dK' = F_12 dK + F_11 dq1 + F_22 dq2,   dT' = G dT + (G_12 dK + G_11 dq1 + G_22 dq2) T.
// Identical variables have one variance: dK' = (d kappa/dq) dq, dT' = G dT + (dG/dq) dq T.
import type { Core } from '../../wasm/engine.js';
import { variances } from '../states/operators.js';
import type { Shaped } from '../shapes.js';
import { positionPairs, type Block, type Sheets } from '../states/state.js';
import {
  sheetsFrom,
  readSheets,
  type JointDerivatives,
  type SideDerivatives,
  type DerivativeNote,
  type DerivativeRule,
} from '../states/derivatives.js';
import type { ActivationLayer } from '../vocabulary.js';
import { dualOf } from './dual/dual.js';
import { activationRule, type ActivationNote } from './kernel.js';
import { noRates } from './rates/pair-rates.js';
import { pairRates, sideRates, type SideRates } from './rates/rates.js';

/** Variances with their derivatives, (positions, ld); `dq` has null where a direction does not change them. */
interface OwnNote {
  readonly rates: SideRates;
  readonly dq: readonly (Float64Array | null)[];
  readonly n: number;
  readonly ld: number;
}
const ownOf = (note: DerivativeNote): OwnNote => note.own as OwnNote;

export const activationDerivatives: DerivativeRule<ActivationLayer> = {
  side(core, node, { side, derivatives }, context) {
    const cov = side.cov!;
    const dual = dualOf(node.layer);
    const diagonal = (data: Sheets<'f64'>): Float64Array<ArrayBuffer> =>
      variances(core, { ...side, cov: { ...cov, data } });
    const rates = sideRates(dual, diagonal(cov.data), context.tolerance);
    const dq = derivatives.map((data) => data && diagonal(data));
    const own: OwnNote = { rates, dq, n: side.n, ld: side.ld };
    const wholes = cov.full && context.wanted.cov === 'full';
    const next = context.wanted.cov === 'none' ? derivatives.map(() => null) : null;
    const moved =
      next ??
      (wholes
        ? pushCovariances(core, node, { side, derivatives }, own)
        : dq.map(
            (d) =>
              d &&
              sheetsFrom(
                core,
                d.map((value, i) => rates.kappaRate[i]! * value),
              ),
          ));
    if (!wholes) for (const data of derivatives) data?.release();
    const result = activationRule.side(core, node, side, context);
    return { state: { side: result.side, derivatives: moved }, note: { note: result.note, own } };
  },

  joint(core, node, { joint, derivatives }, { one, two, block, wanted }) {
    const k = readSheets(core, joint.k);
    const t = joint.t && readSheets(core, joint.t);
    const next = activationRule.joint(core, node, joint, {
      one: one.note as ActivationNote,
      two: two.note as ActivationNote,
      block,
      wanted,
    });
    return {
      joint: next,
      derivatives: pushPairs(core, node, { joint, derivatives }, { k, t, noteOne: one, noteTwo: two, block }),
    };
  },
};

/** One direction in plain arrays. */
interface Direction {
  readonly index: number;
  readonly k: Float64Array<ArrayBuffer> | null;
  readonly t: Float64Array<ArrayBuffer> | null;
  readonly one: Float64Array;
  readonly two: Float64Array;
}

/** Reads the directions that are not zero. */
function directionsOf(
  core: Core,
  { joint, derivatives }: JointDerivatives,
  one: OwnNote,
  two: OwnNote,
): Direction[] {
  const zeros = [new Float64Array(one.rates.q.length), new Float64Array(two.rates.q.length)] as const;
  const { length } = joint.k.ticket;
  return derivatives.flatMap(({ k, t }, index) => {
    const [first, second] = [one.dq[index] ?? null, two.dq[index] ?? null];
    const moves = k !== null || first !== null || second !== null;
    if (!moves && !t) return [];
    const read = (sheets: Sheets | null, needed: boolean): Direction['k'] => {
      const values = sheets ? readSheets(core, sheets) : needed ? new Float64Array(length) : null;
      sheets?.release();
      return values;
    };
    const arrays = { k: read(k, moves), t: read(t, joint.t !== null && moves) };
    return [{ index, ...arrays, one: first ?? zeros[0], two: second ?? zeros[1] }];
  });
}

function pushPairs(
  core: Core,
  { layer }: Shaped<ActivationLayer>,
  state: JointDerivatives,
  {
    k,
    t,
    noteOne,
    noteTwo,
    block,
  }: {
    readonly k: Float64Array;
    readonly t: Float64Array | null;
    readonly noteOne: DerivativeNote;
    readonly noteTwo: DerivativeNote;
    readonly block: Block;
  },
): JointDerivatives['derivatives'] {
  const { rows, ld, layout } = state.joint;
  const [one, two] = [ownOf(noteOne), ownOf(noteTwo)];
  const directions = directionsOf(core, state, one, two);
  const { pair } = pairRates(dualOf(layer), one.rates, two.rates);
  const pairs = positionPairs(layout);
  const out = noRates();
  for (let sheet = 0; sheet < pairs.length / 2; sheet++) {
    const [p, q] = [pairs[2 * sheet]!, pairs[2 * sheet + 1]!];
    for (let i = 0; i < rows; i++) {
      const first = p * one.ld + block.row + i;
      for (let j = 0; j < two.n; j++) {
        const [at, second] = [(sheet * rows + i) * ld + j, q * two.ld + block.column + j];
        pair(k[at]!, first, second, out);
        if (block.same && first === second) {
          out.byK = out.byQ2 = out.slopeByK = out.slopeByQ2 = 0;
          out.slope = one.rates.slope[first]!;
          out.byQ1 = one.rates.kappaRate[first]!;
          out.slopeByQ1 = one.rates.slopeRate[first]!;
        }
        const derivative = t ? t[at]! : 0;
        for (const d of directions) {
          const [a, b] = [d.one[first]!, d.two[second]!];
          if (d.t) {
            const bend = (d.k ? out.slopeByK * d.k[at]! : 0) + out.slopeByQ1 * a + out.slopeByQ2 * b;
            d.t[at] = out.slope * d.t[at]! + bend * derivative;
          }
          if (d.k) d.k[at] = out.byK * d.k[at]! + out.byQ1 * a + out.byQ2 * b;
        }
      }
    }
  }
  const result = state.derivatives.map(
    () => ({ k: null, t: null }) as { k: Sheets | null; t: Sheets | null },
  );
  for (const { index, k: dk, t: dt } of directions)
    result[index] = { k: dk && sheetsFrom(core, dk), t: dt && sheetsFrom(core, dt) };
  return result;
}

/** Within one batch: all pairs of positions of every sample. */
function pushCovariances(
  core: Core,
  { layer }: Shaped<ActivationLayer>,
  { side, derivatives }: SideDerivatives,
  { rates, dq }: OwnNote,
): SideDerivatives['derivatives'] {
  const k = readSheets(core, side.cov!.data);
  const moved = derivatives.map((data) => data && readSheets(core, data));
  const { pair } = pairRates(dualOf(layer), rates, rates);
  const pairs = positionPairs({ spatial: side.spatial, full: true });
  const out = noRates();
  for (let sheet = 0; sheet < pairs.length / 2; sheet++) {
    const [p, q] = [pairs[2 * sheet]! * side.ld, pairs[2 * sheet + 1]! * side.ld];
    for (let i = 0; i < side.n; i++) {
      const at = sheet * side.ld + i;
      if (p !== q) pair(k[at]!, p + i, q + i, out);
      for (const [d, values] of moved.entries()) {
        if (!values) continue;
        values[at] =
          p === q
            ? rates.kappaRate[p + i]! * dq[d]![p + i]!
            : out.byK * values[at]! + out.byQ1 * dq[d]![p + i]! + out.byQ2 * dq[d]![q + i]!;
      }
    }
  }
  for (const data of derivatives) data?.release();
  return moved.map((values) => values && sheetsFrom(core, values));
}
