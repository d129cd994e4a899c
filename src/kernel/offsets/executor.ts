// Runs a plan on one core: records of images, groups of images in the lanes, results in the layout of the caller.
import type { Allocator, Core, Kernels, Ptr, Ticket } from '../../wasm/engine.js';
import { masksOf } from './masks.js';
import { fillWatched, NoRoom, type Watched } from './watched.js';
import type { GivenPlanes, PlannedWork, OffsetPlan } from './plan-types.js';
import { giveRoom } from './plan-cache.js';

export type Floats = Float64Array<ArrayBuffer> | Float32Array<ArrayBuffer>;

/** Images of one side: (n, positions, channels), masked entries already zero; masks one byte per position, 1 = masked. */
export interface Images {
  readonly data: Float64Array | Float32Array;
  readonly count: number;
  readonly masks?: readonly Uint8Array[] | undefined;
  /** Covariances within samples, (planes, ld), in place of images: all pairs of positions (zipped) or equal ones. */
  readonly within?:
    undefined | { readonly values: Float64Array; readonly ld: number; readonly full: boolean };
}

/** K and Theta of all pairs, (n1, n2, ...result of a pair). */
export interface OffsetBlock {
  readonly nngp: Floats;
  readonly ntk: Floats;
}

/** The block of kernels of `x1` with `x2`; `x2` null: of x1 with itself, exact on the diagonal and symmetric. */
export function executePlan(core: Core, plan: OffsetPlan, x1: Images, x2: Images | null): OffsetBlock {
  return core.heap.scope((scope) => new Executor(core, plan, scope).block(x1, x2));
}

/** @internal The bench drives it step by step. */
export class Executor {
  readonly core: Core;
  readonly plan: OffsetPlan;
  readonly scope: Allocator;
  readonly kernel: Kernels['offsetsExecute_f64'];
  readonly interleave: (records: number, y: number, stride: number, count: number, back: number) => void;
  readonly context: Ticket<'i32'>;
  readonly words: Int32Array<ArrayBuffer>;
  readonly steps: { readonly [K in 'pairs' | 'diagonal' | 'tables']: Ticket<'i32'> };
  readonly y: Ticket;
  readonly blob: Ticket<'i32'>;
  /** Sheets that one group of pairs starts from. */
  readonly start: Ticket;
  readonly arena: Ticket;
  /** Terms of every series so far, by the index of its parameters. */
  readonly terms: Map<number, number> = new Map();
  readonly stride: number;

  constructor(core: Core, plan: OffsetPlan, scope: Allocator) {
    const { dtype, lanes } = plan;
    this.core = core;
    this.plan = plan;
    this.scope = scope;
    this.kernel = core.kernels[`offsetsExecute_${dtype}`];
    this.interleave = core.kernels[`offsetsInterleave_${dtype}`] as typeof this.interleave;
    this.arena = scope.zeros('u8', plan.arenaBytes + 64);
    const splat = new (floats(dtype))(plan.constants.length * lanes);
    plan.constants.forEach((value, i) => splat.fill(value, i * lanes, (i + 1) * lanes));
    const constants = scope.put(splat);
    const scratch = scope.alloc('u8', plan.columns * 256);
    this.blob = scope.put(plan.blob as Int32Array<ArrayBuffer>);
    const bytes = dtype === 'f32' ? 4 : 8;
    this.stride = Math.ceil((plan.recordLength * bytes) / 16) * 16;
    this.y = scope.alloc(dtype, plan.recordLength * lanes);
    this.steps = {
      pairs: scope.put(plan.pairs.steps as Int32Array<ArrayBuffer>),
      diagonal: scope.put(plan.diagonal.steps as Int32Array<ArrayBuffer>),
      tables: scope.put(plan.tables.steps as Int32Array<ArrayBuffer>),
    };
    const given = plan.state ? Math.max(plan.state.pairs.pairs.length, plan.state.self.pairs.length) : 0;
    this.start = scope.zeros(dtype, given * 2 * lanes);
    this.context = scope.alloc('i32', 16);
    this.words = new Int32Array(16);
    const pointers = [
      this.arena.ptr,
      constants.ptr,
      0,
      this.y.ptr,
      0,
      0,
      scratch.ptr,
      plan.columns,
      this.blob.ptr,
      0,
    ];
    this.words.set(pointers);
  }

