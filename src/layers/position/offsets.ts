// Pools, resizing, slices and flatten on planes.
import { poolAxes, resizeMatrix, slicePositions } from '../geometry.js';
import { identityAxis, matrixAxis, poolAxis, positionsAxis } from '../lowering/axis.js';
import type { Lowering } from '../lowering/lowering.js';
import type { MixNode } from '../lowering/nodes.js';
import type { Shaped } from '../shapes.js';
import type { AvgPoolLayer, ImageResizeLayer, IndexLayer, PlainLayer, SumPoolLayer } from './types.js';

export function poolOffsets(
  lowering: Lowering,
  { layer, path, input }: Shaped<AvgPoolLayer | SumPoolLayer>,
  x: number,
): number {
  const average = layer.layer === 'avgPool';
  const edges = layer.layer === 'avgPool' && layer.normalizeEdges && layer.padding === 'SAME';
  const maps = poolAxes(layer, input.slice(0, -1)).map((axis) => poolAxis(axis, average, edges));
  return lowering.mix(x, path, maps, lowering.centre(x, layer.window));
}

export function resizeOffsets(
  lowering: Lowering,
  { layer, path, input, output }: Shaped<ImageResizeLayer>,
  x: number,
): number {
  const maps = input.slice(0, -1).map((n, i) => {
    const out = output[i]!;
    if (out === n) return identityAxis(n);
    return matrixAxis(resizeMatrix(n, out, layer.method, layer.antialias), n);
  });
  return lowering.mix(x, path, maps);
}

export function indexOffsets(
  lowering: Lowering,
  { layer, path, input }: Shaped<IndexLayer>,
  x: number,
): number {
  const maps = layer.slices.map((slice, i) => positionsAxis(input[i]!, slicePositions(slice, input[i]!)));
  const at = lowering.mix(x, path, maps);
  const axes = lowering.nodes[x]!.axes.filter((_, i) => typeof layer.slices[i] !== 'number');
  lowering.nodes[at] = { ...(lowering.nodes[at] as MixNode), axes };
  return at;
}

/** Global pools, and flatten, which keeps equal positions only. */
export function collapseOffsets(lowering: Lowering, node: Shaped<PlainLayer>, x: number): number {
  const { H, W, axes } = lowering.nodes[x]!;
  if (axes.length === 0) return x;
  const name = node.layer.layer;
  const size = H * W;
  const pairing = name === 'flatten' && size > 1 ? 'same' : 'all';
  return lowering.push({
    ...lowering.base(x, node),
    op: 'collapse',
    H: 1,
    W: 1,
    axes: [],
    pairing,
    scale: name === 'globalSumPool' ? 1 : pairing === 'same' ? 1 / size : 1 / size ** 2,
    average: name === 'globalAvgPool',
  });
}
