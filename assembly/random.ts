// Counter-based random numbers: element i of the stream of a key is a function of (key, i) alone, so any split of a
// stream over calls, workers or machines gives the same numbers. Threefry2x32 with 20 rounds: Salmon, Moraes, Dror &
// Shaw (SC11), "Parallel random numbers: as easy as 1, 2, 3". No fused multiply-add here: both variants draw equal bits.

const PARITY: u32 = 0x1BD11BDA;

/** The 64 bits of counter (0, c) under key (k0, k1): first word high, second word low. */
function threefry(k0: u32, k1: u32, c: u32): u64 {
  let a = k0, b = k1, d = k0 ^ k1 ^ PARITY, x0 = a, x1 = c + b;
  let turns: u64 = 0x18101d11_061a0f0d;  // 13, 15, 26, 6, 17, 29, 16, 24
  for (let round = 1; round <= 20; round++) {
    x0 += x1;
    x1 = rotl<u32>(x1, <u32>turns & 31) ^ x0;
    turns = rotr<u64>(turns, 8);
    if ((round & 3) == 0) {
      const first = a;
      a = b; b = d; d = first;
      x0 += a; x1 += b + (round >> 2);
    }
  }
  return (<u64>x0 << 32) | <u64>x1;
}

// Wichura (1988), AS 241 (PPND16): the normal quantile; q = p - 1/2, r = .425^2 - q^2 in the middle, sqrt(-log(min(p, 1 - p))) outside.
const MIDDLE_P: usize = memory.data<f64>([
  2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
  13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.3871328727963666080,
], 16);
const MIDDLE_Q: usize = memory.data<f64>([
  5226.4952788528545610, 28729.085735721942674, 39307.895800092710610, 21213.794301586595867,
  5394.1960214247511077, 687.18700749205790830, 42.313330701600911252, 1,
], 16);
const NEAR_P: usize = memory.data<f64>([
  7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258,
  3.64784832476320460504, 5.76949722146069140550, 4.63033784615654529590, 1.42343711074968357734,
], 16);
const NEAR_Q: usize = memory.data<f64>([
  1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
  6.89767334985100004550e-1, 1.67638483018380384940, 2.05319162663775882187, 1,
], 16);
const FAR_P: usize = memory.data<f64>([
  2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
  2.96560571828504891230e-1, 1.78482653991729133580, 5.46378491116411436990, 6.65790464350110377720,
], 16);
const FAR_Q: usize = memory.data<f64>([
  2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
  1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1,
], 16);

// @ts-ignore: decorator
@inline function horner2(c: usize, x: v128): v128 {
  let y = v128.load64_splat(c);
  y = f64x2.add(f64x2.mul(y, x), v128.load64_splat(c, 8)); y = f64x2.add(f64x2.mul(y, x), v128.load64_splat(c, 16));
  y = f64x2.add(f64x2.mul(y, x), v128.load64_splat(c, 24)); y = f64x2.add(f64x2.mul(y, x), v128.load64_splat(c, 32));
  y = f64x2.add(f64x2.mul(y, x), v128.load64_splat(c, 40)); y = f64x2.add(f64x2.mul(y, x), v128.load64_splat(c, 48));
  return f64x2.add(f64x2.mul(y, x), v128.load64_splat(c, 56));
}

function horner1(c: usize, x: f64): f64 {
  let y = load<f64>(c);
  for (let i: usize = 8; i < 64; i += 8) y = y * x + load<f64>(c + i);
  return y;
}

/** log of a normal number in (0, 1): as elementary.ts, without fused operations. */
function logPlain(x: f64): f64 {
  const bits = reinterpret<i64>(x), t = (bits - 0x3fe6a09e00000000) >> 52;
  const f = reinterpret<f64>(bits - (t << 52)) - 1, e = <f64>t;
  const s = f / (2 + f), z = s * s, h = 0.5 * f * f;
  const r = z * (0.666666666666667 + z * (0.39999999999899505 + z * (0.28571428625975487 + z * (0.2222221113479508
    + z * (0.18182889125261723 + z * (0.15331721600556042 + z * 0.14616449685043406))))));
  return e * 6.93147180369123816490e-1 + (f - (h - (s * (h + r) + e * 1.90821492927058770002e-10)));
}