  block(x1: Images, x2: Images | null): OffsetBlock {
    const { plan } = this;
    const n2 = (x2 ?? x1).count;
    const size = x1.count * n2 * plan.output.elements;
    const result: OffsetBlock = { nngp: new (floats(plan.dtype))(size), ntk: new (floats(plan.dtype))(size) };
    const rows = this.records(x1);
    const out = this.scope.alloc(plan.dtype, x1.count * plan.output.elements * 2 * plan.lanes);
    for (let first = 0; first < n2; first += plan.lanes) {
      const count = Math.min(plan.lanes, n2 - first);
      if (x2) this.tables(x2, first);
      else this.interleave(rows.ptr + first * this.stride, this.y.ptr, this.stride, plan.recordLength, 0);
      // Of a symmetric block the lower triangle, as in blocks below the diagonal: the same pairs give the same bits in any tiling.
      const start = x2 ? 0 : first;
      const height = x1.count - start;
      this.execute('pairs', rows.ptr + start * this.stride, out.ptr, height);
      const values = this.core.heap.read(out, 0, height * plan.output.elements * 2 * plan.lanes) as Floats;
      for (let i = 0; i < height; i++)
        for (let l = 0; l < count; l++)
          this.place(values, {
            at: i * plan.output.elements,
            lane: l,
            result,
            i: start + i,
            j: first + l,
            n2,
            both: !x2,
          });
      if (x2) continue;
      this.execute('diagonal', null, out.ptr, 1);
      const exact = this.core.heap.read(out, 0, plan.output.elements * 2 * plan.lanes) as Floats;
      for (let l = 0; l < count; l++)
        this.place(exact, { at: 0, lane: l, result, i: first + l, j: first + l, n2, both: false });
    }
    return result;
  }

  /** Copies the result of one pair to its place, and to that of the mirrored pair. */
  private place(
    values: Floats,
    {
      at,
      lane,
      result: { nngp, ntk },
      i,
      j,
      n2,
      both,
    }: {
      readonly at: number;
      readonly lane: number;
      readonly result: OffsetBlock;
      readonly i: number;
      readonly j: number;
      readonly n2: number;
      readonly both: boolean;
    },
  ): void {
    const { elements, place, mirror } = this.plan.output;
    const { lanes } = this.plan;
    if (both && i <= j) return;
    const to = (i * n2 + j) * elements;
    const back = (j * n2 + i) * elements;
    for (let e = 0; e < elements; e++) {
      const from = (at + e) * 2 * lanes + lane;
      nngp[to + place[e]!] = values[from]!;
      ntk[to + place[e]!] = values[from + lanes]!;
      if (!both) continue;
      nngp[back + mirror[e]!] = values[from]!;
      ntk[back + mirror[e]!] = values[from + lanes]!;
    }
  }

  /** X records of all images; the last group is padded with copies of the last image. */
  records(x: Images): Ticket {
    const { lanes } = this.plan;
    const groups = Math.ceil(x.count / lanes);
    const records = this.scope.alloc('u8', groups * lanes * this.stride);
    for (let g = 0; g < groups; g++) {
      this.tables(x, g * lanes);
      this.interleave(
        records.ptr + g * lanes * this.stride,
        this.y.ptr,
        this.stride,
        this.plan.recordLength,
        1,
      );
    }
    return records;
  }

  /** Puts a group of images into the lanes and computes their tables. */
  tables(x: Images, first: number): void {
    const { plan } = this;
    const { positions, channels } = plan.pixels;
    const y = new (floats(plan.dtype))(
      (plan.given.length > 0 ? plan.recordLength : positions * channels) * plan.lanes,
    );
    for (let l = 0; l < plan.lanes; l++) {
      const image = Math.min(first + l, x.count - 1);
      const at = image * positions * channels;
      for (let p = 0; p < positions; p++)
        for (let c = 0; c < channels; c++)
          y[(c * positions + p) * plan.lanes + l] = x.data[at + p * channels + c]!;
      if (plan.given.length > 0) this.masks(y, l, x.masks?.[image] ?? new Uint8Array(positions));
    }
    this.core.heap.write(this.y, y);
    this.putVariances(x, first);
    this.execute('tables', null, 0, 1);
  }

