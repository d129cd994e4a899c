// A Net document as a graph of plane operations on two spatial axes (one axis: a single row; none: a single position).
import type { Shaped } from '../../layers/shapes.js';
import { normaliseAxis } from '../../layers/shapes.js';
import {
  convAxes,
  convTaps,
  poolAxes,
  resizeMatrix,
  slicePositions,
  type WindowAxis,
} from '../../layers/geometry.js';
import {
  isActivation,
  type ConcatLayer,
  type ConvLayer,
  type DenseLayer,
  type IndexLayer,
  type MergeLayer,
} from '../../layers/vocabulary.js';
import {
  identityAxis,
  joinedAxes,
  localAxis,
  matrixAxis,
  poolAxis,
  positionsAxis,
  sharedAxis,
  type MixAxis,
} from './axis.js';
import { NotByOffsets, POINT, type Filter, type MixNode, type Node } from './nodes.js';
import { activationOf, weights, type SeriesOptions } from './parameters.js';

export interface LowerOptions extends SeriesOptions {
  /** Paths of layers that are not trained. */
  readonly frozen: readonly string[];
  /** What the net starts from. */
  readonly source: 'input' | 'state';
}

/** Where a circular convolution cannot run on modular planes, its path is in `unrolled` and it becomes a mixing layer. */
export function lower(net: Shaped, unrolled: ReadonlySet<string>, options: LowerOptions): Node[] {
  const spatial = net.input.slice(0, -1);
  if (spatial.length > 2)
    throw new NotByOffsets(`${spatial.length} spatial axes; planes are made for one or two`);
  const axes: (0 | 1)[] = spatial.length === 2 ? [0, 1] : spatial.length === 1 ? [1] : [];
  const nodes: Node[] = [
    {
      op: options.source,
      inputs: [],
      H: spatial.length === 2 ? spatial[0]! : 1,
      W: spatial.at(-1) ?? 1,
      C: net.input.at(-1)!,
      axes,
      path: '',
    },
  ];
  const builder = new Builder(nodes, unrolled, options);
  builder.add(net, 0);
  return nodes;
}

type MaskRule = Pick<MixNode, 'centre' | 'any'>;

class Builder {
  readonly nodes: Node[];
  readonly unrolled: ReadonlySet<string>;
  readonly options: LowerOptions;

  constructor(nodes: Node[], unrolled: ReadonlySet<string>, options: LowerOptions) {
    this.nodes = nodes;
    this.unrolled = unrolled;
    this.options = options;
  }

  push(node: Node): number {
    return this.nodes.push(node) - 1;
  }

  add(shaped: Shaped, x: number): number {
    const { layer, path, children } = shaped;
    switch (layer.layer) {
      case 'serial':
      case 'repeat':
        return children.reduce((at, child) => this.add(child, at), x);
      case 'identity':
        return x;
      case 'sum':
      case 'product':
      case 'concat':
        return this.merge(
          layer,
          children.map((child) => this.add(child, x)),
          path,
          shaped,
        );
      default:
        return this.leaf(shaped, x);
    }
  }

  private weights(
    layer: DenseLayer | ConvLayer,
    x: number,
    taps: number,
    path: string,
  ): ReturnType<typeof weights> {
    return weights(layer, this.nodes[x]!.C, taps, path, this.options.frozen.includes(path));
  }

