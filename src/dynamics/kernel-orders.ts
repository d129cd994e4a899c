// The tangent kernel and its time derivatives, exactly: Theta, O3 (what moves Theta) and O4 (what moves O3). With
// g_p = grad f_p, H_p the Hessian and T_p the third derivative of f_p (Dyer & Gur-Ari 2020, Huang & Yau 2020):
//   Theta[p, p']      = g_p . g_p'
//   O3[p, p', q]      = grad Theta[p, p'] . g_q = g_p' . H_p g_q + g_p . H_p' g_q
//   O4[p, p', q, s]   = grad O3[p, p', q] . g_s = T_p(g_q, g_s, g_p') + T_p'(g_q, g_s, g_p)
//                       + H_p g_q . H_p' g_s + H_p g_s . H_p' g_q + (H_p g_p' + H_p' g_p) . H_q g_s
// H g and T come from power series of the gradients along g_q and g_q + g_s (polarisation). At kinks the motion of the
// kinks themselves is left out.
import { kernelOf } from '../layers/rows.js';
import type { Numbers } from '../layers/finite.js';
import { tensor, type Tensor, type TensorLike } from '../math/tensor.js';
import { flatten } from '../net/parameters.js';
import type { Model } from '../net/model.js';
import { bytesPerElement, drainNow, knownFields, slice } from '../wasm/engine.js';
import type { DynamicsData } from './data.js';
import { GradientSeries, products } from './gradient-series.js';

export interface KernelOrders {
  /** P = samples x outputs; row p = sample * outputs + output. */
  readonly rows: number;
  /** (P, P), (P, P, P) and, for order 4, (P, P, P, P). */
  readonly theta: Tensor;
  readonly o3: Tensor;
  readonly o4: Tensor | null;
}

/**
 * Theta, O3 and (`order` 4, the default) O4 of a net at its parameters, to rounding. Gradient flow moves them by
 * dTheta/dt = -sum_q O3[., ., q] dL/df_q and dO3/dt = -sum_s O4[., ., ., s] dL/df_s. Needs P^2 gradients at once for
 * order 4, so it is for a handful of samples; RangeError beyond the engine's memory, UnsupportedError for activations in
 * code, which have no third derivative.
 */
export function kernelOrders(
  model: Model,
  x: TensorLike,
  options: { readonly order?: 3 | 4 } = {},
): KernelOrders {
  knownFields('kernelOrders', options, { order: true });
  return drainNow(kernelOrderSteps(model, x, options.order ?? 4));
}

/** @internal the same with pauses */
export function* kernelOrderSteps(model: Model, x: TensorLike, order: 3 | 4): Generator<void, KernelOrders> {
  if (order !== 3 && order !== 4)
    throw new RangeError(`kernelOrders: order must be 3 or 4, got ${String(order)}.`);
  const series = new GradientSeries('kernelOrders', model, x);
  const region = model.core.heap.region();
  try {
    const { rows: P } = series;
    const { core, parameterCount: count, dtype } = model;
    checkMemory(model, P, order);
    const matrix = (copies = 1): Numbers => region.alloc(dtype, copies * P * count);
    const [g, second] = [matrix(), order === 4 ? matrix() : null];
    const bent = matrix(order === 4 ? P : 1); // row q P + p: H_p g_q
    const again = matrix();
    series.fill(null, [g]);
    const theta = products(core, g, g, P);
    const o3 = new Float64Array(P ** 3);
    const cubic: Float64Array[] = []; // [q P + s][p P + r] = T_p(g_q, g_s, g_r) for q <= s
    for (let q = 0; q < P; q++) {
      const hessian = order === 4 ? slice(bent, q * P * count, P * count) : bent;
      series.fill(slice(g, q * count, count), second ? [again, hessian, second] : [again, hessian]);
      const along = products(core, hessian, g, P);
      for (let p = 0; p < P; p++)
        for (let r = 0; r < P; r++) o3[(p * P + r) * P + q] = along[p * P + r]! + along[r * P + p]!;
      if (second) cubic[q * P + q] = products(core, second, g, P, 2);
      yield;
    }
    const shape = (k: number): number[] => new Array<number>(k).fill(P);
    const lower = { rows: P, theta: tensor(theta, shape(2)), o3: tensor(o3, shape(3)) };
    if (!second) return { ...lower, o4: null };
    const direction = region.alloc(dtype, count);
    const first = region.alloc(dtype, P * count);
    for (let q = 0; q < P; q++) {
      for (let s = q + 1; s < P; s++) {
        core.heap.write(direction, core.heap.read(slice(g, q * count, count)));
        const gs = slice(g, s * count, count).ptr;
        kernelOf(core, 'rowsCombine', dtype)(1, count, 1, gs, 0, 1, direction.ptr, 0);
        series.fill(direction, [again, first, second]);
        const [qq, ss] = [cubic[q * P + q]!, cubic[s * P + s]!];
        cubic[q * P + s] = products(core, second, g, P, 2).map((both, i) => (both - qq[i]! - ss[i]!) / 2);
        yield;
      }
    }
    const o4 = assemble(P, cubic, products(core, bent, bent, P * P));
    return { ...lower, o4: tensor(o4, shape(4)) };
  } finally {
    region.dispose();
    series.dispose();
  }
}

