// Kernel regression with few samples that stand for all.
import { product, solve as solveDense, transpose, whiten } from '../linear.js';
import type { Diagnostics } from '../system.js';
import { lowRank, up } from './low-rank.js';
import type { NetSystem } from './net-system.js';
import { nothing, rankOf, type LargeOptions, type Regressor, type Targets } from './regressor.js';
import { probe, ridge } from './ridge.js';

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
  const { small, coefficients } = await ridge(system, factor, { y, outputs }, run);
  const trace = system.diagonal.reduce((sum, value) => sum + value, 0);
  const diagnostics: Diagnostics = {
    ...system.base,
    method: 'nystrom',
    jitter: small.jitter * system.scale,
    condition: small.condition,
    rank,
    traceResidual: factor.left.reduce((sum, value) => sum + value, 0) / trace,
    ...(await probe(system, factor, { y, outputs }, coefficients, run)),
    bytes,
  };
  const chosen = system.samples(pivots);
  const pairFactor = { lower, size: rank, jitter: 0, condition: 1 };
  onProgress?.({ stage: 'solve', done: 1, total: 1, bytes });
  return {
    diagnostics,
    async reach(points, need, now) {
      const m = points.x.shape[0]!;
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
