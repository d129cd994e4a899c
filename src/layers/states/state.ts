// What travels through a net in the infinite-width limit. One output channel stands for all: channels are independent.
import { sizeOf } from '../../math/tensor.js';
import { Region, type Core, type FloatType, type Ptr, type Ticket } from '../../wasm/engine.js';

/** All sheets now held per memory, so that a failed computation can give them back. */
const held = new WeakMap<object, Set<Region>>();

/** Releases every stack of sheets of a core: after an error in the middle of a propagation. */
export function releaseAll(core: Core): void {
  for (const region of held.get(core.heap) ?? []) region.dispose();
  held.delete(core.heap);
}

/** A stack of sheets in wasm memory, owned by whoever holds it; `release` when done. */
export class Sheets<D extends FloatType = FloatType> {
  readonly ticket: Ticket<D>;
  readonly #region: Region;
  readonly #all: Set<Region>;
  #owners = 1;

  constructor(core: Core, dtype: D, length: number, zero = false) {
    this.#region = core.heap.region();
    let all = held.get(core.heap);
    if (!all) held.set(core.heap, (all = new Set()));
    this.#all = all.add(this.#region);
    this.ticket = zero ? this.#region.zeros(dtype, length) : this.#region.alloc(dtype, length);
  }
  get ptr(): Ptr<D> {
    return this.ticket.ptr;
  }
  /** A second owner of the same memory. */
  share(): this {
    this.#owners++;
    return this;
  }
  release(): void {
    if (--this.#owners > 0) return;
    this.#all.delete(this.#region);
    this.#region.dispose();
  }
  /** The same content, owned by the caller alone: this memory if nobody else holds it, else a copy. */
  own(core: Core): Sheets<D> {
    if (this.#owners === 1) return this;
    const copy = new Sheets(core, this.ticket.dtype, this.ticket.length);
    const bytes = this.ticket.length * (this.ticket.dtype === 'f32' ? 4 : 8);
    core.kernels.copyRows(1, bytes, this.ptr, 0, copy.ptr, 0);
    this.release();
    return copy;
  }
}

/** Positions of a state: all pairs (`full`, zipped: X, X', Y, Y') or equal positions only. */
export interface Layout {
  readonly spatial: readonly number[];
  readonly full: boolean;
}

export function sheetCount({ spatial, full }: Layout): number {
  const positions = sizeOf(spatial);
  return full ? positions * positions : positions;
}

/** Row length of `count` samples: whole vectors of either dtype. */
export function padded(count: number): number {
  return Math.ceil(count / 4) * 4;
}

const indexes = new Map<string, Int32Array<ArrayBuffer>>();

/** The two positions (row-major in `spatial`) of every sheet, in sheet order, as pairs. */
export function positionPairs({ spatial, full }: Layout): Int32Array<ArrayBuffer> {
  const key = `${full}:${spatial.join()}`;
  let pairs = indexes.get(key);
  if (pairs) return pairs;
  pairs = new Int32Array(2 * sheetCount({ spatial, full }));
  let next = 0;
  const walk = (axis: number, p: number, q: number): void => {
    if (axis === spatial.length) {
      pairs![next++] = p;
      pairs![next++] = q;
      return;
    }
    const n = spatial[axis]!;
    for (let a = 0; a < n; a++) {
      if (full) for (let b = 0; b < n; b++) walk(axis + 1, p * n + a, q * n + b);
      else walk(axis + 1, p * n + a, q * n + a);
    }
  };
  walk(0, 0, 0);
  if (indexes.size > 200) indexes.clear();
  indexes.set(key, pairs);
  return pairs;
}

/** One batch by itself: what the joint kernels need to know of each side. */
export interface Side {
  readonly n: number;
  readonly ld: number;
  readonly spatial: readonly number[];
  /** Covariances within a sample, (sheets, ld); null where nothing after needs them. */
  readonly cov: { readonly full: boolean; readonly data: Sheets<'f64'> } | null;
  /** 1 where a position of a sample is visible, 0 where masked, (positions, ld); null: nothing is masked. */
  readonly keep: Float64Array<ArrayBuffer> | null;
}

/** The kernels between a block of rows of one batch and columns of another, (sheets, rows, ld). */
export interface Joint {
  readonly rows: number;
  readonly ld: number;
  readonly layout: Layout;
  readonly k: Sheets;
  /** null: no NTK wanted. */
  readonly t: Sheets | null;
}

/** Where a block of a joint kernel lies in its two sides. */
export interface Block {
  readonly row: number;
  readonly column: number;
  /** Both sides are the same samples: entry (i, i) is one variable with itself. */
  readonly same: boolean;
  /** Entries above the diagonal are copied from below at the end, whatever they are. */
  readonly mirrored?: boolean;
  /** Names of weight layers whose own NTK term is dropped. */
  readonly frozen: ReadonlySet<string>;
}

/** Facts about an edge of a net that follow from the layers before it. */
export interface Facts {
  /** Spatial axes, then channels (true count). */
  readonly shape: readonly number[];
  /** Channels are independent Gaussians given the input. */
  readonly gaussian: boolean;
  /** Covariances of different positions are zero. */
  readonly offDiagonalZero: boolean;
}

/** What the layers after an edge need of it. */
export interface Demand {
  readonly cov: 'none' | 'diagonal' | 'full';
  readonly joint: 'diagonal' | 'full';
}

const ORDER = { none: 0, diagonal: 1, full: 2 } as const;
export function larger<K extends keyof typeof ORDER>(a: K, b: K): K {
  return ORDER[a] >= ORDER[b] ? a : b;
}

/** Options of a call that layers read. */
export interface CallOptions {
  /** Aggregation patterns of the two sides, (n, V, V) with V the aggregated positions. */
  readonly patterns: readonly [Pattern | null, Pattern | null];
}
export interface Pattern {
  readonly data: Float64Array;
  readonly shape: readonly number[];
}
