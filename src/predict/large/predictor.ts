// Predictions of `predict` for train sets whose kernel does not fit: which solver, which batches, and the law at t = infinity.
import { sizeOf, type Tensor, type TensorLike } from '../../math/tensor.js';
import { tiledBytes } from '../../math/tiled.js';
import type { NetDocument } from '../../net/document.js';
import type { Engine, RunOptions } from '../../wasm/engine.js';
import { finishCovariance, finishVariance } from '../covariance.js';
import type { EnsembleResult } from '../ensemble.js';
import { exactBytes } from '../factored.js';
import type { GpMethod } from '../gp.js';
import { kernelDiagonal, kernelPair, partOf, pointsLike, type Samples } from '../kernels.js';
import { timesOf, type Times } from '../layout.js';
import { product, rowDots } from '../linear.js';
import type { Diagnostics, Regularisation } from '../system.js';
import { powerOfTwo } from '../../math/power-of-two.js';
import { lowRankBytes } from './low-rank.js';
import { NetSystem } from './net-system.js';
import { featuresRegressor } from './features.js';
import { nystromRegressor } from './nystrom.js';
import { rankOf, type LargeOptions, type Reach, type Regressor } from './regressor.js';
import { cgRegressor, tiledRegressor } from './solved.js';
import { tiledFootprint } from './tiled.js';

/**
 * How the train system is solved. `exact`: the kernel in one piece, any time. For t = infinity also: `tiled`, Cholesky in
 * tiles (n^2 / 2 numbers); `cg`, conjugate gradients on kernel tiles that are never stored; `nystrom`, an approximation
 * by few samples; `features`, one by the random features of a finite net. `auto` (default): `exact` while 48 n^2 bytes fit the engine's memoryBytes, then `tiled` while 4 n^2
 * bytes fit eight times that, else `cg`.
 */
export type Solver = 'auto' | 'exact' | 'tiled' | 'cg' | 'nystrom' | 'features';
const SOLVERS: readonly Solver[] = ['auto', 'exact', 'tiled', 'cg', 'nystrom', 'features'];

export function chooseSolver(engine: Engine, n: number, solver: Solver = 'auto'): Exclude<Solver, 'auto'> {
  if (!SOLVERS.includes(solver))
    throw new RangeError(`predict: solver must be one of ${SOLVERS.join(', ')}, got ${String(solver)}`);
  if (solver !== 'auto') return solver;
  if (exactBytes(n) <= engine.memoryBytes) return 'exact';
  return tiledBytes(n).matrix <= 8 * engine.memoryBytes ? 'tiled' : 'cg';
}

export interface LargeTask extends Regularisation, LargeOptions {
  readonly train: Samples;
  readonly y: Tensor;
  readonly method: GpMethod;
  readonly mode?: 'flow' | 'discrete';
}

interface LargeCall {
  readonly xTest?: TensorLike;
  readonly time?: Times;
  readonly covariance?: 'full' | 'diagonal' | 'none';
  readonly pattern2?: TensorLike | null;
  readonly signal?: AbortSignal | undefined;
}

/** Solves once, then predicts test points in batches. Mean and covariance as `gpInference` gives them. */
export async function largePredictor(
  engine: Engine,
  net: NetDocument,
  solver: Exclude<Solver, 'auto' | 'exact'>,
  task: LargeTask,
): Promise<(call?: LargeCall) => Promise<EnsembleResult>> {
  const { train, y, method } = task;
  const n = train.x.shape[0]!;
  if (y.shape.length > 2)
    throw new RangeError(`predict: solver '${solver}' takes targets (n) or (n, outputs), got [${y.shape}]`);
  if (task.mode === 'discrete')
    throw new RangeError(`predict: solver '${solver}' knows the limit of the flow only; use mode 'flow'`);
  const outputs = y.shape[1] ?? 1;
  // Targets near 1, so that sums of their squares neither overflow nor vanish.
  let top = 0;
  for (const value of y.data) top = Math.max(top, Math.abs(value));
  const unit = top > 0 ? powerOfTwo(top) : 1;
  const targets = { y: Float64Array.from(y.data, (value) => value / unit), outputs };
  const name = method === 'nngp' ? 'nngp' : 'ntk';
  const bytes =
    solver === 'tiled'
      ? tiledFootprint(engine, n)
      : lowRankBytes(n, rankOf(n, task, solver === 'features' ? Infinity : n)) + 64 * n * outputs;
  const make = {
    tiled: tiledRegressor,
    cg: cgRegressor,
    nystrom: nystromRegressor,
    features: featuresRegressor,
  }[solver];
  task.onProgress?.({ stage: 'kernel', done: 0, total: 1, bytes });
  const system = await NetSystem.of(engine, net, train, name, task);
  const regressor = await make(system, targets, bytes, task);
  return async (call = {}) => {
    const times = limitTimes(solver, n, call.time ?? Infinity);
    const points = testPoints(solver, call, train);
    const m = points.x.shape[0]!;
    const wants = call.covariance ?? 'none';
    const law: Law = { system, regressor, method, outputs };
    const run = { signal: call.signal };
    const result = await batches(law, points, wants, run, (done) =>
      task.onProgress?.({ stage: 'predict', done, total: m, bytes }),
    );
    const repeated = (data: Float64Array, shape: readonly number[]): Tensor => {
      const out = new Float64Array(sizeOf(times) * data.length);
      for (let at = 0; at < out.length; at += data.length) out.set(data, at);
      return { data: out, shape: [...times, ...shape] };
    };
    return {
      mean: repeated(
        result.mean.map((value) => value * unit),
        [m, ...y.shape.slice(1)],
      ),
      ...(wants === 'full' ? { covariance: repeated(result.spread, [m, m]) } : {}),
      ...(wants === 'diagonal' ? { variance: repeated(result.spread, [m]) } : {}),
      diagnostics: inUnits(regressor.diagnostics, unit),
    };
  };
}

