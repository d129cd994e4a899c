// A fitted table: predictions, leave-one-out report, and the JSON file that any later call or browser loads.
import type { NetDocument } from '../../net/document.js';
import { exp } from '../../math/elementary.js';
import type { Engine, RunOptions } from '../../wasm/engine.js';
import type { Tensor } from '../../math/tensor.js';
import { product, solve, whiten } from '../linear.js';
import { gradientDescentMse } from '../mse.js';
import { TrainSystem, type Diagnostics } from '../system.js';
import { asTable, takeRows, type TableLike } from './csv.js';
import { encode, type Encoder } from './encoder.js';
import { gather, type Candidate } from './fit.js';
import { tableDiagonal, tableKernels } from './kernels.js';
import {
  classLogProbabilities,
  fitLink,
  leaveOneOut,
  looMeans,
  profiledScale,
  type ClassLink,
} from './loo.js';
import { outputsOf, type TargetCode, type Task } from './target.js';

/** Everything a model is: its training rows, encoded, and the choices made. */
export interface ModelFile {
  readonly format: 'infinite-width/table-model';
  readonly version: 1;
  readonly encoder: Encoder;
  readonly target: TargetCode;
  readonly net: NetDocument;
  readonly method: 'nngp' | 'ntk';
  readonly diagReg: number;
  /** Steps of gradient flow at learning rate 1; null: the limit. */
  readonly time: number | null;
  readonly rows: number;
  /** (rows, encoder.features) */
  readonly x: Float64Array;
  /** (rows, outputs) */
  readonly y: Float64Array;
  readonly labels: readonly number[] | null;
  readonly candidates: readonly Candidate[];
}

export interface TablePredictOptions {
  /** Coverage of the intervals; default [0.5, 0.9, 0.95]. */
  readonly levels?: readonly number[];
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

export interface Interval {
  readonly level: number;
  readonly low: Float64Array;
  readonly high: Float64Array;
}

export interface TablePrediction {
  readonly task: Task;
  readonly rows: number;
  /** Regression: predictions and their standard deviations (of a new observation), in units of the target. */
  readonly mean?: Float64Array;
  readonly deviation?: Float64Array;
  readonly intervals?: readonly Interval[];
  /** Classification: the classes, their probabilities (rows, classes), and the most probable one of each row. */
  readonly classes?: readonly string[];
  readonly probabilities?: Float64Array;
  readonly labels?: readonly string[];
}

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
  /** Leave-one-out accuracy, or R^2 (of five folds when training stops early). */
  readonly looAccuracy?: number;
  readonly looR2?: number;
}

interface Ready {
  readonly system: TrainSystem;
  readonly weights: Float64Array;
  /** Per output, the variance of the noisy observations' scale. */
  readonly scale: Float64Array;
  readonly link: ClassLink | null;
  /** Sorted |leave-one-out residual| / predicted deviation. */
  readonly quantiles: Float64Array | null;
  readonly report: FitReport;
}

const BATCH = 512; // rows predicted at a time

/**
 * A model of one table. Regression: Gaussian-process mean; the half-width of an interval is the empirical quantile of
 * the standardised leave-one-out residuals times the predicted deviation, so coverage does not rest on Gaussian noise.
 * Classification: scores of one-hot regression through softmax(slope * score / sqrt(1 + pi/8 slope^2 variance)), the
 * slope fitted on leave-one-out scores (Rasmussen & Williams 2006, section 6.5, with a softmax link).
 */
export class TableModel {
  readonly #engine: Engine;
  readonly #file: ModelFile;
  #ready: Promise<Ready> | null = null;

  constructor(engine: Engine, file: ModelFile) {
    this.#engine = engine;
    this.#file = file;
  }

  get task(): Task {
    return this.#file.target.task;
  }

  get target(): string {
    return this.#file.target.column;
  }

