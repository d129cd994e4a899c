// Kernel regression at t = infinity with solvers that never hold the kernel in one piece.
import type { Tensor } from '../../math/tensor.js';
import type { RunOptions } from '../../wasm/engine.js';
import { product, solve as solveDense, transpose, whiten, factorise } from '../linear.js';
import type { Diagnostics } from '../system.js';
import { conjugateGradients, type BlockMap } from './conjugateGradients.js';
import { down, inner, lowRank, up, type LowRank } from './lowRank.js';
import type { NetSystem } from './netSystem.js';
import { tiledFactor } from './tiled.js';

export type Stage = 'kernel' | 'factor' | 'solve' | 'predict';

export interface LargeProgress {
  readonly stage: Stage;
  /** Parts done of `total` in this stage. */
  readonly done: number;
  readonly total: number;
  /** What the whole solver holds in JS memory at its peak. */
  readonly bytes: number;
}

export interface LargeOptions extends RunOptions {
  /** `nystrom`: samples that stand for all. `cg`: the same, of the preconditioner. Default n / 20, from 100 to 1000. */
  readonly rank?: number;
  /** `cg`: largest |y - M w| / |y|; default 1e-8. */
  readonly tolerance?: number;
  /** Of the random choice of these samples; default 0. */
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
}

export interface Regressor {
  readonly diagnostics: Diagnostics;
  reach(points: Tensor, need: 'mean' | 'explained' | 'weights', run: RunOptions): Promise<Reach>;
}

interface Targets {
  readonly y: Float64Array;
  readonly outputs: number;
}

const NONE = new Float64Array(0);
const nothing = { left: NONE, right: NONE, width: 0, weights: NONE, nngp: NONE };

/** Default number of pivots. */
export const rankOf = (n: number, { rank }: LargeOptions): number => {
  if (rank !== undefined && !(Number.isInteger(rank) && rank >= 1))
    throw new RangeError(`predict: rank must be a whole number >= 1, got ${rank}`);
  return Math.min(n, rank ?? Math.min(1000, Math.max(100, Math.ceil(n / 20))));
};

/** A regressor from M^-1: Cholesky in tiles, or conjugate gradients. */
function bySolving(
  system: NetSystem,
  weights: Float64Array,
  outputs: number,
  solve: (b: Float64Array, r: number, run: RunOptions) => Promise<Float64Array>,
  diagnostics: () => Diagnostics,
): Regressor {
  const { engine, size: n } = system;
  return {
    get diagnostics() {
      return diagnostics();
    },
    async reach(points, need, run) {
      const pair = await system.cross(points, run);
      const cross = pair[system.name];
      const m = points.shape[0]!;
      const mean = await product(engine, cross, weights, [m, outputs, n], run);
      if (need === 'mean') return { ...nothing, mean };
      const a = transpose(await solve(transpose(cross, m, n), m, run), n, m);
      return { mean, left: cross, right: a, width: n, weights: a, nngp: pair.nngp };
    },
  };
}

/** Cholesky in tiles: n^2 / 2 numbers, n^3 / 3 operations, the accuracy of the path in one piece. */
export async function tiledRegressor(
  system: NetSystem,
  { y, outputs }: Targets,
  bytes: number,
  { signal, onProgress }: LargeOptions,
): Promise<Regressor> {
  const run = { signal };
  const factor = await tiledFactor(
    system.engine,
    system.size,
    async (tiles) => {
      onProgress?.({ stage: 'kernel', done: 0, total: 1, bytes });
      await system.fill(tiles, run);
      onProgress?.({ stage: 'kernel', done: 1, total: 1, bytes });
    },
    { ...run, onProgress: ({ done, total }) => onProgress?.({ stage: 'factor', done, total, bytes }) },
  );
  const weights = await factor.solve(y, outputs, run);
  const image = await shifted(system, system.added + factor.jitter, run)(weights, outputs);
  const diagnostics: Diagnostics = {
    ...system.base,
    method: 'tiled',
    jitter: factor.jitter * system.scale,
    condition: factor.condition,
    residual: relative(y, image),
    bytes,
  };
  onProgress?.({ stage: 'solve', done: 1, total: 1, bytes });
  return bySolving(system, weights, outputs, factor.solve, () => diagnostics);
}

