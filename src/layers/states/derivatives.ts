// Derivatives of states in several directions at once (forward mode). A layer that is linear in the state moves a
// derivative as it moves the state, without its bias; so its kernel rule serves both. Layers that are not have a rule
// of their own: layers/activation/derivative.ts, layers/norm/derivative.ts, layers/merge/derivative.ts; layers/affine/derivative.ts adds what depends on the
// weights' own parameters.
import type { Core } from '../../wasm/engine.js';
import type { Layer } from '../vocabulary.js';
import type { Shaped } from '../shapes.js';
import type { Note, Rule, SideContext } from './rule.js';
import { Sheets, type Block, type Demand, type Joint, type Side } from './state.js';

/** Derivative of a joint state in one direction; null: zero. `t` is null too where no NTK is wanted. */
export interface Derivative {
  readonly k: Sheets | null;
  readonly t: Sheets | null;
}

export interface JointDerivatives {
  readonly joint: Joint;
  readonly derivatives: readonly Derivative[];
}

/** A side with the derivatives of its covariances; null: zero. */
export interface SideDerivatives {
  readonly side: Side;
  readonly derivatives: readonly (Sheets<'f64'> | null)[];
}

/** What a layer noted about one side: its kernel rule, and what the derivatives of joint states need. */
export interface DerivativeNote {
  readonly note: Note;
  readonly own?: unknown;
}

export interface DerivativeRule<L extends Layer = Layer> {
  side(
    core: Core,
    node: Shaped<L>,
    state: SideDerivatives,
    context: SideContext,
  ): { state: SideDerivatives; note: DerivativeNote };
  joint(
    core: Core,
    node: Shaped<L>,
    state: JointDerivatives,
    call: {
      readonly one: DerivativeNote;
      readonly two: DerivativeNote;
      readonly block: Block;
      readonly wanted: Demand;
    },
  ): JointDerivatives;
}

/** A step that is linear in a joint state, on a derivative: where K does not change, T moves as K does. */
export function mapDerivative(
  core: Core,
  joint: Joint,
  { k, t }: Derivative,
  linear: (joint: Joint) => Joint,
): Derivative {
  if (!k) return { k, t: t && linear({ ...joint, k: t, t: null }).k };
  const zeros = (): Sheets => new Sheets(core, k.ticket.dtype, k.ticket.length, true);
  const next = linear({ ...joint, k, t: joint.t && (t ?? zeros()) });
  return { k: next.k, t: next.t };
}

/** A step that is linear in the covariances of a side, on their derivatives. */
export function mapSideDerivatives(
  { side, derivatives }: SideDerivatives,
  linear: (side: Side) => Side,
): SideDerivatives['derivatives'] {
  const { cov } = side;
  return derivatives.map((data) => {
    if (!data || !cov) return null;
    return linear({ ...side, cov: { ...cov, data } }).cov?.data ?? null;
  });
}

/** The node without a bias: what its kernel rule does to derivatives. */
export function withoutBias<L extends Layer>(node: Shaped<L>): Shaped<L> {
  return 'bStd' in node.layer ? { ...node, layer: { ...node.layer, bStd: null } } : node;
}

/** The rule of a layer that is linear in the state. */
export function linearDerivatives<L extends Layer>(rule: Rule<L>): DerivativeRule<L> {
  return {
    side(core, node, state, context) {
      const bare = withoutBias(node);
      const derivatives = mapSideDerivatives(state, (side) => rule.side(core, bare, side, context).side);
      const { side, note } = rule.side(core, node, state.side, context);
      return { state: { side, derivatives }, note: { note } };
    },
    joint(core, node, { joint, derivatives }, { one, two, block, wanted }) {
      const bare = withoutBias(node);
      const move = (at: Shaped<L>, state: Joint): Joint =>
        rule.joint(core, at, state, { one: one.note, two: two.note, block, wanted });
      const moved = derivatives.map((derivative) =>
        mapDerivative(core, joint, derivative, (state) => move(bare, state)),
      );
      return { joint: move(node, joint), derivatives: moved };
    },
  };
}

/** target + factor * source; consumes both, null stands for zero. */
export function accumulate<D extends 'f32' | 'f64'>(
  core: Core,
  target: Sheets<D> | null,
  source: Sheets<D>,
  factor: number,
): Sheets<D> {
  const sum = target?.own(core) ?? new Sheets(core, source.ticket.dtype, source.ticket.length, true);
  const [from, to] = [source, sum] as unknown as [Sheets<'f64'>, Sheets<'f64'>];
  core.kernels.sheetsAdd_f64(to.ticket.length, factor, from.ptr, to.ptr);
  source.release();
  return sum;
}

/** Derivatives and the state itself are in f64: here as arrays of their own. */
export function readSheets(core: Core, sheets: Sheets): Float64Array<ArrayBuffer> {
  return core.heap.read(sheets.ticket) as Float64Array<ArrayBuffer>;
}

/** New sheets that hold `values`. */
export function sheetsFrom(core: Core, values: Float64Array<ArrayBuffer>): Sheets<'f64'> {
  const sheets = new Sheets(core, 'f64', values.length);
  core.heap.write(sheets.ticket, values);
  return sheets;
}
