// Losses of function-space dynamics: the gradient of L with respect to the outputs f, with L's own mean included.
import { exp } from '../math/elementary.js';

/** `mse`: mean over entries of (f - y)^2 / 2. `crossEntropy`: mean over samples of -sum_k y_k log softmax(f)_k.
 * `logistic`: mean over entries of log(1 + e^(-y f)), y in {-1, 1} (or probabilities in [0, 1]).
 * `huber`: mean over entries of h(f - y), quadratic up to 1. */
export type FlowLossName = 'mse' | 'crossEntropy' | 'logistic' | 'huber';

/** A loss of your own; it runs on the calling thread. */
export interface CustomLoss {
  /** Writes dL/df into `out`; all arrays are (samples * outputs), row-major. */
  readonly gradient: (f: Float64Array, y: Float64Array, out: Float64Array) => void;
  /** An upper bound of the largest eigenvalue of the Hessian of L in f; lets stiff problems be integrated. */
  readonly curvature?: number;
}

export interface Loss extends CustomLoss {
  readonly curvature: number;
  /** The same at outputs f, where it is less: confident predictions curve little, so that long times are within reach. */
  readonly curvatureAt?: (f: Float64Array) => number;
}

/** A built-in loss for targets of `samples` rows and `outputs` columns. */
export function builtInLoss(name: FlowLossName, samples: number, outputs: number, y: Float64Array): Loss {
  const size = samples * outputs;
  switch (name) {
    case 'mse':
      return { curvature: 1 / size, gradient: each((f, y) => (f - y) / size) };
    case 'huber':
      return { curvature: 1 / size, gradient: each((f, y) => Math.max(-1, Math.min(1, f - y)) / size) };
    case 'logistic': {
      const margins = y.every((value) => value === 1 || value === -1);
      if (!margins && !y.every((value) => value >= 0 && value <= 1)) {
        throw new RangeError(
          'gradientFlow: logistic targets must all be -1 or 1, or all be probabilities in [0, 1]',
        );
      }
      return {
        curvature: 0.25 / size,
        curvatureAt: (f) => {
          let least = Infinity;
          for (const value of f) least = Math.min(least, Math.abs(value));
          const p = sigmoid(least);
          return (p * (1 - p)) / size;
        },
        gradient: each((f, y) => (sigmoid(f) - (margins ? (y + 1) / 2 : y)) / size),
      };
    }
    case 'crossEntropy': {
      const mass = largestRowSum(y, outputs);
      return {
        curvature: (0.5 / samples) * mass,
        curvatureAt: (f) => (softmaxCurvature(f, outputs) / samples) * mass,
        gradient: softmaxGradient(samples, outputs),
      };
    }
    default:
      throw new RangeError(
        `gradientFlow: loss must be 'mse', 'crossEntropy', 'logistic', 'huber' or { gradient }, got ${String(name)}`,
      );
  }
}

function each(slope: (f: number, y: number) => number): Loss['gradient'] {
  return (f, y, out) => {
    for (let i = 0; i < out.length; i++) out[i] = slope(f[i]!, y[i]!);
  };
}

/** 1 / (1 + e^-x) without overflow. */
export function sigmoid(x: number): number {
  const e = exp(-Math.min(Math.abs(x), 745));
  return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

function largestRowSum(y: Float64Array, outputs: number): number {
  let most = 0;
  for (let i = 0; i < y.length; i += outputs) {
    let sum = 0;
    for (let k = 0; k < outputs; k++) {
      if (y[i + k]! < 0)
        throw new RangeError(`gradientFlow: crossEntropy targets must be >= 0 (one-hot or probabilities)`);
      sum += y[i + k]!;
    }
    most = Math.max(most, sum);
  }
  return most;
}

/** A bound of the eigenvalues of diag(p) - p p^T over all rows: 2 p_k (1 - p_k), by the circle theorem, is at most that. */
function softmaxCurvature(f: Float64Array, outputs: number): number {
  let most = 0;
  for (let i = 0; i < f.length; i += outputs) {
    let top = i;
    for (let k = i; k < i + outputs; k++) if (f[k]! > f[top]!) top = k;
    let others = 0; // relative to the largest, so that 1 - p keeps its digits
    for (let k = i; k < i + outputs; k++) if (k !== top) others += exp(Math.max(f[k]! - f[top]!, -745));
    most = Math.max(most, others / (1 + others) ** 2);
    for (let k = i; k < i + outputs; k++) {
      const p = k === top ? 0 : exp(Math.max(f[k]! - f[top]!, -745)) / (1 + others);
      most = Math.max(most, p * (1 - p));
    }
  }
  return 2 * most;
}

function softmaxGradient(samples: number, outputs: number): Loss['gradient'] {
  return (f, y, out) => {
    for (let i = 0; i < f.length; i += outputs) {
      let top = -Infinity;
      for (let k = 0; k < outputs; k++) top = Math.max(top, f[i + k]!);
      let sum = 0;
      let mass = 0;
      for (let k = 0; k < outputs; k++) {
        out[i + k] = exp(Math.max(f[i + k]! - top, -745));
        sum += out[i + k]!;
        mass += y[i + k]!;
      }
      for (let k = 0; k < outputs; k++) out[i + k] = ((out[i + k]! / sum) * mass - y[i + k]!) / samples;
    }
  };
}
