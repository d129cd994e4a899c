import { tensor, asTensor, type Tensor, type TensorLike } from '../math/tensor.js';
import type { NetDocument } from '../net/index.js';
import type { Model, ModelOptions } from '../net/model.js';
import { flatten } from '../net/parameters.js';

export interface DynamicsData {
  /** (n, ...inputShape). */
  readonly x: TensorLike;
  /** (n, outputs): the loss is sum (f - y)^2 / (2n). */
  readonly y: TensorLike;
}

/** @internal inputs and targets that fit the model; targets may be (n) for one output */
export function checkedData(
  where: string,
  model: Model,
  data: DynamicsData,
): { x: Tensor; y: Tensor; n: number } {
  const { n } = model.input(where, data.x);
  const y = asTensor(data.y, `${where}: y`);
  const o = model.outputSize;
  if (y.data.length !== n * o) {
    throw new RangeError(`${where}: y must have shape [${n}, ${o}], got ${y.data.length} numbers.`);
  }
  return { x: asTensor(data.x), y: tensor(y.data, [n, o]), n };
}

/** @internal what all runs of one net have in common */
export interface SharedRun {
  readonly net: NetDocument;
  readonly model: ModelOptions;
  readonly x: Tensor;
  readonly y: Tensor;
  readonly steps: number;
}

/** @internal checked once, before the jobs */
export function sharedRun(
  where: string,
  net: NetDocument,
  { model, x, y }: DynamicsData & { readonly model: ModelOptions },
  steps: number,
): SharedRun {
  if (!Number.isSafeInteger(steps) || steps < 1)
    throw new RangeError(`${where}: steps must be a whole number >= 1, got ${steps}.`);
  return { net, model, x: asTensor(x, `${where}: x`), y: asTensor(y, `${where}: y`), steps };
}

/** @internal */
export function checkPositive(where: string, name: string, list: readonly number[]): void {
  const wrong = list.find((value) => !(value > 0) || !Number.isFinite(value));
  if (wrong !== undefined || list.length === 0)
    throw new RangeError(`${where}: ${name} must be positive numbers, got [${list.join(', ')}].`);
}

/** @internal J(x)^T cotangent, all parameters in one vector */
export function pulledBack(
  where: string,
  model: Model,
  x: Tensor,
  cotangent: Float64Array,
): Float64Array | Float32Array {
  const shape = [x.shape[0]!, ...model.outputShape];
  return flatten(where, model.slots, model.vectorJacobian(x, tensor(cotangent, shape)), model.dtype);
}
