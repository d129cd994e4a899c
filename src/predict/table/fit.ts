// A table in, a predictor out, with nothing to tune: features, kernel (NNGP or NTK of a ReLU net), depth and noise are
// chosen by the closed-form leave-one-out predictive log density; no held-out set is needed.
import type { NetDocument } from '../../net/document.js';
import { log } from '../../math/elementary.js';
import { permutation, randomKey } from '../../math/random.js';
import { tiledBytes } from '../../math/tiled.js';
import { knownFields, type Engine, type Fields } from '../../wasm/engine.js';
import { asTable, columnOf, isMissing, takeRows, type Table, type TableLike } from './csv.js';
import { understand, type TableSummary } from './reading/table.js';
import { completeRows, encodeTyped, fitEncoder, type ColumnOptions, type Encoder } from './encoder.js';
import { AUTOMATIC, scoreNet, type Sample } from './candidates.js';
import { tableKernels } from './kernels.js';
import { fitFlow } from './cross-entropy.js';
import type { Candidate, ModelFile } from './model-file.js';
import { TableModel } from './model.js';
import { exactBytes } from '../factored.js';
import { gather } from './rows.js';
import type { ScaledTarget } from './select.js';
import { logSlope, scaled, scaleOf, transformsOf, type Scale, type Transform } from './transform.js';
import { placeOf } from './smoother.js';
import {
  classIndex,
  encodeTarget,
  fitTarget,
  labelledRows,
  onScale,
  type TargetCode,
  type Task,
} from './target.js';

/** The column to predict, and what may be fixed instead of chosen. */
export interface FitOptions extends ColumnOptions {
  /** The column to predict. */
  readonly target: string;
  /** Default `auto`: numbers are regression; words, and numbers of two values only, are classes. */
  readonly task?: Task | 'auto';
  /** The network; default: ReLU nets of depth 1, 2, 3 and 5 are tried. */
  readonly net?: NetDocument;
  /** The kernel; default: both are tried. `ntkgp` and `ntk` have the same mean and, here, the same intervals. */
  readonly method?: 'nngp' | 'ntk';
  /** Noise relative to the mean diagonal of the kernel; default: 1e-4 to 10 in half decades are tried. */
  readonly diagReg?: number;
  /** Steps of gradient descent at learning rate 1 (gradient flow); default Infinity: the limit. */
  readonly time?: number;
  /**
   * Class probabilities. `gaussian` (default): posterior of one-hot regression, calibrated by leaving one out.
   * `cross-entropy`: softmax of the flow of that loss, stopped where five folds are best, or at `time`.
   */
  readonly probabilities?: 'gaussian' | 'cross-entropy';
  /** Rows on which kernels and noises are compared; default 500. The fit itself uses all rows. */
  readonly selectionRows?: number;
  /**
   * Fit on a random subset of at most this many rows; default: all, with the kernel in one piece or in tiles, or an error
   * naming the bytes.
   */
  readonly maxRows?: number;
  /** Order of random subsets; default 0. */
  readonly seed?: number;
  readonly signal?: AbortSignal | undefined;
  /** `bytes`: what the kernel in tiles holds, where it does not fit in one piece. */
  readonly onProgress?: ((progress: { done: number; total: number; bytes?: number }) => void) | undefined;
}

/** Shares of the time of a fit in tiles, before each stage and of it. */
const STAGES = {
  kernel: [0, 0.05],
  factor: [0.05, 0.75],
  solve: [0.8, 0.05],
  predict: [0.85, 0.15],
} as const;

/** @internal */
export const FIT_OPTIONS: Fields<FitOptions> = {
  ...{ target: true, task: true, drop: true, types: true, missing: true, net: true, method: true },
  ...{ diagReg: true, time: true, probabilities: true, selectionRows: true, maxRows: true, seed: true },
  ...{ signal: true, onProgress: true },
};

/** Learns a table. RangeError for columns, targets or sizes that cannot work, naming the column or the bytes. */
export async function fit(engine: Engine, table: TableLike, options: FitOptions): Promise<TableModel> {
  knownFields('fit', options, FIT_OPTIONS);
  return learn(engine, table, options);
}

