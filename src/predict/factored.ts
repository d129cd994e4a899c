// A factorised system, wherever its factor lies: in one piece, or in tiles.
import type { Engine, RunOptions } from '../wasm/engine.js';
import { outerJob, solve, whiten, type Factor } from './linear.js';

/** Bytes of the f64 matrices of n^2 entries that the path in one piece holds at its peak. */
export const exactBytes = (n: number): number => 6 * 8 * n * n;

/** What can be done with M once it is factorised. */
export interface Factored {
  readonly method: 'cholesky' | 'tiled';
  readonly size: number;
  readonly jitter: number;
  readonly condition: number;
  /** M^-1 B for B (size, columns). */
  solve(right: Float64Array, columns: number, run?: RunOptions): Promise<Float64Array>;
  /** X M^-1 X' for X (count, size): whole (count, count), or its diagonal. */
  explained(rows: Float64Array, want: 'full' | 'diagonal', run?: RunOptions): Promise<Float64Array>;
}

/** A factor in one piece. */
export function dense(engine: Engine, factor: Factor): Factored {
  const { size, jitter, condition } = factor;
  return {
    method: 'cholesky',
    size,
    jitter,
    condition,
    solve: (right, columns, run) => solve(engine, factor, right, columns, run),
    explained: async (rows, want, run) => {
      if (want === 'diagonal') return whiten(engine, factor, rows, 'squares', run);
      const x = await whiten(engine, factor, rows, 'whole', run);
      return engine.run(outerJob, { x, n: rows.length / size, k: size }, run);
    },
  };
}
