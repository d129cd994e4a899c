// Cuts a graph at its mixing layers into segments, and finds by backward demand which offsets every segment must run for.
import { flowsInto } from '../../layers/lowering/axis.js';
import type { LowerOptions } from '../../layers/lowering/lowering.js';
import { lower } from './lower.js';
import { NotByOffsets, type CollapseNode, type MixNode, type Node } from '../../layers/lowering/nodes.js';
import { subsample } from './sampling.js';
import type { Shaped } from '../../layers/shapes.js';

export type Offset = readonly [dh: number, dw: number];

/** A node evaluated at a multiple of the segment's offset (the product of the strides behind it). */
export interface Evaluation {
  readonly node: number;
  readonly fh: number;
  readonly fw: number;
}

/** What runs depth first for one offset after the other: from stored planes or the images to one stored node or the result. */
export interface Segment {
  readonly end: number;
  /** The node that is stored: -1 for the result of the net. `branch` is the input of it that this segment makes. */
  readonly sink: number;
  readonly branch: number;
  /** In order of evaluation; sources first. */
  readonly steps: readonly Evaluation[];
  readonly modular: boolean;
  /** Offsets of `end` for pairs of images, rows of offsets in order. */
  readonly offsets: readonly Offset[];
  /** Offsets of `end` that the variances of activations and norms need, offset 0 first. */
  readonly self: readonly Offset[];
}

export interface Split {
  readonly nodes: readonly Node[];
  readonly users: readonly (readonly number[])[];
  readonly segments: readonly Segment[];
  /** Offsets at which a stored node is read. */
  readonly stored: ReadonlyMap<
    number,
    { readonly offsets: readonly Offset[]; readonly self: readonly Offset[]; readonly modular: boolean }
  >;
  readonly last: number;
}

type Draft = { -readonly [K in keyof Segment]: Segment[K] };

export interface SplitOptions extends LowerOptions {
  readonly masked: boolean;
  readonly diagonal: boolean;
}

/** Lowers and cuts the net. Circular convolutions run on modular planes where everything around them can. */
export function split(net: Shaped, options: SplitOptions): Split {
  const unrolled = new Set<string>();
  for (;;) {
    const lowered = lower(net, unrolled, options);
    const nodes = options.masked ? lowered : subsample(lowered);
    const last = options.masked ? nodes.length - 1 : foldTail(nodes);
    const users = usersOf(nodes, last);
    const segments = cut(nodes, last);
    const clash = modularity(nodes, segments);
    if (clash.length === 0) {
      const stored = demand(nodes, segments, options.diagonal);
      return { nodes, users, segments, stored, last };
    }
    for (const path of clash) unrolled.add(path);
  }
}

/** Pools right before a global pool are part of it where every position gets the same total weight. */
function foldTail(nodes: Node[]): number {
  const uses = usersOf(nodes, nodes.length - 1);
  for (const [i, node] of nodes.entries()) {
    let now = node;
    while (now.op === 'collapse' && now.pairing === 'all') {
      const pool: Node = nodes[now.inputs[0]!]!;
      if (pool.op !== 'mix' || pool.inputs.length !== 1 || uses[now.inputs[0]!]!.length !== 1) break;
      const totals = pool.maps[0]!.map((axis) => {
        if (axis.pairing !== 'all') return null;
        const sums = new Float64Array(axis.n);
        for (const list of axis.taps) for (const tap of list) sums[tap.input]! += tap.weight;
        const [least, most] = [Math.min(...sums), Math.max(...sums)];
        return most - least <= 1e-14 * most ? most : null;
      });
      if (totals[0] == null || totals[1] == null) break;
      now = { ...now, inputs: pool.inputs, scale: now.scale * (totals[0] * totals[1]) ** 2 };
      nodes[i] = now;
    }
  }
  return nodes.length - 1;
}

function usersOf(nodes: readonly Node[], last: number): number[][] {
  const users: number[][] = nodes.map(() => []);
  const alive = new Set([last]);
  for (let i = last; i >= 0; i--) {
    if (!alive.has(i)) continue;
    for (const input of nodes[i]!.inputs) {
      alive.add(input);
      users[input]!.push(i);
    }
  }
  return users;
}

