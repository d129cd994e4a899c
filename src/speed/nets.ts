// Bench cases of finite nets: the three passes of a 3x3 convolution beside the product of its size, and pooling.
import { convMap } from '../layers/affine/conv.js';
import type { Numbers, Pass, WeightMap } from '../layers/finite.js';
import { gemmCall, kernelOf } from '../layers/rows.js';
import type { ConvLayer } from '../layers/vocabulary.js';
import type { Allocator, Core, FloatType, Ticket } from '../wasm/engine.js';
import type { BenchCase } from './case.js';
import { noise } from './linalg.js';

const DTYPES = ['f64', 'f32'] as const;
const [SIDE, CHANNELS, SAMPLES] = [16, 64, 8];
const POSITIONS = SIDE * SIDE;
const LAYER = {
  ...{ layer: 'conv', channels: CHANNELS, filter: [3, 3], strides: [1, 1], padding: 'SAME' },
  ...{ wStd: 1, bStd: null, parameterization: 'ntk' },
} as unknown as ConvLayer;

/** What the weight maps need of a pass. */
function passOf(core: Core, memory: Allocator, dtype: FloatType): Pass {
  const buffers = new Map<string, Numbers>();
  const tables = new Map<object, Ticket<'i32'>>();
  return {
    ...{ core, dtype, n: SAMPLES },
    scratch(key: string, length: number) {
      const have = buffers.get(key);
      if (have && have.length >= length) return have;
      const made: Numbers = memory.alloc(dtype, length);
      buffers.set(key, made);
      return made;
    },
    table(key: object, make: () => Int32Array<ArrayBuffer>) {
      const table = tables.get(key) ?? memory.put(make());
      tables.set(key, table);
      return table;
    },
  } as unknown as Pass;
}

type Run = (map: WeightMap, pass: Pass, x: Numbers, w: Numbers, y: Numbers) => void;
const PASSES: readonly (readonly [name: string, run: Run])[] = [
  ['conv3x3', (map, pass, x, w, y) => map.apply(pass, w, x, y, { alpha: 1, beta: 0 })],
  ['conv3x3-input', (map, pass, x, w, y) => map.transpose(pass, w, y, x, { alpha: 1, beta: 0 })],
  ['conv3x3-weights', (map, pass, x, w, y) => map.gradient(pass, x, y, w, { alpha: 1, beta: 0 })],
  [
    'gemm-of-conv', // the product alone, its left factor in memory
    (_map, pass, _x, w, y) => {
      const sizes = {
        m: POSITIONS,
        n: CHANNELS,
        k: 9 * CHANNELS,
        lda: 9 * CHANNELS,
        ldb: CHANNELS,
        ldc: CHANNELS,
      };
      const rows = pass.scratch('windows', POSITIONS * 9 * CHANNELS);
      for (let i = 0; i < SAMPLES; i++) gemmCall(pass, { ...sizes, a: rows, b: w, c: y });
    },
  ],
];

const convolutions = DTYPES.flatMap((dtype) =>
  PASSES.toReversed().map(([name, run]): BenchCase => ({
    ...{ name: `${name} ${dtype}`, dtype, limit: 'flops' },
    work: 2 * SAMPLES * POSITIONS * 9 * CHANNELS * CHANNELS,
    ...(name === 'gemm-of-conv' ? {} : { goal: { ratio: 0.75, of: `gemm-of-conv ${dtype}` } }),
    prepare: (core, memory) => {
      const map = convMap(LAYER, [SIDE, SIDE, CHANNELS], POSITIONS, CHANNELS);
      const pass = passOf(core, memory, dtype);
      core.heap.fill(pass.scratch('windows', POSITIONS * 9 * CHANNELS), 0.5);
      const x = noise(core, memory, dtype, SAMPLES * POSITIONS * CHANNELS);
      const y = noise(core, memory, dtype, SAMPLES * POSITIONS * CHANNELS);
      const w = noise(core, memory, dtype, 9 * CHANNELS * CHANNELS);
      return () => run(map, pass, x, w, y);
    },
  })),
);

/** Means over 2x2 windows: a sparse matrix over positions. */
const pools = DTYPES.map((dtype): BenchCase => ({
  ...{ name: `pool2x2 ${dtype}`, dtype, limit: 'bytes' },
  work: 1.25 * SAMPLES * POSITIONS * CHANNELS * (dtype === 'f32' ? 4 : 8),
  prepare: (core, memory) => {
    const x = noise(core, memory, dtype, SAMPLES * POSITIONS * CHANNELS);
    const y = noise(core, memory, dtype, (SAMPLES * POSITIONS * CHANNELS) / 4);
    const weights = memory.alloc(dtype, POSITIONS);
    core.heap.fill(weights, 0.25);
    const half = SIDE / 2;
    const starts = memory.put(Int32Array.from({ length: POSITIONS / 4 + 1 }, (_, i) => 4 * i));
    const columns = memory.put(
      Int32Array.from({ length: POSITIONS }, (_, e) => {
        const [p, tap] = [Math.floor(e / 4), e % 4];
        return (2 * Math.floor(p / half) + (tap >> 1)) * SIDE + 2 * (p % half) + (tap & 1);
      }),
    );
    const run = kernelOf(core, 'poolMap', dtype);
    const [xStep, yStep] = [POSITIONS * CHANNELS, (POSITIONS * CHANNELS) / 4];
    return () =>
      run(
        ...[SAMPLES, POSITIONS / 4, CHANNELS, x.ptr, xStep, starts.ptr, columns.ptr, weights.ptr],
        ...[0, y.ptr, yStep],
      );
  },
}));

export const netCases: readonly BenchCase[] = [...convolutions, ...pools];
