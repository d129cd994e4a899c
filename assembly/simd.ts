// The only file in which the two variants differ. ASC_FEATURE_RELAXED_SIMD folds at compile time.

/** a*b + c: two roundings in `simd`, one (fused) in `relaxed`. */
// @ts-ignore: decorator
@inline export function madd<T>(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return v128.relaxed_madd<T>(a, b, c);
  return v128.add<T>(c, v128.mul<T>(a, b));  // c first: V8 then updates an accumulator in its register
}

/** c - a*b. */
// @ts-ignore: decorator
@inline export function nmadd<T>(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return v128.relaxed_nmadd<T>(a, b, c);
  return v128.sub<T>(c, v128.mul<T>(a, b));
}

/** Lanes of T in one vector: 4 for f32, 2 for f64. */
// @ts-ignore: decorator
@inline export function lanes<T>(): i32 { return <i32>(16 / sizeof<T>()); }

/** The sum of all lanes, always in the same order. */
// @ts-ignore: decorator
@inline export function hsum<T>(v: v128): T {
  if (sizeof<T>() == 8) return v128.extract_lane<T>(v, 0) + v128.extract_lane<T>(v, 1);
  return (v128.extract_lane<T>(v, 0) + v128.extract_lane<T>(v, 1)) + (v128.extract_lane<T>(v, 2) + v128.extract_lane<T>(v, 3));
}

/** A right factor of at most these bytes is best read where it lies (measured: with two roundings reading is dearer). */
// @ts-ignore: decorator
@inline export const SMALL: usize = ASC_FEATURE_RELAXED_SIMD ? 36864 : 24576;