/** @internal `fit` for callers whose options hold more. */
export async function learn(engine: Engine, table: TableLike, options: FitOptions): Promise<TableModel> {
  const { signal, onProgress, probabilities = 'gaussian' } = options;
  timeOf(options);
  if (probabilities !== 'gaussian' && probabilities !== 'cross-entropy')
    throw new RangeError(
      `fit: probabilities must be 'gaussian' or 'cross-entropy', got ${String(probabilities)}`,
    );
  const prepared = prepare(engine, asTable(table, 'fit'), options);
  const nets = options.net
    ? [{ name: 'given', net: options.net, methods: ['nngp', 'ntk'] as const }]
    : AUTOMATIC;
  // In units of one comparison, about: the fit itself grows as rows^3.
  const last = Math.max(1, (prepared.rows / 2500) ** 3);
  const total = nets.length + last;
  const candidates: Candidate[] = [];
  const sample = prepared.sample(options.selectionRows ?? 500);
  for (const [index, net] of nets.entries()) {
    candidates.push(...(await scoreNet(engine, sample, net, options, { signal })));
    onProgress?.({ done: index + 1, total });
  }
  const ranked = rank(candidates);
  const best = ranked[0]!;
  const scale = sample.scales.find(({ transform }) => transform.kind === best.scale);
  const { net } = nets.find(({ name }) => name === best.net)!;
  const { summary, encoder, x, labels } = prepared;
  const file: ModelFile = {
    format: 'infinite-width/table-model',
    version: 2,
    summary,
    encoder,
    net,
    method: best.method,
    diagReg: best.diagReg,
    time: timeOf(options),
    rows: prepared.rows,
    x,
    ...prepared.on(scale),
    labels,
    candidates: ranked.slice(0, 12),
    simplest: ranked.find((candidate) => candidate.net === 'linear') ?? null,
  };
  const model = new TableModel(
    engine,
    probabilities === 'gaussian' ? file : await withFlow(engine, file, signal),
  );
  await model.prepare({
    signal,
    onProgress: ({ stage, done, total: parts, bytes }) => {
      const [before, share] = STAGES[stage];
      onProgress?.({ done: nets.length + last * (before + (share * done) / parts), total, bytes });
    },
  });
  onProgress?.({ done: total, total });
  return model;
}

/** The same choices, with classes learned by the flow of the cross-entropy. */
async function withFlow(
  engine: Engine,
  file: ModelFile,
  signal: AbortSignal | undefined,
): Promise<ModelFile> {
  const { labels, target, net, x, method, encoder } = file;
  if (!labels)
    throw new RangeError(
      `fit: probabilities 'cross-entropy' are for classes; the target '${target.column}' is a number. Pass task: 'classification'.`,
    );
  const { [method]: kernel } = await tableKernels(engine, net, x, null, {
    features: encoder.features,
    run: { signal },
  });
  const { time, ...flow } = await fitFlow(engine, kernel, {
    labels,
    outputs: target.centre.length,
    time: file.time,
    run: { signal },
  });
  return { ...file, time, flow };
}

/** The time of a model file: null is infinity, which JSON cannot hold. */
function timeOf({ time = Infinity }: FitOptions): number | null {
  if (!(time >= 0)) throw new RangeError(`fit: time must be >= 0 or Infinity, got ${time}`);
  return time === Infinity ? null : time;
}

interface Prepared {
  readonly summary: TableSummary;
  readonly encoder: Encoder;
  readonly rows: number;
  readonly x: Float64Array;
  readonly labels: readonly number[] | null;
  /** The target on the scale that was chosen. */
  on(scale: ScaledTarget | undefined): { readonly target: TargetCode; readonly y: Float64Array };
  sample(limit: number): Sample;
}

