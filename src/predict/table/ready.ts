// A model file made ready to predict: kernel of the training rows factorised, leave-one-out residuals, calibration.
import type { NetDocument } from '../../net/document.js';
import type { Engine, RunOptions } from '../../wasm/engine.js';
import { solve, whiten } from '../linear.js';
import { gradientDescentMse } from '../mse.js';
import { TrainSystem, type Diagnostics } from '../system.js';
import type { Candidate, ModelFile } from './file.js';
import { tableKernels } from './kernels.js';
import { fitLink, leaveOneOut, looMeans, profiledScale, type ClassLink } from './loo.js';
import { argmax, block, fiveFolds, gather } from './rows.js';
import { outputsOf, type Task } from './target.js';

/** What is known about the fit without any held-out row. */
export interface FitReport {
  readonly task: Task;
  readonly rows: number;
  readonly features: number;
  readonly method: 'nngp' | 'ntk';
  readonly net: NetDocument;
  readonly candidates: readonly Candidate[];
  readonly notes: readonly string[];
  readonly diagnostics: Diagnostics;
  /** Steps of the flow at learning rate 1; null: the limit. */
  readonly time: number | null;
  /** Where class probabilities come from. */
  readonly probabilities?: 'gaussian' | 'cross-entropy';
  /** Leave-one-out accuracy, or R^2 (of five folds when training stops early). */
  readonly looAccuracy?: number;
  readonly looR2?: number;
}

export interface Ready {
  readonly system: TrainSystem;
  readonly weights: Float64Array;
  /** Per output, the variance of the noisy observations' scale. */
  readonly scale: Float64Array;
  readonly link: ClassLink | null;
  /** Sorted |leave-one-out residual| / predicted deviation. */
  readonly quantiles: Float64Array | null;
  readonly report: FitReport;
}

/** Factorises the kernel and fits the calibration; what stops early is trained on five folds too. */
export async function makeReady(engine: Engine, file: ModelFile, run: RunOptions): Promise<Ready> {
  const { encoder, target, net, method, diagReg, rows, x, y, labels } = file;
  const outputs = outputsOf(target);
  const pair = await tableKernels(engine, net, x, null, encoder.features, run);
  const system = new TrainSystem(engine, 'fit', pair[method], rows, { diagReg });
  const factor = await system.factor(run);
  const identity = new Float64Array(rows * rows);
  for (let i = 0; i < rows; i++) identity[i * rows + i] = 1;
  const diagonal = await whiten(engine, factor, identity, 'squares', run);
  const limit = await solve(engine, factor, y, outputs, run);
  const early =
    file.time === null || file.flow
      ? null
      : await earlyStopped(engine, pair[method], file, file.time, run.signal);
  const weights = early ? early.weights.map((value) => value * system.scale) : limit;
  const exact = leaveOneOut(limit, diagonal, outputs);
  const loo = early ? { ...exact, residual: early.residual } : exact;
  const scale = profiledScale(loo, outputs);
  const report: FitReport = {
    task: target.task,
    rows,
    features: encoder.features,
    method,
    net,
    candidates: file.candidates,
    notes: encoder.notes,
    time: file.time,
    diagnostics: await system.diagnostics('cholesky'),
  };
  if (file.flow) {
    const { weights: dual, foldAccuracy } = file.flow;
    const found = { ...report, probabilities: 'cross-entropy' as const, looAccuracy: foldAccuracy };
    return {
      system,
      weights: dual.map((value) => value * system.scale),
      scale: Float64Array.of(0),
      link: { slope: 1 },
      quantiles: null,
      report: found,
    };
  }
  if (target.task === 'classification') {
    const common = scale.reduce((sum, value) => sum + value / outputs, 0);
    const means = looMeans(y, loo, target.centre);
    const { link } = fitLink(
      means,
      loo.variance.map((v) => v * common),
      labels!,
      outputs,
      30,
    );
    const hits = labels!.filter((label, i) => label === argmax(means, i * outputs, outputs)).length;
    return {
      system,
      weights,
      scale: Float64Array.of(common),
      link,
      quantiles: null,
      report: { ...report, probabilities: 'gaussian', looAccuracy: hits / rows },
    };
  }
  const quantiles = loo.residual
    .map((value, i) => Math.abs(value) / Math.sqrt(scale[0]! * loo.variance[i]!))
    .sort();
  const [errors, spread] = [loo.residual, y].map((v) => v.reduce((sum, value) => sum + value * value, 0));
  return {
    system,
    weights,
    scale,
    link: null,
    quantiles,
    report: { ...report, looR2: 1 - errors! / (spread || 1) },
  };
}

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
  const weights = (await trained(Array.from({ length: rows }, (_, i) => i)).coefficients(time))
    .data as Float64Array;
  return { weights, residual };
}
