// The passes over the hidden units of a one-hidden-layer net f = sum_r a_r phi(z_r) that are not matrix products.
// phi is leaky (phi' = 1 for z > 0, else `slope`) and applied in place, or given as arrays of values and derivatives.
import { hsum, lanes, madd } from './simd';

// @ts-ignore: decorator
@inline function ix<T>(i: i32): usize { return <usize>i * sizeof<T>(); }
/** phi'(z) of leaky ReLU in every lane. */
// @ts-ignore: decorator
@inline function mask<T>(z: v128, one: v128, slope: v128): v128 { return v128.bitselect(one, slope, v128.gt<T>(z, v128.splat<T>(<T>0))); }

// @ts-ignore: decorator
@inline function dot<T>(rows: i32, cols: i32, z: usize, y: usize, a: usize, slope: T, f: usize): void {
  const one = v128.splat<T>(<T>1), low = v128.splat<T>(slope), step = lanes<T>();
  for (let i = 0; i < rows; i++) {
    let s0 = v128.splat<T>(<T>0), s1 = s0, r = 0;
    for (; r + 2 * step <= cols; r += 2 * step) {
      const at = ix<T>(r);
      s0 = madd<T>(v128.mul<T>(mask<T>(v128.load(z + at), one, low), v128.load(y + at)), v128.load(a + at), s0);
      s1 = madd<T>(v128.mul<T>(mask<T>(v128.load(z + at, 16), one, low), v128.load(y + at, 16)), v128.load(a + at, 16), s1);
    }
    let sum = hsum<T>(v128.add<T>(s0, s1));
    for (; r < cols; r++) {
      const at = ix<T>(r);
      sum += (load<T>(z + at) > 0 ? load<T>(y + at) : slope * load<T>(y + at)) * load<T>(a + at);
    }
    store<f64>(f, load<f64>(f) + <f64>sum);
    z += ix<T>(cols); y += ix<T>(cols); f += 8;
  }
}

/**
 * f_i += sum_r a_r phi'(z_ir) y_ir, f64 sums per row. z, y: rows x cols f32 (y = z gives sum a phi(z); slope = 1 gives
 * y a), a: cols f32, f: rows f64. No alignment; z may be y. 4 rows cols flops.
 */
export function hiddenDot_f32(rows: i32, cols: i32, z: usize, y: usize, a: usize, slope: f32, f: usize): void { dot<f32>(rows, cols, z, y, a, slope, f); }
/** As hiddenDot_f32, in f64. */
export function hiddenDot_f64(rows: i32, cols: i32, z: usize, y: usize, a: usize, slope: f64, f: usize): void { dot<f64>(rows, cols, z, y, a, slope, f); }

// @ts-ignore: decorator
@inline function one<T>(z: usize, d: usize, g: T, slope: T, out: usize): T {
  const value = load<T>(z), e = d ? g * load<T>(d) : value > 0 ? g : g * slope;
  store<T>(out, e);
  return d ? g * value : e * value;
}

// @ts-ignore: decorator
@inline function back<T>(rows: i32, cols: i32, z: usize, d: usize, g: usize, slope: T, out: usize, da: usize): void {
  const unit = v128.splat<T>(<T>1), low = v128.splat<T>(slope), step = lanes<T>();
  let i = 0;
  for (; i < rows; i++) {
    const gi = <T>load<f64>(g + (<usize>i << 3)), gv = v128.splat<T>(gi), at = ix<T>(i * cols);
    let r = 0;
    if (d) {
      for (; r + step <= cols; r += step) {
        const p = at + ix<T>(r), q = da + ix<T>(r);
        const value = v128.load(z + p);
        v128.store(q, madd<T>(gv, value, v128.load(q)));
        v128.store(out + p, v128.mul<T>(gv, v128.load(d + p)));
      }
    } else {
      for (; r + step <= cols; r += step) {
        const p = at + ix<T>(r), q = da + ix<T>(r);
        const value = v128.load(z + p), e = v128.mul<T>(gv, mask<T>(value, unit, low));
        v128.store(q, madd<T>(e, value, v128.load(q)));
        v128.store(out + p, e);
      }
    }
    for (; r < cols; r++) {
      const p = at + ix<T>(r), q = da + ix<T>(r);
      store<T>(q, load<T>(q) + one<T>(z + p, d ? d + p : 0, gi, slope, out + p));
    }
  }
}