/** O4 from T_p(g_q, g_s, g_r) and the products of all H_p g_q. */
function assemble(P: number, cubic: readonly Float64Array[], grams: Float64Array): Float64Array<ArrayBuffer> {
  const o4 = new Float64Array(P ** 4);
  const dot = (p: number, q: number, r: number, s: number): number => grams[(q * P + p) * P * P + s * P + r]!;
  for (let p = 0; p < P; p++) {
    for (let r = 0; r < P; r++) {
      for (let q = 0; q < P; q++) {
        for (let s = 0; s < P; s++) {
          const third = cubic[Math.min(q, s) * P + Math.max(q, s)]!;
          o4[((p * P + r) * P + q) * P + s] =
            third[p * P + r]! +
            third[r * P + p]! +
            dot(p, q, r, s) +
            dot(p, s, r, q) +
            dot(p, r, q, s) +
            dot(r, p, q, s);
        }
      }
    }
  }
  return o4;
}

function checkMemory(model: Model, P: number, order: 3 | 4): void {
  const matrices = order === 4 ? P + 4 : 3;
  const bytes = (matrices * P * model.parameterCount + P ** 4) * bytesPerElement(model.dtype);
  if (bytes <= model.core.memoryBytes) return;
  throw new RangeError(
    `kernelOrders: O${order} of ${P} rows (samples x outputs) and ${model.parameterCount} parameters needs ${bytes} bytes, the limit is ${model.core.memoryBytes}. Use fewer samples or a narrower net.`,
  );
}

/** dTheta/dt (P, P) under gradient flow on sum (f - y)^2 / (2n), with Theta beside it; rows as in `kernelOrders`. */
export function kernelVelocity(
  model: Model,
  { x, y }: DynamicsData,
): { readonly theta: Tensor; readonly velocity: Tensor } {
  const series = new GradientSeries('kernelVelocity', model, x);
  try {
    return model.core.heap.scope((scope) => {
      const { rows: P } = series;
      const { core, parameterCount: count, dtype } = model;
      const direction = scope.put(descent(model, { x, y }) as Float64Array<ArrayBuffer>);
      const [g, moved] = [scope.alloc(dtype, P * count), scope.alloc(dtype, P * count)];
      series.fill(direction, [g, moved]);
      const half = products(core, moved, g, P);
      const velocity = half.map((value, i) => value + half[(i % P) * P + Math.floor(i / P)]!);
      return { theta: tensor(products(core, g, g, P), [P, P]), velocity: tensor(velocity, [P, P]) };
    });
  } finally {
    series.dispose();
  }
}

/** @internal minus the gradient of sum (f - y)^2 / (2n), all parameters in one vector */
export function descent(model: Model, { x, y }: DynamicsData): Float64Array | Float32Array {
  const { gradients } = model.gradients(x, y, 'mse');
  const flat = flatten('descent', model.slots, gradients, model.dtype);
  return flat.map((value) => -value * model.outputSize);
}