  private leaf({ layer, path, output, input }: Shaped, x: number): number {
    const from = this.nodes[x]!;
    const base = { inputs: [x], H: from.H, W: from.W, C: output.at(-1)!, axes: from.axes, path };
    if (isActivation(layer))
      return this.push({ ...base, op: 'activation', activation: activationOf(layer, path, this.options) });
    switch (layer.layer) {
      case 'dense':
        return this.push({
          ...base,
          op: 'affine',
          filter: POINT,
          circular: false,
          ...this.weights(layer, x, 1, path),
        });
      case 'conv':
      case 'convLocal':
        return this.conv(layer, x, path, output.at(-1)!);
      case 'convTranspose':
        return this.shared(layer, x, path, output.at(-1)!);
      case 'avgPool':
      case 'sumPool': {
        const average = layer.layer === 'avgPool';
        const edges = layer.layer === 'avgPool' && layer.normalizeEdges && layer.padding === 'SAME';
        return this.mix(
          x,
          path,
          poolAxes(layer, input.slice(0, -1)).map((axis) => poolAxis(axis, average, edges)),
          this.centre(x, layer.window),
        );
      }
      case 'imageResize':
        return this.mix(
          x,
          path,
          input.slice(0, -1).map((n, i) => {
            const out = output[i]!;
            return out === n
              ? identityAxis(n)
              : matrixAxis(resizeMatrix(n, out, layer.method, layer.antialias), n);
          }),
        );
      case 'index':
        return this.index(layer, x, path, input);
      case 'globalAvgPool':
      case 'globalSumPool':
      case 'flatten':
        return this.collapse(layer.layer, x, path, output.at(-1)!);
      case 'layerNorm': {
        const over = layer.axis.map((axis) => normaliseAxis(axis, input.length + 1));
        if (over.includes(0)) throw new NotByOffsets(`${path} (layerNorm) couples the samples`);
        const real = over.filter((axis) => axis < input.length).map((axis) => from.axes[axis - 1]);
        return this.push({
          ...base,
          op: 'norm',
          eps: layer.eps,
          rows: real.includes(0) && from.H > 1,
          cols: real.includes(1) && from.W > 1,
        });
      }
      case 'dropout':
        return layer.mode === 'test' ? x : this.push({ ...base, op: 'dropout', keep: layer.keep });
      default:
        throw new NotByOffsets(`${path} (${layer.layer}) needs all pairs of positions at once`);
    }
  }

  private conv(layer: ConvLayer, x: number, path: string, C: number): number {
    const from = this.nodes[x]!;
    const size = [from.H, from.W];
    const taps = convAxes(
      layer,
      from.axes.map((axis) => size[axis]!),
    );
    const circular = layer.padding === 'CIRCULAR' && taps.some((axis) => axis.size > 1 || axis.stride > 1);
    if (circular && (this.unrolled.has(path) || layer.layer === 'convLocal'))
      return this.local(layer, this.shared(layer, x, path, C), path);
    const at = (axis: 0 | 1): WindowAxis =>
      taps[from.axes.indexOf(axis)] ?? {
        n: size[axis]!,
        out: size[axis]!,
        size: 1,
        stride: 1,
        lo: 0,
        circular: false,
      };
    const h = at(0);
    const w = at(1);
    const filter: Filter = {
      kh: h.size,
      kw: w.size,
      th: h.stride,
      tw: w.stride,
      lh: h.lo,
      lw: w.lo,
    };
    const scale = this.weights(layer, x, h.size * w.size, path);
    const node = this.push({
      op: 'affine',
      inputs: [x],
      H: h.out,
      W: w.out,
      C,
      axes: from.axes,
      path,
      filter,
      circular,
      ...scale,
      w: scale.w / (h.size * w.size),
    });
    return this.local(layer, node, path);
  }

  private local(layer: ConvLayer, node: number, path: string): number {
    if (layer.layer !== 'convLocal') return node;
    const { H, W } = this.nodes[node]!;
    return this.mixBoth([node], path, [[localAxis(H), localAxis(W)]]);
  }

  /** A convolution as a mixing layer (its taps given one by one) and a map of single positions. */
  private shared(layer: ConvLayer, x: number, path: string, C: number): number {
    const from = this.nodes[x]!;
    const size = [from.H, from.W];
    const spatial = from.axes.map((axis) => size[axis]!);
    const maps = convTaps(layer, spatial).map((taps, i) => sharedAxis(spatial[i]!, layer.filter[i]!, taps));
    const mask = layer.layer === 'convTranspose' ? { any: true } : this.centre(x, layer.filter);
    const mixed = this.mix(x, path, maps, mask);
    const { H, W, axes } = this.nodes[mixed]!;
    const count = layer.filter.reduce((product, k) => product * k, 1);
    return this.push({
      op: 'affine',
      inputs: [mixed],
      H,
      W,
      C,
      axes,
      path,
      filter: POINT,
      circular: false,
      ...this.weights(layer, x, count, path),
    });
  }

