// Convolutions with shared weights as gemm over blocks of gathered windows (assembly/conv.ts).
import type { Numbers, Pass, WeightMap } from '../finite.js';
import { sizeOfShape } from '../finite.js';
import { convTaps } from '../geometry.js';
import { after, gemmCall, kernelOf } from '../rows.js';
import type { ConvLayer } from '../vocabulary.js';

/** A block of gathered windows should stay in the second-level cache. */
const BLOCK_BYTES = 2 ** 19;

/** Per output position and tap the flat input position, or -1. */
export function convTable(layer: ConvLayer, spatial: readonly number[]): Int32Array<ArrayBuffer> {
  const axes = convTaps(layer, spatial);
  const positions = axes.map((axis) => axis.length);
  const taps = sizeOfShape(layer.filter);
  const table = new Int32Array(sizeOfShape(positions) * taps).fill(-1);
  const walk = (axis: number, position: number, tap: number, input: number): void => {
    if (axis === axes.length) {
      table[position * taps + tap] = input;
      return;
    }
    for (let p = 0; p < positions[axis]!; p++) {
      for (const { input: i, tap: r } of axes[axis]![p]!) {
        walk(
          axis + 1,
          position * positions[axis]! + p,
          tap * layer.filter[axis]! + r,
          input * spatial[axis]! + i,
        );
      }
    }
  };
  walk(0, 0, 0, 0);
  return table;
}

/** w is (taps, in, channels), rows of a window are (taps, in). */
export function convMap(
  layer: ConvLayer,
  input: readonly number[],
  positions: number,
  channels: number,
): WeightMap {
  const spatial = input.slice(0, -1);
  const c = input.at(-1)!;
  const taps = sizeOfShape(layer.filter);
  const fanIn = taps * c;
  const xStep = sizeOfShape(input);
  const key = {};
  const make = (): Int32Array<ArrayBuffer> => convTable(layer, spatial);
  const gather = (pass: Pass, x: Numbers, first: number, count: number): Numbers => {
    const rows = pass.scratch('windows', count * positions * fanIn);
    const from = after(pass, x, first * xStep).ptr;
    const table = pass.table(key, make).ptr;
    kernelOf(pass.core, 'convGather', pass.dtype)(count, positions * taps, c, from, xStep, table, rows.ptr);
    return rows;
  };
  /** Calls `each` for blocks of samples. */
  const blocks = (pass: Pass, each: (first: number, count: number) => void): void => {
    const size = Math.max(1, Math.floor(BLOCK_BYTES / (positions * fanIn * (pass.dtype === 'f32' ? 4 : 8))));
    for (let first = 0; first < pass.n; first += size) each(first, Math.min(size, pass.n - first));
  };
  const yStep = positions * channels;
  return {
    kind: 'conv',
    positions,
    channels,
    fanIn,
    patches: gather,
    apply(pass, w, x, y, { alpha, beta }) {
      blocks(pass, (first, count) => {
        const rows = gather(pass, x, first, count);
        const sizes = { m: count * positions, n: channels, k: fanIn };
        const c = after(pass, y, first * yStep);
        gemmCall(pass, { ...sizes, a: rows, lda: fanIn, b: w, ldb: channels, c, ldc: channels, alpha, beta });
      });
    },
    transpose(pass, w, gy, gx, { alpha, beta }) {
      if (beta === 0) pass.core.heap.fill({ ...gx, length: pass.n * xStep }, 0);
      blocks(pass, (first, count) => {
        const rows = pass.scratch('windows', count * positions * fanIn);
        const sizes = { m: count * positions, n: fanIn, k: channels };
        const a = after(pass, gy, first * yStep);
        gemmCall(pass, {
          ...sizes,
          a,
          lda: channels,
          b: w,
          ldb: channels,
          transB: true,
          c: rows,
          ldc: fanIn,
          alpha,
        });
        const to = after(pass, gx, first * xStep).ptr;
        const table = pass.table(key, make).ptr;
        kernelOf(pass.core, 'convScatter', pass.dtype)(
          count,
          positions * taps,
          c,
          rows.ptr,
          table,
          to,
          xStep,
        );
      });
    },
    gradient(pass, x, gy, gw, { alpha, beta }) {
      blocks(pass, (first, count) => {
        const rows = gather(pass, x, first, count);
        const sizes = { m: fanIn, n: channels, k: count * positions };
        const b = after(pass, gy, first * yStep);
        gemmCall(pass, {
          ...{ ...sizes, a: rows, lda: fanIn, transA: true, b, ldb: channels, c: gw, ldc: channels, alpha },
          beta: first === 0 ? beta : 1,
        });
      });
    },
  };
}