function prepare(engine: Engine, table: Table, options: FitOptions): Prepared {
  const { target: column, seed = 0, missing } = options;
  if (typeof column !== 'string')
    throw new TypeError(`fit: target must name a column, got ${String(column)}`);
  columnOf(table, column, 'fit');
  if (!table.columns.some((name) => name !== column && !options.drop?.includes(name)))
    throw new RangeError(`fit: there is no column beside the target '${column}'`);
  const filled = columnOf(table, column).filter((cell) => !isMissing(cell)).length;
  const wanted = rowsWithRoom(engine, filled, options); // before a table that is too large is read cell by cell
  const { table: typed, readings, summary } = understand(table, options, 'fit');
  let known = takeRows(typed, labelledRows(typed, column));
  if (wanted < known.rows.length) {
    const picked = permutation(engine, randomKey(seed), known.rows.length).slice(0, wanted).sort();
    known = takeRows(known, [...picked]);
  }
  if (missing === 'drop') {
    const all = fitEncoder({ table: known, readings }, missing);
    const rows = completeRows(all, known);
    if (rows.length === 0) throw new RangeError("fit: missing: 'drop' leaves no row. Use missing: 'impute'.");
    known = takeRows(known, rows);
  }
  if (known.rows.length < 3)
    throw new RangeError(`fit: at least 3 rows with a target are needed, got ${known.rows.length}`);
  const target = fitTarget(
    known,
    readings.find(({ use }) => use === 'target')!,
  );
  const encoder = fitEncoder({ table: known, readings }, missing);
  const x = encodeTyped(encoder, known);
  const { task, centre } = target;
  const cells = columnOf(known, column);
  const classes = task === 'classification';
  const labels = classes ? cells.map((cell) => classIndex(target, cell)) : null;
  const numbers = classes ? [] : (cells as readonly number[]);
  const scales = classes ? [] : transformsOf(numbers).map((transform) => scaledTarget(transform, numbers));
  const rows = known.rows.length;
  const { features } = encoder;
  return {
    summary,
    encoder,
    rows,
    x,
    labels,
    on(scale) {
      const code = scale ? onScale(column, withoutSlope(scale)) : target;
      return { target: code, y: encodeTarget(code, known) };
    },
    sample(limit) {
      const size = Math.min(rows, limit);
      const all = Array.from({ length: rows }, (_, i) => i);
      const picked = size < rows ? [...permutation(engine, randomKey(seed), rows).slice(0, size)] : all;
      const values = classes ? [] : picked.map((i) => numbers[i]!);
      return {
        features,
        size,
        x: size < rows ? gather(x, picked, features) : x,
        targets: classes
          ? gather(encodeTarget(target, known), picked, centre.length)
          : Float64Array.from(values.flatMap((value) => scales.map((scale) => scaled(scale, value)))),
        classes: labels && { shares: centre, labels: picked.map((i) => labels[i]!) },
        scales,
        values,
      };
    },
  };
}

/** A scale, and what a density on it is worth on the target's own. */
function scaledTarget(transform: Transform, values: readonly number[]): ScaledTarget {
  const scale = scaleOf(transform, values);
  return { ...scale, slope: logSlope(transform, values) - log(scale.deviation) };
}

const withoutSlope = ({ transform, centre, deviation, ends }: ScaledTarget): Scale => ({
  transform,
  centre,
  deviation,
  ends,
});

/**
 * The candidates, the best first. For numbers the density alone would choose a scale that fits most rows well and misses
 * the mean where a few are large, and the mean square alone would choose by those few: their sum (both in nats) weighs them.
 */
function rank(candidates: readonly Candidate[]): Candidate[] {
  const worth = ({ score, error }: Candidate): number => score - (error > 0 ? log(error) / 2 : 0);
  return candidates.toSorted((a, b) => worth(b) - worth(a));
}

/** How many rows are fitted: all, or `maxRows`; RangeError when they need more memory than there is. */
function rowsWithRoom(engine: Engine, rows: number, options: FitOptions): number {
  const { maxRows, probabilities, diagReg } = options;
  if (maxRows !== undefined && !(Number.isInteger(maxRows) && maxRows >= 3))
    throw new RangeError(`fit: maxRows must be a whole number >= 3, got ${maxRows}`);
  const wanted = Math.min(rows, maxRows ?? rows);
  const whole = timeOf(options) !== null || probabilities === 'cross-entropy' || diagReg === 0;
  const place = placeOf(engine, wanted);
  if (place === 'none' || (place === 'tiled' && whole)) {
    const budget = whole ? engine.memoryBytes : 2 * engine.memoryBytes;
    const bytes = whole ? exactBytes(wanted) : tiledBytes(wanted).matrix;
    // The diagonal tiles of the lower triangle are whole: half a tile of rows less.
    const inTiles = Math.floor(Math.sqrt(budget / 4)) - 512;
    const fits = Math.max(Math.floor(Math.sqrt(engine.memoryBytes / exactBytes(1))), whole ? 0 : inTiles);
    throw new RangeError(
      `fit: ${wanted} rows need ${gigabytes(bytes)}${whole ? ' (a finite time, cross-entropy or diagReg 0 need the kernel in one piece)' : ''}, there are ${gigabytes(budget)} (${fits} rows). Pass maxRows: ${fits} (--max-rows) to fit on a random subset, or createEngine({ memoryBytes: ${whole ? bytes : Math.ceil(bytes / 2)} }) (--memory, in GiB).`,
    );
  }
  return wanted;
}

const gigabytes = (bytes: number): string =>
  `${bytes < 2 ** 40 ? (bytes / 2 ** 30).toPrecision(3) : Math.round(bytes / 2 ** 30)} GiB`;
