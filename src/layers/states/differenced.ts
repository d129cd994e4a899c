// Derivatives through layers whose rules are long: central differences of order 4 of the rule itself along each direction. The
// rules are smooth there (attention is rational or exponential in its input, recurrent layers a chain of duals), so that steps of
// 2^-12 of the state leave 1e-11; where a correlation is within 1e-3 of 1 or -1 and the activation has a kink it is less.
import type { Core } from '../../wasm/engine.js';
import type { OwnDirections } from '../affine/derivative.js';
import type { Shaped } from '../shapes.js';
import type { Layer } from '../vocabulary.js';
import type { Note, Rule, SideContext } from './rule.js';
import type { Joint, Sheets, Side } from './state.js';
import { sheetsFrom, readSheets, type DerivativeNote, type DerivativeRule } from './derivatives.js';

type Floats = Float64Array<ArrayBuffer>;
/** A side before the layer, and its derivatives. */
interface Before {
  readonly side: Side;
  readonly cov: Floats;
  readonly moves: readonly (Floats | null)[];
  readonly context: SideContext;
}
const beforeOf = (note: DerivativeNote): Before => note.own as Before;

const STEPS = [-2, -1, 1, 2] as const;
const WEIGHTS = [1 / 12, -2 / 3, 2 / 3, -1 / 12] as const;
const STEP = 2 ** -12;
const FIELDS = ['wStd', 'bStd', 'baseWidth'] as const;

const largest = (values: ArrayLike<number>): number => {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]!));
  return most;
};

/** x + h dx; dx = null: x. */
const moved = (x: Floats, dx: Floats | null, h: number): Floats => (dx ? x.map((v, i) => v + h * dx[i]!) : x);

/** The node with the number that direction d is moved by h. */
function movedNode<L extends Layer>(node: Shaped<L>, own: OwnDirections, d: number, h: number): Shaped<L> {
  const field = FIELDS.find((name) => own[name] === d);
  if (!field) return node;
  const value = numberOf(node, field);
  return { ...node, layer: { ...node.layer, [field]: value + h } };
}

function numberOf({ layer, input }: Shaped, field: (typeof FIELDS)[number]): number {
  const given = (layer as unknown as Record<string, number | null>)[field];
  const { s } = layer as unknown as { s: readonly [number, number] };
  return given ?? (field === 'baseWidth' ? input.at(-1)! / s[0] : 0);
}

/** What a step h along direction d may be: a small part of every array that moves. */
function stepOf(
  node: Shaped,
  own: OwnDirections,
  d: number,
  arrays: readonly (readonly [Floats | null, Floats | null])[],
): number {
  const field = FIELDS.find((name) => own[name] === d);
  let rate = field ? 1 / Math.max(1e-3, Math.abs(numberOf(node, field))) : 0;
  for (const [x, dx] of arrays) {
    if (x && dx) rate = Math.max(rate, largest(dx) / (largest(x) || 1));
  }
  return rate > 0 ? STEP / rate : 0;
}

/** The rule of any layer by differences; `own` are its own numbers among the directions. */
export function differencedDerivatives<L extends Layer>(
  rule: Rule<L>,
  own: OwnDirections,
): DerivativeRule<L> {
  const at = (
    core: Core,
    node: Shaped<L>,
    before: Before,
    { d, h, context }: { readonly d: number; readonly h: number; readonly context: SideContext },
  ) => {
    const { side, cov, moves } = before;
    const data = sheetsFrom(core, moved(cov, moves[d]!, h).slice());
    return rule.side(core, movedNode(node, own, d, h), { ...side, cov: { ...side.cov!, data } }, context);
  };
  return {
    side(core, node, { side, derivatives }, context) {
      const before: Before = {
        side,
        cov: readSheets(core, side.cov!.data),
        moves: derivatives.map((data) => data && readSheets(core, data)),
        context,
      };
      const { side: next, note } = rule.side(core, node, side, context);
      const results = derivatives.map((data, d) => {
        data?.release();
        const h = next.cov ? stepOf(node, own, d, [[before.cov, before.moves[d]!]]) : 0;
        if (h === 0) return null;
        const sum = new Float64Array(next.cov!.data.ticket.length);
        for (const [s, weight] of WEIGHTS.entries()) {
          const step = at(core, node, before, { d, h: STEPS[s]! * h, context });
          addTo(sum, readSheets(core, step.side.cov!.data), weight / h);
          step.side.cov!.data.release();
          step.note.release?.();
        }
        return sheetsFrom(core, sum);
      });
      return { state: { side: next, derivatives: results }, note: { note, own: before } };
    },

    joint(core, node, { joint, derivatives }, { one, two, block, wanted }) {
      const [first, second] = [beforeOf(one), beforeOf(two)];
      const k = readSheets(core, joint.k);
      const t = joint.t && readSheets(core, joint.t);
      const next = rule.joint(core, node, joint, { one: one.note, two: two.note, block, wanted });
      /** K and T after the layer, h along direction d. */
      const after = (d: number, h: number, dk: Floats | null, dt: Floats | null): (Floats | null)[] => {
        const noteOf = (before: Before): Note => {
          const context = { ...before.context, wanted: { ...before.context.wanted, cov: 'none' as const } };
          const { side, note } = at(core, node, before, { d, h, context });
          side.cov?.data.release();
          return note;
        };
        const a = noteOf(first);
        const b = second === first ? a : noteOf(second);
        const put = (x: Floats, dx: Floats | null): Sheets => sheetsFrom(core, moved(x, dx, h).slice());
        const start: Joint = { ...joint, k: put(k, dk), t: t && put(t, dt) };
        const end = rule.joint(core, movedNode(node, own, d, h), start, { one: a, two: b, block, wanted });
        for (const note of new Set([a, b])) note.release?.();
        return [end.k, end.t].map((sheets) => {
          const values = sheets && readSheets(core, sheets);
          sheets?.release();
          return values;
        });
      };
      const results = derivatives.map(({ k: derivativeK, t: derivativeT }, d) => {
        const [dk, dt] = [
          derivativeK && readSheets(core, derivativeK),
          derivativeT && readSheets(core, derivativeT),
        ];
        for (const sheets of [derivativeK, derivativeT]) sheets?.release();
        const sides = [first, second].map(({ cov, moves }) => [cov, moves[d]!] as const);
        const h = stepOf(node, own, d, [...sides, [k, dk], [t, dt]]);
        if (h === 0) return { k: null, t: null };
        const sums = [next.k, next.t].map((sheets) => sheets && new Float64Array(sheets.ticket.length));
        for (const [s, weight] of WEIGHTS.entries()) {
          for (const [i, values] of after(d, STEPS[s]! * h, dk, dt).entries())
            if (values) addTo(sums[i]!, values, weight / h);
        }
        const [sumK, sumT] = sums.map((sum) => sum && sheetsFrom(core, sum));
        return { k: sumK!, t: sumT ?? null };
      });
      return { joint: next, derivatives: results };
    },
  };
}

function addTo(sum: Float64Array, values: Float64Array, factor: number): void {
  for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + factor * values[i]!;
}