  /** A mixing layer given by the axes the document knows. */
  private mix(x: number, path: string, maps: readonly MixAxis[], mask: MaskRule = {}): number {
    const from = this.nodes[x]!;
    const pick = (axis: 0 | 1): MixAxis =>
      maps[from.axes.indexOf(axis)] ?? identityAxis(axis === 0 ? from.H : from.W);
    return this.mixBoth([x], path, [[pick(0), pick(1)]], mask);
  }

  /** Masked where the centre of the window is. */
  private centre(x: number, window: readonly number[]): MaskRule {
    const { axes } = this.nodes[x]!;
    const at = (axis: 0 | 1): number => Math.floor(((window[axes.indexOf(axis)] ?? 1) - 1) / 2);
    return { centre: [at(0), at(1)] };
  }

  private mixBoth(
    inputs: readonly number[],
    path: string,
    maps: readonly (readonly [MixAxis, MixAxis])[],
    mask: MaskRule = {},
  ): number {
    const { C, axes } = this.nodes[inputs[0]!]!;
    return this.push({
      op: 'mix',
      inputs,
      H: maps[0]![0].out,
      W: maps[0]![1].out,
      C,
      axes,
      path,
      maps,
      ...mask,
    });
  }

  private index(layer: IndexLayer, x: number, path: string, input: readonly number[]): number {
    const at = this.mix(
      x,
      path,
      layer.slices.map((slice, i) => positionsAxis(input[i]!, slicePositions(slice, input[i]!))),
    );
    const axes = this.nodes[x]!.axes.filter((_, i) => typeof layer.slices[i] !== 'number');
    this.nodes[at] = { ...(this.nodes[at] as MixNode), axes };
    return at;
  }

  private collapse(
    name: 'globalAvgPool' | 'globalSumPool' | 'flatten',
    x: number,
    path: string,
    C: number,
  ): number {
    const from = this.nodes[x]!;
    if (from.axes.length === 0) return x;
    const size = from.H * from.W;
    const pairing = name === 'flatten' && size > 1 ? 'same' : 'all';
    const scale = name === 'globalSumPool' ? 1 : pairing === 'same' ? 1 / size : 1 / size ** 2;
    return this.push({
      op: 'collapse',
      inputs: [x],
      H: 1,
      W: 1,
      C,
      axes: [],
      path,
      pairing,
      scale,
      average: name === 'globalAvgPool',
    });
  }

  private merge(layer: MergeLayer | ConcatLayer, inputs: number[], path: string, shaped: Shaped): number {
    if (inputs.length === 1) return inputs[0]!;
    const first = this.nodes[inputs[0]!]!;
    const rank = shaped.output.length;
    const axis = layer.layer === 'concat' ? normaliseAxis(layer.axis, rank + 1) : rank;
    if (axis === rank) {
      const counts = inputs.map((i) => this.nodes[i]!.C);
      const total = counts.reduce((sum, n) => sum + n, 0);
      return this.push({
        op: layer.layer === 'product' ? 'product' : 'sum',
        inputs,
        H: first.H,
        W: first.W,
        C: layer.layer === 'concat' ? total : first.C,
        axes: first.axes,
        path,
        weights: counts.map((n) => (layer.layer === 'concat' ? n / total : 1)),
      });
    }
    const along = first.axes[axis - 1]!;
    const joined = joinedAxes(inputs.map((i) => (along === 0 ? this.nodes[i]!.H : this.nodes[i]!.W)));
    const maps = joined.map((map): [MixAxis, MixAxis] =>
      along === 0 ? [map, identityAxis(first.W)] : [identityAxis(first.H), map],
    );
    return this.mixBoth(inputs, path, maps);
  }
}
