import { tensor, asTensor, type Tensor, type TensorLike } from '../math/tensor.js';
import type { Model } from '../net/model.js';

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
