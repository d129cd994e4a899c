// Powers of a width factor with the same bits in every engine: Math.pow differs between them.
import { pow } from '../../math/elementary.js';
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
  if (eighths === null) factor = pow(base, toNumber({ ...q, num: rest }));
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
