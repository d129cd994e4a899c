export { tensor, type NestedArray, type Tensor, type TensorLike } from './tensor.js';
export { matmul } from './matmul.js';