/** The bound of the error of the mean is in units of the targets. */
const inUnits = (found: Diagnostics, unit: number): Diagnostics =>
  found.errorBound === undefined ? found : { ...found, errorBound: found.errorBound * unit };

function limitTimes(solver: Solver, n: number, time: Times): readonly number[] {
  const { values, shape } = timesOf('predict', time);
  if (values.every((value) => value === Infinity)) return shape;
  throw new RangeError(
    `predict: solver '${solver}' knows t = Infinity only, got ${values.find((value) => value !== Infinity)}. Finite times need the eigendecomposition of the ${n} x ${n} kernel: solver 'exact', about ${exactBytes(n)} bytes, or fewer samples.`,
  );
}

function testPoints(solver: Solver, { xTest, pattern2 }: LargeCall, train: Samples): Samples {
  if (xTest === undefined)
    throw new RangeError(
      `predict: solver '${solver}' answers for test points: pass xTest (xTrain is allowed)`,
    );
  return pointsLike(train, xTest, pattern2);
}

interface Law {
  readonly system: NetSystem;
  readonly regressor: Regressor;
  readonly method: GpMethod;
  readonly outputs: number;
}

/** A full covariance is one batch; else as many points as eight (points, n) matrices fit the budget. */
async function batches(
  law: Law,
  points: Samples,
  wants: 'full' | 'diagonal' | 'none',
  run: RunOptions,
  onDone: (done: number) => void,
): Promise<{ mean: Float64Array; spread: Float64Array }> {
  const { engine, size: n } = law.system;
  const m = points.x.shape[0]!;
  const step = wants === 'full' ? m : Math.max(1, Math.min(m, Math.floor(engine.memoryBytes / (64 * n))));
  const mean = new Float64Array(m * law.outputs);
  const spread = new Float64Array(wants === 'full' ? m * m : m);
  for (let from = 0; from < m; from += step) {
    const part = partOf(points, from, Math.min(step, m - from));
    const need = wants === 'none' ? 'mean' : law.method === 'ntk' ? 'weights' : 'explained';
    const reach = await law.regressor.reach(part, need, run);
    mean.set(reach.mean, from * law.outputs);
    if (wants !== 'none') spread.set(await covariance(law, part, reach, wants, run), from);
    onDone(from + part.x.shape[0]!);
  }
  return { mean, spread };
}

/** Prior minus what is explained; for `ntk` K_tt + A K_dd A' - (A K_dt + K_td A') (Lee et al. 2019, eq. 16). */
async function covariance(
  { system, method }: Law,
  points: Samples,
  { left, right, width, weights, nngp, root }: Reach,
  wants: 'full' | 'diagonal',
  run: RunOptions,
): Promise<Float64Array> {
  const { engine, net, size: n, scale } = system;
  const m = points.x.shape[0]!;
  if (root) {
    const own =
      wants === 'diagonal'
        ? rowDots(root.data, root.data, m, root.width)
        : await product(engine, root.data, root.data, [m, m, root.width], { transB: true, ...run });
    const data = own.map((value) => value * scale);
    return wants === 'diagonal' ? finishVariance(data, null, 1) : finishCovariance('predict', data, data, m);
  }
  let [a, b, k] = [left, right, width];
  if (method === 'ntk') {
    // H = K_td - A K_dd / 2, so that A H' + H A' is explained.
    const transposed = new Float64Array(m * n);
    for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) transposed[j * m + i] = weights[i * n + j]!;
    const image = await system.multiply(transposed, m, run, 'nngp');
    a = nngp.map((value, i) => 2 * value - image[(i % n) * m + Math.floor(i / n)]!);
    [b, k] = [weights, n];
  }
  const name = method === 'ntkgp' ? 'ntk' : 'nngp';
  if (wants === 'diagonal') {
    const prior = (await kernelDiagonal(engine, net, points, run))[name];
    return finishVariance(prior, rowDots(a, b, m, k), scale);
  }
  const prior = (await kernelPair(engine, net, points, null, run))[name];
  const explained = await product(engine, a, b, [m, m, k], { transB: true, ...run });
  const data = prior.map((value, i) => value - scale * explained[i]!);
  return finishCovariance('predict', data, prior, m);
}