  /** The covariances that tables are made of, where the executor starts from planes. */
  private putVariances({ within, count }: Images, first: number): void {
    if (!this.plan.state || !within) return;
    const { lanes, dtype, state } = this.plan;
    const { pairs } = state.self;
    const planes = new (floats(dtype))(pairs.length * 2 * lanes);
    for (const [e, pair] of pairs.entries()) {
      const at = (within.full ? pair : e) * within.ld;
      for (let l = 0; l < lanes; l++)
        planes[2 * e * lanes + l] = within.values[at + Math.min(first + l, count - 1)]!;
    }
    this.core.heap.write(this.start, planes);
    this.pointAt(state.self, this.start.ptr);
  }

  /** The executor finds the planes it starts from there. */
  protected pointAt({ table, places }: GivenPlanes, ptr: number): void {
    const shift = ptr - this.arena.ptr;
    this.core.heap.write(
      this.blob,
      places.map((at) => at + shift),
      table,
    );
  }

  private masks(y: Floats, lane: number, input: Uint8Array): void {
    const { plan } = this;
    const masks = masksOf(plan.nodes, input);
    for (const { node, at, kind } of plan.given) {
      if (kind === 'mask') {
        masks[node]!.forEach((masked, p) => {
          y[(at + p) * plan.lanes + lane] = 1 - masked;
        });
        continue;
      }
      const mask = masks[plan.nodes[node]!.inputs[0]!]!;
      const seen = mask.reduce((sum, masked) => sum + 1 - masked, 0);
      y[at * plan.lanes + lane] = mask.length / Math.max(1, seen);
    }
  }

  /** `rows` null: the images in the lanes with themselves. */
  execute(name: 'pairs' | 'diagonal' | 'tables', rows: number | null, out: number, count: number): void {
    const planned: PlannedWork = this.plan[name];
    this.words[2] = rows ?? this.y.ptr;
    this.words[4] = out;
    this.words[5] = +(rows === null);
    this.words[9] = planned.layout;
    const outBytes = this.plan.output.elements * 32;
    const { ptr } = this.context;
    let from = 0;
    for (const { step, watched } of [...planned.pauses, { step: planned.steps.length / 4, watched: null }]) {
      this.core.heap.write(this.context, this.words); // execution moves on in it
      const at = (this.steps[name].ptr + 16 * from) as Ptr<'i32'>;
      this.kernel(ptr as Ptr<'i32'>, at, step - from, count, this.stride, outBytes);
      from = step;
      if (watched) this.fill(watched);
    }
  }

  /** Series are as long as the longest so far: what a variable lacks is zero. */
  private fill(watched: Watched): void {
    const { lanes, tolerance, dtype } = this.plan;
    const { heap } = this.core;
    const at = watched.table * lanes;
    const values = heap.read(this.y, at, watched.positions * Math.max(2, watched.width) * lanes) as Floats;
    try {
      const own = fillWatched(watched, values, { lanes, tolerance, dtype });
      if (own === null) return;
      heap.write(this.y, values, at);
      this.read(watched.params, own);
    } catch (error) {
      if (error instanceof NoRoom) giveRoom(this.plan, error);
      throw error;
    }
  }

  /** As many terms as the longest series has had. */
  protected read(params: number, own: number): void {
    const terms = Math.max(own, this.terms.get(params) ?? 0);
    this.terms.set(params, terms);
    this.core.heap.write(this.blob, new Int32Array(Float64Array.of(terms).buffer), params + 8);
  }
}

export function floats(dtype: 'f32' | 'f64'): Float64ArrayConstructor | Float32ArrayConstructor {
  return dtype === 'f32' ? Float32Array : Float64Array;
}
