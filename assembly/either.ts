// Arithmetic of a dtype known at run time only: one instance of the code around serves both. For loops that are not hot.

export function add(single: bool, a: v128, b: v128): v128 { return single ? f32x4.add(a, b) : f64x2.add(a, b); }
export function mul(single: bool, a: v128, b: v128): v128 { return single ? f32x4.mul(a, b) : f64x2.mul(a, b); }
export function sub(single: bool, a: v128, b: v128): v128 { return single ? f32x4.sub(a, b) : f64x2.sub(a, b); }
/** one / sqrt(q + eps). */
export function inverseRoot(single: bool, one: v128, q: v128, eps: v128): v128 {
  return single ? f32x4.div(one, f32x4.sqrt(f32x4.add(q, eps))) : f64x2.div(one, f64x2.sqrt(f64x2.add(q, eps)));
}
/** a / max(b, one). */
export function over(single: bool, a: v128, b: v128, one: v128): v128 {
  return single ? f32x4.div(a, f32x4.max(b, one)) : f64x2.div(a, f64x2.max(b, one));
}
/** One number of either dtype in all lanes. */
export function splatAt(single: bool, p: usize): v128 { return single ? v128.load32_splat(p) : v128.load64_splat(p); }
// @ts-ignore: decorator
@inline export function read(single: bool, p: usize): f64 { return single ? <f64>load<f32>(p) : load<f64>(p); }
// @ts-ignore: decorator
@inline export function write(single: bool, p: usize, x: f64): void { if (single) store<f32>(p, <f32>x); else store<f64>(p, x); }
