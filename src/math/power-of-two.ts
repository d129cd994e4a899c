// Scales that lose no digit: numbers of any size become numbers near 1 by a division that is exact.

/** The power of two just below `value`, kept where its reciprocal is finite. */
export function powerOfTwo(value: number): number {
  let scale = 1;
  while (scale * 2 <= value && scale < 2 ** 1020) scale *= 2;
  while (scale > value && scale > 2 ** -1020) scale /= 2;
  return scale;
}
