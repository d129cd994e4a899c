// Dense and convolutional layers on planes: T' = w box(T + gamma K) + bT, w box(T) where frozen.
import { convAxes, convTaps, type WindowAxis } from '../geometry.js';
import { localAxis, sharedAxis } from '../lowering/axis.js';
import type { Lowering } from '../lowering/lowering.js';
import { NotByOffsets, POINT } from '../lowering/nodes.js';
import type { Shaped } from '../shapes.js';
import { baseWidthOf } from './kernel.js';
import type { ConvLayer, DenseLayer } from './types.js';

/**
 * w is W^2 here; T' = W^2 A(T + gamma K) + bT in both parametrisations (kernels of Dense and Conv, arXiv 2001.07301). Weights
 * that are not trained have no terms of their own: T' = W^2 A(T).
 */
function weightsOf(
  { nodes, options }: Lowering,
  { layer, path }: Shaped<DenseLayer | ConvLayer>,
  x: number,
  taps: number,
): { w: number; b2: number; bT: number; gamma: number } {
  const w = layer.wStd ** 2;
  const b2 = (layer.bStd ?? 0) ** 2;
  const standard = layer.parametrization === 'standard';
  if (standard && w === 0) throw new NotByOffsets(`${path} (${layer.layer}) has wStd = 0`);
  if (options.frozen.includes(path)) return { w, b2, bT: 0, gamma: 0 };
  return {
    w,
    b2,
    bT: layer.bStd === null ? 0 : standard ? 1 : b2,
    gamma: standard ? (taps * baseWidthOf(layer, nodes[x]!.C)) / w : 1,
  };
}

export function denseOffsets(lowering: Lowering, node: Shaped<DenseLayer>, x: number): number {
  const map = { op: 'affine', filter: POINT, circular: false } as const;
  return lowering.push({ ...lowering.base(x, node), ...map, ...weightsOf(lowering, node, x, 1) });
}

export function convOffsets(lowering: Lowering, node: Shaped<ConvLayer>, x: number): number {
  const { layer, path } = node;
  if (layer.layer === 'convTranspose') return asMix(lowering, node, x);
  const { H, W, axes } = lowering.nodes[x]!;
  const size = [H, W];
  const taps = convAxes(
    layer,
    axes.map((axis) => size[axis]!),
  );
  const circular = layer.padding === 'CIRCULAR' && taps.some((axis) => axis.size > 1 || axis.stride > 1);
  if (circular && (lowering.unrolled.has(path) || layer.layer === 'convLocal'))
    return local(lowering, layer, asMix(lowering, node, x), path);
  const at = (axis: 0 | 1): WindowAxis => {
    const n = size[axis]!;
    return taps[axes.indexOf(axis)] ?? { n, out: n, size: 1, stride: 1, lo: 0, circular: false };
  };
  const [h, w] = [at(0), at(1)];
  const filter = { kh: h.size, kw: w.size, th: h.stride, tw: w.stride, lh: h.lo, lw: w.lo };
  const scale = weightsOf(lowering, node, x, h.size * w.size);
  const affine = lowering.push({
    ...lowering.base(x, node),
    op: 'affine',
    H: h.out,
    W: w.out,
    filter,
    circular,
    ...scale,
    w: scale.w / (h.size * w.size),
  });
  return local(lowering, layer, affine, path);
}

function local(lowering: Lowering, layer: ConvLayer, node: number, path: string): number {
  if (layer.layer !== 'convLocal') return node;
  const { H, W } = lowering.nodes[node]!;
  return lowering.mixBoth([node], path, [[localAxis(H), localAxis(W)]]);
}

/** A convolution as a mixing layer (its taps given one by one) and a map of single positions. */
function asMix(lowering: Lowering, node: Shaped<ConvLayer>, x: number): number {
  const { layer, path } = node;
  const from = lowering.nodes[x]!;
  const size = [from.H, from.W];
  const spatial = from.axes.map((axis) => size[axis]!);
  const maps = convTaps(layer, spatial).map((taps, i) => sharedAxis(spatial[i]!, layer.filter[i]!, taps));
  const mask = layer.layer === 'convTranspose' ? { any: true } : lowering.centre(x, layer.filter);
  const mixed = lowering.mix(x, path, maps, mask);
  const count = layer.filter.reduce((product, k) => product * k, 1);
  const scale = weightsOf(lowering, node, x, count);
  return lowering.push({
    ...lowering.base(mixed, node),
    op: 'affine',
    filter: POINT,
    circular: false,
    ...scale,
  });
}
