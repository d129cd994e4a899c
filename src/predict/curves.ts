// What the spectrum alone says about training on the mean squared error: loss, distance travelled, dual coefficients.
import { sizeOf, type Tensor, type TensorLike } from '../math/tensor.js';
import type { Engine } from '../wasm/engine.js';
import { toMatrix, type Layout, type Times } from './layout.js';
import { product } from './linear.js';
import type { Dynamics } from './spectral.js';
import { batched, byTime, factorsAt, stepsOf, sweep } from './sweep.js';
import type { TrainSystem } from './system.js';

export interface MseModel {
  readonly engine: Engine;
  readonly layout: Layout;
  readonly samples: number;
  readonly system: TrainSystem;
  readonly targets: Float64Array;
  readonly dynamics: Dynamics;
}

/** Train loss |f_t - y|^2 / (2N). */
export async function lossCurve(model: MseModel, t: Times, f0Train: TensorLike = 0): Promise<Tensor> {
  const size = sizeOf(model.layout.yShape);
  return quadratic(model, t, f0Train, (e) => (e * e) / (2 * size));
}

/** |theta_t - theta_0| of the linearised net. */
export async function displacement(model: MseModel, t: Times, f0Train: TensorLike = 0): Promise<Tensor> {
  const { added, scale } = model.system;
  const curve = await quadratic(model, t, f0Train, (_, g, lambda) => g * g * Math.max(lambda - added, 0));
  // g is in units of 1/scale and lambda in units of scale.
  return { data: curve.data.map((value) => Math.sqrt(value / scale)), shape: curve.shape };
}

/** sum_j weight(e_j, g_j, lambda_j) |(V' r0)_j|^2 at every time. */
async function quadratic(
  model: MseModel,
  t: Times,
  f0Train: TensorLike,
  weight: (e: number, g: number, lambda: number) => number,
): Promise<Tensor> {
  const { engine, layout, samples, system, targets } = model;
  const { rows, columns } = layout;
  const times = stepsOf('gradientDescentMse', t, model.dynamics);
  const f0 = toMatrix(layout, f0Train, samples, 'gradientDescentMse: f0Train');
  const { values, vectors } = await system.spectrum();
  const residual = f0.map((value, i) => value - targets[i]!);
  const projected = await product(engine, vectors, residual, [rows, columns, rows], { transA: true });
  const { list } = await factorsAt(system, model.dynamics, layout, times.values, {});
  const data = Float64Array.from(list, ({ residual: e, g }) => {
    let sum = 0;
    for (let j = 0; j < rows; j++) {
      const w = weight(e[j]!, g[j]!, values[j]!);
      for (let c = 0; c < columns; c++) sum += w * projected[j * columns + c]! ** 2;
    }
    return sum;
  });
  return { data, shape: times.shape };
}

/** c with theta_t - theta_0 = J' c. */
export async function coefficients(model: MseModel, t: Times, f0Train: TensorLike = 0): Promise<Tensor> {
  const { engine, layout, samples, system, targets } = model;
  const times = stepsOf('gradientDescentMse', t, model.dynamics);
  const f0 = toMatrix(layout, f0Train, samples, 'gradientDescentMse: f0Train');
  const residual = f0.map((value, i) => value - targets[i]!);
  const { rows: n, columns } = layout;
  const { vectors } = await system.spectrum();
  const { list } = await factorsAt(system, model.dynamics, layout, times.values, {});
  const weights = list.map(({ g }) => g.map((value) => -value / system.scale));
  const { own } = await sweep(engine, { vectors, right: residual, n, columns, own: weights }, {});
  return batched(layout, byTime(own, weights.length, columns), samples, times.shape);
}
