// The tangent kernel as an operator: products and solves without forming it.
import { extremeEigenvalues, type LanczosOptions } from '../math/lanczos.js';
import { powerOfTwo } from '../math/power-of-two.js';
import { asTensor, assertFinite, tensor, type Tensor, type TensorLike } from '../math/tensor.js';
import type { Model } from '../net/model.js';
import { knownFields, NumericalError, type Fields } from '../wasm/engine.js';

/**
 * Theta(x1, x2) v = J(x1) J(x2)^T v: one backward pass on x2, one tangent pass on x1. v is shaped as the outputs on
 * x2. RangeError for shapes, sizes or options that do not fit the model.
 */
export function empiricalNtkVectorProduct(
  model: Model,
  x1: TensorLike,
  x2: TensorLike | null,
  v: TensorLike,
): Tensor {
  assertFinite(asTensor(v, 'empiricalNtkVectorProduct: v'), 'empiricalNtkVectorProduct: v');
  return model.jacobianVector(x1, model.vectorJacobian(x2 ?? x1, v));
}

/**
 * The largest and the smallest eigenvalue of Theta(x, x), all outputs (rows sample * outputs + output), by Lanczos on
 * kernel-vector products: the kernel is never stored. `largest` is accurate to `tolerance` (default 1e-10, f32 1e-6);
 * `smallest` is an upper bound where the kernel is ill-conditioned. A vector of samples x outputs is kept per step.
 */
export async function empiricalNtkExtremes(
  model: Model,
  x: TensorLike,
  options: LanczosOptions & { readonly signal?: AbortSignal } = {},
): Promise<{ readonly smallest: number; readonly largest: number; readonly steps: number }> {
  knownFields('empiricalNtkExtremes', options, { tolerance: true, maxSteps: true, signal: true });
  const { signal, ...lanczos } = options;
  const { n } = model.input('empiricalNtkExtremes', x);
  const shape = [n, ...model.outputShape];
  const multiply = async (v: Float64Array<ArrayBuffer>): Promise<Float64Array> => {
    signal?.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve)); // let aborts through
    return Float64Array.from(empiricalNtkVectorProduct(model, x, null, tensor(v, shape)).data);
  };
  const tolerance = model.dtype === 'f32' ? 1e-6 : 1e-10;
  return extremeEigenvalues(multiply, n * model.outputSize, { tolerance, ...lanczos });
}

export interface NtkSolveOptions {
  /** Added to the diagonal; default 0. */
  readonly diagReg?: number;
  /** Stop at this relative residual; default 1e-8. */
  readonly tolerance?: number;
  /** Default 1000. */
  readonly maxIterations?: number;
}

const SOLVE_OPTIONS: Fields<NtkSolveOptions> = { diagReg: true, tolerance: true, maxIterations: true };

/**
 * (Theta(x, x) + diagReg I)^-1 y by conjugate gradients on kernel-vector products; y (n, ...outputs) of any size. RangeError
 * for a y that does not fit or is not finite, and for options out of range; NumericalError when the residual does not fall
 * below the tolerance, or the solution leaves the range of float64.
 */
export function empiricalNtkSolve(
  model: Model,
  x: TensorLike,
  y: TensorLike,
  options: NtkSolveOptions = {},
): { readonly solution: Tensor; readonly iterations: number; readonly residual: number } {
  knownFields('empiricalNtkSolve', options, SOLVE_OPTIONS);
  const { diagReg = 0, tolerance = 1e-8, maxIterations = 1000 } = options;
  between('diagReg', diagReg, '>= 0 and finite', diagReg >= 0 && diagReg < Infinity);
  between('tolerance', tolerance, 'between 0 and 1', tolerance > 0 && tolerance < 1);
  const whole = Number.isSafeInteger(maxIterations) && maxIterations >= 1;
  between('maxIterations', maxIterations, 'a whole number >= 1', whole);
  const { data, shape } = targetsOf('empiricalNtkSolve: y', model, x, y);
  // Near 1, so that squares neither overflow nor vanish.
  const unit = powerOfTwo(
    Float64Array.from(data).reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1,
  );
  const solution = new Float64Array(data.length);
  const r = Float64Array.from(data, (value) => value / unit);
  const p = Float64Array.from(r);
  const size = Math.sqrt(dot(r, r));
  let rr = size * size;
  let iterations = 0;
  while (Math.sqrt(rr) > tolerance * size) {
    const { data: product } = empiricalNtkVectorProduct(model, x, null, tensor(p, shape));
    const q = Float64Array.from(product, (value, i) => value + diagReg * p[i]!);
    const curvature = dot(p, q);
    if (iterations++ === maxIterations || !(curvature > 0) || curvature === Infinity)
      throw new NumericalError(
        `empiricalNtkSolve: relative residual ${(Math.sqrt(rr) / size).toExponential(2)} after ${iterations - 1} iterations, ${tolerance} is wanted. Raise diagReg or maxIterations.`,
        { step: iterations - 1 },
      );
    const alpha = rr / curvature;
    for (let i = 0; i < r.length; i++) {
      solution[i]! += alpha * p[i]!;
      r[i]! -= alpha * q[i]!;
    }
    const before = rr;
    rr = dot(r, r);
    for (let i = 0; i < r.length; i++) p[i] = r[i]! + (rr / before) * p[i]!;
  }
  const scaled = solution.map((value) => value * unit);
  if (!scaled.every(Number.isFinite))
    throw new NumericalError('empiricalNtkSolve: the solution overflows float64. Scale the targets down.');
  return { solution: tensor(scaled, shape), iterations, residual: size > 0 ? Math.sqrt(rr) / size : 0 };
}

function between(name: string, value: unknown, rule: string, holds: boolean): void {
  if (typeof value !== 'number' || !holds)
    throw new RangeError(`empiricalNtkSolve: ${name} must be ${rule}, got ${String(value)}.`);
}

/** Finite vectors with an entry for every sample and output. */
function targetsOf(name: string, model: Model, x: TensorLike, y: TensorLike): Tensor {
  const targets = asTensor(y, name);
  const size = model.input('empiricalNtk', asTensor(x)).n * model.outputSize;
  if (targets.data.length !== size)
    throw new RangeError(
      `${name} must have ${size} entries (samples x outputs), got [${targets.shape.join(', ')}].`,
    );
  assertFinite(targets, name);
  return targets;
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
