// Which slot of the arena holds the plane of a node, from its first row to its last reader.
import type { Arena } from './blob.js';
import { POINT, type Node } from '../../layers/lowering/nodes.js';
import type { Evaluation, Segment } from './segments.js';

/** Sheets of equal size and equal factor of the offset. */
export interface PlaneClass {
  readonly H: number;
  readonly W: number;
  readonly fh: number;
  readonly fw: number;
  bh: number;
  bw: number;
  readonly slots: number[];
  readonly free: number[];
}

/** Slots of one segment: planes of a class share them as they become free. */
export class Slots {
  readonly p: Segment;
  readonly nodes: readonly Node[];
  readonly arena: Arena;
  readonly classes: PlaneClass[] = [];
  readonly slots: Map<string, number> = new Map();
  readonly left: Map<string, number> = new Map();
  readonly haloed: Set<string> = new Set();

  constructor(segment: Segment, nodes: readonly Node[], arena: Arena) {
    this.p = segment;
    this.nodes = nodes;
    this.arena = arena;
    for (const step of segment.steps) {
      for (const input of this.inputs(step)) this.count(input);
      this.class(step);
      this.border(step);
    }
    this.count({ node: segment.end, fh: 1, fw: 1 });
  }

  protected key({ node, fh, fw }: Evaluation): string {
    return `${node},${fh},${fw}`;
  }

  protected inputs(step: Evaluation): Evaluation[] {
    const node = this.nodes[step.node]!;
    if (node.op === 'mix' || node.op === 'collapse') return [];
    const t = node.op === 'affine' ? node.filter : POINT;
    return node.inputs.map((input) => ({ node: input, fh: step.fh * t.th, fw: step.fw * t.tw }));
  }

  protected count(step: Evaluation): void {
    this.left.set(this.key(step), (this.left.get(this.key(step)) ?? 0) + 1);
  }

  protected class({ node, fh, fw }: Evaluation): number {
    const { H, W } = this.nodes[node]!;
    const found = this.classes.findIndex((k) => k.H === H && k.W === W && k.fh === fh && k.fw === fw);
    if (found >= 0) return found;
    return this.classes.push({ H, W, fh, fw, bh: 0, bw: 0, slots: [], free: [] }) - 1;
  }

  /** Sheets are surrounded by as many zeros (or by the other side) as the widest filter reads. */
  protected border(step: Evaluation): void {
    const node = this.nodes[step.node]!;
    if (node.op !== 'affine') return;
    const [input] = this.inputs(step);
    const from = this.nodes[input!.node]!;
    const f = node.filter;
    const k = this.classes[this.class(input!)]!;
    const h = Math.max(0, f.lh, (node.H - 1) * f.th - f.lh + f.kh - from.H);
    const w = Math.max(0, f.lw, (node.W - 1) * f.tw - f.lw + f.kw - from.W);
    k.bh = Math.max(k.bh, h);
    k.bw = Math.max(k.bw, w);
    if (h + w > 0) this.haloed.add(this.key(input!));
  }

  protected take(step: Evaluation): number {
    const k = this.classes[this.class(step)]!;
    const free = k.free.pop();
    if (free !== undefined) return free;
    const at = this.arena.take((k.H + 2 * k.bh + 1) * stride(k)) + k.bh * stride(k) + k.bw * 32;
    k.slots.push(at);
    return at;
  }

  protected slot(step: Evaluation): number {
    return this.slots.get(this.key(step))!;
  }

  /** One use less; the slot is free after the last. */
  protected release(step: Evaluation): void {
    const key = this.key(step);
    const left = this.left.get(key)! - 1;
    this.left.set(key, left);
    if (left === 0) this.classes[this.class(step)]!.free.push(this.slots.get(key)!);
  }

  /** The slot of an input whose only remaining use this is, taken over by the result; else a new one. */
  protected inherit(step: Evaluation, input: Evaluation): { dst: number; moved: boolean } {
    const same = this.class(step) === this.class(input);
    if (same && this.left.get(this.key(input)) === 1) {
      this.left.set(this.key(input), 0);
      return { dst: this.slot(input), moved: true };
    }
    return { dst: this.take(step), moved: false };
  }
}

export function stride(k: PlaneClass): number {
  return (k.W + 2 * k.bw) * 32;
}
