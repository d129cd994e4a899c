/** c[0] x^n + ... + c[n]. */
export function horner(c: readonly number[], x: number): number {
  let y = c[0]!;
  for (let i = 1; i < c.length; i++) y = y * x + c[i]!;
  return y;
}
