/**
 * Random numbers by counter: the same key gives the same bits in every engine, in any order.
 * @module
 */
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
