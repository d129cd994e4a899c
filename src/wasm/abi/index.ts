// The exports of the wasm module, one file per kernel file of assembly/. A test compares this list with the binary.
import type { GemmKernels } from './gemm.js';
import type { RandomKernels } from './random.js';

export interface Kernels extends GemmKernels, RandomKernels {
  /** First byte after the static data: where the heap may start. */
  heapBase(): number;
}
