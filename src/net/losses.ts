// Losses of outputs (n, o): value, cotangent, and the curvature with respect to the outputs.
import { kernelOf } from '../layers/rows.js';
import { exp } from '../math/elementary.js';
import { knownWord, type Core, type FloatType, type Ticket } from '../wasm/engine.js';

/**
 * mse: half the mean over all entries of (f - y)^2; logistic: mean over entries of log(1 + e^f) - y f, y in {0, 1} or
 * {-1, 1}; crossEntropy: minus the mean over samples of sum_k y_k log softmax(f)_k.
 */
export type LossName = 'mse' | 'logistic' | 'crossEntropy';
/** `sum` drops the division by the number of entries (mse, logistic) or samples (crossEntropy). */
export type Reduction = 'mean' | 'sum';

export interface LossResult {
  readonly loss: number;
  /** d loss / d f, (n, o). */
  readonly cotangent: Float64Array<ArrayBuffer>;
}

const NAMES: readonly LossName[] = ['mse', 'logistic', 'crossEntropy'];

export function checkLoss(where: string, loss: string): LossName {
  if (!NAMES.includes(loss as LossName)) {
    throw new RangeError(
      `${where}: loss must be one of ${NAMES.map((n) => `'${n}'`).join(', ')}, got '${loss}'.`,
    );
  }
  return loss as LossName;
}

/** Targets as the loss wants them: {-1, 1} labels become {0, 1} for logistic. */
export function prepareTargets(
  where: string,
  loss: LossName,
  y: { readonly data: ArrayLike<number>; readonly shape: readonly number[] },
  n: number,
  outputs: number,
): Float64Array<ArrayBuffer> {
  const labels = loss === 'crossEntropy' && outputs > 1 && y.data.length === n;
  if (y.shape[0] !== n || (y.data.length !== n * outputs && !labels)) {
    throw new RangeError(
      `${where}: y must have shape [${n}, ${outputs}]${loss === 'crossEntropy' ? ` or [${n}] with class numbers` : ''}, got [${y.shape.join(', ')}].`,
    );
  }
  const bad = Array.prototype.findIndex.call(y.data, (value: number) => !Number.isFinite(value));
  if (bad >= 0)
    throw new RangeError(`${where}: y has ${y.data[bad]} at entry ${bad}; targets must be finite.`);
  if (labels) return oneHot(where, y.data, n, outputs);
  if (loss !== 'logistic') return Float64Array.from(y.data);
  return Float64Array.from(y.data, (value) => {
    if (value !== 0 && value !== 1 && value !== -1) {
      throw new RangeError(`${where}: logistic targets must be 0 and 1 (or -1 and 1), got ${value}.`);
    }
    return value > 0 ? 1 : 0;
  });
}

function oneHot(
  where: string,
  labels: ArrayLike<number>,
  n: number,
  classes: number,
): Float64Array<ArrayBuffer> {
  const y = new Float64Array(n * classes);
  for (let i = 0; i < n; i++) {
    const label = labels[i]!;
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      throw new RangeError(
        `${where}: class numbers must be whole numbers from 0 to ${classes - 1}, got ${label}.`,
      );
    }
    y[i * classes + label] = 1;
  }
  return y;
}

/** The factor of the sum that `reduction` makes of n x outputs terms. */
function scaleOf(loss: LossName, size: number, outputs: number, reduction: Reduction): number {
  knownWord(loss, 'reduction', reduction, ['mean', 'sum']);
  return reduction === 'sum' ? 1 : (loss === 'crossEntropy' ? outputs : 1) / size;
}

/** The loss of f (n, outputs) in wasm memory; its gradient goes to `cotangent`, which may be f. */
export function lossInto(
  core: Core,
  loss: LossName,
  f: Ticket<FloatType>,
  y: Ticket<'f64'>,
  {
    cotangent,
    sizes: [n, outputs],
    reduction = 'mean',
  }: {
    readonly cotangent: Ticket<FloatType>;
    readonly sizes: readonly [number, number];
    readonly reduction?: Reduction | undefined;
  },
): number {
  const scale = scaleOf(loss, n * outputs, outputs, reduction);
  return kernelOf(
    core,
    'loss',
    f.dtype,
  )(...[NAMES.indexOf(loss), n, outputs, scale, f.ptr, y.ptr, cotangent.ptr]);
}

export function evaluateLoss(
  core: Core,
  loss: LossName,
  f: ArrayLike<number>,
  y: ArrayLike<number>,
  { outputs, reduction }: { readonly outputs: number; readonly reduction?: Reduction | undefined },
): LossResult {
  return core.heap.scope((memory) => {
    const [x, targets] = [memory.put(Float64Array.from(f)), memory.put(Float64Array.from(y))];
    const value = lossInto(core, loss, x, targets, {
      cotangent: x,
      sizes: [f.length / outputs, outputs],
      reduction,
    });
    return { loss: value, cotangent: core.heap.read(x) };
  });
}

/** Softmax of the row of f that starts at `at`. */
function softmaxRow(f: ArrayLike<number>, at: number, outputs: number): Float64Array {
  let max = -Infinity;
  for (let k = 0; k < outputs; k++) max = Math.max(max, f[at + k]!);
  const p = Float64Array.from({ length: outputs }, (_, k) => exp(f[at + k]! - max));
  let sum = 0;
  for (const e of p) sum += e;
  return p.map((e) => e / sum);
}

/** The Hessian of the loss in the outputs, times v. */
export function lossCurvature(
  loss: LossName,
  f: ArrayLike<number>,
  v: ArrayLike<number>,
  outputs: number,
  reduction: Reduction = 'mean',
): Float64Array<ArrayBuffer> {
  const result = new Float64Array(f.length);
  const scale = scaleOf(loss, f.length, outputs, reduction);
  if (loss === 'mse') return Float64Array.from(v, (value) => value * scale);
  if (loss === 'logistic') {
    for (let i = 0; i < f.length; i++) {
      const e = exp(-Math.abs(f[i]!));
      result[i] = (v[i]! * scale * e) / ((1 + e) * (1 + e));
    }
    return result;
  }
  for (let at = 0; at < f.length; at += outputs) {
    const p = softmaxRow(f, at, outputs);
    let mean = 0;
    for (let k = 0; k < outputs; k++) mean += p[k]! * v[at + k]!;
    for (let k = 0; k < outputs; k++) result[at + k] = scale * p[k]! * (v[at + k]! - mean);
  }
  return result;
}

/** The share of samples whose largest output (one output: its side of the threshold) is that of the targets. */
export function accuracyOf(
  loss: LossName,
  f: ArrayLike<number>,
  y: ArrayLike<number>,
  outputs: number,
): number {
  const n = f.length / outputs;
  let right = 0;
  let least = Infinity;
  for (let i = 0; i < y.length; i++) least = Math.min(least, y[i]!);
  const cut = loss === 'mse' && least >= 0 ? 0.5 : 0;
  for (let i = 0; i < n; i++) {
    if (outputs === 1) {
      right += +(f[i]! > cut === y[i]! > (least < 0 ? 0 : 0.5));
      continue;
    }
    let [bestF, bestY] = [0, 0];
    for (let k = 1; k < outputs; k++) {
      if (f[i * outputs + k]! > f[i * outputs + bestF]!) bestF = k;
      if (y[i * outputs + k]! > y[i * outputs + bestY]!) bestY = k;
    }
    right += +(bestF === bestY);
  }
  return right / n;
}
