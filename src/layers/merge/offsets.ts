// Branches that meet, on planes: sums, products and concatenations of channels entry by entry, others as a mixing layer.
import { identityAxis, joinedAxes, type MixAxis } from '../lowering/axis.js';
import type { Lowering } from '../lowering/lowering.js';
import { normaliseAxis, type Shaped } from '../shapes.js';
import type { ConcatLayer, MergeLayer } from './types.js';

export function mergeOffsets(
  lowering: Lowering,
  { layer, path, output }: Shaped<MergeLayer | ConcatLayer>,
  inputs: readonly number[],
): number {
  if (inputs.length === 1) return inputs[0]!;
  const { nodes } = lowering;
  const { H, W, C, axes } = nodes[inputs[0]!]!;
  const rank = output.length;
  const axis = layer.layer === 'concat' ? normaliseAxis(layer.axis, rank + 1) : rank;
  if (axis === rank) {
    const counts = inputs.map((i) => nodes[i]!.C);
    const total = counts.reduce((sum, n) => sum + n, 0);
    return lowering.push({
      op: layer.layer === 'product' ? 'product' : 'sum',
      inputs,
      H,
      W,
      C: layer.layer === 'concat' ? total : C,
      axes,
      path,
      weights: counts.map((n) => (layer.layer === 'concat' ? n / total : 1)),
    });
  }
  const along = axes[axis - 1]!;
  const joined = joinedAxes(inputs.map((i) => (along === 0 ? nodes[i]!.H : nodes[i]!.W)));
  const maps = joined.map((map): [MixAxis, MixAxis] =>
    along === 0 ? [map, identityAxis(W)] : [identityAxis(H), map],
  );
  return lowering.mixBoth(inputs, path, maps);
}