/** B -> K B + shift B. */
const shifted =
  (system: NetSystem, shift: number, run: RunOptions, dtype: 'f32' | 'f64' = 'f64'): BlockMap =>
  async (b, r) => {
    const out = await system.multiply(b, r, run, system.name, dtype);
    for (let i = 0; i < out.length; i++) out[i]! += shift * b[i]!;
    return out;
  };

/** Whether f32 kernels serve: in range, and their rounding, of norm about eps sqrt(n), far below what is added. */
function allowsRough({ scale, added, size, diagonal }: NetSystem): boolean {
  const mean = diagonal.reduce((sum, value) => sum + value / size, 0);
  return scale > 2 ** -60 && scale < 2 ** 60 && added > 8 * 2 ** -24 * Math.sqrt(size) * mean;
}

function relative(y: Float64Array, image: Float64Array): number {
  const [gap, size] = [y.map((value, i) => value - image[i]!), y].map((v) =>
    v.reduce((sum, value) => sum + value * value, 0),
  );
  return size! > 0 ? Math.sqrt(gap! / size!) : 0;
}

/**
 * Conjugate gradients on tiles that are computed anew in every iteration, preconditioned by F F' + shift I. Iterations use
 * f32 kernels where the noise allows, residuals f64 ones.
 */
export async function cgRegressor(
  system: NetSystem,
  { y, outputs }: Targets,
  bytes: number,
  options: LargeOptions,
): Promise<Regressor> {
  const { signal, onProgress, tolerance = 1e-8, seed = 0 } = options;
  if (!(tolerance > 0 && tolerance < 1))
    throw new RangeError(`predict: tolerance must be in (0, 1), got ${tolerance}`);
  const n = system.size;
  const factor = await lowRank(system, rankOf(n, options), seed, {
    signal,
    onProgress: (done, total) => onProgress?.({ stage: 'factor', done, total, bytes }),
  });
  const leftTrace = factor.left.reduce((sum, value) => sum + value, 0);
  const precondition = await lowRankInverse(system, factor, system.added + leftTrace / n, { signal });
  let most = { iterations: 0, residual: 0 };
  const solve = async (b: Float64Array, r: number, run: RunOptions): Promise<Float64Array> => {
    const found = await conjugateGradients(
      shifted(system, system.added, run),
      (block, width) => precondition(block, width, run),
      b,
      [n, r],
      {
        signal: run.signal,
        rough: allowsRough(system) ? shifted(system, system.added, run, 'f32') : null,
        tolerance,
        maxIterations: 1000,
        onProgress: (share) => onProgress?.({ stage: 'solve', done: share, total: 1, bytes }),
      },
    );
    most = {
      iterations: Math.max(most.iterations, found.iterations),
      residual: Math.max(most.residual, found.residual),
    };
    return found.x;
  };
  const weights = await solve(y, outputs, { signal });
  const { residual } = most; // of y alone: what the error bound of the mean is about
  const size = Math.sqrt(y.reduce((sum, value) => sum + value * value, 0));
  const trace = system.diagonal.reduce((sum, value) => sum + value, 0);
  return bySolving(system, weights, outputs, solve, () => ({
    ...system.base,
    method: 'cg',
    ...most,
    ...(system.added > 0 ? { errorBound: (residual * size) / Math.sqrt(system.base.added) } : {}),
    rank: factor.rank,
    traceResidual: leftTrace / trace,
    bytes,
  }));
}

/** (F F' + shift I)^-1 by the Woodbury identity; the identity map when both are zero. */
async function lowRankInverse(
  system: NetSystem,
  factor: LowRank,
  shift: number,
  run: RunOptions,
): Promise<(b: Float64Array, r: number, run: RunOptions) => Promise<Float64Array>> {
  // Where the factor leaves nothing and nothing is added, rounding alone bounds the spectrum from below.
  const size = system.diagonal.reduce((sum, value) => sum + value, 0);
  const delta = Math.max(shift, 1e-14 * size);
  const small = await factorise(system.engine, await inner(system, factor, delta, run), factor.rank, run);
  return async (b, r, now) => {
    const c = await solveDense(system.engine, small, await down(system, factor, b, r, now), r, now);
    const part = await up(system, factor, c, r, now);
    return b.map((value, i) => (value - part[i]!) / delta);
  };
}