/** The normal quantile at 1/2 + q for |q| > .425. */
function tail(q: f64): f64 {
  const r = sqrt<f64>(-logPlain(0.5 - abs<f64>(q)));
  const x = r <= 5 ? horner1(NEAR_P, r - 1.6) / horner1(NEAR_Q, r - 1.6) : horner1(FAR_P, r - 5) / horner1(FAR_Q, r - 5);
  return copysign<f64>(x, q);
}

/** q -> normal quantile at 1/2 + q, two lanes. */
function quantile(q: v128): v128 {
  const r = f64x2.sub(f64x2.splat(0.180625), f64x2.mul(q, q));
  let x = f64x2.div(f64x2.mul(q, horner2(MIDDLE_P, r)), horner2(MIDDLE_Q, r));
  const outside = f64x2.lt(r, f64x2.splat(0));
  if (v128.any_true(outside)) {
    if (i64x2.extract_lane(outside, 0)) x = f64x2.replace_lane(x, 0, tail(f64x2.extract_lane(q, 0)));
    if (i64x2.extract_lane(outside, 1)) x = f64x2.replace_lane(x, 1, tail(f64x2.extract_lane(q, 1)));
  }
  return x;
}

// @ts-ignore: decorator
@inline function spin(x0: v128, x1: v128, by: i32): v128 {
  return v128.xor(v128.or(i32x4.shl(x1, by), i32x4.shr_u(x1, 32 - by)), x0);
}

const BITS: i32 = 0, UNIFORM: i32 = 1, NORMAL: i32 = 2;

/** One loop for every distribution and dtype: four counters at a time, then two vectors of two f64, or one of four f32. */
function draw(single: bool, kind: i32, k0: u32, k1: u32, first: f64, n: i32, a: f64, b: f64, out: usize): void {
  const p0 = i32x4.splat(k0), p1 = i32x4.splat(k1), p2 = i32x4.splat(k0 ^ k1 ^ PARITY);
  const one = i32x4.splat(1);
  const start = <u64>first, va = f64x2.splat(a), vb = f64x2.splat(b);
  for (let i = 0; i < n; i += 4) {
    const base = start + <u64>i, low = i32x4.splat(<u32>base);
    let x1 = i32x4.add(low, i32x4(0, 1, 2, 3));
    let x0 = i32x4.sub(i32x4.splat(<u32>(base >> 32)), i32x4.lt_u(x1, low));   // the carry
    x0 = i32x4.add(x0, p0); x1 = i32x4.add(x1, p1);
    let a0 = p1, a1 = p2, a2 = p0, round = one;   // the key words in turn; `one` counts the injections in every lane
    for (let half = 0; ; half++) {
      x0 = i32x4.add(x0, x1); x1 = spin(x0, x1, 13); x0 = i32x4.add(x0, x1); x1 = spin(x0, x1, 15);
      x0 = i32x4.add(x0, x1); x1 = spin(x0, x1, 26); x0 = i32x4.add(x0, x1); x1 = spin(x0, x1, 6);
      x0 = i32x4.add(x0, a0); x1 = i32x4.add(x1, i32x4.add(a1, round)); round = i32x4.add(round, one);
      if (half == 2) break;
      x0 = i32x4.add(x0, x1); x1 = spin(x0, x1, 17); x0 = i32x4.add(x0, x1); x1 = spin(x0, x1, 29);
      x0 = i32x4.add(x0, x1); x1 = spin(x0, x1, 16); x0 = i32x4.add(x0, x1); x1 = spin(x0, x1, 24);
      x0 = i32x4.add(x0, a1); x1 = i32x4.add(x1, i32x4.add(a2, round)); round = i32x4.add(round, one);
      const first = a0;
      a0 = a2; a2 = a1; a1 = first;
    }
    // Now the word of a counter is x0 * 2^32 + x1.
    let u: v128, v: v128;
    if (kind == BITS) {
      u = i32x4.shuffle(x1, x0, 0, 4, 1, 5); v = i32x4.shuffle(x1, x0, 2, 6, 3, 7);
    } else {
      // f32 uniforms keep the upper 24 bits, so that they never round up to 1.
      if (single && kind == UNIFORM) { x0 = v128.and(x0, i32x4.splat(0xffffff00)); x1 = i32x4.splat(0); }
      x1 = i32x4.shr_u(x1, 11);
      const y0 = i32x4.shuffle(x0, x0, 2, 3, 2, 3), y1 = i32x4.shuffle(x1, x1, 2, 3, 2, 3);
      const s0 = f64x2.splat(2.3283064365386963e-10), s1 = f64x2.splat(1.1102230246251565e-16);   // 2^-32, 2^-53
      u = f64x2.mul(f64x2.convert_low_i32x4_u(x0), s0); v = f64x2.mul(f64x2.convert_low_i32x4_u(y0), s0);
      let ul = f64x2.convert_low_i32x4_u(x1), vl = f64x2.convert_low_i32x4_u(y1);
      if (kind == NORMAL) {   // p - 1/2 for p = (53 bits + 1/2) 2^-53: exact, and symmetric
        const half = f64x2.splat(0.5);
        u = quantile(f64x2.add(f64x2.sub(u, half), f64x2.mul(f64x2.add(ul, half), s1)));
        v = quantile(f64x2.add(f64x2.sub(v, half), f64x2.mul(f64x2.add(vl, half), s1)));
      } else { u = f64x2.add(u, f64x2.mul(ul, s1)); v = f64x2.add(v, f64x2.mul(vl, s1)); }
      u = f64x2.add(va, f64x2.mul(vb, u)); v = f64x2.add(va, f64x2.mul(vb, v));
    }
    const left = n - i;
    if (single) {
      u = i32x4.shuffle(f32x4.demote_f64x2_zero(u), f32x4.demote_f64x2_zero(v), 0, 1, 4, 5);
      if (left >= 4) v128.store(out, u);
      else {
        v128.store32_lane(out, u, 0);
        if (left > 1) v128.store32_lane(out, u, 1, 4);
        if (left > 2) v128.store32_lane(out, u, 2, 8);
      }
      out += 16;
    } else {
      if (left >= 4) { v128.store(out, u); v128.store(out, v, 16); }
      else {
        if (left > 1) v128.store(out, u); else v128.store64_lane(out, u, 0);
        if (left > 2) v128.store64_lane(out, v, 0, 16);
      }
      out += 32;
    }
  }
}

