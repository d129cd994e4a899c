// Numbers with their derivatives in (k12, k11, k22), for the duals whose derivatives are long by hand.
import { atan, cosh, exp, pow, sinh } from '../../../math/elementary.js';

/** Value, then the derivatives in k12, k11 and k22. */
export type Jet = readonly [number, number, number, number];

export const variable = (value: number, index: 1 | 2 | 3): Jet => [
  value,
  +(index === 1),
  +(index === 2),
  +(index === 3),
];
export const add = (a: Jet, b: Jet): Jet => [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]];
/** s a + c. */
export const affine = (a: Jet, s: number, c = 0): Jet => [s * a[0] + c, s * a[1], s * a[2], s * a[3]];
export const multiply = (a: Jet, b: Jet): Jet => [
  a[0] * b[0],
  a[1] * b[0] + a[0] * b[1],
  a[2] * b[0] + a[0] * b[2],
  a[3] * b[0] + a[0] * b[3],
];
/** f(a), of which the value and the slope at a are given. */
const chain = (a: Jet, value: number, slope: number): Jet => [
  value,
  slope * a[1],
  slope * a[2],
  slope * a[3],
];
export const power = (a: Jet, p: number): Jet => {
  const value = p === 0.5 ? Math.sqrt(a[0]) : p === -1 ? 1 / a[0] : pow(a[0], p);
  return chain(a, value, (p * value) / a[0]);
};
export const expOf = (a: Jet): Jet => chain(a, exp(a[0]), exp(a[0]));
export const sinhOf = (a: Jet): Jet => chain(a, sinh(a[0]), cosh(a[0]));
export const coshOf = (a: Jet): Jet => chain(a, cosh(a[0]), sinh(a[0]));
export const atanOf = (a: Jet): Jet => chain(a, atan(a[0]), 1 / (1 + a[0] * a[0]));
