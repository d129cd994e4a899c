/** An exponent as users write it: `-0.5`, `'-1/2'`, `'0.25'` or `{ num: -1, den: 2 }`. Strings and fractions are exact. */
export type Exponent = number | string | { readonly num: number | bigint; readonly den: number | bigint };

/** A fraction in lowest terms, `den > 0`. */
export interface Rational {
  readonly num: bigint;
  readonly den: bigint;
  /** False when it came from a binary number, which may be a rounded version of what was meant. */
  readonly exact: boolean;
}

const SAFE = 1n << 53n;
const fitsDouble = (a: bigint): boolean => a < SAFE && a > -SAFE;

function gcd(a: bigint, b: bigint): bigint {
  if (fitsDouble(a) && fitsDouble(b)) return BigInt(smallGcd(Number(a), Number(b))); // ten times faster
  while (b) [a, b] = [b, a % b];
  return a < 0n ? -a : a;
}

function smallGcd(a: number, b: number): number {
  while (b !== 0) {
    const rest = a % b;
    a = b;
    b = rest;
  }
  return Math.abs(a);
}

export function rational(num: bigint, den: bigint, exact = true): Rational {
  const sign = den < 0n ? -1n : 1n;
  const common = gcd(num, den) || 1n;
  return { num: (sign * num) / common, den: (sign * den) / common, exact };
}

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,3}))?$/i;

/** Reads an exponent. RangeError names `name` when it is not a finite rational number. */
export function toRational(value: Exponent, name: string): Rational {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw invalid(name, value);
    return Number.isInteger(value) ? rational(BigInt(value), 1n) : simplest(value);
  }
  if (typeof value === 'string') {
    const [top, bottom, ...rest] = value.trim().replace('−', '-').split('/'); // U+2212 is a minus sign too
    if (rest.length > 0) throw invalid(name, value);
    const num = decimal(top!, name);
    if (bottom === undefined) return num;
    const den = decimal(bottom, name);
    if (den.num === 0n) throw invalid(name, value);
    return rational(num.num * den.den, num.den * den.num);
  }
  if (value === null || typeof value !== 'object') throw invalid(name, value);
  const { num, den } = value;
  const whole = (part: unknown): boolean => typeof part === 'bigint' || Number.isSafeInteger(part);
  if (!whole(num) || !whole(den) || BigInt(den) === 0n) throw invalid(name, `${num}/${den}`);
  return rational(BigInt(num), BigInt(den));
}

function decimal(text: string, name: string): Rational {
  const match = DECIMAL.exec(text.trim());
  const whole = match?.[2] ?? '';
  const fraction = match?.[3] ?? '';
  if (!match || whole + fraction === '') throw invalid(name, text);
  const digits = BigInt(whole + fraction) * (match[1] === '-' ? -1n : 1n);
  const shift = Number(match[4] ?? 0) - fraction.length;
  return shift >= 0 ? rational(digits * 10n ** BigInt(shift), 1n) : rational(digits, 10n ** BigInt(-shift));
}

/** The fraction with the smallest denominator next to a double (continued fraction): -2/3 and -0.7 + 0.2 come back as meant. */
function simplest(value: number): Rational {
  let [num, den, lastNum, lastDen] = [1n, 0n, 0n, 1n];
  let rest = value;
  for (let i = 0; i < 40; i++) {
    const whole = Math.floor(rest);
    [num, lastNum] = [BigInt(whole) * num + lastNum, num];
    [den, lastDen] = [BigInt(whole) * den + lastDen, den];
    const error = Math.abs(Number(num) / Number(den) - value);
    if (error <= 1e-14 * Math.max(1, Math.abs(value)) || rest === whole) break;
    rest = 1 / (rest - whole);
  }
  return rational(num, den, false);
}

const invalid = (name: string, value: unknown): RangeError =>
  new RangeError(
    `${name}: an exponent must be a finite number, a fraction like '-1/2' or { num, den }, got ${String(value)}`,
  );

export const add = (a: Rational, b: Rational): Rational =>
  rational(a.num * b.den + b.num * a.den, a.den * b.den, a.exact && b.exact);
export const negate = ({ num, den, exact }: Rational): Rational => ({ num: -num, den, exact });
export const subtract = (a: Rational, b: Rational): Rational => add(a, negate(b));
/** `a` times the fraction `num/den`. */
export const times = (a: Rational, num: bigint, den = 1n): Rational =>
  rational(a.num * num, a.den * den, a.exact);
export const sum = (...terms: readonly Rational[]): Rational => terms.reduce(add);
export const max = (...terms: readonly Rational[]): Rational =>
  terms.reduce((best, term) => (subtract(term, best).num > 0n ? term : best));
export const min = (...terms: readonly Rational[]): Rational =>
  terms.reduce((best, term) => (below(term, best) ? term : best));
/** Whether a < b. */
export const below = (a: Rational, b: Rational): boolean => a.num * b.den < b.num * a.den;
export const equal = (a: Rational, b: Rational): boolean => a.num === b.num && a.den === b.den;
export const HALF: Rational = rational(1n, 2n);
export const ZERO: Rational = rational(0n, 1n);
export const ONE: Rational = rational(1n, 1n);

/** The nearest double. */
export function toNumber({ num, den }: Rational): number {
  if (fitsDouble(num) && fitsDouble(den)) return Number(num) / Number(den);
  const whole = num / den;
  return Number(whole) + Number(((num - whole * den) * (1n << 60n)) / den) / 2 ** 60;
}

/** `-1/2`, `0`, `3`. Exact, and valid as an `Exponent` and in JSON. */
export const format = ({ num, den }: Rational): string => (den === 1n ? `${num}` : `${num}/${den}`);

/**
 * The sign, where an inexact value within `tolerance` of zero counts as zero: -0.7 + 0.2 is -0.49999999999999994
 * in doubles, and is meant to be -1/2.
 */
export function signOf(value: Rational, tolerance: number): -1 | 0 | 1 {
  if (value.num === 0n) return 0;
  if (!value.exact && Math.abs(toNumber(value)) <= tolerance) return 0;
  return value.num < 0n ? -1 : 1;
}

/** `value`, or an exact zero when `signOf` says zero. */
export const snap = (value: Rational, tolerance: number): Rational =>
  signOf(value, tolerance) === 0 ? { ...ZERO, exact: value.exact } : value;
