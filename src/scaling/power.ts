// Powers of a width factor with the same bits in every engine: Math.pow differs between them.
import { toNumber, type Rational } from './rational.js';

/** `base^q` for base > 0; exact rounding steps only (products and square roots) when q is a multiple of 1/8. */
export function widthPower(base: number, q: Rational): number {
  if (!(base > 0) || !Number.isFinite(base)) {
    throw new RangeError(`widthPower: the width factor must be positive and finite, got ${base}`);
  }
  if (q.num < 0n) return 1 / widthPower(base, { ...q, num: -q.num });
  const whole = q.num / q.den;
  const rest = q.num - whole * q.den;
  const eighths = q.den <= 8n && 8n % q.den === 0n ? Number((rest * 8n) / q.den) : null;
  let factor = 1;
  if (eighths === null) factor = exp(toNumber({ ...q, num: rest }) * log(base));
  else {
    let root = base;
    for (let bit = 4; bit >= 1; bit >>= 1) {
      root = Math.sqrt(root);
      if (eighths & bit) factor *= root;
    }
  }
  let square = base;
  for (let n = whole; n > 0n; n >>= 1n) {
    if (n & 1n) factor *= square;
    square *= square;
  }
  return factor;
}

/** `base^x` for base > 0 and a real exponent, to about 1e-14 relative. */
export const realPower = (base: number, x: number): number => exp(x * log(base));

const LN2_HIGH = 6.9314718036912381649e-1;
const LN2_LOW = 1.90821492927058770002e-10;

/** e^x. */
export function exp(x: number): number {
  if (x > 710) return Infinity;
  if (x < -745) return 0;
  const k = Math.round(x / (LN2_HIGH + LN2_LOW));
  const r = x - k * LN2_HIGH - k * LN2_LOW;
  let term = 1;
  let total = 1;
  for (let i = 1; i < 20; i++) {
    term *= r / i;
    total += term;
  }
  return k >= 0 ? total * twoTo(k) : total / twoTo(-k);
}

function twoTo(k: number): number {
  let value = 1;
  for (let i = 0; i < k; i++) value *= 2;
  return value;
}

function log(x: number): number {
  let k = 0;
  for (; x > Math.SQRT2; x /= 2) k++;
  for (; x < Math.SQRT1_2; x *= 2) k--;
  return k * LN2_HIGH + (k * LN2_LOW + log1p(x - 1));
}

/** log(1 + t) for t from -0.3 to 1, accurate for small t. */
export function log1p(t: number): number {
  const s = t / (2 + t);
  let term = s;
  let total = s;
  for (let i = 3; i < 40; i += 2) {
    term *= s * s;
    total += term / i;
  }
  return 2 * total;
}
