// Runs compiled nets: each side by itself first (variances, tables, masks), then blocks of the joint kernels.
import { activateJoint, type ActivationNote } from '../../layers/activation/kernel.js';
import { denseAffine } from '../../layers/affine/kernel.js';
import { mergeJoints, mergeSides, type Merging } from '../../layers/merge/kernel.js';
import { restrictJoint, restrictSide, scaleJoint, scaleSide } from '../../layers/states/operators.js';
import { NO_NOTE, type Note, type SideContext } from '../../layers/states/rule.js';
import type { Shaped } from '../../layers/shapes.js';
import type { Block, Joint, Pattern, Sheets, Side } from '../../layers/states/state.js';
import { isSequence, leafOf } from '../../layers/registry.js';
import type { DenseLayer } from '../../layers/vocabulary.js';
import type { Core, FloatType } from '../../wasm/engine.js';
import { layerLabel } from '../../layers/fields.js';
import { overflow } from '../tiles/checks.js';
import type { CompiledLayer } from './compiled-net.js';

/** What the layers of a net noted about one side. */
export interface Notes {
  readonly note: Note;
  /** Mask after the layer, see `Side`. */
  readonly keep: Float64Array | null;
  readonly ld: number;
  readonly children: readonly Notes[];
}

export interface SideOptions {
  readonly pattern: Pattern | null;
  readonly dtype: 'f32' | 'f64';
  readonly tolerance: number;
}

/** Covariances that are not finite are told before a layer takes them: series would look for their terms for ever. */
function checkSide(core: Core, { cov, n, ld }: Side, where: string): void {
  if (cov && !isFinite(core, cov.data, n, ld)) throw overflow('f64', where);
}

/** Whether rows of `n` numbers, `ld` apart, are finite; what is between them may be anything. */
function isFinite(core: Core, { ticket }: Sheets, n: number, ld: number): boolean {
  const all = core.kernels[ticket.dtype === 'f32' ? 'sheetsFinite_f32' : 'sheetsFinite_f64'];
  if (all(ticket.length, ticket.ptr as never)) return true;
  return core.heap.read(ticket).every((value, i) => i % ld >= n || value - value === 0);
}

/** Throws the overflow of the first layer after which `joint` is not finite; a tap of `propagateJoint`. */
export const overflowTap =
  (core: Core, columns: number, dtype: FloatType): Tap =>
  ({ shaped }, { k, t, ld }) => {
    if (isFinite(core, k, columns, ld) && (!t || isFinite(core, t, columns, ld))) return;
    throw overflow(dtype, layerLabel(shaped.path, shaped.layer.layer));
  };

/** Propagates one side; it is consumed. */
export function propagateSide(
  core: Core,
  node: CompiledLayer,
  side: Side,
  options: SideOptions,
): { side: Side; notes: Notes } {
  const { rule, shaped, children } = node;
  side = restrictSide(core, side, node.input);
  checkSide(core, side, 'the products of the inputs');
  if (rule) {
    const context: SideContext = { ...options, wanted: node.output };
    const result = rule.side(core, shaped, side, context);
    checkSide(core, result.side, layerLabel(shaped.path, shaped.layer.layer));
    const next = restrictSide(core, result.side, node.output);
    if (next.keep) {
      const own = next.cov ? { ...next, cov: { ...next.cov, data: next.cov.data.own(core) } } : next;
      scaleSide(core, own, next.keep);
      return { side: own, notes: { note: result.note, keep: own.keep, ld: own.ld, children: [] } };
    }
    return { side: next, notes: { note: result.note, keep: null, ld: next.ld, children: [] } };
  }
  const notes: Notes[] = [];
  if (isSequence(shaped.layer)) {
    for (const child of children) {
      const result = propagateSide(core, child, side, options);
      side = result.side;
      notes.push(result.notes);
    }
    return { side, notes: { note: NO_NOTE, keep: side.keep, ld: side.ld, children: notes } };
  }
  const sides = children.map((child, i) => {
    const last = i === children.length - 1;
    if (!last) side.cov?.data.share();
    const result = propagateSide(core, child, side, options);
    notes.push(result.notes);
    return result.side;
  });
  const merged = mergeSides(core, shaped as Merging, sides);
  return { side: merged, notes: { note: NO_NOTE, keep: merged.keep, ld: merged.ld, children: notes } };
}

