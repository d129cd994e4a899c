// A plan between states: from images, or from the planes that other layers have left, to planes that other layers go on from.
import type { Block, Joint } from '../../layers/states/state.js';
import type { Allocator, Core, Ticket } from '../../wasm/engine.js';
import type { OffsetPlan } from './plan-types.js';
import { floats, Executor, type Floats, type Images } from './executor.js';

/** What a plan keeps of the samples of one side (`Executor.records`), and their number. */
export interface SideRecords {
  readonly ticket: Ticket;
  readonly count: number;
  /** Terms of its series, by the index of their parameters. */
  readonly terms: ReadonlyMap<number, number>;
}

/** Bytes of the pairs that are between the two layouts at once. */
const GROUP_BYTES = 2 ** 22;

/** Bytes of one group: its planes at the start and at the end, K and T. */
export function groupBytes({ state, output }: OffsetPlan): number {
  return 32 * ((state?.pairs.pairs.length ?? 0) + output.elements);
}

/** Rows of pairs that are between the two layouts at once, of blocks with rows of `ld` samples. */
export function groupRows(plan: OffsetPlan, rows: number, ld: number): number {
  const { lanes } = plan;
  const fits = Math.floor(GROUP_BYTES / ((ld / lanes) * groupBytes(plan)));
  return Math.min(rows, Math.max(1, Math.floor(fits / lanes)) * lanes);
}

/**
 * Fills `end` (zero before) from `start`; null: the records hold images. Of a mirrored block what is above the diagonal stays
 * finite, no more. Columns of blocks begin at 0.
 */
export function executeJoint(
  core: Core,
  plan: OffsetPlan,
  start: Joint | null,
  {
    sides,
    block,
    end,
  }: { readonly sides: readonly [SideRecords, SideRecords]; readonly block: Block; readonly end: Joint },
): void {
  core.heap.scope((scope) =>
    new JointExecutor(core, plan, scope, end, sides[1].count).between(start, sides, block),
  );
}

/** The same for covariances within samples: states of one row, without T. `x` as for `Executor.tables`. */
export function executeWithin(
  core: Core,
  plan: OffsetPlan,
  start: Joint | null,
  x: Images,
  end: Joint,
): void {
  core.heap.scope((scope) => new JointExecutor(core, plan, scope, end, x.count).within(start, x));
}

class JointExecutor extends Executor {
  readonly end: Joint;
  readonly columns: number;
  /** Groups of a row, those of padding included. */
  readonly width: number;
  private yRecords: Ticket | null = null;
  /** Elements of a group, K and T of all lanes, and bytes. */
  readonly given: number;
  readonly out: number;
  /** Elements from one group to the next, at the start and at the end: never a power of two, which would be one set of a cache. */
  readonly fromStep: number;
  readonly toStep: number;
  /** The rows of groups that are worked on. */
  readonly most: number;
  readonly from: Ticket;
  readonly to: Ticket;
  readonly exact: Ticket;

  constructor(core: Core, plan: OffsetPlan, scope: Allocator, end: Joint, columns: number) {
    super(core, plan, scope);
    const { lanes, dtype } = plan;
    this.end = end;
    this.columns = columns;
    this.width = end.ld / lanes;
    this.given = 2 * lanes * (plan.state?.pairs.pairs.length ?? 0);
    this.out = 2 * lanes * plan.output.elements;
    const line = 64 / (dtype === 'f32' ? 4 : 8);
    this.fromStep = this.given + line;
    this.toStep = this.out + line;
    this.most = groupRows(plan, end.rows, end.ld);
    this.from = scope.zeros(dtype, this.most * this.width * this.fromStep);
    this.to = scope.zeros(dtype, this.most * this.width * this.toStep);
    this.exact = scope.alloc(dtype, this.out);
  }

  /** Records of the columns, group after group. */
  private lanesOf({ ticket, count }: SideRecords): Ticket {
    const { lanes, dtype, recordLength } = this.plan;
    const groups = Math.ceil(count / lanes);
    const records = this.scope.alloc(dtype, groups * recordLength * lanes);
    for (let g = 0; g < groups; g++) {
      const from = ticket.ptr + g * lanes * this.stride;
      this.interleave(from, records.ptr + g * recordLength * 16, this.stride, recordLength, 0);
    }
    return records;
  }

  between(start: Joint | null, [one, two]: readonly [SideRecords, SideRecords], block: Block): void {
    const { end, most } = this;
    this.yRecords = this.lanesOf(two);
    for (const [params, terms] of [...one.terms, ...two.terms]) this.read(params, terms);
    for (let row = 0; row < end.rows; row += most) {
      const rows = Math.min(most, end.rows - row);
      if (start) this.takeIn(start, row, rows);
      for (let i = 0; i < rows; i++) this.row(one.ticket, block, row + i, i);
      if (block.same) this.identical(block.row + row, rows);
      this.giveOut(row, rows);
    }
  }

  /** Covariances within samples, where `end` has one row of them. */
  within(start: Joint | null, x: Images): void {
    const { lanes, state } = this.plan;
    if (start) this.takeIn(start, 0, 1);
    for (let g = 0; g * lanes < x.count; g++) {
      this.tables(x, g * lanes);
      if (state) this.pointAt(state.pairs, this.from.ptr + g * this.fromStep * this.size);
      this.execute('diagonal', null, this.to.ptr + g * this.toStep * this.size, 1);
    }
    this.giveOut(0, 1);
  }

