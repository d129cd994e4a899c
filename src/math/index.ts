export { tensor, type NestedArray, type Tensor, type TensorLike } from './tensor.js';
export { matmul } from './matmul.js';
export {
  foldIn,
  normal,
  normalAt,
  permutation,
  randomKey,
  uniform,
  uniformAt,
  type RandomKey,
} from './random.js';
