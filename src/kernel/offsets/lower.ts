// A Net document as a graph of plane operations on two spatial axes (one axis: a single row; none: a single position).
import { Lowering, type LowerOptions } from '../../layers/lowering/lowering.js';
import { NotByOffsets, type Node } from '../../layers/lowering/nodes.js';
import { descriptorOf } from '../../layers/registry.js';
import type { Shaped } from '../../layers/shapes.js';

/** Where a circular convolution cannot go by modular planes, its path is in `unrolled` and it becomes a mixing layer. */
export function lower(net: Shaped, unrolled: ReadonlySet<string>, options: LowerOptions): Node[] {
  const spatial = net.input.slice(0, -1);
  if (spatial.length > 2)
    throw new NotByOffsets(`${spatial.length} spatial axes; planes are made for one or two`);
  const axes: (0 | 1)[] = spatial.length === 2 ? [0, 1] : spatial.length === 1 ? [1] : [];
  const [H, W, C] = [spatial.length === 2 ? spatial[0]! : 1, spatial.at(-1) ?? 1, net.input.at(-1)!];
  const nodes: Node[] = [{ op: options.source, inputs: [], H, W, C, axes, path: '' }];
  add(new Lowering(nodes, unrolled, options), net, 0);
  return nodes;
}

function add(lowering: Lowering, node: Shaped, x: number): number {
  const { layer, path, children } = node;
  const descriptor = descriptorOf(layer);
  if (descriptor.kind === 'sequence') return children.reduce((at, child) => add(lowering, child, at), x);
  if (descriptor.kind === 'branches') {
    const branches = children.map((child) => add(lowering, child, x));
    return descriptor.offsets(lowering, node, branches);
  }
  const { offsets } = descriptor;
  if ('reason' in offsets) throw new NotByOffsets(`${path} (${layer.layer}) ${offsets.reason}`);
  return offsets(lowering, node, x);
}
