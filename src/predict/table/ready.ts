// A model file made ready to predict: kernel of the training rows factorised, leave-one-out residuals, calibration.
import type { NetDocument } from '../../net/document.js';
import type { Engine } from '../../wasm/engine.js';
import type { Diagnostics } from '../system.js';
import type { Candidate, ModelFile } from './model-file.js';
import { FINE, fitLink, leastFloor, looMeans, profiledScale, type ClassLink, type LooResult } from './loo.js';
import { argmax, gather } from './rows.js';
import { makeSmoother, type Smoother, type SmootherOptions } from './smoother.js';
import type { TableSummary } from './reading/table.js';
import { errorRecord, Intervals } from './uncertainty/intervals.js';
import { fitNoise, type NoiseModel } from './uncertainty/noise.js';
import { outputsOf, type Task } from './target.js';

/** What is known about the fit without any held-out row. */
export interface FitReport {
  readonly task: Task;
  readonly rows: number;
  /** Columns of the table that are learned from. */
  readonly columns: number;
  /** Numbers per row that the kernel sees: a column of numbers gives its value and its rank, others one per level. */
  readonly features: number;
  readonly method: 'nngp' | 'ntk';
  readonly net: NetDocument;
  readonly candidates: readonly Candidate[];
  /** The best linear candidate; null where none was compared. */
  readonly simplest: Candidate | null;
  /** What was left out, what was decided and what looks wrong, for people. */
  readonly notes: readonly string[];
  /** What was understood of the training table, column by column. */
  readonly summary: TableSummary;
  readonly diagnostics: Diagnostics;
  /** Steps of the flow at learning rate 1; null: the limit. */
  readonly time: number | null;
  /** Where class probabilities come from. */
  readonly probabilities?: 'gaussian' | 'cross-entropy';
  /** Rows on which leave-one-out statements rest: all, or a random thousand where the kernel is in tiles. */
  readonly looRows: number;
  /** Leave-one-out accuracy, or R^2 (of five folds when training stops early). */
  readonly looAccuracy?: number;
  readonly looR2?: number;
}

/** How wrong predictions of numbers are: a size that changes over the table, and intervals. */
export interface ErrorModel {
  readonly noise: NoiseModel;
  readonly intervals: Intervals;
  /** Root mean square of the errors over their predicted deviations. */
  readonly unit: number;
}

export interface Ready {
  readonly smoother: Smoother;
  /** Per output, the variance of the noisy observations' scale. */
  readonly scale: Float64Array;
  readonly link: ClassLink | null;
  /** Numbers only. */
  readonly errors: ErrorModel | null;
  /** Sorted variances of the training rows, each without itself. */
  readonly variances: Float64Array;
  readonly report: FitReport;
}

/** Notes of the reading first, then those of the encoding. */
function notesOf({ summary, encoder, target, y }: ModelFile): string[] {
  const { columns, warnings } = summary;
  return [
    ...columns.flatMap(({ name, use, done }) => (use === 'left out' ? [`column '${name}' is ${done}`] : [])),
    ...columns.flatMap((column) => column.warnings),
    ...warnings,
    ...encoder.notes,
    ...(target.scale && y.every((value) => value === 0)
      ? [
          `the target '${target.column}' is constant (${target.scale.centre}): there is nothing to learn. R² is given as 0; intervals have no width because no training row differs, and say nothing about rows that do`,
        ]
      : []),
  ];
}

/** Factorises the kernel and fits the calibration; what stops early is trained on five folds too. */
export async function makeReady(engine: Engine, file: ModelFile, run: SmootherOptions): Promise<Ready> {
  const { encoder, target, net, method, rows } = file;
  const outputs = outputsOf(target);
  const smoother = await makeSmoother(engine, file, run);
  const { loo, looRows, diagnostics } = smoother;
  const scale = profiledScale(loo, outputs);
  const variances = loo.variance.toSorted();
  const report: FitReport = {
    task: target.task,
    rows,
    columns: encoder.readings.length,
    features: encoder.features,
    method,
    net,
    candidates: file.candidates,
    simplest: file.simplest,
    notes: notesOf(file),
    summary: file.summary,
    time: file.time,
    looRows: loo.variance.length,
    diagnostics,
  };
  if (file.flow)
    return {
      smoother,
      scale: Float64Array.of(0),
      link: { slope: 1, floor: leastFloor(rows), shares: target.centre },
      errors: null,
      variances,
      report: { ...report, probabilities: 'cross-entropy', looAccuracy: file.flow.foldAccuracy },
    };
  const y = looRows ? gather(file.y, looRows, outputs) : file.y;
  if (target.task === 'classification') {
    const labels = looRows ? looRows.map((row) => file.labels![row]!) : file.labels!;
    const common = scale.reduce((sum, value) => sum + value / outputs, 0);
    const means = looMeans(y, loo, target.centre);
    const spread = loo.variance.map((v) => v * common);
    const { link } = fitLink(means, spread, labels, target.centre, FINE);
    const hits = labels.filter((label, i) => label === argmax(means, i * outputs, outputs)).length;
    return {
      smoother,
      scale: Float64Array.of(common),
      link,
      errors: null,
      variances,
      report: { ...report, probabilities: 'gaussian', looAccuracy: hits / labels.length },
    };
  }
  const features = looRows ? gather(file.x, looRows, encoder.features) : file.x;
  const errors = await errorsOf(engine, { file, x: features, y, loo, scale: scale[0]! }, run);
  const [squares, spread] = [loo.residual, y].map((v) => v.reduce((sum, value) => sum + value * value, 0));
  return {
    smoother,
    scale,
    link: null,
    errors,
    variances,
    report: { ...report, looR2: spread! > 0 ? 1 - squares! / spread! : 0 },
  };
}

interface LeftOut {
  readonly file: ModelFile;
  /** Features and targets of the rows that were left out one at a time. */
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly loo: LooResult;
  readonly scale: number;
}

async function errorsOf(
  engine: Engine,
  { file, x, y, loo, scale }: LeftOut,
  run: SmootherOptions,
): Promise<ErrorModel> {
  const { net, method, encoder } = file;
  const raw = loo.residual.map((value, i) => value / Math.sqrt(scale * loo.variance[i]!));
  const problem = { net, method, x, features: encoder.features, errors: raw };
  const noise = await fitNoise(engine, problem, { signal: run.signal });
  const predictions = y.map((value, i) => value - loo.residual[i]!);
  const record = errorRecord(
    predictions,
    raw.map((value, i) => value / noise.train[i]!),
  );
  return { noise, intervals: new Intervals(record), unit: record.unit };
}
