// Rows of one segment: which plane a row reads, through which affine map, and where it goes.
import type { Arena, Blob, Constants } from './blob.js';
import { affineConstants, UNIT, type RowScales } from './constants.js';
import { POINT, type AffineNode, type NormNode } from '../../layers/lowering/nodes.js';
import { FINISH, OPS, type Op } from './ops.js';
import type { Evaluation, Segment, Split } from './segments.js';
import type { Records } from './records.js';
import { Slots } from './slots.js';
import type { States } from './node-facts.js';

/** Where the planes of a stored node lie: blob tables of arena offsets for pairs and for self pairs, or an accumulator. */
export interface Store {
  readonly pairs: number;
  readonly self: number;
  readonly accumulator: number;
  /** What stored values must be multiplied with. */
  readonly scale: number;
  /** Blob tables of the rows and columns of each input branch. */
  readonly maps: readonly (readonly [number, number])[];
}

export interface Context {
  readonly split: Split;
  readonly states: States;
  readonly dtype: 'f32' | 'f64';
  readonly blob: Blob;
  readonly constants: Constants;
  readonly arena: Arena;
  readonly records: Records;
  readonly stores: ReadonlyMap<number, Store>;
  readonly masked: boolean;
  /** Blob table of output elements per offset. */
  readonly output: number;
}

/** A row in front of an activation, or a row by itself: which plane it reads, through which affine map and gain. */
export interface Source {
  readonly step: Evaluation;
  readonly affine: AffineNode | null;
  readonly norm: number | null;
}

/** The operations of a segment, row after row. */
export class Rows extends Slots {
  readonly c: Context;
  readonly ops: Op[] = [];

  constructor(segment: Segment, context: Context) {
    super(segment, context.split.nodes, context.arena);
    this.c = context;
  }

  protected row(op: Omit<Op, 'code'>): void {
    this.ops.push({ code: OPS.row, filter: POINT, ...op });
  }

  /** What an affine node or an activation reads, through maps and norms that are computed on the way. */
  protected source(step: Evaluation): Source {
    const node = this.nodes[step.node]!;
    if (node.op === 'affine') return { step: this.inputs(step)[0]!, affine: node, norm: null };
    let at = this.inputs(step)[0]!;
    let norm: number | null = null;
    if (this.nodes[at.node]!.op === 'norm' && this.fused(at.node)) {
      norm = at.node;
      at = this.inputs(at)[0]!;
    }
    if (this.c.states.deferred.has(at.node)) {
      return { step: this.inputs(at)[0]!, affine: this.nodes[at.node] as AffineNode, norm };
    }
    return { step: at, affine: null, norm };
  }

  protected scales({ step, affine, norm }: Source, gamma: number): RowScales {
    const eps = norm === null ? 0 : (this.nodes[norm] as NormNode).eps;
    const have = this.c.states.gamma[step.node]!;
    if (!affine) return { ...UNIT, gamma, delta: -have, eps };
    return { w: affine.w, b2: affine.b2, bT: affine.bT, gamma, delta: affine.gamma - have, eps };
  }

  protected affineRow(source: Source, step: Evaluation, dst: number, finish: number, weight: number): void {
    const own = this.c.states.gamma[step.node]!;
    const s = this.scales(source, own);
    // The row gives T, and M = T + own K; without an affine map T = M - gamma K of the input.
    const delta = s.delta + own;
    const bT = s.bT + own * s.b2;
    const constants = this.c.constants.put(
      affineConstants({ ...s, w: s.w * weight, b2: s.b2 * weight, bT: bT * weight, delta }),
    );
    this.row({
      src: this.slot(source.step),
      srcClass: this.class(source.step),
      dst,
      dstClass: this.class(step),
      constants,
      finish,
      filter: source.affine?.filter ?? POINT,
    });
    this.release(source.step);
  }

  protected copy(input: Evaluation, step: Evaluation, dst: number, weight: number): void {
    this.affineRow({ step: input, affine: null, norm: null }, step, dst, FINISH.set, weight);
  }

  /** M of the one node into M of the other, in place. */
  protected convert(dst: number, dstClass: number, from: number, to: number): void {
    const delta = this.c.states.gamma[to]! - this.c.states.gamma[from]!;
    if (delta === 0) return;
    const constants = this.c.constants.put(affineConstants({ ...UNIT, delta }));
    this.row({ src: dst, srcClass: dstClass, dst, dstClass, constants, finish: FINISH.set });
  }

  protected done(step: Evaluation, dst: number): void {
    this.slots.set(this.key(step), dst);
    if (this.p.modular && this.haloed.has(this.key(step)))
      this.ops.push({ code: OPS.wrap, dst, dstClass: this.class(step) });
  }

  /** Nodes that are computed as part of their consumer. */
  protected fused(node: number): boolean {
    if (this.c.states.deferred.has(node)) return true;
    return this.nodes[node]!.op === 'norm' && this.taken(node);
  }

  protected taken(norm: number): boolean {
    const users = this.c.split.users[norm]!;
    return (
      this.p.end !== norm &&
      !this.c.split.segments.some((p) => p.end === norm) &&
      users.length === 1 &&
      this.nodes[users[0]!]!.op === 'activation'
    );
  }
}
