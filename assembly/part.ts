// Loading and storing of the last, partial vector of an array.
import { lanes } from './simd';

/** A vector of the first `count` (>= 1) numbers at p, then zeros. */
// @ts-ignore: decorator
@inline export function loadPart<T>(p: usize, count: i32): v128 { return count >= lanes<T>() ? v128.load(p) : loadFew<T>(p, count); }
// Recursive, because the optimiser would inline straight code or a loop at every use.
function loadFew<T>(p: usize, count: i32): v128 {
  if (sizeof<T>() == 8) return v128.load64_zero(p);
  if (count == 1) return v128.load32_zero(p);
  const rest = loadFew<T>(p + 4, count - 1);
  return v128.load32_lane(p, v128.shuffle<i32>(rest, rest, 0, 0, 1, 2), 0);
}
/** Stores the first `count` (>= 1) lanes of v. */
// @ts-ignore: decorator
@inline export function storePart<T>(p: usize, v: v128, count: i32): void { if (count >= lanes<T>()) v128.store(p, v); else storeFew<T>(p, v, count); }
function storeFew<T>(p: usize, v: v128, count: i32): void {
  if (sizeof<T>() == 8) { v128.store64_lane(p, v, 0); return; }
  v128.store32_lane(p, v, 0);
  if (count > 1) storeFew<T>(p + 4, v128.shuffle<i32>(v, v, 1, 2, 3, 3), count - 1);
}
