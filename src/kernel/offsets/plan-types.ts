// What a plan is asked for and what it holds.
import type { Node } from '../../layers/lowering/nodes.js';
import type { Records } from './records.js';
import type { OffsetReport } from './report.js';
import type { Watched } from './watched.js';

export interface OffsetOptions {
  readonly dtype: 'f32' | 'f64';
  /** Same-position entries only, where the net ends with space. */
  readonly diagonalSpatial?: boolean;
  /** Inputs have masked entries. */
  readonly masked?: boolean;
  /** Sheets of K and T are given in place of images. */
  readonly state?: boolean;
  /** Paths of layers that are not trained. */
  readonly frozen?: readonly string[];
  /** Relative error of activations without a closed form. */
  readonly tolerance?: number;
  /** Values per position that records have for the tables of a series, where the usual ones are too few. */
  readonly room?: number;
  /** Keep all planes between stages instead of rows of them (for tests and comparisons). */
  readonly fullStore?: boolean;
}

/** One schedule of the executor with the layout of stored planes that it belongs to. */
export interface PlannedWork {
  readonly steps: Int32Array;
  /** 1: stored planes lie where the self pass has them. */
  readonly layout: 0 | 1;
  /** Before which steps variances are looked at. */
  readonly pauses: readonly { readonly step: number; readonly watched: Watched }[];
}

/** Sheets that are given in place of images. */
export interface GivenPlanes {
  /** Blob index of the table of their addresses; the bytes from the first plane to each, -1 where it is not wanted. */
  readonly table: number;
  readonly places: Int32Array;
  /** The pair of positions (zipped) of every element, plane after plane. */
  readonly pairs: Int32Array;
}

/** A plan is plain data: it is made once and sent to workers. */
export interface OffsetPlan {
  readonly dtype: 'f32' | 'f64';
  readonly tolerance: number;
  readonly lanes: number;
  readonly blob: Int32Array;
  readonly constants: Float64Array;
  readonly arenaBytes: number;
  /** Row buffers: columns of the widest row. */
  readonly columns: number;
  /** Values per image: pixels, masks, tables. */
  readonly recordLength: number;
  readonly pixels: { readonly positions: number; readonly channels: number };
  readonly given: Records['given'];
  /** Null where the plan starts from images. */
  readonly state: { readonly pairs: GivenPlanes; readonly self: GivenPlanes } | null;
  readonly nodes: readonly Node[];
  /** Pairs of different images; images with themselves (exact diagonal, symmetric offsets once); tables. */
  readonly pairs: PlannedWork;
  readonly diagonal: PlannedWork;
  readonly tables: PlannedWork;
  /** The planes of the result, in order; a collapsed net has one of a single position. */
  readonly output: {
    readonly H: number;
    readonly W: number;
    readonly axes: readonly (0 | 1)[];
    readonly modular: boolean;
    readonly elements: number;
    /** Where element i goes in the result of one pair, and in that of the pair the other way round. */
    readonly place: Int32Array;
    readonly mirror: Int32Array;
  };
  readonly report: OffsetReport;
}
