// A fitted table: predictions for new rows.
import { knownFields, type Engine, type Fields } from '../../wasm/engine.js';
import { asTable, takeRows, type TableLike } from './csv.js';
import { encode } from './encoder.js';
import { readModelFile, writeModelFile } from './file.js';
import type { ModelFile } from './model-file.js';
import { classProbabilities } from './loo.js';
import { makeReady, type FitReport, type Ready } from './ready.js';
import { argmax } from './rows.js';
import type { SmootherOptions } from './smoother.js';
import { countBelow } from './uncertainty/intervals.js';
import { meanOf } from './select.js';
import { valueOf } from './transform.js';
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
  /** Share of the training rows that are less unlike the others than this row is: near 1, the answer is a guess. */
  readonly novelty: Float64Array;
  /** The row is less like the training rows than each of them is like the others. */
  readonly novel: readonly boolean[];
  /** Classification: the classes, their probabilities (rows, classes), and the most probable one of each row. */
  readonly classes?: readonly string[];
  readonly probabilities?: Float64Array;
  readonly labels?: readonly string[];
}

const BATCH = 512; // rows predicted at a time

/**
 * A model of one table. Regression: Gaussian-process mean; an interval is made of quantiles of the leave-one-out errors of
 * the rows with the nearest predictions, in units of a deviation that changes over the table, so coverage rests neither on
 * Gaussian noise nor on noise of one size. Classification: scores of one-hot regression through
 * softmax(slope * score / sqrt(1 + pi/8 slope^2 variance)), mixed with the shares of the classes, slope and weight fitted on
 * leave-one-out scores (Rasmussen & Williams 2006, section 6.5, with a softmax link). With
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
    const reached = {
      means: new Float64Array(count * outputs),
      variances: new Float64Array(count),
      sizes: new Float64Array(count),
    };
    for (let from = 0; from < count; from += BATCH) {
      const rows = Array.from({ length: Math.min(BATCH, count - from) }, (_, i) => from + i);
      const x = encode(this.#file.encoder, takeRows(whole, rows));
      const part = await ready.smoother.reach(x, { signal });
      reached.means.set(part.mean, from * outputs);
      reached.variances.set(part.variance, from);
      if (ready.errors) reached.sizes.set(await ready.errors.noise.at(x, { signal }), from);
      onProgress?.({ done: from + rows.length, total: count });
    }
    const answer =
      target.task === 'regression'
        ? regression(target, ready, reached, levels)
        : classification(target, ready, reached);
    return { ...answer, ...noveltyOf(reached.variances, ready.variances) };
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

/** What the smoother says of new rows: means (rows, outputs), variances and relative sizes of errors (rows). */
interface Reached {
  readonly means: Float64Array;
  readonly variances: Float64Array;
  readonly sizes: Float64Array;
}
type Answer = Omit<TablePrediction, 'novelty' | 'novel'>;

function regression(
  target: TargetCode,
  { scale, errors }: Ready,
  { means, variances, sizes }: Reached,
  levels: readonly number[],
): Answer {
  const { intervals: record, unit } = errors!;
  const code = target.scale!;
  const step = variances.map((value, i) => Math.sqrt(scale[0]! * value) * sizes[i]!);
  const samples = means.length && code.transform.kind !== 'none' ? SMEAR : 0;
  const mean = new Float64Array(means.length);
  const deviation = step.map((value) => value * unit * code.deviation);
  means.forEach((value, i) => {
    const errorsHere = record.errors(value, samples);
    mean[i] = meanOf(code, value, step[i]!, errorsHere);
    if (samples) deviation[i] = spreadOf(Array.from(errorsHere, (e) => valueOf(code, value + step[i]! * e)));
  });
  const intervals = levels.map((level) => {
    const reach = Array.from(means, (value) => record.reach(value, level));
    return {
      level,
      low: means.map((value, i) => valueOf(code, value - reach[i]!.below * step[i]!)),
      high: means.map((value, i) => valueOf(code, value + reach[i]!.above * step[i]!)),
    };
  });
  return { task: 'regression', rows: mean.length, mean, deviation, intervals };
}

const SMEAR = 41; // errors over which the mean and deviation of a bent scale are taken

function spreadOf(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value / values.length, 0);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2 / values.length, 0));
}

function classification(target: TargetCode, { scale, link }: Ready, { means, variances }: Reached): Answer {
  const outputs = outputsOf(target);
  // Outputs of a flow of the cross-entropy are logits; those of one-hot regression are centred scores.
  const centred = scale[0]! > 0;
  const mean = means.map((value, i) => value + (centred ? target.centre[i % outputs]! : 0));
  const probabilities = new Float64Array(mean.length);
  const labels: string[] = [];
  for (let i = 0; i < variances.length; i++) {
    const p = probabilities.subarray(i * outputs, (i + 1) * outputs);
    classProbabilities(link!, { mean, offset: i * outputs, variance: scale[0]! * variances[i]! }, p);
    labels.push(target.classes[argmax(p, 0, outputs)]!);
  }
  return { task: 'classification', rows: variances.length, classes: target.classes, probabilities, labels };
}

/** How unlike the training rows new rows are, by the variances of both, each training row left out. */
function noveltyOf(
  variances: Float64Array,
  known: Float64Array,
): { novelty: Float64Array; novel: readonly boolean[] } {
  const novelty = variances.map((value) => countBelow(known, value) / known.length);
  const most = known[known.length - 1]!;
  return { novelty, novel: Array.from(variances, (value) => value > most) };
}
