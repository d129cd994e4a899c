// Derivatives of states in several directions at once (forward mode). A layer that is linear in the state moves a
// derivative as it moves the state, without its bias; so its kernel rule serves both. Layers that are not have a rule
// of their own: layers/activation/derivative.ts, layers/norm/derivative.ts, layers/merge/derivative.ts; layers/affine/derivative.ts adds what depends on the
// weights' own parameters.
import type { Core } from '../../wasm/engine.js';
import type { Layer } from '../vocabulary.js';
import type { Shaped } from '../shapes.js';
import type { Note, Rule, SideContext } from './rule.js';
import { Planes, type Block, type Demand, type Joint, type Side } from './state.js';

/** Derivative of a joint state in one direction; null: zero. `t` is null too where no NTK is wanted. */
export interface Tangent {
  readonly k: Planes | null;
  readonly t: Planes | null;
}

export interface JointTangents {
  readonly joint: Joint;
  readonly tangents: readonly Tangent[];
}

/** A side with the derivatives of its covariances; null: zero. */
export interface SideTangents {
  readonly side: Side;
  readonly tangents: readonly (Planes<'f64'> | null)[];
}

/** What a layer noted about one side: its kernel rule, and what the derivatives of joint states need. */
export interface TangentNote {
  readonly note: Note;
  readonly own?: unknown;
}

export interface TangentRule<L extends Layer = Layer> {
  side(
    core: Core,
    node: Shaped<L>,
    state: SideTangents,
    context: SideContext,
  ): { state: SideTangents; note: TangentNote };
  joint(
    core: Core,
    node: Shaped<L>,
    state: JointTangents,
    one: TangentNote,
    two: TangentNote,
    block: Block,
    wanted: Demand,
  ): JointTangents;
}

/** A step that is linear in a joint state, on a derivative: where K does not change, T moves as K does. */
export function mapTangent(
  core: Core,
  joint: Joint,
  { k, t }: Tangent,
  linear: (joint: Joint) => Joint,
): Tangent {
  if (!k) return { k, t: t && linear({ ...joint, k: t, t: null }).k };
  const zeros = (): Planes => new Planes(core, k.ticket.dtype, k.ticket.length, true);
  const next = linear({ ...joint, k, t: joint.t && (t ?? zeros()) });
  return { k: next.k, t: next.t };
}

/** A step that is linear in the covariances of a side, on their derivatives. */
export function mapSideTangents(
  { side, tangents }: SideTangents,
  linear: (side: Side) => Side,
): SideTangents['tangents'] {
  const { cov } = side;
  return tangents.map((data) => {
    if (!data || !cov) return null;
    return linear({ ...side, cov: { ...cov, data } }).cov?.data ?? null;
  });
}

/** The node without a bias: what its kernel rule does to derivatives. */
export function withoutBias<L extends Layer>(node: Shaped<L>): Shaped<L> {
  return 'bStd' in node.layer ? { ...node, layer: { ...node.layer, bStd: null } } : node;
}

/** The rule of a layer that is linear in the state. */
export function linearTangents<L extends Layer>(rule: Rule<L>): TangentRule<L> {
  return {
    side(core, node, state, context) {
      const bare = withoutBias(node);
      const tangents = mapSideTangents(state, (side) => rule.side(core, bare, side, context).side);
      const { side, note } = rule.side(core, node, state.side, context);
      return { state: { side, tangents }, note: { note } };
    },
    joint(core, node, { joint, tangents }, one, two, block, wanted) {
      const bare = withoutBias(node);
      const move = (at: Shaped<L>, state: Joint): Joint =>
        rule.joint(core, at, state, one.note, two.note, block, wanted);
      const moved = tangents.map((tangent) => mapTangent(core, joint, tangent, (state) => move(bare, state)));
      return { joint: move(node, joint), tangents: moved };
    },
  };
}

/** target + factor * source; consumes both, null stands for zero. */
export function accumulate<D extends 'f32' | 'f64'>(
  core: Core,
  target: Planes<D> | null,
  source: Planes<D>,
  factor: number,
): Planes<D> {
  const sum = target?.own(core) ?? new Planes(core, source.ticket.dtype, source.ticket.length, true);
  const [from, to] = [source, sum] as unknown as [Planes<'f64'>, Planes<'f64'>];
  core.kernels.planeAdd_f64(to.ticket.length, factor, from.ptr, to.ptr);
  source.release();
  return sum;
}

/** Derivatives and the state itself are in f64: here as arrays of their own. */
export function readPlanes(core: Core, planes: Planes): Float64Array<ArrayBuffer> {
  return core.heap.read(planes.ticket) as Float64Array<ArrayBuffer>;
}

/** New planes that hold `values`. */
export function planesFrom(core: Core, values: Float64Array<ArrayBuffer>): Planes<'f64'> {
  const planes = new Planes(core, 'f64', values.length);
  core.heap.write(planes.ticket, values);
  return planes;
}
