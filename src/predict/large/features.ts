// Kernel regression with random features: linear regression on the hidden outputs (and derivatives) of a random finite net.
import { UnsupportedError, type RunOptions } from '../../wasm/engine.js';
import type { Samples } from '../kernels.js';
import { product, solve, transpose, whiten } from '../linear.js';
import type { Diagnostics } from '../system.js';
import { baseCount, featureCount, featureMap, features, type FeatureMap } from './feature-map.js';
import { WIDEST, type Columns } from './low-rank.js';
import type { NetSystem } from './net-system.js';
import { nothing, rankOf, type LargeOptions, type Regressor, type Targets } from './regressor.js';
import { probe, ridge } from './ridge.js';

/**
 * Regression with the kernel F F' of `rank` features: no kernel entry of the train set, n rank^2 operations. Its law is
 * that of the linear model, so covariances are positive semidefinite: rho phi A^-1 phi' (A = F'F + rho I) as posterior;
 * for method ntk, where only the features psi of the NNGP are random at the start,
 * (psi - phi A^-1 F' Psi) (...)' = rho^2 (phi A^-1)_psi (phi A^-1)_psi', because psi are the first of phi.
 */
export async function featuresRegressor(
  system: NetSystem,
  { y, outputs }: Targets,
  bytes: number,
  options: LargeOptions,
): Promise<Regressor> {
  const { engine, size: n, net, train, name, scale } = system;
  if (train.maskConstant !== undefined)
    throw new UnsupportedError(
      "predict: solver 'features' of inputs with maskConstant",
      "Finite nets know no masks: use solver 'nystrom' or 'cg'.",
    );
  const { signal, onProgress, seed = 0 } = options;
  const run = { signal };
  const map = featureMap(net, train.x.shape.slice(1), rankOf(n, options, Infinity), seed, name === 'ntk');
  const factor = await columns(system, map, {
    ...run,
    onProgress: (done) => onProgress?.({ stage: 'factor', done, total: n, bytes }),
  });
  const { rank } = factor;
  const { small, coefficients } = await ridge(system, factor, { y, outputs }, run);
  const diagnostics: Diagnostics = {
    ...system.base,
    method: 'features',
    jitter: small.jitter * scale,
    condition: small.condition,
    rank,
    ...(await probe(system, factor, { y, outputs }, coefficients, run)),
    bytes,
  };
  onProgress?.({ stage: 'solve', done: 1, total: 1, bytes });
  const rho = system.added + small.jitter;
  return {
    diagnostics,
    async reach(points, need, now) {
      const m = points.x.shape[0]!;
      const phi = await matrix(system, map, points, now);
      const mean = await product(engine, phi, coefficients, [m, outputs, rank], now);
      if (need === 'mean') return { ...nothing, mean };
      if (need === 'explained') {
        const half = await whiten(engine, small, phi, 'whole', now);
        const root = { data: half.map((value) => Math.sqrt(rho) * value), width: rank };
        return { ...nothing, mean, root };
      }
      const solved = await solve(engine, small, transpose(phi, m, rank), m, now);
      const width = baseCount(map);
      const psi = transpose(solved.subarray(0, width * m), width, m);
      return { ...nothing, mean, root: { data: psi.map((value) => rho * value), width } };
    },
  };
}

/** F of the train set, in units of the system. */
async function columns(
  { engine, size: n, train, scale }: NetSystem,
  map: FeatureMap,
  run: RunOptions & { readonly onProgress: (done: number) => void },
): Promise<Columns> {
  const rank = featureCount(map);
  const unit = Math.sqrt(scale);
  const blocks = Array.from({ length: Math.ceil(rank / WIDEST) }, (_, i) => {
    const width = Math.min(WIDEST, rank - i * WIDEST);
    return { data: new Float64Array(n * width), width };
  });
  await features(
    engine,
    map,
    train.x,
    (part, first) => {
      const rows = part.length / rank;
      blocks.forEach(({ data, width }, b) => {
        for (let i = 0; i < rows; i++)
          for (let c = 0; c < width; c++)
            data[(first + i) * width + c] = part[i * rank + b * WIDEST + c]! / unit;
      });
    },
    run,
  );
  return { rank, blocks };
}

/** (points, rank), in units of the system. */
async function matrix(
  { engine, scale }: NetSystem,
  map: FeatureMap,
  { x }: Samples,
  run: RunOptions,
): Promise<Float64Array> {
  const rank = featureCount(map);
  const out = new Float64Array(x.shape[0]! * rank);
  const unit = Math.sqrt(scale);
  await features(
    engine,
    map,
    x,
    (part, first) =>
      out.set(
        part.map((value) => value / unit),
        first * rank,
      ),
    run,
  );
  return out;
}
