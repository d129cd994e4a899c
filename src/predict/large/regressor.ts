// What solvers that never hold the kernel in one piece have in common: options, progress, and what they give for test points.
import type { RunOptions } from '../../wasm/engine.js';
import type { Samples } from '../kernels.js';
import { NONE } from '../linear.js';
import type { CgCheckpoint } from './conjugate-gradients.js';
import type { Diagnostics } from '../system.js';

export type Stage = 'kernel' | 'factor' | 'solve' | 'predict';

/** Where a solver that does not hold the kernel is. */
export interface LargeProgress {
  readonly stage: Stage;
  /** Parts done of `total` in this stage. */
  readonly done: number;
  readonly total: number;
  /** What the whole solver holds in JS memory at its peak. */
  readonly bytes: number;
  /** `cg`, after every iteration: the largest |y - M w| / |y| so far; `done` is the share of its digits. */
  readonly residual?: number;
}

export interface LargeOptions extends Pick<RunOptions, 'signal'> {
  /**
   * `nystrom`: samples that stand for all. `cg`: the same, of the preconditioner. `features`: random features. Default
   * n / 20, from 100 to 1000.
   */
  readonly rank?: number;
  /** `cg`: largest |y - M w| / |y|; default 1e-8. */
  readonly tolerance?: number;
  /**
   * `cg`: where the state of the solve is kept after every iteration, and taken from by a call that goes on. The caller names it
   * after everything that the system depends on.
   */
  readonly checkpoint?: CgCheckpoint;
  /** Of the random choice of these samples or features; default 0. */
  readonly seed?: number;
  readonly onProgress?: ((progress: LargeProgress) => void) | undefined;
}

/** What predictions of a batch of points are made of. Kernels in units of the system's scale. */
export interface Reach {
  /** (points, outputs) */
  readonly mean: Float64Array;
  /** left right' (both (points, width)) is what the train set explains of the prior covariance. */
  readonly left: Float64Array;
  readonly right: Float64Array;
  readonly width: number;
  /** (points, n): A with mean = A y, and the NNGP between points and train set; only when asked for. */
  readonly weights: Float64Array;
  readonly nngp: Float64Array;
  /** (points, width): a square root of the covariance itself, where a solver has one. */
  readonly root?: { readonly data: Float64Array; readonly width: number };
}

export interface Regressor {
  readonly diagnostics: Diagnostics;
  reach(points: Samples, need: 'mean' | 'explained' | 'weights', run: RunOptions): Promise<Reach>;
}

export interface Targets {
  readonly y: Float64Array;
  readonly outputs: number;
}

export const nothing: Omit<Reach, 'mean'> = { left: NONE, right: NONE, width: 0, weights: NONE, nngp: NONE };

/** The number of pivots, at most n; or of features. */
export const rankOf = (n: number, { rank }: LargeOptions, most: number = n): number => {
  if (rank !== undefined && !(Number.isInteger(rank) && rank >= 1))
    throw new RangeError(`predict: rank must be a whole number >= 1, got ${rank}`);
  return Math.min(most, rank ?? Math.min(1000, Math.max(100, Math.ceil(n / 20))));
};
