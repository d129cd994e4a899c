// The tangent kernel as an operator: products and solves without forming it.
import { extremeEigenvalues, type LanczosOptions } from '../math/lanczos.js';
import { asTensor, tensor, type Tensor, type TensorLike } from '../math/tensor.js';
import type { Model } from '../net/model.js';
import { NumericalError } from '../wasm/engine.js';

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
  const { n } = model.input('empiricalNtkExtremes', x);
  const shape = [n, ...model.outputShape];
  const multiply = async (v: Float64Array<ArrayBuffer>): Promise<Float64Array> => {
    options.signal?.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve)); // let aborts through
    return Float64Array.from(empiricalNtkVectorProduct(model, x, null, tensor(v, shape)).data);
  };
  const tolerance = model.dtype === 'f32' ? 1e-6 : 1e-10;
  return extremeEigenvalues(multiply, n * model.outputSize, { tolerance, ...options });
}

export interface NtkSolveOptions {
  /** Added to the diagonal; default 0. */
  readonly diagReg?: number;
  /** Stop at this relative residual; default 1e-8. */
  readonly tolerance?: number;
  /** Default 1000. */
  readonly maxIterations?: number;
}

/**
 * (Theta(x, x) + diagReg I)^-1 y by conjugate gradients on kernel-vector products. NumericalError when the residual does
 * not fall below the tolerance.
 */
export function empiricalNtkSolve(
  model: Model,
  x: TensorLike,
  y: TensorLike,
  { diagReg = 0, tolerance = 1e-8, maxIterations = 1000 }: NtkSolveOptions = {},
): { readonly solution: Tensor; readonly iterations: number; readonly residual: number } {
  const { data, shape } = asTensor(y, 'empiricalNtkSolve: y');
  const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
    let sum = 0;
    for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
    return sum;
  };
  const solution = new Float64Array(data.length);
  const r = Float64Array.from(data);
  const p = Float64Array.from(r);
  const size = Math.sqrt(dot(r, r));
  let rr = size * size;
  let iterations = 0;
  while (Math.sqrt(rr) > tolerance * size) {
    if (iterations++ === maxIterations) {
      throw new NumericalError(
        `empiricalNtkSolve: relative residual ${(Math.sqrt(rr) / size).toExponential(2)} after ${maxIterations} iterations. Raise diagReg or maxIterations.`,
      );
    }
    const { data: product } = empiricalNtkVectorProduct(model, x, null, tensor(p, shape));
    const q = Float64Array.from(product, (value, i) => value + diagReg * p[i]!);
    const alpha = rr / dot(p, q);
    for (let i = 0; i < r.length; i++) {
      solution[i]! += alpha * p[i]!;
      r[i]! -= alpha * q[i]!;
    }
    const before = rr;
    rr = dot(r, r);
    for (let i = 0; i < r.length; i++) p[i] = r[i]! + (rr / before) * p[i]!;
  }
  return { solution: tensor(solution, shape), iterations, residual: size > 0 ? Math.sqrt(rr) / size : 0 };
}
