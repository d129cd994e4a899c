// Products of powers of what changes when a net is made larger: exact exponents, numbers only at the end.
import { widthPower } from '../theory/power.js';
import {
  add,
  format,
  negate,
  subtract,
  toNumber,
  toRational,
  ZERO,
  type Exponent,
  type Rational,
} from '../theory/rational.js';

/** What a multiplier may depend on: each is the ratio of the target model to the base model. */
export type Dimension = 'fanIn' | 'fanOut' | 'depth' | 'batch' | 'tokens';
export const DIMENSIONS: readonly Dimension[] = ['fanIn', 'fanOut', 'depth', 'batch', 'tokens'];

/** Exponents by dimension; those left out are 0. */
export type Powers = { readonly [K in Dimension]?: Rational };
export type Factors = { readonly [K in Dimension]: number };

export const powers = (exponents: { readonly [K in Dimension]?: Exponent }): Powers =>
  Object.fromEntries(
    Object.entries(exponents).map(([key, value]) => [key, toRational(value, `powers: ${key}`)]),
  );

export const product = (...all: readonly Powers[]): Powers => {
  const result: { [K in Dimension]?: Rational } = {};
  for (const one of all)
    for (const key of DIMENSIONS) if (one[key]) result[key] = add(result[key] ?? ZERO, one[key]);
  return result;
};
export const inverse = (one: Powers): Powers =>
  Object.fromEntries(Object.entries(one).map(([key, value]) => [key, negate(value)]));

/** The multiplier at these ratios; exactly 1 where all of them are 1. */
export const valueAt = (one: Powers, factors: Factors): number =>
  DIMENSIONS.reduce((result, key) => result * (one[key] ? widthPower(factors[key], one[key]) : 1), 1);

/** The power of the width in a multiplier of a matrix whose wide sides all grow with it. */
export const widthExponent = (
  one: Powers,
  wide: { readonly fanIn: boolean; readonly fanOut: boolean },
): Rational => add(wide.fanIn ? (one.fanIn ?? ZERO) : ZERO, wide.fanOut ? (one.fanOut ?? ZERO) : ZERO);

/** Whether two multipliers are the same power of everything. */
export const samePowers = (one: Powers, other: Powers): boolean =>
  DIMENSIONS.every((key) => subtract(one[key] ?? ZERO, other[key] ?? ZERO).num === 0n);

/** `{ fanIn: '-1', depth: '1/2' }`: zeros are left out. */
export const powersText = (one: Powers): { [K in Dimension]?: string } =>
  Object.fromEntries(
    DIMENSIONS.flatMap((key) => (one[key] && toNumber(one[key]) !== 0 ? [[key, format(one[key])]] : [])),
  );