/**
 * out_ir = g_i phi'_ir and da_r += sum_i g_i phi_ir. z: rows x cols f32; d = 0: phi leaky with `slope`, z its argument;
 * else z holds phi and d phi', both rows x cols. g: rows f64, out: rows x cols (may be z or d), da: cols. 5 rows cols flops.
 */
export function hiddenBack_f32(rows: i32, cols: i32, z: usize, d: usize, g: usize, slope: f32, out: usize, da: usize): void { back<f32>(rows, cols, z, d, g, slope, out, da); }
/** As hiddenBack_f32, in f64 . */
export function hiddenBack_f64(rows: i32, cols: i32, z: usize, d: usize, g: usize, slope: f64, out: usize, da: usize): void { back<f64>(rows, cols, z, d, g, slope, out, da); }

// @ts-ignore: decorator
@inline function kernels<T>(rows: i32, cols: i32, z: usize, d: usize, a: usize, slope: T, ka: usize, kw: usize): void {
  for (let i = 0; i < rows; i++) {
    let sa: f64 = 0, sw: f64 = 0;
    for (let r = 0; r < cols; r++) {
      const value = load<T>(z + ix<T>(r));
      const slopeHere = d ? load<T>(d + ix<T>(r)) : value > 0 ? <T>1 : slope;
      const phi = <f64>(d ? value : slopeHere * value), move = <f64>(slopeHere * load<T>(a + ix<T>(r)));
      sa += phi * phi;
      sw += move * move;
    }
    store<f64>(ka, load<f64>(ka) + sa);
    store<f64>(kw, load<f64>(kw) + sw);
    z += ix<T>(cols); if (d) d += ix<T>(cols); ka += 8; kw += 8;
  }
}

/**
 * ka_i += sum_r phi_ir^2 and kw_i += sum_r (a_r phi'_ir)^2: the diagonal tangent kernel without its rates and |x|^2.
 * z, d, slope as in hiddenBack; a: cols f32; ka, kw: rows f64.
 */
export function hiddenKernels_f32(rows: i32, cols: i32, z: usize, d: usize, a: usize, slope: f32, ka: usize, kw: usize): void { kernels<f32>(rows, cols, z, d, a, slope, ka, kw); }
/** As hiddenKernels_f32, in f64. */
export function hiddenKernels_f64(rows: i32, cols: i32, z: usize, d: usize, a: usize, slope: f64, ka: usize, kw: usize): void { kernels<f64>(rows, cols, z, d, a, slope, ka, kw); }

// @ts-ignore: decorator
@inline function update<T>(rows: i32, cols: i32, beta: T, w: usize, alpha: T, a: usize, t: usize): void {
  const b = v128.splat<T>(beta);
  for (let r = 0; r < rows; r++) {
    const c = alpha * load<T>(a + ix<T>(r)), cv = v128.splat<T>(c);
    let k = 0;
    for (; k + lanes<T>() <= cols; k += lanes<T>()) {
      v128.store(w + ix<T>(k), madd<T>(cv, v128.load(t + ix<T>(k)), v128.mul<T>(b, v128.load(w + ix<T>(k)))));
    }
    for (; k < cols; k++) store<T>(w + ix<T>(k), c * load<T>(t + ix<T>(k)) + beta * load<T>(w + ix<T>(k)));
    w += ix<T>(cols); t += ix<T>(cols);
  }
}

/** w_rk = alpha a_r t_rk + beta w_rk. w, t: rows x cols f32 (w may be t), a: rows. 3 rows cols flops. */
export function hiddenUpdate_f32(rows: i32, cols: i32, beta: f32, w: usize, alpha: f32, a: usize, t: usize): void { update<f32>(rows, cols, beta, w, alpha, a, t); }
/** As hiddenUpdate_f32, in f64. */
export function hiddenUpdate_f64(rows: i32, cols: i32, beta: f64, w: usize, alpha: f64, a: usize, t: usize): void { update<f64>(rows, cols, beta, w, alpha, a, t); }
