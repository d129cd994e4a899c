// The kernel regression of a table model: in one piece, or in tiles where that does not fit.
import { permutation, randomKey } from '../../math/random.js';
import { tiledBytes } from '../../math/tiled.js';
import type { Engine, RunOptions } from '../../wasm/engine.js';
import { exactBytes, type Factored } from '../factored.js';
import { NetSystem } from '../large/net-system.js';
import type { LargeProgress } from '../large/regressor.js';
import { tiledRegressor } from '../large/solved.js';
import { tiledFootprint } from '../large/tiled.js';
import { product, rowDots } from '../linear.js';
import { gradientDescentMse } from '../mse.js';
import { TrainSystem, type Diagnostics } from '../system.js';
import type { ModelFile } from './model-file.js';
import { tableDiagonal, tableKernels } from './kernels.js';
import { leaveOneOut, type LooResult } from './loo.js';
import { block, fiveFolds, gather } from './rows.js';
import { outputsOf } from './target.js';

/** Lengths and variances in units of the system: kernels over a power of two. */
export interface Smoother {
  readonly diagnostics: Diagnostics;
  /** What leaving one out says about these rows (null: all of them). */
  readonly loo: LooResult;
  readonly looRows: readonly number[] | null;
  /** Means (points, outputs) and variances of new observations (points). */
  reach(x: Float64Array, run: RunOptions): Promise<{ mean: Float64Array; variance: Float64Array }>;
}

export interface SmootherOptions extends RunOptions {
  readonly onProgress?: ((progress: LargeProgress) => void) | undefined;
}

/** Where the kernel of so many rows goes: `none` has room neither in one piece nor in tiles. */
export function placeOf(engine: Engine, rows: number): 'dense' | 'tiled' | 'none' {
  if (exactBytes(rows) <= engine.memoryBytes) return 'dense';
  return tiledBytes(rows).matrix <= 2 * engine.memoryBytes ? 'tiled' : 'none';
}

/** RangeError where the rows of the file have no room here. */
export function makeSmoother(engine: Engine, file: ModelFile, run: SmootherOptions): Promise<Smoother> {
  const place = placeOf(engine, file.rows);
  if (place === 'none')
    throw new RangeError(
      `predict: the model's ${file.rows} rows need ${tiledBytes(file.rows).matrix} bytes in tiles, ${2 * engine.memoryBytes} are allowed. Raise memoryBytes of the engine, or fit with maxRows.`,
    );
  return place === 'dense' ? inOnePiece(engine, file, run) : inTiles(engine, file, run);
}

async function inOnePiece(engine: Engine, file: ModelFile, run: RunOptions): Promise<Smoother> {
  const { encoder, target, net, method, diagReg, rows, x, y } = file;
  const outputs = outputsOf(target);
  const { [method]: kernel } = await tableKernels(engine, net, x, null, { features: encoder.features, run });
  const system = new TrainSystem(engine, 'fit', kernel, rows, { diagReg });
  const { weights: limit, residual, factored: factor } = await system.solve(y, outputs, run);
  const identity = new Float64Array(rows * rows);
  for (let i = 0; i < rows; i++) identity[i * rows + i] = 1;
  const diagonal = await factor.explained(identity, 'diagonal', run);
  const exact = leaveOneOut(await leftOut(factor, limit, diagonal, y, outputs), diagonal, outputs);
  const early =
    file.time === null || file.flow ? null : await earlyStopped(engine, kernel, file, file.time, run.signal);
  // Weights of other trainings are in units of the kernel itself.
  const other = file.flow?.weights ?? early?.weights;
  const weights = other?.map((value) => value * system.scale) ?? limit;
  return {
    diagnostics: await system.solved(residual),
    loo: early ? { ...exact, residual: early.residual } : exact,
    looRows: null,
    async reach(points, now) {
      const pair = await tableKernels(engine, net, points, x, { features: encoder.features, run: now });
      const cross = pair[method].map((value) => value / system.scale);
      const count = points.length / encoder.features;
      const mean = await product(engine, cross, weights, [count, outputs, rows], now);
      const explained = await factor.explained(cross, 'diagonal', now);
      const prior = (await tableDiagonal(engine, net, points, encoder.features, now))[method];
      return { mean, variance: observed(prior, explained, system) };
    },
  };
}

/**
 * Weights whose ratios with the diagonal of M^-1 are the residuals of leaving a row out. Of a singular M, the limit of a
 * vanishing noise: where a row has a part P_ii in the null space, (P y)_i / P_ii is left.
 */