  /** Factorises the kernel of the training rows, once. Called by the first prediction otherwise. */
  async prepare(run: RunOptions = {}): Promise<FitReport> {
    this.#ready ??= makeReady(this.#engine, this.#file, run);
    this.#ready.catch(() => (this.#ready = null));
    return (await this.#ready).report;
  }

  /** Predictions for rows that have the columns of the training table (the target is not needed). */
  async predict(table: TableLike, options: TablePredictOptions = {}): Promise<TablePrediction> {
    const { levels = [0.5, 0.9, 0.95], signal, onProgress } = options;
    for (const level of levels)
      if (!(level > 0 && level < 1)) throw new RangeError(`predict: levels must be in (0, 1), got ${level}`);
    const whole = asTable(table, 'predict');
    const { target } = this.#file;
    const outputs = outputsOf(target);
    const count = whole.rows.length;
    await this.prepare({ signal });
    const ready = await this.#ready!;
    const means = new Float64Array(count * outputs);
    const variances = new Float64Array(count);
    for (let from = 0; from < count; from += BATCH) {
      const rows = Array.from({ length: Math.min(BATCH, count - from) }, (_, i) => from + i);
      const part = await this.#batch(ready, encode(this.#file.encoder, takeRows(whole, rows)), { signal });
      means.set(part.mean, from * outputs);
      variances.set(part.variance, from);
      onProgress?.({ done: from + rows.length, total: count });
    }
    return target.task === 'regression'
      ? regression(target, ready, means, variances, levels)
      : classification(target, ready, means, variances);
  }

  async #batch(
    { system, weights }: Ready,
    x: Float64Array,
    run: RunOptions,
  ): Promise<{ mean: Float64Array; variance: Float64Array }> {
    const { net, method, rows, encoder } = this.#file;
    const outputs = outputsOf(this.#file.target);
    const pair = await tableKernels(this.#engine, net, x, this.#file.x, encoder.features, run);
    const cross = pair[method].map((value) => value / system.scale);
    const count = x.length / encoder.features;
    const mean = await product(this.#engine, cross, weights, [count, outputs, rows], run);
    const explained = await whiten(this.#engine, await system.factor(run), cross, 'squares', run);
    const prior = (await tableDiagonal(this.#engine, net, x, encoder.features, run))[method];
    // Variance of a new observation: the latent one plus the noise, in the scale of the system.
    const variance = explained.map(
      (value, i) => Math.max(prior[i]! / system.scale - value, 0) + system.added,
    );
    return { mean, variance };
  }

  /** The model as a JSON text: `loadModel(engine, text)` in Node or a browser gives the same predictions. */
  save(): string {
    const { x, y, ...rest } = this.#file;
    return JSON.stringify({ ...rest, x: toBase64(x), y: toBase64(y) });
  }
}

/** A model from the text that `save` wrote. RangeError for anything else. */
export function loadModel(engine: Engine, text: string): TableModel {
  let file: ModelFile & { x: unknown; y: unknown };
  try {
    file = JSON.parse(text) as typeof file;
  } catch {
    throw new RangeError('loadModel: the text is no JSON. Is it a model file of infinite-width predict?');
  }
  if (file?.format !== 'infinite-width/table-model')
    throw new RangeError('loadModel: this is no model file of infinite-width predict');
  if (file.version !== 1)
    throw new RangeError(`loadModel: version ${String(file.version)} is not known here`);
  const [x, y] = [fromBase64(file.x), fromBase64(file.y)];
  if (x.length !== file.rows * file.encoder.features || y.length !== file.rows * file.target.centre.length)
    throw new RangeError('loadModel: the file is damaged: its arrays do not have the sizes it says');
  return new TableModel(engine, { ...file, x, y });
}

async function makeReady(engine: Engine, file: ModelFile, run: RunOptions): Promise<Ready> {
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
    file.time === null ? null : await earlyStopped(engine, pair[method], file, file.time, run.signal);
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
    diagnostics: await system.diagnostics('cholesky'),
  };
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
      report: { ...report, looAccuracy: hits / rows },
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

const FOLDS = 5;

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
  const all = Array.from({ length: rows }, (_, i) => i);
  const trained = (train: readonly number[]) =>
    gradientDescentMse(engine, {
      ntk: block(kernel, rows, train, train),
      y: { data: gather(y, train, outputs), shape: [train.length, outputs] },
      diagReg,
    });
  const residual = new Float64Array(y.length);
  for (let fold = 0; fold < Math.min(FOLDS, rows); fold++) {
    const left = all.filter((i) => i % FOLDS === fold);
    const rest = all.filter((i) => i % FOLDS !== fold);
    const call = { f0Train: null, ntkTestTrain: block(kernel, rows, left, rest), signal };
    const { test } = await trained(rest)(time, call);
    left.forEach((row, i) => {
      for (let k = 0; k < outputs; k++)
        residual[row * outputs + k] = y[row * outputs + k]! - test!.data[i * outputs + k]!;
    });
  }
  const weights = (await trained(all).coefficients(time)).data as Float64Array;
  return { weights, residual };
}

/** The rows and columns of a square matrix that the lists name. */
function block(
  kernel: Float64Array,
  size: number,
  rows: readonly number[],
  columns: readonly number[],
): Tensor {
  const data = Float64Array.from(rows.flatMap((i) => columns.map((j) => kernel[i * size + j]!)));
  return { data, shape: [rows.length, columns.length] };
}

function regression(
  target: TargetCode,
  { scale, quantiles }: Ready,
  means: Float64Array,
  variances: Float64Array,
  levels: readonly number[],
): TablePrediction {
  const mean = means.map((value) => target.centre[0]! + target.deviation * value);
  const deviation = variances.map((value) => target.deviation * Math.sqrt(scale[0]! * value));
  const intervals = levels.map((level) => {
    const half = quantileOf(quantiles!, level);
    return {
      level,
      low: mean.map((value, i) => value - half * deviation[i]!),
      high: mean.map((value, i) => value + half * deviation[i]!),
    };
  });
  return { task: 'regression', rows: mean.length, mean, deviation, intervals };
}

/** The ceil(level (n + 1))-th smallest, as in conformal prediction; the largest when there are too few. */
function quantileOf(sorted: Float64Array, level: number): number {
  const index = Math.min(sorted.length, Math.ceil(level * (sorted.length + 1))) - 1;
  return sorted[Math.max(0, index)]!;
}

function classification(
  target: TargetCode,
  { scale, link }: Ready,
  means: Float64Array,
  variances: Float64Array,
): TablePrediction {
  const outputs = outputsOf(target);
  const probabilities = means.map((value, i) => value + target.centre[i % outputs]!);
  const p = new Float64Array(outputs);
  const labels: string[] = [];
  for (let i = 0; i < variances.length; i++) {
    classLogProbabilities(link!, probabilities, i * outputs, outputs, scale[0]! * variances[i]!, p);
    probabilities.set(
      p.map((value) => exp(Math.max(value, -745))),
      i * outputs,
    );
    labels.push(target.classes[argmax(probabilities, i * outputs, outputs)]!);
  }
  return { task: 'classification', rows: variances.length, classes: target.classes, probabilities, labels };
}

function argmax(data: ArrayLike<number>, from: number, count: number): number {
  let best = 0;
  for (let k = 1; k < count; k++) if (data[from + k]! > data[from + best]!) best = k;
  return best;
}

function toBase64(data: Float64Array): string {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  let text = '';
  for (let i = 0; i < bytes.length; i += 0x6000)
    text += String.fromCharCode(...bytes.subarray(i, i + 0x6000));
  return btoa(text);
}

function fromBase64(text: unknown): Float64Array {
  if (typeof text !== 'string') throw new RangeError('loadModel: the file is damaged: an array is missing');
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    throw new RangeError('loadModel: the file is damaged: an array is no base64');
  }
  if (bytes.length % 8 !== 0) throw new RangeError('loadModel: the file is damaged: an array is cut');
  return new Float64Array(bytes.buffer);
}
