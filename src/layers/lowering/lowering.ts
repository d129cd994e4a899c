// A net on its way to planes of constant offset: the nodes that its layers add, on two spatial axes.
import type { Shaped } from '../shapes.js';
import { identityAxis, type MixAxis } from './axis.js';
import type { MixNode, Node } from './nodes.js';

/** What series are made for. */
export interface SeriesOptions {
  /** Relative error of series. */
  readonly tolerance: number;
  /** Values per position that a record has for tables of a series at least. */
  readonly room: number;
}

export interface LowerOptions extends SeriesOptions {
  /** Paths of layers that are not trained. */
  readonly frozen: readonly string[];
  /** What the net starts from. */
  readonly source: 'input' | 'state';
}

export type MaskRule = Pick<MixNode, 'centre' | 'any'>;

export class Lowering {
  readonly nodes: Node[];
  /** Circular convolutions that cannot go by modular planes: their paths. They become mixing layers. */
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

  /** What the node of a layer that keeps the positions of `x` has in common with all others. */
  base(x: number, { output, path }: Shaped): Pick<Node, 'inputs' | 'H' | 'W' | 'C' | 'axes' | 'path'> {
    const { H, W, axes } = this.nodes[x]!;
    return { inputs: [x], H, W, C: output.at(-1)!, axes, path };
  }

  /** A mixing layer given by the axes the document knows. */
  mix(x: number, path: string, maps: readonly MixAxis[], mask: MaskRule = {}): number {
    const from = this.nodes[x]!;
    const pick = (axis: 0 | 1): MixAxis =>
      maps[from.axes.indexOf(axis)] ?? identityAxis(axis === 0 ? from.H : from.W);
    return this.mixBoth([x], path, [[pick(0), pick(1)]], mask);
  }

  mixBoth(
    inputs: readonly number[],
    path: string,
    maps: readonly (readonly [MixAxis, MixAxis])[],
    mask: MaskRule = {},
  ): number {
    const { C, axes } = this.nodes[inputs[0]!]!;
    const [H, W] = [maps[0]![0].out, maps[0]![1].out];
    return this.push({ op: 'mix', inputs, H, W, C, axes, path, maps, ...mask });
  }

  /** Masked where the centre of the window is. */
  centre(x: number, window: readonly number[]): MaskRule {
    const { axes } = this.nodes[x]!;
    const at = (axis: 0 | 1): number => Math.floor(((window[axes.indexOf(axis)] ?? 1) - 1) / 2);
    return { centre: [at(0), at(1)] };
  }
}
