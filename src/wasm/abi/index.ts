// The exports of the wasm module, one file per kernel file of assembly/. A test compares this list with the binary.
import type { GemmKernels } from './gemm.js';

export interface Kernels extends GemmKernels {
  /** First byte after the static data: where the heap may start. */
  heapBase(): number;
}
