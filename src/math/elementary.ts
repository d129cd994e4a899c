/**
 * Elementary and special functions of one number in plain f64 arithmetic: equal bits in every engine (Math.exp and its
 * kin differ), and the bits of the f64 kernels of the same names in the `simd` variant. Errors: docs/accuracy.md.
 * @module
 */
export {
  cosh,
  exp,
  expm1,
  log,
  log1p,
  pow,
  sigmoid,
  sinh,
  softplus,
  tanh,
} from './elementary/exponential.js';
export { acos, asin, atan, atan2, cos, sin } from './elementary/trigonometric.js';
export {
  digamma,
  erf,
  erfc,
  lgamma,
  normalCdf,
  normalQuantile,
  normalQuantileCentred,
} from './elementary/special.js';
