// Derivatives through an activation, entry by entry: with F the dual and G = kappa',
//   dK' = F_12 dK + F_11 dq1 + F_22 dq2,   dT' = G dT + (G_12 dK + G_11 dq1 + G_22 dq2) T.
// Identical variables have one variance: dK' = (d kappa/dq) dq, dT' = G dT + (dG/dq) dq T.
import type { Core } from '../../wasm/engine.js';
import { variances } from '../states/operators.js';
import type { Shaped } from '../shapes.js';
import { positionPairs, type Block, type Planes } from '../states/state.js';
import {
  planesFrom,
  readPlanes,
  type JointTangents,
  type SideTangents,
  type TangentNote,
  type TangentRule,
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
const ownOf = (note: TangentNote): OwnNote => note.own as OwnNote;

export const activationTangents: TangentRule<ActivationLayer> = {
  side(core, node, { side, tangents }, context) {
    const cov = side.cov!;
    const dual = dualOf(node.layer);
    const diagonal = (data: Planes<'f64'>): Float64Array<ArrayBuffer> =>
      variances(core, { ...side, cov: { ...cov, data } });
    const rates = sideRates(dual, diagonal(cov.data), context.tolerance);
    const dq = tangents.map((data) => data && diagonal(data));
    const own: OwnNote = { rates, dq, n: side.n, ld: side.ld };
    const wholes = cov.full && context.wanted.cov === 'full';
    const next = context.wanted.cov === 'none' ? tangents.map(() => null) : null;
    const moved =
      next ??
      (wholes
        ? pushCovariances(core, node, { side, tangents }, own)
        : dq.map(
            (d) =>
              d &&
              planesFrom(
                core,
                d.map((value, i) => rates.kappaRate[i]! * value),
              ),
          ));
    if (!wholes) for (const data of tangents) data?.release();
    const result = activationRule.side(core, node, side, context);
    return { state: { side: result.side, tangents: moved }, note: { note: result.note, own } };
  },

  joint(core, node, { joint, tangents }, one, two, block, wanted) {
    const k = readPlanes(core, joint.k);
    const t = joint.t && readPlanes(core, joint.t);
    const next = activationRule.joint(
      core,
      node,
      joint,
      one.note as ActivationNote,
      two.note as ActivationNote,
      block,
      wanted,
    );
    return { joint: next, tangents: pushPairs(core, node, { joint, tangents }, k, t, one, two, block) };
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
  { joint, tangents }: JointTangents,
  one: OwnNote,
  two: OwnNote,
): Direction[] {
  const zeros = [new Float64Array(one.rates.q.length), new Float64Array(two.rates.q.length)] as const;
  const { length } = joint.k.ticket;
  return tangents.flatMap(({ k, t }, index) => {
    const [first, second] = [one.dq[index] ?? null, two.dq[index] ?? null];
    const moves = k !== null || first !== null || second !== null;
    if (!moves && !t) return [];
    const read = (planes: Planes | null, needed: boolean): Direction['k'] => {
      const values = planes ? readPlanes(core, planes) : needed ? new Float64Array(length) : null;
      planes?.release();
      return values;
    };
    const arrays = { k: read(k, moves), t: read(t, joint.t !== null && moves) };
    return [{ index, ...arrays, one: first ?? zeros[0], two: second ?? zeros[1] }];
  });
}

function pushPairs(
  core: Core,
  { layer }: Shaped<ActivationLayer>,
  state: JointTangents,
  k: Float64Array,
  t: Float64Array | null,
  noteOne: TangentNote,
  noteTwo: TangentNote,
  block: Block,
): JointTangents['tangents'] {
  const { rows, ld, layout } = state.joint;
  const [one, two] = [ownOf(noteOne), ownOf(noteTwo)];
  const directions = directionsOf(core, state, one, two);
  const { pair } = pairRates(dualOf(layer), one.rates, two.rates);
  const pairs = positionPairs(layout);
  const out = noRates();
  for (let plane = 0; plane < pairs.length / 2; plane++) {
    const [p, q] = [pairs[2 * plane]!, pairs[2 * plane + 1]!];
    for (let i = 0; i < rows; i++) {
      const first = p * one.ld + block.row + i;
      for (let j = 0; j < two.n; j++) {
        const [at, second] = [(plane * rows + i) * ld + j, q * two.ld + block.column + j];
        pair(k[at]!, first, second, out);
        if (block.same && first === second) {
          out.byK = out.byQ2 = out.slopeByK = out.slopeByQ2 = 0;
          out.slope = one.rates.slope[first]!;
          out.byQ1 = one.rates.kappaRate[first]!;
          out.slopeByQ1 = one.rates.slopeRate[first]!;
        }
        const tangent = t ? t[at]! : 0;
        for (const d of directions) {
          const [a, b] = [d.one[first]!, d.two[second]!];
          if (d.t) {
            const bend = (d.k ? out.slopeByK * d.k[at]! : 0) + out.slopeByQ1 * a + out.slopeByQ2 * b;
            d.t[at] = out.slope * d.t[at]! + bend * tangent;
          }
          if (d.k) d.k[at] = out.byK * d.k[at]! + out.byQ1 * a + out.byQ2 * b;
        }
      }
    }
  }
  const result = state.tangents.map(() => ({ k: null, t: null }) as { k: Planes | null; t: Planes | null });
  for (const { index, k: dk, t: dt } of directions)
    result[index] = { k: dk && planesFrom(core, dk), t: dt && planesFrom(core, dt) };
  return result;
}

/** Within one batch: all pairs of positions of every sample. */
function pushCovariances(
  core: Core,
  { layer }: Shaped<ActivationLayer>,
  { side, tangents }: SideTangents,
  { rates, dq }: OwnNote,
): SideTangents['tangents'] {
  const k = readPlanes(core, side.cov!.data);
  const moved = tangents.map((data) => data && readPlanes(core, data));
  const { pair } = pairRates(dualOf(layer), rates, rates);
  const pairs = positionPairs({ spatial: side.spatial, full: true });
  const out = noRates();
  for (let plane = 0; plane < pairs.length / 2; plane++) {
    const [p, q] = [pairs[2 * plane]! * side.ld, pairs[2 * plane + 1]! * side.ld];
    for (let i = 0; i < side.n; i++) {
      const at = plane * side.ld + i;
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
  for (const data of tangents) data?.release();
  return moved.map((values) => values && planesFrom(core, values));
}
