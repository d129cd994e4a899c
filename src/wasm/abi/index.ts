// The exports of the wasm module, one file per kernel file of assembly/. A test compares this list with the binary.
import type { ActivationKernels } from './activation.js';
import type { ChecksumKernels } from './checksum.js';
import type { CholeskyKernels } from './cholesky.js';
import type { ConvKernels } from './conv.js';
import type { DualKernels } from './dual.js';
import type { EighKernels } from './eigh.js';
import type { ElementaryKernels } from './elementary.js';
import type { GemmKernels } from './gemm.js';
import type { LinalgKernels } from './linalg.js';
import type { LossKernels } from './losses.js';
import type { OneHiddenKernels } from './one-hidden.js';
import type { OptimizeKernels } from './optimize.js';
import type { OffsetsKernels } from './offsets.js';
import type { PropagationKernels } from './propagation.js';
import type { RandomKernels } from './random.js';
import type { RooflineKernels } from './roofline.js';
import type { RowsKernels } from './rows.js';

export interface Kernels
  extends
    ActivationKernels,
    ChecksumKernels,
    CholeskyKernels,
    ConvKernels,
    DualKernels,
    EighKernels,
    ElementaryKernels,
    GemmKernels,
    LinalgKernels,
    LossKernels,
    OneHiddenKernels,
    OptimizeKernels,
    OffsetsKernels,
    PropagationKernels,
    RandomKernels,
    RooflineKernels,
    RowsKernels {
  /** First byte after the static data: where the heap may start. */
  heapBase(): number;
}