  private recordsAt(group: number): number {
    return this.yRecords!.ptr + group * this.plan.recordLength * 16;
  }

  /** All pairs of a row; it is row `i` of the groups. */
  private row(records: Ticket, block: Block, row: number, i: number): void {
    const { lanes, state } = this.plan;
    const x = block.row + row;
    const last = block.mirrored ? Math.min(x, this.columns - 1) : this.columns - 1;
    for (let g = 0; g * lanes <= last; g++) {
      const at = i * this.width + g;
      this.words[3] = this.recordsAt(g);
      if (state) this.pointAt(state.pairs, this.from.ptr + at * this.fromStep * this.size);
      this.execute('pairs', records.ptr + x * this.stride, this.to.ptr + at * this.toStep * this.size, 1);
    }
    this.words[3] = this.y.ptr;
    // Above the diagonal nothing of the rows before stays: it would not fit the variances.
    const [from, to] = [i * this.width + Math.floor(last / lanes) + 1, (i + 1) * this.width];
    const ptr = (this.to.ptr + from * this.toStep * this.size) as Ticket['ptr'];
    this.core.heap.fill({ ...this.to, ptr, length: (to - from) * this.toStep }, 0);
  }

  private get size(): number {
    return this.plan.dtype === 'f32' ? 4 : 8;
  }

  /** Samples with themselves: the lanes of one group of columns at once, put over those of the pairs. */
  private identical(first: number, rows: number): void {
    const { plan, core } = this;
    const { lanes, state } = plan;
    const end = Math.min(first + rows, this.columns);
    for (let g = Math.floor(first / lanes); g * lanes < end; g++) {
      const found: (readonly [lane: number, group: number])[] = [];
      for (let l = 0; l < lanes; l++) {
        const i = g * lanes + l - first;
        if (i >= 0 && i < rows && g * lanes + l < this.columns) found.push([l, i * this.width + g]);
      }
      core.kernels.copyRows(1, plan.recordLength * 16, this.recordsAt(g), 0, this.y.ptr, 0);
      if (state) {
        const planes = new (floats(plan.dtype))(this.given);
        for (const [lane, at] of found)
          copyLane(core.heap.read(this.from, at * this.fromStep, this.given), planes, lane, lanes);
        core.heap.write(this.start, planes);
        this.pointAt(state.pairs, this.start.ptr);
      }
      this.execute('diagonal', null, this.exact.ptr, 1);
      const exact = core.heap.read(this.exact) as Floats;
      for (const [lane, at] of found) {
        const values = core.heap.read(this.to, at * this.toStep, this.out) as Floats;
        copyLane(exact, values, lane, lanes);
        core.heap.write(this.to, values, at * this.toStep);
      }
    }
  }

  private takeIn(start: Joint, row: number, rows: number): void {
    const pairs = this.plan.state!.pairs.pairs;
    this.move(start, {
      index: start.layout.full ? pairs : pairs.map((_, e) => e),
      row,
      rows,
      groups: this.from.ptr,
      length: this.fromStep,
      back: 0,
    });
    this.clearPadding(this.from, this.given, this.fromStep, rows);
  }

  /** Lanes of padding hold a variable that is zero: what else is there has nothing to do with their variances and may become NaN. */
  private clearPadding(groups: Ticket, length: number, step: number, rows: number): void {
    const { lanes } = this.plan;
    const used = this.columns % lanes;
    if (used === 0) return;
    for (let i = 0; i < rows; i++) {
      const at = (i * this.width + Math.floor(this.columns / lanes)) * step;
      const values = this.core.heap.read(groups, at, length) as Floats;
      for (let e = 0; e < values.length; e += lanes) values.fill(0, e + used, e + lanes);
      this.core.heap.write(groups, values, at);
    }
  }

  private giveOut(row: number, rows: number): void {
    this.clearPadding(this.to, this.out, this.toStep, rows);
    this.move(this.end, {
      index: this.plan.output.place,
      row,
      rows,
      groups: this.to.ptr,
      length: this.toStep,
      back: 1,
    });
  }

  /** Between planes of samples x samples and groups of lanes, for whole rows. */
  private move(
    { k, t, rows: all, ld }: Joint,
    {
      index,
      row,
      rows,
      groups,
      length,
      back,
    }: {
      readonly index: Int32Array;
      readonly row: number;
      readonly rows: number;
      readonly groups: number;
      readonly length: number;
      readonly back: 0 | 1;
    },
  ): void {
    const { size } = this;
    this.core.heap.scope((scope) => {
      const planes = scope.put(index as Int32Array<ArrayBuffer>).ptr;
      for (const [x, shift] of [
        [k, 0],
        [t, 16],
      ] as const) {
        if (!x) continue;
        const from = x.ptr + row * ld * size;
        this.core.kernels.sheetsToGroups(
          index.length,
          planes,
          rows * this.width,
          from,
          all * ld * size,
          groups + shift,
          length * size,
          back,
        );
      }
    });
  }
}

function copyLane(from: ArrayLike<number>, to: Floats, lane: number, lanes: number): void {
  for (let e = lane; e < to.length; e += lanes) to[e] = from[e]!;
}
