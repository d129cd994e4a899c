// Runs compiled nets with derivatives in several directions at once, side by side with `propagate.ts`.
import { activationTangents } from '../../layers/activation/derivative.js';
import { weightTangents, type OwnDirections } from '../../layers/affine/derivative.js';
import { differencedTangents } from '../../layers/states/differenced.js';
import { restrictJoint, restrictSide, scaleSide } from '../../layers/states/operators.js';
import { NO_NOTE, type SideContext } from '../../layers/states/rule.js';
import type { Block, Joint, Side } from '../../layers/states/state.js';
import {
  linearTangents,
  mapSideTangents,
  mapTangent,
  type JointTangents,
  type SideTangents,
  type TangentNote,
  type TangentRule,
} from '../../layers/states/derivatives.js';
import { mergeJointTangents, mergeSideTangents } from '../../layers/merge/derivative.js';
import type { Merging } from '../../layers/merge/kernel.js';
import { normTangents } from '../../layers/norm/derivative.js';
import { isActivation } from '../../layers/vocabulary.js';
import type { Core } from '../../wasm/engine.js';
import { isSequence, type Compiled } from '../propagation/compiled-net.js';
import { finish, type Notes, type SideOptions } from '../propagation/propagate.js';

/** What the layers noted about one side, for derivatives. */
export interface TangentNotes extends Notes {
  readonly tangent: TangentNote;
  readonly children: readonly TangentNotes[];
}

export type Owners = ReadonlyMap<string, OwnDirections>;

/** The rule of a leaf. */
export function tangentRuleOf({ rule, shaped }: Compiled, owners: Owners): TangentRule {
  const { layer, path } = shaped;
  if (isActivation(layer)) return activationTangents as TangentRule;
  if (layer.layer === 'layerNorm') return normTangents as unknown as TangentRule;
  if (layer.layer === 'attention' || layer.layer === 'rnn')
    return differencedTangents(rule!, owners.get(path) ?? {});
  if ('wStd' in layer) return weightTangents(rule!, owners.get(path) ?? {}) as unknown as TangentRule;
  return linearTangents(rule!);
}

/** Propagates one side with its derivatives; both are consumed. */
export function pushSide(
  core: Core,
  node: Compiled,
  state: SideTangents,
  options: SideOptions,
  owners: Owners,
): { state: SideTangents; notes: TangentNotes } {
  state = eachSide(state, (side) => restrictSide(core, side, node.input));
  if (node.rule) return pushSideLeaf(core, node, state, options, owners);
  const notes: TangentNotes[] = [];
  const run = (child: Compiled, from: SideTangents): SideTangents => {
    const result = pushSide(core, child, from, options, owners);
    notes.push(result.notes);
    return result.state;
  };
  if (isSequence(node.shaped.layer)) for (const child of node.children) state = run(child, state);
  else {
    const states = node.children.map((child, i) => {
      if (i < node.children.length - 1)
        for (const data of [state.side.cov?.data, ...state.tangents]) data?.share();
      return run(child, state);
    });
    state = mergeSideTangents(core, node.shaped as Merging, states);
  }
  const { keep, ld } = state.side;
  return { state, notes: { note: NO_NOTE, tangent: { note: NO_NOTE }, keep, ld, children: notes } };
}

function pushSideLeaf(
  core: Core,
  node: Compiled,
  state: SideTangents,
  options: SideOptions,
  owners: Owners,
): { state: SideTangents; notes: TangentNotes } {
  const context: SideContext = { ...options, wanted: node.output };
  const result = tangentRuleOf(node, owners).side(core, node.shaped, state, context);
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
    notes: { note: result.note.note, tangent: result.note, keep, ld, children: [] },
  };
}

/** A linear step on a side and all its derivatives. */
function eachSide(state: SideTangents, step: (side: Side) => Side): SideTangents {
  const tangents = mapSideTangents(state, step);
  return { side: step(state.side), tangents };
}

function eachJoint(
  core: Core,
  { joint, tangents }: JointTangents,
  step: (joint: Joint) => Joint,
): JointTangents {
  const moved = tangents.map((tangent) => mapTangent(core, joint, tangent, step));
  return { joint: step(joint), tangents: moved };
}

/** Propagates the joint kernels with their derivatives; both are consumed. */
export function pushJoint(
  core: Core,
  node: Compiled,
  state: JointTangents,
  one: TangentNotes,
  two: TangentNotes,
  block: Block,
  owners: Owners,
): JointTangents {
  state = eachJoint(core, state, (joint) => restrictJoint(core, joint, node.input));
  if (node.rule) {
    const rule = tangentRuleOf(node, owners);
    const next = rule.joint(core, node.shaped, state, one.tangent, two.tangent, block, node.output);
    return eachJoint(core, next, (joint) => finish(core, node, joint, one, two, block));
  }
  const run = (i: number, from: JointTangents): JointTangents =>
    pushJoint(core, node.children[i]!, from, one.children[i]!, two.children[i]!, block, owners);
  if (isSequence(node.shaped.layer)) {
    for (let i = 0; i < node.children.length; i++) state = run(i, state);
    return state;
  }
  const states = node.children.map((_, i) => {
    if (i < node.children.length - 1) {
      const { joint, tangents } = state;
      for (const { k, t } of [joint, ...tangents]) for (const planes of [k, t]) planes?.share();
    }
    return run(i, state);
  });
  return mergeJointTangents(core, node.shaped as Merging, states);
}
