// A fitted table: predictions for new rows.
import { exp } from '../../math/elementary.js';
import { knownFields, type Engine, type Fields } from '../../wasm/engine.js';
import { asTable, takeRows, type TableLike } from './csv.js';
import { encode } from './encoder.js';
import { readModelFile, writeModelFile } from './file.js';
import type { ModelFile } from './model-file.js';
import { classLogProbabilities } from './loo.js';
import { makeReady, type FitReport, type Ready } from './ready.js';
import { argmax } from './rows.js';
import type { SmootherOptions } from './smoother.js';
import { outputsOf, type TargetCode, type Task } from './target.js';

/** Levels of intervals, and the options of long calls. */
export interface TablePredictOptions {
  /** Coverage of the intervals; default [0.5, 0.9, 0.95]. */
  readonly levels?: readonly number[];
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

const PREDICT_OPTIONS: Fields<TablePredictOptions> = { levels: true, signal: true, onProgress: true };

/** Bounds of every row at one level of coverage. */
export interface Interval {
  readonly level: number;
  readonly low: Float64Array;
  readonly high: Float64Array;
}

/** Predictions of rows: numbers with intervals, or classes with probabilities. */
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

const BATCH = 512; // rows predicted at a time

/**
 * A model of one table. Regression: Gaussian-process mean; the half-width of an interval is the empirical quantile of
 * the standardised leave-one-out residuals times the predicted deviation, so coverage does not rest on Gaussian noise.
 * Classification: scores of one-hot regression through softmax(slope * score / sqrt(1 + pi/8 slope^2 variance)), the
 * slope fitted on leave-one-out scores (Rasmussen & Williams 2006, section 6.5, with a softmax link). With
 * `probabilities: 'cross-entropy'`: softmax of the outputs of the flow.
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
  async prepare(run: SmootherOptions = {}): Promise<FitReport> {
    this.#ready ??= makeReady(this.#engine, this.#file, run);
    this.#ready.catch(() => (this.#ready = null));
    return (await this.#ready).report;
  }

  /** Predictions for rows that have the columns of the training table (the target is not needed). */
  async predict(table: TableLike, options: TablePredictOptions = {}): Promise<TablePrediction> {
    knownFields('predict', options, PREDICT_OPTIONS);
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
      const x = encode(this.#file.encoder, takeRows(whole, rows));
      const part = await ready.smoother.reach(x, { signal });
      means.set(part.mean, from * outputs);
      variances.set(part.variance, from);
      onProgress?.({ done: from + rows.length, total: count });
    }
    return target.task === 'regression'
      ? regression(target, ready, means, variances, levels)
      : classification(target, ready, means, variances);
  }

  /** The model as a JSON text: `loadModel(engine, text)` in Node or a browser gives the same predictions. */
  save(): string {
    return writeModelFile(this.#file);
  }
}

/** A model from the text that `save` wrote. RangeError for anything else. */
export function loadModel(engine: Engine, text: string): TableModel {
  return new TableModel(engine, readModelFile(text));
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
  { scale, link, report }: Ready,
  means: Float64Array,
  variances: Float64Array,
): TablePrediction {
  const outputs = outputsOf(target);
  // Outputs of a flow of the cross-entropy are logits; those of one-hot regression are centred scores.
  const flow = report.probabilities === 'cross-entropy';
  const probabilities = means.map((value, i) => value + (flow ? 0 : target.centre[i % outputs]!));
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