const PROBES = 256; // rows on which the residual of a Nystrom solution is estimated

/**
 * Kernel regression with the Nystrom kernel Q = F F': n rank numbers, n rank^2 operations. The posterior variance keeps
 * what Q leaves of the prior (deterministic training conditional, Quinonero-Candela & Rasmussen 2005), so points far
 * from the chosen samples stay uncertain.
 */
export async function nystromRegressor(
  system: NetSystem,
  { y, outputs }: Targets,
  bytes: number,
  options: LargeOptions,
): Promise<Regressor> {
  const { engine, size: n, added } = system;
  const { signal, onProgress, seed = 0 } = options;
  const run = { signal };
  const factor = await lowRank(system, rankOf(n, options), seed, {
    ...run,
    onProgress: (done, total) => onProgress?.({ stage: 'factor', done, total, bytes }),
  });
  const { rank, lower, pivots } = factor;
  const small = await factorise(engine, await inner(system, factor, added, run), rank, run);
  const coefficients = await solveDense(
    engine,
    small,
    await down(system, factor, y, outputs, run),
    outputs,
    run,
  );
  const trace = system.diagonal.reduce((sum, value) => sum + value, 0);
  const diagnostics: Diagnostics = {
    ...system.base,
    method: 'nystrom',
    jitter: small.jitter * system.scale,
    condition: small.condition,
    rank,
    traceResidual: factor.left.reduce((sum, value) => sum + value, 0) / trace,
    ...(added > 0 ? await probe(system, factor, { y, outputs }, coefficients, run) : {}),
    bytes,
  };
  const chosen = system.samples(pivots);
  const pairFactor = { lower, size: rank, jitter: 0, condition: 1 };
  onProgress?.({ stage: 'solve', done: 1, total: 1, bytes });
  return {
    diagnostics,
    async reach(points, need, now) {
      const m = points.shape[0]!;
      const cross = await system.crossWith(points, chosen, now);
      const features = await whiten(engine, pairFactor, cross[system.name], 'whole', now);
      const mean = await product(engine, features, coefficients, [m, outputs, rank], now);
      if (need === 'mean') return { ...nothing, mean };
      const solved = transpose(
        await solveDense(engine, small, transpose(features, m, rank), m, now),
        rank,
        m,
      );
      if (need === 'weights') {
        const weights = transpose(await up(system, factor, transpose(solved, m, rank), m, now), n, m);
        const { nngp } = await system.cross(points, now);
        return { ...nothing, mean, weights, nngp };
      }
      // K - F F' + rho F A^-1 F' = K - F (F - rho F A^-1)'
      const right = features.map((value, i) => value - (added + small.jitter) * solved[i]!);
      return { ...nothing, mean, left: features, right, width: rank };
    },
  };
}

/** |y - M w| / |y| for w = (y - F c) / rho, from random rows of the true kernel, with its standard error. */
async function probe(
  system: NetSystem,
  factor: LowRank,
  { y, outputs }: Targets,
  coefficients: Float64Array,
  run: RunOptions,
): Promise<{ residual: number; residualError: number }> {
  const { engine, size: n, added } = system;
  const fit = await up(system, factor, coefficients, outputs, run);
  const dual = y.map((value, i) => (value - fit[i]!) / added);
  const count = Math.min(PROBES, n);
  const rows = Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * n) / count));
  const cross = (await system.cross(system.samples(rows), run))[system.name];
  const image = await product(engine, cross, dual, [count, outputs, n], run);
  const squares = rows.map((row, i) => {
    let sum = 0;
    for (let c = 0; c < outputs; c++) sum += (fit[row * outputs + c]! - image[i * outputs + c]!) ** 2;
    return sum;
  });
  const mean = squares.reduce((sum, value) => sum + value / count, 0);
  const spread = squares.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, count - 1);
  const size = y.reduce((sum, value) => sum + value * value, 0) / n || 1;
  const residual = Math.sqrt(mean / size);
  return { residual, residualError: residual > 0 ? Math.sqrt(spread / count) / (2 * residual * size) : 0 };
}