async function leftOut(
  { left }: Factored,
  limit: Float64Array,
  diagonal: Float64Array,
  y: Float64Array,
  outputs: number,
): Promise<Float64Array> {
  if (!left) return limit;
  const out = await left.project(y, outputs);
  return limit.map((value, i) => {
    const row = Math.floor(i / outputs);
    const share = left.diagonal[row]!;
    return share > 1e-9 ? (out[i]! / share) * diagonal[row]! : value;
  });
}

/** Variances of new observations: the latent ones plus the noise. */
const observed = (
  prior: Float64Array,
  explained: Float64Array,
  { scale, added }: { readonly scale: number; readonly added: number },
): Float64Array => explained.map((value, i) => Math.max(prior[i]! / scale - value, 0) + added);

/**
 * Weights g(M) y after a finite time. There is no closed form for leaving one sample out of early-stopped training, so
 * the residuals are those of five folds, sample i in fold i mod 5, each trained for the same time.
 */
async function earlyStopped(
  engine: Engine,
  kernel: Float64Array,
  { rows, y, target, diagReg }: ModelFile,
  time: number,
  signal: AbortSignal | undefined,
): Promise<{ weights: Float64Array; residual: Float64Array }> {
  const outputs = outputsOf(target);
  const trained = (train: readonly number[]) =>
    gradientDescentMse(engine, {
      ntk: block(kernel, rows, train, train),
      y: { data: gather(y, train, outputs), shape: [train.length, outputs] },
      diagReg,
    });
  const residual = new Float64Array(y.length);
  for (const { left, rest } of fiveFolds(rows)) {
    const call = { f0Train: null, ntkTestTrain: block(kernel, rows, left, rest), signal };
    const { test } = await trained(rest)(time, call);
    left.forEach((row, i) => {
      for (let k = 0; k < outputs; k++)
        residual[row * outputs + k] = y[row * outputs + k]! - test!.data[i * outputs + k]!;
    });
  }
  const all = Array.from({ length: rows }, (_, i) => i);
  return { weights: (await trained(all).coefficients(time)).data as Float64Array, residual };
}

const LOO_ROWS = 1000; // rows left out one at a time where every one costs 2 n^2 operations
const BATCH = 250;

async function inTiles(
  engine: Engine,
  file: ModelFile,
  { signal, onProgress }: SmootherOptions,
): Promise<Smoother> {
  const { encoder, target, net, method, diagReg, rows, x, y } = file;
  const { features } = encoder;
  if (file.time !== null || file.flow || diagReg === 0)
    throw new RangeError(
      `fit: ${rows} rows are solved in tiles, which know neither a finite time, nor probabilities 'cross-entropy', nor diagReg 0. Pass maxRows, or more memoryBytes.`,
    );
  const outputs = outputsOf(target);
  const train = { x: { data: x, shape: [rows, features] } };
  const bytes = tiledFootprint(engine, rows);
  onProgress?.({ stage: 'kernel', done: 0, total: 1, bytes });
  const system = await NetSystem.of(engine, net, train, method, { diagReg, signal });
  const regressor = await tiledRegressor(system, { y, outputs }, bytes, { signal, onProgress });
  const reachOf = async (points: Float64Array, run: RunOptions) => {
    const at = { x: { data: points, shape: [points.length / features, features] } };
    return regressor.reach(at, 'explained', run);
  };
  // M^-1 from the hat matrix A = K M^-1: M^-1 = (I - A) / rho, so that y - (prediction without i) = (y - A y)_i / (1 - A_ii).
  const looRows = [...permutation(engine, randomKey(0), rows).slice(0, LOO_ROWS)].sort((a, b) => a - b);
  const rho = system.added + regressor.diagnostics.jitter / system.scale;
  const residual = new Float64Array(looRows.length * outputs);
  const variance = new Float64Array(looRows.length);
  for (let from = 0; from < looRows.length; from += BATCH) {
    const part = looRows.slice(from, from + BATCH);
    const { mean, right } = await reachOf(gather(x, part, features), { signal });
    part.forEach((row, i) => {
      const open = 1 - right[i * rows + row]!;
      variance[from + i] = rho / open;
      for (let k = 0; k < outputs; k++)
        residual[(from + i) * outputs + k] = (y[row * outputs + k]! - mean[i * outputs + k]!) / open;
    });
    onProgress?.({ stage: 'predict', done: from + part.length, total: looRows.length, bytes });
  }
  return {
    diagnostics: regressor.diagnostics,
    loo: { residual, variance },
    looRows,
    async reach(points, run) {
      const { mean, left, right, width } = await reachOf(points, run);
      const explained = rowDots(left, right, points.length / features, width);
      const prior = (await tableDiagonal(engine, net, points, features, run))[method];
      return { mean, variance: observed(prior, explained, system) };
    },
  };
}