/** Nodes whose planes are there before a segment reads them. */
const isStored = (node: Node): boolean => ['mix', 'collapse', 'state'].includes(node.op);

function cut(nodes: readonly Node[], last: number): Draft[] {
  const segments: Draft[] = [];
  const reached = new Set([last]);
  for (let i = last; i >= 0; i--) {
    if (!reached.has(i)) continue;
    const node = nodes[i]!;
    for (const input of node.inputs) reached.add(input);
    const ends = isStored(node) ? node.inputs : [];
    for (const [branch, end] of [...ends.entries()].reverse())
      segments.unshift(segment(nodes, end, i, branch));
  }
  segments.push(segment(nodes, last, -1, 0));
  return segments;
}

function segment(nodes: readonly Node[], end: number, sink: number, branch: number): Draft {
  const steps: Evaluation[] = [];
  const seen = new Set<string>();
  const visit = (node: number, fh: number, fw: number): void => {
    const key = `${node},${fh},${fw}`;
    if (seen.has(key)) return;
    seen.add(key);
    const at = nodes[node]!;
    if (!isStored(at)) {
      const t = at.op === 'affine' ? at.filter : { th: 1, tw: 1 };
      for (const input of at.inputs) visit(input, fh * t.th, fw * t.tw);
    }
    steps.push({ node, fh, fw });
  };
  visit(end, 1, 1);
  return { end, sink, branch, steps, modular: false, offsets: [], self: [] };
}

/** Marks modular segments; the paths of circular convolutions that cannot be on modular planes. */
function modularity(nodes: readonly Node[], segments: Draft[]): string[] {
  const circularOf = (p: Draft): string[] =>
    p.steps.map(({ node }) => nodes[node]!).flatMap((n) => (n.op === 'affine' && n.circular ? [n.path] : []));
  for (const p of segments) {
    const paths = circularOf(p);
    if (paths.length === 0) continue;
    const end = nodes[p.end]!;
    const fits = p.steps.every(({ node, fh, fw }) => {
      const at = nodes[node]!;
      if (at.H !== end.H * fh || at.W !== end.W * fw) return false;
      if (at.op !== 'affine' || at.circular) return true;
      return at.filter.kh * at.filter.kw === 1;
    });
    if (!fits || !bordersFit(nodes, p)) return paths;
    p.modular = true;
  }
  for (const node of nodes.keys()) {
    const readers = segments.filter((p) => p.steps.some((s) => s.node === node) && isStored(nodes[node]!));
    if (new Set(readers.map((p) => p.modular)).size > 1)
      return readers.filter((p) => p.modular).flatMap(circularOf);
  }
  return [];
}

function bordersFit(nodes: readonly Node[], p: Draft): boolean {
  return p.steps.every(({ node }) => {
    const at = nodes[node]!;
    if (at.op !== 'affine') return true;
    const from = nodes[at.inputs[0]!]!;
    return at.filter.kh <= from.H + 1 && at.filter.kw <= from.W + 1;
  });
}

