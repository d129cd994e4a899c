// Runs compiled nets with derivatives in several directions at once, side by side with `propagate.ts`.
import type { OwnDirections } from '../../layers/affine/derivative.js';
import { restrictJoint, restrictSide, scaleSide } from '../../layers/states/operators.js';
import { NO_NOTE, type SideContext } from '../../layers/states/rule.js';
import type { Block, Joint, Side } from '../../layers/states/state.js';
import {
  mapSideDerivatives,
  mapDerivative,
  type JointDerivatives,
  type SideDerivatives,
  type DerivativeNote,
  type DerivativeRule,
} from '../../layers/states/derivatives.js';
import { mergeJointDerivatives, mergeSideDerivatives } from '../../layers/merge/derivative.js';
import type { Merging } from '../../layers/merge/kernel.js';
import { isSequence, leafOf } from '../../layers/registry.js';
import type { Core } from '../../wasm/engine.js';
import type { CompiledLayer } from '../propagation/compiled-net.js';
import { finish, type Notes, type SideOptions } from '../propagation/propagate.js';

/** What the layers noted about one side, for derivatives. */
export interface DerivativeNotes extends Notes {
  readonly derivative: DerivativeNote;
  readonly children: readonly DerivativeNotes[];
}

export type Owners = ReadonlyMap<string, OwnDirections>;

/** The rule of a leaf. */
export function derivativeRuleOf({ rule, shaped }: CompiledLayer, owners: Owners): DerivativeRule {
  return leafOf(shaped.layer)!.derivative(rule!, owners.get(shaped.path) ?? {});
}

/** Propagates one side with its derivatives; both are consumed. */
export function pushSide(
  core: Core,
  node: CompiledLayer,
  state: SideDerivatives,
  options: SideOptions,
  owners: Owners,
): { state: SideDerivatives; notes: DerivativeNotes } {
  state = eachSide(state, (side) => restrictSide(core, side, node.input));
  if (node.rule) return pushSideLeaf(core, node, state, options, owners);
  const notes: DerivativeNotes[] = [];
  const run = (child: CompiledLayer, from: SideDerivatives): SideDerivatives => {
    const result = pushSide(core, child, from, options, owners);
    notes.push(result.notes);
    return result.state;
  };
  if (isSequence(node.shaped.layer)) for (const child of node.children) state = run(child, state);
  else {
    const states = node.children.map((child, i) => {
      if (i < node.children.length - 1)
        for (const data of [state.side.cov?.data, ...state.derivatives]) data?.share();
      return run(child, state);
    });
    state = mergeSideDerivatives(core, node.shaped as Merging, states);
  }
  const { keep, ld } = state.side;
  return { state, notes: { note: NO_NOTE, derivative: { note: NO_NOTE }, keep, ld, children: notes } };
}

function pushSideLeaf(
  core: Core,
  node: CompiledLayer,
  state: SideDerivatives,
  options: SideOptions,
  owners: Owners,
): { state: SideDerivatives; notes: DerivativeNotes } {
  const context: SideContext = { ...options, wanted: node.output };
  const result = derivativeRuleOf(node, owners).side(core, node.shaped, state, context);
  const { keep, ld } = result.state.side;
  const next = eachSide(result.state, (side) => {
    const part = restrictSide(core, side, node.output);
    if (!keep || !part.cov) return part;
    const own = { ...part, keep, cov: { ...part.cov, data: part.cov.data.own(core) } };
    scaleSide(core, own, keep);
    return own;
  });
  return {
    state: next,
    notes: { note: result.note.note, derivative: result.note, keep, ld, children: [] },
  };
}

/** A linear step on a side and all its derivatives. */
function eachSide(state: SideDerivatives, step: (side: Side) => Side): SideDerivatives {
  const derivatives = mapSideDerivatives(state, step);
  return { side: step(state.side), derivatives };
}

function eachJoint(
  core: Core,
  { joint, derivatives }: JointDerivatives,
  step: (joint: Joint) => Joint,
): JointDerivatives {
  const moved = derivatives.map((derivative) => mapDerivative(core, joint, derivative, step));
  return { joint: step(joint), derivatives: moved };
}

/** Propagates the joint kernels with their derivatives; both are consumed. */
export function pushJoint(
  core: Core,
  node: CompiledLayer,
  state: JointDerivatives,
  {
    one,
    two,
    block,
    owners,
  }: {
    readonly one: DerivativeNotes;
    readonly two: DerivativeNotes;
    readonly block: Block;
    readonly owners: Owners;
  },
): JointDerivatives {
  state = eachJoint(core, state, (joint) => restrictJoint(core, joint, node.input));
  if (node.rule) {
    const rule = derivativeRuleOf(node, owners);
    const next = rule.joint(core, node.shaped, state, {
      one: one.derivative,
      two: two.derivative,
      block,
      wanted: node.output,
    });
    return eachJoint(core, next, (joint) => finish(core, node, joint, { one, two, block }));
  }
  const run = (i: number, from: JointDerivatives): JointDerivatives =>
    pushJoint(core, node.children[i]!, from, { one: one.children[i]!, two: two.children[i]!, block, owners });
  if (isSequence(node.shaped.layer)) {
    for (let i = 0; i < node.children.length; i++) state = run(i, state);
    return state;
  }
  const states = node.children.map((_, i) => {
    if (i < node.children.length - 1) {
      const { joint, derivatives } = state;
      for (const { k, t } of [joint, ...derivatives]) for (const sheets of [k, t]) sheets?.share();
    }
    return run(i, state);
  });
  return mergeJointDerivatives(core, node.shaped as Merging, states);
}
