// What a bench file exports: a list of cases. The runner times each beside the machine's own limit in the same seconds.
import type { Allocator, Core, FloatType } from '../wasm/engine.js';

/** What bounds a case: `flops` the multiply-add loop, `bytes` the memory stream, `roots` vector square roots. */
export type Limit = 'flops' | 'bytes' | 'roots';

export interface BenchCase {
  /** Unique, e.g. `gemm f64 256`; the first word selects it on the command line. */
  readonly name: string;
  readonly dtype: FloatType;
  readonly limit: Limit;
  /** Flops, bytes or elements of one run, in the unit of `limit`. */
  readonly work: number;
  /** Allocates and fills the inputs; returns one run. Called once; the memory is released after the case. */
  readonly prepare: (core: Core, memory: Allocator) => () => void;
  /** The same computation as plain JavaScript loops: returns one run, and its work if it is a smaller problem. */
  readonly naive?: () => { readonly run: () => void; readonly work?: number };
  /** The ratio to aim at: to the roofline, or to the ratio of another case of the same run. */
  readonly goal?: { readonly ratio: number; readonly of?: string };
}