class Offsets {
  readonly #map = new Map<string, Offset>();
  add(offset: Offset): void {
    this.#map.set(offset.join(), offset);
  }
  /** By rows; with `zeroFirst` offset 0 comes before all others. */
  list(zeroFirst: boolean): Offset[] {
    const rank = ([h, w]: Offset): number => (zeroFirst && h === 0 && w === 0 ? 0 : 1);
    return [...this.#map.values()].sort((a, b) => rank(a) - rank(b) || a[0] - b[0] || a[1] - b[1]);
  }
}

/** More planes than it is wise to plan, seconds and hundreds of megabytes: images of 360 x 360 with all pairs of positions. */
const MOST_PLANES = 2 ** 19;
/** More pairs of positions than a table of them may have: outputs of 76 x 76. */
const MOST_PAIRS = 2 ** 25;

export function allOffsets(H: number, W: number, modular: boolean): Offset[] {
  if ((modular ? H * W : (2 * H - 1) * (2 * W - 1)) > MOST_PLANES)
    throw new NotByOffsets(`the pairs of ${H} x ${W} positions have too many offsets`);
  const range = (n: number): number[] =>
    modular ? Array.from({ length: n }, (_, i) => i) : Array.from({ length: 2 * n - 1 }, (_, i) => i + 1 - n);
  return range(H).flatMap((h) => range(W).map((w): Offset => [h, w]));
}

/** The offset of a node at factor f; stays within modular planes. */
export function scaleOffset([h, w]: Offset, at: Evaluation, node: Node, modular: boolean): Offset {
  const [a, b] = [h * at.fh, w * at.fw];
  return modular ? [a % node.H, b % node.W] : [a, b];
}

function demand(nodes: readonly Node[], segments: Draft[], diagonal: boolean): Split['stored'] {
  const wanted = new Map<number, { offsets: Offsets; self: Offsets }>();
  const at = (node: number): { offsets: Offsets; self: Offsets } => {
    const found = wanted.get(node) ?? { offsets: new Offsets(), self: new Offsets() };
    wanted.set(node, found);
    return found;
  };
  const modularOf = (node: number): boolean =>
    segments.some((p) => p.modular && p.steps.some((s) => s.node === node));
  for (const p of [...segments].reverse()) {
    const joint = new Offsets();
    const self = new Offsets();
    const end = nodes[p.end]!;
    if (p.sink < 0) {
      if (!diagonal && (end.H * end.W) ** 2 > MOST_PAIRS)
        throw new NotByOffsets(`the output has too many pairs of ${end.H} x ${end.W} positions`);
      const all = diagonal ? [[0, 0] as const] : allOffsets(end.H, end.W, p.modular);
      for (const offset of all) joint.add(offset);
    } else {
      const { offsets, self: selfOffsets } = at(p.sink);
      const sink = nodes[p.sink] as MixNode | CollapseNode;
      const source = (list: Offset[]): Offset[] => needed(sink, p, end, list, modularOf(p.sink));
      for (const offset of source(offsets.list(false))) joint.add(offset);
      for (const offset of source(selfOffsets.list(false))) self.add(offset);
    }
    if (p.steps.some(({ node }) => ['activation', 'norm'].includes(nodes[node]!.op))) self.add([0, 0]);
    p.offsets = joint.list(false);
    p.self = self.list(true);
    for (const step of p.steps) {
      const node = nodes[step.node]!;
      if (!isStored(node)) continue;
      for (const offset of p.offsets) at(step.node).offsets.add(scaleOffset(offset, step, node, p.modular));
      for (const offset of p.self) at(step.node).self.add(scaleOffset(offset, step, node, p.modular));
    }
  }
  const stored = new Map<number, { offsets: Offset[]; self: Offset[]; modular: boolean }>();
  for (const [node, { offsets, self }] of wanted) {
    stored.set(node, { offsets: offsets.list(false), self: self.list(false), modular: modularOf(node) });
  }
  return stored;
}

/** The offsets of the end of segment `p` that flow into the given offsets of its sink. */
function needed(
  sink: MixNode | CollapseNode,
  p: Segment,
  end: Node,
  offsets: readonly Offset[],
  outModular: boolean,
): Offset[] {
  if (offsets.length === 0) return [];
  if (sink.op === 'collapse') return sink.pairing === 'all' ? allOffsets(end.H, end.W, p.modular) : [[0, 0]];
  const [rows, cols] = sink.maps[p.branch]!;
  const from = new Offsets();
  const memo = (axis: typeof rows): ((d: number) => number[]) => {
    const known = new Map<number, number[]>();
    return (d) => {
      const list = known.get(d) ?? [...flowsInto(axis, d, p.modular, outModular).keys()];
      known.set(d, list);
      return list;
    };
  };
  const [rowsOf, colsOf] = [memo(rows), memo(cols)];
  for (const [h, w] of offsets) for (const eh of rowsOf(h)) for (const ew of colsOf(w)) from.add([eh, ew]);
  return from.list(false);
}

export { NotByOffsets };
