// Bench cases of the duals: one activation's map of a tile of covariances and tangents, ns per entry (of both), beside
// vector square roots. Each run begins with a copy of the tile, which the kernel overwrites.
import { dualOf } from '../layers/activation/dual/dual.js';
import { dualTables, parameterBlock, type TableDual } from '../layers/activation/dual/tables.js';
import type { ActivationLayer } from '../layers/vocabulary.js';
import type { FloatType, Ptr } from '../wasm/engine.js';
import type { BenchCase } from './case.js';
import { noise } from './linalg.js';

const [ROWS, COLUMNS] = [32, 128];
const TOLERANCE = 1e-6; // of series; the default of `kernel` depends on the dtype

const LAYERS: readonly ActivationLayer[] = [
  { layer: 'relu' },
  { layer: 'sign' },
  { layer: 'erf', a: 1, b: 1, c: 0 },
  { layer: 'gelu' },
  { layer: 'sin', a: 1, b: 1, c: 0 },
  { layer: 'exp', a: 1, b: 0.5 },
  { layer: 'gaussian', a: 1, b: -1 },
  { layer: 'gabor' },
  { layer: 'expNormalized', gamma: 1, shift: -1, doClip: false },
  { layer: 'rectifiedMonomial', degree: 2 },
  { layer: 'monomial', degree: 3 },
  { layer: 'tanh' },
  { layer: 'elu', alpha: 1 },
] as unknown as readonly ActivationLayer[];

function dualCase(layer: ActivationLayer, dtype: FloatType): BenchCase {
  return {
    ...{ name: `dual-${layer.layer} ${dtype}`, dtype, limit: 'roots', work: ROWS * COLUMNS },
    prepare: (core, memory) => {
      const variances = Float64Array.from({ length: COLUMNS }, (_, i) => 0.5 + i / COLUMNS);
      const made = dualTables(core, dualOf(layer) as TableDual, variances, dtype, TOLERANCE);
      const { kind, params, count, stride } = made;
      const tables: Ptr = memory.put(core.heap.read(made.tables.ticket)).ptr;
      made.tables.release();
      const block = memory.put(parameterBlock({ params })).ptr;
      const index = memory.put(Int32Array.of(0, 0)).ptr;
      const [from, to] = [0, 1].map(() => noise(core, memory, dtype, 2 * ROWS * COLUMNS).ptr) as [Ptr, Ptr];
      const bytes = ROWS * COLUMNS * (dtype === 'f32' ? 4 : 8);
      const work = memory.alloc('u8', 16 * count).ptr;
      const map = core.kernels[`dualMap_${dtype}`] as (...args: readonly number[]) => void;
      return () => {
        core.kernels.copyRows(1, 2 * bytes, from, 0, to, 0);
        map(
          ...[
            kind,
            block,
            1,
            ROWS,
            COLUMNS,
            index,
            tables,
            stride,
            COLUMNS,
            tables,
            stride,
            COLUMNS,
            count,
            0,
          ],
          ...[to, to + bytes, COLUMNS, work],
        );
      };
    },
  };
}

export const dualCases: readonly BenchCase[] = LAYERS.flatMap((layer) =>
  (['f64', 'f32'] as const).map((dtype) => dualCase(layer, dtype)),
);
