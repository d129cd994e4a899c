// One segment as an op list: which slots hold which planes, what is fused into which row.
import { activationConstants, affineConstants, UNIT } from './constants.js';
import type { Blob } from './blob.js';
import { POINT, type ActivationNode, type Node, type NormNode } from '../../layers/lowering/nodes.js';
import { CLASS_WORDS, encode, FINISH, OP_WORDS, OPS, pad, type Op } from './ops.js';
import type { Evaluation, Segment } from './segments.js';
import { Rows, type Context, type Source } from './rows.js';
import { stride } from './slots.js';
import type { Watched } from './watched.js';
import { isRowNorm } from './node-facts.js';

/** An op list in the blob. */
export interface OpList {
  readonly ops: readonly Op[];
  readonly list: number;
  readonly classes: number;
  readonly modular: boolean;
  /** Which ops make variances that TypeScript looks at. */
  readonly watched: ReadonlyMap<Op, Watched>;
}

export function compileSegment(segment: Segment, context: Context): OpList {
  return new Compiler(segment, context).opList();
}

/** The segment record of the executor: ops [from, to) of a list; returns its blob index. */
export function putSegment(blob: Blob, { list, classes, modular }: OpList, from: number, to: number): number {
  return blob.put([list + from * OP_WORDS, to - from, classes, +modular]);
}

class Compiler extends Rows {
  readonly watched = new Map<Op, Watched>();

  opList(): OpList {
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
    return { ops, list, classes, modular: this.p.modular, watched: this.watched };
  }

  private evaluate(step: Evaluation): void {
    const node = this.nodes[step.node]!;
    if (this.fused(step.node)) return;
    switch (node.op) {
      case 'input':
        return this.input(step, node);
      case 'state':
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

  private activation(step: Evaluation, node: ActivationNode): void {
    const source = this.source(step);
    const s = this.scales(source, this.c.states.gamma[step.node]!);
    const { activation } = node;
    const constants = this.c.constants.put(activationConstants(s, activation, this.c.dtype));
    const width =
      activation.kind === 'erf' ? 1 : Math.max(2, activation.kind === 'dual' ? activation.width : 0);
    const table = this.c.records.table(step.node, width);
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
    const more =
      activation.kind === 'dual'
        ? [activation.dual, this.parameters(activation.params, s.gamma), activation.width]
        : [];
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
      more,
    });
    if (activation.kind === 'dual' && activation.watched) {
      const { watched: layer, width } = activation;
      const params = more[1]!;
      this.watched.set(this.ops.at(-1)!, { layer, width, table, positions: node.H * node.W, params });
    }
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
