/** |now - before| / |before| in the Frobenius norm. */
export function relativeChange(now: ArrayLike<number>, before: ArrayLike<number>): number {
  let [moved, size] = [0, 0];
  for (let i = 0; i < before.length; i++) {
    moved += (now[i]! - before[i]!) ** 2;
    size += before[i]! ** 2;
  }
  return Math.sqrt(moved / size);
}
