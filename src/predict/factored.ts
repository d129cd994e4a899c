// A factorised system, wherever its factor lies: in one piece, or in tiles.
import type { Engine, RunOptions } from '../wasm/engine.js';
import { outerJob, product, rowDots, solve, whiten, type Eigen, type Factor } from './linear.js';

/** Bytes of the f64 matrices of n^2 entries that the path in one piece holds at its peak. */
export const exactBytes = (n: number): number => 6 * 8 * n * n;

/** What can be done with M once it is factorised. */
export interface Factored {
  readonly method: 'cholesky' | 'tiled' | 'eigen';
  readonly size: number;
  readonly jitter: number;
  readonly condition: number;
  /** `eigen`: the pseudo-inverse of a singular M, and what it leaves out. */
  readonly left?: Left;
  /** M^-1 B for B (size, columns). */
  solve(right: Float64Array, columns: number, run?: RunOptions): Promise<Float64Array>;
  /** X M^-1 X' for X (count, size): whole (count, count), or its diagonal. */
  explained(rows: Float64Array, want: 'full' | 'diagonal', run?: RunOptions): Promise<Float64Array>;
}

/** The null space of a singular system. */
export interface Left {
  readonly modes: number;
  /** Diagonal of its projector. */
  readonly diagonal: Float64Array;
  /** The part of B (size, columns) that lies in it: no combination of kernel columns reaches it. */
  project(right: Float64Array, columns: number, run?: RunOptions): Promise<Float64Array>;
}

/** The pseudo-inverse: eigenvalues at or below `cutoff` count as 0. It is the limit of a vanishing noise. */
export function pseudo(engine: Engine, { values, vectors }: Eigen, cutoff: number): Factored {
  const size = values.length;
  const first = values.findIndex((value) => value > cutoff);
  const modes = first < 0 ? size : first;
  const rank = size - modes;
  const kept = new Float64Array(size * rank); // the eigenvectors of the range, as columns
  for (let i = 0; i < size; i++) kept.set(vectors.subarray(i * size + modes, (i + 1) * size), i * rank);
  const inverse = values.subarray(modes).map((value) => 1 / value);
  const within = (right: Float64Array, columns: number, run: RunOptions = {}): Promise<Float64Array> =>
    product(engine, kept, right, [rank, columns, size], { transA: true, ...run });
  const back = (inside: Float64Array, columns: number, run: RunOptions = {}): Promise<Float64Array> =>
    product(engine, kept, inside, [size, columns, rank], run);
  return {
    method: 'eigen',
    size,
    jitter: 0,
    condition: rank > 0 ? values[size - 1]! / values[modes]! : 1,
    solve: async (right, columns, run) => {
      const inside = await within(right, columns, run);
      return back(
        inside.map((value, i) => value * inverse[Math.floor(i / columns)]!),
        columns,
        run,
      );
    },
    explained: async (rows, want, run) => {
      const count = rows.length / size;
      const inside = await product(engine, rows, kept, [count, rank, size], run);
      const x = inside.map((value, i) => value * Math.sqrt(inverse[i % rank]!));
      if (want === 'diagonal') return rowDots(x, x, count, rank);
      return engine.run(outerJob, { x, n: count, k: rank }, run);
    },
    left: {
      modes,
      diagonal: rowDots(kept, kept, size, rank).map((value) => Math.max(0, 1 - value)),
      project: async (right, columns, run) => {
        const reached = await back(await within(right, columns, run), columns, run);
        return reached.map((value, i) => right[i]! - value);
      },
    },
  };
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
