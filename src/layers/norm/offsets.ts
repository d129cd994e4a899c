// Normalisation on planes: gains of every position, or of rows and columns together.
import type { Lowering } from '../lowering/lowering.js';
import { NotByOffsets } from '../lowering/nodes.js';
import type { Shaped } from '../shapes.js';
import { normAxes } from './kernel.js';
import type { NormLayer } from './types.js';

export function normOffsets(lowering: Lowering, node: Shaped<NormLayer>, x: number): number {
  const { layer, path, input } = node;
  const { H, W, axes } = lowering.nodes[x]!;
  const over = [...normAxes(node)];
  if (over.includes(0)) throw new NotByOffsets(`${path} (${layer.layer}) couples the samples`);
  const real = over.filter((axis) => axis < input.length).map((axis) => axes[axis - 1]);
  return lowering.push({
    ...lowering.base(x, node),
    op: 'norm',
    eps: layer.eps,
    rows: real.includes(0) && H > 1,
    cols: real.includes(1) && W > 1,
  });
}
