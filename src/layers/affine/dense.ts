import type { WeightMap } from '../finite.js';
import { gemmCall } from '../rows.js';
import { slice } from '../../wasm/engine.js';

/** The same matrix at every position: w is (fanIn, channels). */
export function denseMap(positions: number, fanIn: number, channels: number): WeightMap {
  return {
    kind: 'dense',
    positions,
    channels,
    fanIn,
    apply(pass, w, x, y, { alpha, beta }) {
      const m = pass.n * positions;
      gemmCall(pass, {
        m,
        n: channels,
        k: fanIn,
        a: x,
        lda: fanIn,
        b: w,
        ldb: channels,
        c: y,
        ldc: channels,
        alpha,
        beta,
      });
    },
    transpose(pass, w, gy, gx, { alpha, beta }) {
      gemmCall(pass, {
        m: pass.n * positions,
        n: fanIn,
        k: channels,
        a: gy,
        lda: channels,
        b: w,
        ldb: channels,
        transB: true,
        c: gx,
        ldc: fanIn,
        alpha,
        beta,
      });
    },
    gradient(pass, x, gy, gw, { alpha, beta }) {
      gemmCall(pass, {
        m: fanIn,
        n: channels,
        k: pass.n * positions,
        a: x,
        lda: fanIn,
        transA: true,
        b: gy,
        ldb: channels,
        c: gw,
        ldc: channels,
        alpha,
        beta,
      });
    },
    patches: (_, x, first, count) => slice(x, first * positions * fanIn, count * positions * fanIn),
  };
}
