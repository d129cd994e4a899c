// One program as an op list: which slots hold which planes, what is fused into which row.
import type { Arena, Blob, Constants } from './blob.js';
import { activationConstants, affineConstants, UNIT, type RowScales } from './constants.js';
import {
  POINT,
  type ActivationNode,
  type AffineNode,
  type Filter,
  type Node,
  type NormNode,
} from './nodes.js';
import type { Evaluation, Program, Split } from './programs.js';
import { isRowNorm, type States } from './states.js';
import type { Records } from './records.js';

const OPS = {
  row: 0,
  zero: 1,
  wrap: 2,
  input: 3,
  load: 4,
  mix: 5,
  accumulate: 6,
  mean: 7,
  multiply: 8,
  dropout: 9,
  stat: 10,
  emit: 11,
} as const;
const FINISH = { relu: 0, reluGeneral: 1, erf: 2, set: 3, add: 4, dual: 5 } as const;
export const OP_WORDS = 20;
const CLASS_WORDS = 8;

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

/** Planes of equal size and equal factor of the offset. */
interface PlaneClass {
  readonly H: number;
  readonly W: number;
  readonly fh: number;
  readonly fw: number;
  bh: number;
  bw: number;
  readonly slots: number[];
  readonly free: number[];
}

interface Op {
  code: number;
  src?: number;
  srcClass?: number;
  dst?: number;
  dstClass?: number;
  table?: number;
  constants?: number;
  filter?: Filter;
  finish?: number;
  gain?: number;
  compute?: boolean;
  more?: readonly number[];
}

/** A row in front of an activation, or a row by itself: which plane it reads, through which affine map and gain. */
interface Source {
  readonly step: Evaluation;
  readonly affine: AffineNode | null;
  readonly norm: number | null;
}

/** Returns the blob index of the program record of the executor and the bytes of its slots. */
export function compileProgram(program: Program, context: Context): number {
  return new Compiler(program, context).run();
}

class Compiler {
  readonly p: Program;
  readonly c: Context;
  readonly nodes: readonly Node[];
  readonly classes: PlaneClass[] = [];
  readonly ops: Op[] = [];
  readonly slots = new Map<string, number>();
  readonly left = new Map<string, number>();
  readonly haloed = new Set<string>();

  constructor(program: Program, context: Context) {
    this.p = program;
    this.c = context;
    this.nodes = context.split.nodes;
    for (const step of program.steps) {
      for (const input of this.inputs(step)) this.count(input);
      this.class(step);
      this.border(step);
    }
    this.count({ node: program.end, fh: 1, fw: 1 });
  }

  run(): number {
    for (const step of this.p.steps) this.evaluate(step);
    this.sink();
    const zero = this.p.modular
      ? []
      : this.classes.flatMap((k, i) =>
          k.bh + k.bw === 0 ? [] : k.slots.map((dst): Op => ({ code: OPS.zero, dst, dstClass: i })),
        );
    const ops = [...zero, ...this.ops];
    const classes = this.c.blob.put(
      this.classes.flatMap((k) => pad([k.H, k.W, k.fh, k.fw, stride(k), k.bh, k.bw], CLASS_WORDS)),
    );
    const list = this.c.blob.put(ops.flatMap(encode));
    return this.c.blob.put([list, ops.length, classes, +this.p.modular]);
  }

  // ---- bookkeeping

  private key({ node, fh, fw }: Evaluation): string {
    return `${node},${fh},${fw}`;
  }

  private inputs(step: Evaluation): Evaluation[] {
    const node = this.nodes[step.node]!;
    if (node.op === 'mix' || node.op === 'collapse') return [];
    const t = node.op === 'affine' ? node.filter : POINT;
    return node.inputs.map((input) => ({ node: input, fh: step.fh * t.th, fw: step.fw * t.tw }));
  }

  private count(step: Evaluation): void {
    this.left.set(this.key(step), (this.left.get(this.key(step)) ?? 0) + 1);
  }

  private class({ node, fh, fw }: Evaluation): number {
    const { H, W } = this.nodes[node]!;
    const found = this.classes.findIndex((k) => k.H === H && k.W === W && k.fh === fh && k.fw === fw);
    if (found >= 0) return found;
    return this.classes.push({ H, W, fh, fw, bh: 0, bw: 0, slots: [], free: [] }) - 1;
  }