export function releaseNotes({ note, children }: Notes): void {
  note.release?.();
  children.forEach(releaseNotes);
}

/** Sees the state after every layer of a net; must not change it. */
export type Tap = (node: CompiledLayer, joint: Joint) => void;

/** Propagates one block of the joint kernels; it is consumed. */
export function propagateJoint(
  core: Core,
  node: CompiledLayer,
  joint: Joint,
  {
    one,
    two,
    block,
    tap,
  }: { readonly one: Notes; readonly two: Notes; readonly block: Block; readonly tap?: Tap | undefined },
): Joint {
  const { rule, shaped, children } = node;
  joint = restrictJoint(core, joint, node.input);
  if (rule) {
    joint = rule.joint(core, shaped, joint, { one: one.note, two: two.note, block, wanted: node.output });
    joint = finish(core, node, joint, { one, two, block });
    tap?.(node, joint);
    return joint;
  }
  if (isSequence(shaped.layer)) {
    for (let i = 0; i < children.length; i++) {
      const affine = tap ? null : fusable(children[i]!, children[i + 1], block);
      if (affine) {
        const [first, second] = [one.children[i]!.note, two.children[i]!.note] as [
          ActivationNote,
          ActivationNote,
        ];
        joint = restrictJoint(core, joint, children[i]!.input);
        joint = activateJoint(core, joint, { one: first, two: second, block, affine });
        i++;
        joint = finish(core, children[i]!, joint, { one: one.children[i]!, two: two.children[i]!, block });
      } else
        joint = propagateJoint(core, children[i]!, joint, {
          one: one.children[i]!,
          two: two.children[i]!,
          block,
          tap,
        });
    }
    return joint;
  }
  const joints = children.map((child, i) => {
    if (i < children.length - 1) {
      joint.k.share();
      joint.t?.share();
    }
    return propagateJoint(core, child, joint, { one: one.children[i]!, two: two.children[i]!, block, tap });
  });
  joint = mergeJoints(core, shaped as Merging, joints);
  tap?.(node, joint);
  return joint;
}

/** The affine map of a dense layer right after an activation, where both can run as one. */
function fusable(
  node: CompiledLayer,
  next: CompiledLayer | undefined,
  block: Block,
): ReturnType<typeof denseAffine> | null {
  const entries = ({ shaped: { layer } }: CompiledLayer): unknown => leafOf(layer)?.entries(layer);
  if (!next || entries(node) !== 'dual' || entries(next) !== 'affine') return null;
  const affine = denseAffine(next.shaped as Shaped<DenseLayer>, block.frozen);
  return affine.alpha > 0 ? affine : null;
}

/** Trims to what is wanted and zeroes masked entries. */
export function finish(
  core: Core,
  node: CompiledLayer,
  joint: Joint,
  { one, two, block }: { readonly one: Notes; readonly two: Notes; readonly block: Block },
): Joint {
  joint = restrictJoint(core, joint, node.output);
  if (!one.keep && !two.keep) return joint;
  const owned = { ...joint, k: joint.k.own(core), t: joint.t && joint.t.own(core) };
  const positions = joint.layout.spatial.reduce((size, n) => size * n, 1);
  const visible = (ld: number): Float64Array => new Float64Array(positions * ld).fill(1);
  const [first, second] = [one.keep ?? visible(one.ld), two.keep ?? visible(two.ld)];
  scaleJoint(core, owned, {
    one: first,
    oneLd: one.ld,
    two: second,
    twoLd: two.ld,
    corner: [block.row, block.column],
  });
  return owned;
}
