// Locally connected layers: a filter of its own at every output position, one gemm over the samples per position.
import type { Numbers, Pass, WeightMap } from '../finite.js';
import { sizeOfShape } from '../finite.js';
import { after, gemmCall, kernelOf } from '../rows.js';
import { slice } from '../../wasm/engine.js';
import type { ConvLayer } from '../vocabulary.js';
import { convTable } from './conv.js';

/** w is (positions, taps*in, channels). */
export function localMap(
  layer: ConvLayer,
  input: readonly number[],
  positions: number,
  channels: number,
): WeightMap {
  const c = input.at(-1)!;
  const taps = sizeOfShape(layer.filter);
  const fanIn = taps * c;
  const xStep = sizeOfShape(input);
  const key = {};
  const ldc = positions * channels;
  const table = (pass: Pass): number =>
    pass.table(key, () => convTable(layer, input.slice(0, -1))).ptr as number;
  /** The windows (samples, fanIn) of one position. */
  const windows = (pass: Pass, x: Numbers, p: number): Numbers => {
    const rows = pass.scratch('windows', pass.n * fanIn);
    kernelOf(pass.core, 'convGather', pass.dtype)(
      pass.n,
      taps,
      c,
      x.ptr,
      xStep,
      table(pass) + 4 * p * taps,
      rows.ptr,
    );
    return rows;
  };
  const each = (run: (p: number) => void): void => {
    for (let p = 0; p < positions; p++) run(p);
  };
  return {
    kind: 'local',
    positions,
    channels,
    fanIn,
    patches(pass, x, first, count) {
      const rows = pass.scratch('windows', count * positions * fanIn);
      const from = after(pass, x, first * xStep).ptr;
      kernelOf(pass.core, 'convGather', pass.dtype)(
        count,
        positions * taps,
        c,
        from,
        xStep,
        table(pass),
        rows.ptr,
      );
      return rows;
    },
    apply(pass, w, x, y, { alpha, beta }) {
      each((p) =>
        gemmCall(pass, {
          ...{ m: pass.n, n: channels, k: fanIn, a: windows(pass, x, p), lda: fanIn },
          ...{ b: after(pass, w, p * fanIn * channels), ldb: channels },
          ...{ c: after(pass, y, p * channels), ldc, alpha, beta },
        }),
      );
    },
    transpose(pass, w, gy, gx, { alpha, beta }) {
      if (beta === 0) pass.core.heap.fill(slice(gx, 0, pass.n * xStep), 0);
      each((p) => {
        const rows = pass.scratch('windows', pass.n * fanIn);
        gemmCall(pass, {
          ...{ m: pass.n, n: fanIn, k: channels, a: after(pass, gy, p * channels), lda: ldc },
          ...{ b: after(pass, w, p * fanIn * channels), ldb: channels, transB: true },
          ...{ c: rows, ldc: fanIn, alpha },
        });
        kernelOf(
          pass.core,
          'convScatter',
          pass.dtype,
        )(...[pass.n, taps, c, rows.ptr, table(pass) + 4 * p * taps, gx.ptr, xStep]);
      });
    },
    gradient(pass, x, gy, gw, { alpha, beta }) {
      each((p) =>
        gemmCall(pass, {
          ...{ m: fanIn, n: channels, k: pass.n, a: windows(pass, x, p), lda: fanIn, transA: true },
          ...{ b: after(pass, gy, p * channels), ldb: ldc },
          ...{ c: after(pass, gw, p * fanIn * channels), ldc: channels, alpha, beta },
        }),
      );
    },
  };
}