  /** Planes are surrounded by as many zeros (or by the other side) as the widest filter reads. */
  private border(step: Evaluation): void {
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

  private take(step: Evaluation): number {
    const k = this.classes[this.class(step)]!;
    const free = k.free.pop();
    if (free !== undefined) return free;
    const at = this.c.arena.take((k.H + 2 * k.bh + 1) * stride(k)) + k.bh * stride(k) + k.bw * 32;
    k.slots.push(at);
    return at;
  }

  private slot(step: Evaluation): number {
    return this.slots.get(this.key(step))!;
  }

  /** One use less; the slot is free after the last. */
  private release(step: Evaluation): void {
    const key = this.key(step);
    const left = this.left.get(key)! - 1;
    this.left.set(key, left);
    if (left === 0) this.classes[this.class(step)]!.free.push(this.slots.get(key)!);
  }

  /** The slot of an input whose only remaining use this is, taken over by the result; else a new one. */
  private inherit(step: Evaluation, input: Evaluation): { dst: number; moved: boolean } {
    const same = this.class(step) === this.class(input);
    if (same && this.left.get(this.key(input)) === 1) {
      this.left.set(this.key(input), 0);
      return { dst: this.slot(input), moved: true };
    }
    return { dst: this.take(step), moved: false };
  }

  private done(step: Evaluation, dst: number): void {
    this.slots.set(this.key(step), dst);
    if (this.p.modular && this.haloed.has(this.key(step)))
      this.ops.push({ code: OPS.wrap, dst, dstClass: this.class(step) });
  }

  // ---- nodes

  private evaluate(step: Evaluation): void {
    const node = this.nodes[step.node]!;
    if (this.fused(step.node)) return;
    switch (node.op) {
      case 'input':
        return this.input(step, node);
      case 'mix':
      case 'collapse':
        return this.load(step);
      case 'affine': {
        const source = this.source(step);
        const dst = this.take(step);
        this.affineRow(source, step, dst, FINISH.set, 1);
        return this.finishNode(step, dst, true);
      }
      case 'activation':
        return this.activation(step, node);
      case 'norm':
        return this.norm(step, node);
      case 'sum':
        return this.sum(step, node.weights);
      case 'product':
        return this.product(step);
      case 'dropout': {
        const [input] = this.inputs(step) as [Evaluation];
        const { dst, moved } = this.inherit(step, input);
        if (!moved) this.copy(input, step, dst, 1);
        else this.convert(dst, this.class(step), input.node, step.node);
        const constants = this.c.constants.put(affineConstants({ ...UNIT, w: 1 / node.keep }));
        this.ops.push({ code: OPS.dropout, dst, dstClass: this.class(step), constants });
        return this.done(step, dst);
      }
    }
  }

  /** Nodes that are computed as part of their consumer. */
  private fused(node: number): boolean {
    if (this.c.states.deferred.has(node)) return true;
    return this.nodes[node]!.op === 'norm' && this.taken(node);
  }

  private taken(norm: number): boolean {
    const users = this.c.split.users[norm]!;
    return (
      this.p.end !== norm &&
      !this.c.split.programs.some((p) => p.end === norm) &&
      users.length === 1 &&
      this.nodes[users[0]!]!.op === 'activation'
    );
  }

  private input(step: Evaluation, node: Node): void {
    const dst = this.take(step);
    const constants = this.c.constants.put(
      affineConstants({ ...UNIT, w: 1 / node.C, gamma: this.c.states.gamma[step.node]! }),
    );
    const at = this.class(step);
    this.ops.push({ code: OPS.input, dst, dstClass: at, table: 0, constants, more: [node.C] });
    this.done(step, dst);
  }

  private load(step: Evaluation): void {
    const node = this.nodes[step.node]!;
    const store = this.c.stores.get(step.node)!;
    const dst = this.take(step);
    const dstClass = this.class(step);
    const constants = this.c.constants.put(affineConstants({ ...UNIT, w: store.scale }));
    const gain = node.op === 'collapse' && node.average ? this.c.records.counts(step.node) : -1;
    if (node.op === 'collapse')
      this.ops.push({ code: OPS.mean, src: store.accumulator, dst, dstClass, constants, gain });
    else this.ops.push({ code: OPS.load, dst, dstClass, constants, more: [store.pairs, store.self] });
    this.finishNode(step, dst, node.op === 'mix');
  }

  /** Masked positions are set to zero again after anything that may have moved them. */
  private finishNode(step: Evaluation, dst: number, remask: boolean): void {
    const gain = remask ? this.c.records.mask(step.node) : -1;
    if (gain >= 0) {
      const at = this.class(step);
      const constants = this.c.constants.put(affineConstants(UNIT));
      this.row({ src: dst, srcClass: at, dst, dstClass: at, finish: FINISH.set, constants, gain });
    }
    this.done(step, dst);
  }

  private row(op: Omit<Op, 'code'>): void {
    this.ops.push({ code: OPS.row, filter: POINT, ...op });
  }

  /** What an affine node or an activation reads, through maps and norms that are computed on the way. */
  private source(step: Evaluation): Source {
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

  private scales({ step, affine, norm }: Source, gamma: number): RowScales {
    const eps = norm === null ? 0 : (this.nodes[norm] as NormNode).eps;
    const have = this.c.states.gamma[step.node]!;
    if (!affine) return { ...UNIT, gamma, delta: -have, eps };
    return { w: affine.w, b2: affine.b2, bT: affine.bT, gamma, delta: affine.gamma - have, eps };
  }

  private affineRow(source: Source, step: Evaluation, dst: number, finish: number, weight: number): void {
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

  private copy(input: Evaluation, step: Evaluation, dst: number, weight: number): void {
    this.affineRow({ step: input, affine: null, norm: null }, step, dst, FINISH.set, weight);
  }

  /** M of the one node into M of the other, in place. */
  private convert(dst: number, dstClass: number, from: number, to: number): void {
    const delta = this.c.states.gamma[to]! - this.c.states.gamma[from]!;
    if (delta === 0) return;
    const constants = this.c.constants.put(affineConstants({ ...UNIT, delta }));
    this.row({ src: dst, srcClass: dstClass, dst, dstClass, constants, finish: FINISH.set });
  }

  private activation(step: Evaluation, node: ActivationNode): void {
    const source = this.source(step);
    const s = this.scales(source, this.c.states.gamma[step.node]!);
    const { activation } = node;
    const constants = this.c.constants.put(activationConstants(s, activation, this.c.dtype));
    const table = this.c.records.table(step.node, activation.kind === 'erf' ? 1 : 2);
    const normed = source.norm === null ? null : (this.nodes[source.norm] as NormNode);
    const mask = source.affine ? this.c.records.mask(step.node) : -1;
    const gain = source.norm === null ? mask : this.c.records.gains(source.norm);
    const srcClass = this.class(source.step);
    const src = this.slot(source.step);
    if (normed && !isRowNorm(normed)) this.stat(source.norm!, src, srcClass, source.step, gain);
    const { dst, moved } = source.affine
      ? { dst: this.take(step), moved: false }
      : this.inherit(step, source.step);
    const plain = s.b2 === 0 && s.bT === 0 && s.gamma === 1 && s.delta === 0;
    const signed = !this.c.states.nonNegative[source.step.node]!;
    const relu = plain && !signed && gain < 0 ? FINISH.relu : FINISH.reluGeneral;
    this.row({
      src,
      srcClass,
      dst,
      dstClass: this.class(step),
      table,
      constants,
      filter: source.affine?.filter ?? POINT,
      finish: activation.kind === 'relu' ? relu : FINISH[activation.kind],
      gain,
      compute: normed !== null && isRowNorm(normed),
      more: activation.kind === 'dual' ? [activation.dual, this.parameters(activation.params, s.gamma)] : [],
    });
    if (!moved) this.release(source.step);
    this.finishNode(step, dst, activation.kind !== 'relu');
  }

  /** The parameter block of a dual: no affine map behind it, but gamma. */
  private parameters(params: readonly number[], gamma: number): number {
    const block = [1, 0, gamma, 0, ...params];
    return this.c.blob.putNumbers([...block, ...Array.from({ length: 8 - block.length }, () => 0)]);
  }

  /** Gains of a norm that averages over positions, from the plane of variances. */
  private stat(norm: number, src: number, srcClass: number, from: Evaluation, gain: number): void {
    const node = this.nodes[norm] as NormNode;
    const constants = this.c.constants.put(affineConstants({ ...UNIT, eps: node.eps }));
    const more = [+node.rows + 2 * +node.cols, this.c.records.mask(from.node)];
    this.ops.push({ code: OPS.stat, src, srcClass, dst: src, dstClass: srcClass, constants, gain, more });
  }

  private norm(step: Evaluation, node: NormNode): void {
    const [input] = this.inputs(step) as [Evaluation];
    const gain = this.c.records.gains(step.node);
    const src = this.slot(input);
    const srcClass = this.class(input);
    if (!isRowNorm(node)) this.stat(step.node, src, srcClass, input, gain);
    const { dst, moved } = this.inherit(step, input);
    const delta = this.c.states.gamma[step.node]! - this.c.states.gamma[input.node]!;
    const constants = this.c.constants.put(affineConstants({ ...UNIT, eps: node.eps, delta }));
    const at = this.class(step);
    this.row({
      src,
      srcClass,
      dst,
      dstClass: at,
      constants,
      finish: FINISH.set,
      gain,
      compute: isRowNorm(node),
    });
    if (!moved) this.release(input);
    this.done(step, dst);
  }

  /** Adds terms in place where a plane is not needed any more; affine terms are added row by row as they are computed. */
  private sum(step: Evaluation, weights: readonly number[]): void {
    const terms = this.inputs(step).map((input, i) => {
      const affine = this.c.states.deferred.has(input.node);
      const from: Source = affine ? this.source(input) : { step: input, affine: null, norm: null };
      return { from, weight: weights[i]! };
    });
    const read = new Set(terms.filter((t) => t.from.affine).map((t) => this.key(t.from.step)));
    const own = this.c.states.gamma[step.node]!;
    const base = terms.findIndex(
      ({ from, weight }) =>
        !from.affine &&
        weight === 1 &&
        this.c.states.gamma[from.step.node] === own &&
        !read.has(this.key(from.step)) &&
        this.left.get(this.key(from.step)) === 1 &&
        this.class(from.step) === this.class(step),
    );
    const dst = base >= 0 ? this.inherit(step, terms[base]!.from.step).dst : this.take(step);
    let first = base < 0;
    const order = terms.filter((_, i) => i !== base);
    for (const { from, weight } of order) {
      this.affineRow(from, step, dst, first ? FINISH.set : FINISH.add, weight);
      first = false;
    }
    const affine = terms.some(({ from }) => from.affine);
    this.finishNode(step, dst, affine);
  }

  private product(step: Evaluation): void {
    const inputs = this.inputs(step);
    const { dst, moved } = this.inherit(step, inputs[0]!);
    if (!moved) {
      const constants = this.c.constants.put(affineConstants(UNIT));
      const srcClass = this.class(inputs[0]!);
      this.row({
        src: this.slot(inputs[0]!),
        srcClass,
        dst,
        dstClass: this.class(step),
        constants,
        finish: FINISH.set,
      });
      this.release(inputs[0]!);
    }
    for (const [i, input] of inputs.entries()) {
      if (i === 0) continue;
      const delta = i === inputs.length - 1 ? this.c.states.gamma[step.node]! : 0;
      const constants = this.c.constants.put(affineConstants({ ...UNIT, delta }));
      const srcClass = this.class(input);
      this.ops.push({
        code: OPS.multiply,
        src: this.slot(input),
        srcClass,
        dst,
        dstClass: this.class(step),
        constants,
      });
      this.release(input);
    }
    this.done(step, dst);
  }

  private sink(): void {
    const end = { node: this.p.end, fh: 1, fw: 1 };
    const src = this.slot(end);
    const at = this.class(end);
    const common = { src, srcClass: at, dstClass: at };
    if (this.p.sink < 0) {
      const gamma = this.c.states.gamma[this.p.end]!;
      const constants = this.c.constants.put(affineConstants({ ...UNIT, gamma }));
      this.ops.push({ ...common, code: OPS.emit, constants, more: [this.c.output] });
      return;
    }
    const node = this.nodes[this.p.sink]!;
    const store = this.c.stores.get(this.p.sink)!;
    this.convert(src, at, this.p.end, this.p.sink);
    if (node.op === 'collapse') {
      this.ops.push({ ...common, code: OPS.accumulate, dst: store.accumulator });
      return;
    }
    const [rows, cols] = store.maps[this.p.branch]!;
    const modular = this.c.split.stored.get(this.p.sink)!.modular;
    const filter = { kh: node.H, kw: node.W, th: +modular, tw: 0, lh: 0, lw: 0 };
    this.ops.push({ ...common, code: OPS.mix, filter, more: [rows, cols, store.pairs, store.self] });
  }
}

function stride(k: PlaneClass): number {
  return (k.W + 2 * k.bw) * 32;
}

function pad(words: readonly number[], length: number): number[] {
  return [...words, ...Array.from({ length: length - words.length }, () => 0)];
}

function encode(op: Op): number[] {
  const f = op.filter ?? POINT;
  const head = [op.code, op.src ?? 0, op.srcClass ?? 0, op.dst ?? 0, op.dstClass ?? 0, op.table ?? 0];
  const body = [op.constants ?? 0, f.kh, f.kw, f.th, f.tw, f.lh, f.lw, op.finish ?? 0, op.gain ?? -1];
  return pad([...head, ...body, +(op.compute ?? false), ...(op.more ?? [])], OP_WORDS);
}
