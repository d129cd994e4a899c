// Regressors from M^-1: Cholesky in tiles, and conjugate gradients on tiles never stored.
import type { RunOptions } from '../../wasm/engine.js';
import type { Factored } from '../factored.js';
import { factorise, LOST, product, relativeGap, solve as solveDense, transpose } from '../linear.js';
import type { Diagnostics } from '../system.js';
import { conjugateGradients, type BlockMap } from './conjugate-gradients.js';
import { down, inner, lowRank, up, type ColumnSource, type LowRank } from './low-rank.js';
import type { NetSystem } from './net-system.js';
import { nothing, rankOf, type LargeOptions, type Regressor, type Targets } from './regressor.js';
import { tiledFactor } from './tiled.js';

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
      const m = points.x.shape[0]!;
      const mean = await product(engine, cross, weights, [m, outputs, n], run);
      if (need === 'mean') return { ...nothing, mean };
      const a = transpose(await solve(transpose(cross, m, n), m, run), n, m);
      return { mean, left: cross, right: a, width: n, weights: a, nngp: pair.nngp };
    },
  };
}

/** Jitter, in units of the diagonal, beyond which it is not raised. */
const MOST_JITTER = 1e-9;

/** Cholesky in tiles: n^2 / 2 numbers, n^3 / 3 operations, the accuracy of the path in one piece. */
export async function tiledRegressor(
  system: NetSystem,
  { y, outputs }: Targets,
  bytes: number,
  { signal, onProgress }: LargeOptions,
): Promise<Regressor> {
  const run = { signal };
  const factorWith = (least: number): Promise<Factored> =>
    tiledFactor(
      system.engine,
      system.size,
      async (tiles) => {
        onProgress?.({ stage: 'kernel', done: 0, total: 1, bytes });
        await system.fill(tiles, run);
        onProgress?.({ stage: 'kernel', done: 1, total: 1, bytes });
      },
      {
        ...run,
        least,
        onProgress: ({ done, total }) => onProgress?.({ stage: 'factor', done, total, bytes }),
      },
    );
  let factor = await factorWith(0);
  let weights: Float64Array;
  let residual: number;
  for (;;) {
    weights = await factor.solve(y, outputs, run);
    const image = await shifted(system, system.added + factor.jitter, run)(weights, outputs);
    residual = relativeGap(y, image);
    if (residual <= LOST || factor.jitter > MOST_JITTER) break;
    factor = await factorWith(512 * Math.max(factor.jitter, 2 ** -48)); // rounding has eaten the answer
  }
  const diagnostics: Diagnostics = {
    ...system.base,
    method: 'tiled',
    jitter: factor.jitter * system.scale,
    condition: factor.condition,
    residual,
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
  const solve = async (
    b: Float64Array,
    r: number,
    run: RunOptions & Pick<LargeOptions, 'checkpoint'>,
  ): Promise<Float64Array> => {
    const found = await conjugateGradients(
      shifted(system, system.added, run),
      (block, width) => precondition(block, width, run),
      b,
      [n, r],
      {
        signal: run.signal,
        checkpoint: run.checkpoint,
        rough: allowsRough(system) ? shifted(system, system.added, run, 'f32') : null,
        tolerance,
        maxIterations: 1000,
        onProgress: (share, residual) =>
          onProgress?.({ stage: 'solve', done: share, total: 1, bytes, residual }),
      },
    );
    most = {
      iterations: Math.max(most.iterations, found.iterations),
      residual: Math.max(most.residual, found.residual),
    };
    return found.x;
  };
  const weights = await solve(y, outputs, {
    signal,
    ...(options.checkpoint ? { checkpoint: options.checkpoint } : {}),
  });
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
export async function lowRankInverse(
  system: Pick<ColumnSource, 'engine' | 'size' | 'diagonal'>,
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