/** out[i] (u64, any alignment) = the 64 bits of counter first + i under key (k0, k1); `first` is a whole number < 2^53. */
export function randomBits(k0: u32, k1: u32, first: f64, n: i32, out: usize): void { draw(false, BITS, k0, k1, first, n, 0, 0, out); }

/** out[i] = low + (high - low) u, u = the upper 24 bits of counter first + i, times 2^-24: the f64 uniform, cut. f32[n]. */
export function randomUniform_f32(k0: u32, k1: u32, first: f64, n: i32, low: f64, high: f64, out: usize): void { draw(true, UNIFORM, k0, k1, first, n, low, high - low, out); }
/** out[i] = low + (high - low) u, u = the upper 53 bits of counter first + i, times 2^-53. f64[n]. */
export function randomUniform_f64(k0: u32, k1: u32, first: f64, n: i32, low: f64, high: f64, out: usize): void { draw(false, UNIFORM, k0, k1, first, n, low, high - low, out); }

/** out[i] = the value of randomNormal_f64, rounded to f32. f32[n]. */
export function randomNormal_f32(k0: u32, k1: u32, first: f64, n: i32, mean: f64, std: f64, out: usize): void { draw(true, NORMAL, k0, k1, first, n, mean, std, out); }
/** out[i] = mean + std z, z = normal quantile at (the upper 53 bits of counter first + i, plus 1/2) 2^-53: |z| < 8.3. f64[n]. */
export function randomNormal_f64(k0: u32, k1: u32, first: f64, n: i32, mean: f64, std: f64, out: usize): void { draw(false, NORMAL, k0, k1, first, n, mean, std, out); }

/** out (i32[n]) = a uniform permutation of 0..n-1: Fisher-Yates from the end, entry i swapped with floor(u_i (i + 1)). */
export function randomPermutation(k0: u32, k1: u32, n: i32, out: usize): void {
  for (let i = 0; i < n; i++) store<i32>(out + (<usize>i << 2), i);
  for (let i = n - 1; i > 0; i--) {
    const u = <f64>(threefry(k0, k1, i) >> 11) * 1.1102230246251565e-16;
    const p = out + (<usize>i << 2), q = out + (<usize>(u * <f64>(i + 1)) << 2);
    const x = load<i32>(p); store<i32>(p, load<i32>(q)); store<i32>(q, x);
  }
}
